/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/random.h"
#include "base/strbuf.h"

int file_read(int dir_fd, const char *name, size_t limit, char **ret_text, size_t *ret_size,
	      struct error *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct stat info;

	/* O_NONBLOCK: a FIFO put in the place of the file does not hold us */
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_set(err, errno, "open %s", name);
	if (fstat(fd, &info) < 0)
		return error_set(err, errno, "examine %s", name);
	if (!S_ISREG(info.st_mode))
		return error_say(err, EINVAL, "read %s: it is not a regular file", name);
	if (info.st_size > 0 && (size_t)info.st_size > limit)
		return error_say(err, EFBIG, "read %s: %lld bytes, at most %zu are taken", name,
				 (long long)info.st_size, limit);

	/* One byte over the size (or a page, where the size is not known), so that one read often
	 * does. */
	strbuf_reserve(&text, info.st_size > 0 ? (size_t)info.st_size + 1 : 4096);
	for (;;) {
		ssize_t got;

		if (text.capacity - text.length < 2)
			strbuf_reserve(&text, text.length);
		got = read(fd, text.data + text.length, text.capacity - text.length - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(err, errno, "read %s", name);
		if (got == 0)
			break;
		text.length += (size_t)got;
		if (text.length > limit)
			return error_say(err, EFBIG, "read %s: more than %zu bytes", name, limit);
	}
	text.data[text.length] = '\0';
	if (ret_size)
		*ret_size = text.length;
	*ret_text = strbuf_take(&text);
	return 0;
}

int file_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t written = write(fd, at, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

static int sync_directory_of(int dir_fd, const char *name)
{
	const char *slash = strrchr(name, '/');
	_cleanup_free_ char *parent = NULL;
	_cleanup_close_ int fd = -1;

	parent = slash ? xstrndup(name, slash == name ? 1 : (size_t)(slash - name)) : xstrdup(".");
	fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int write_and_rename(int dir_fd, const char *temporary, const char *name, const void *data,
			    size_t size, mode_t mode, bool durable, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int result;

	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, errno, "make %s", temporary);
	result = file_write_all(fd, data, size);
	if (result < 0) {
		error_set(err, -result, "write %s", temporary);
	} else if (fchmod(fd, mode) < 0) {
		result = error_set(err, errno, "set the mode of %s", temporary);
	} else if (durable && fdatasync(fd) < 0) {
		result = error_set(err, errno, "sync %s", temporary);
	} else if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
		result = error_set(err, errno, "rename %s to %s", temporary, name);
	}
	if (result < 0)
		unlinkat(dir_fd, temporary, 0);
	return result;
}

int file_write_atomic(int dir_fd, const char *name, const void *data, size_t size, mode_t mode,
		      bool durable, struct error *err)
{
	_cleanup_free_ char *temporary = NULL;
	char unique[13];
	int result;

	random_hex(unique, 6);
	temporary = xasprintf("%s.%s.tmp", name, unique);
	result = write_and_rename(dir_fd, temporary, name, data, size, mode, durable, err);
	if (result < 0)
		return result;
	if (durable) {
		result = sync_directory_of(dir_fd, name);
		if (result < 0)
			return error_set(err, -result, "sync the directory of %s", name);
	}
	return 0;
}

int file_write_knob(int dir_fd, const char *name, const char *text, struct error *err)
{
	_cleanup_close_ int fd = -1;
	ssize_t written;

	fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "open %s", name);
	do
		written = write(fd, text, strlen(text));
	while (written < 0 && errno == EINTR);
	if (written < 0)
		return error_set(err, errno, "write \"%.64s\" to %s", text, name);
	return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct error *err)
{
	_cleanup_free_ char *part = xstrdup(path);
	struct stat info;

	for (char *slash = part; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (*part && mkdir(part, mode) < 0 && errno != EEXIST) {
			/* a read-only or foreign parent says so although the directory is there */
			int code = errno;

			if (stat(part, &info) < 0 || !S_ISDIR(info.st_mode))
				return error_set(err, code, "make the directory %s", part);
		}
		if (slash)
			*slash = '/';
	}
	if (stat(path, &info) < 0)
		return error_set(err, errno, "examine %s", path);
	if (!S_ISDIR(info.st_mode))
		return error_set(err, ENOTDIR, "make the directory %s", path);
	return 0;
}

static long open_at_2(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = resolve,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

static int remove_below(int dir_fd, const char *name, const char *path, int depth,
			struct error *err);

static int remove_entries(int fd, const char *path, int depth, struct error *err)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int first = 0;

	if (!dir) {
		int code = errno;

		close(fd);
		return error_set(err, code, "list %s", path);
	}
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *child = NULL;
		int result;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		child = xasprintf("%s/%s", path, entry->d_name);
		/* goes on after a failure: what can be removed is removed, the first error is told
		 */
		result = remove_below(dirfd(dir), entry->d_name, child, depth, first ? NULL : err);
		if (result < 0 && !first)
			first = result;
	}
	return first;
}

#define MAX_DEPTH 256

static int remove_below(int dir_fd, const char *name, const char *path, int depth,
			struct error *err)
{
	long fd;
	int result;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return error_set(err, errno, "remove %s", path);
	if (depth >= MAX_DEPTH)
		return error_say(err, ELOOP, "remove %s: nested deeper than %d", path, MAX_DEPTH);

	/* NO_XDEV: also a bind mount of the same file system is not entered */
	fd = open_at_2(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
		       RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
	if (fd < 0 && errno == EXDEV)
		return error_say(err, EXDEV, "remove %s: something is mounted there", path);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_set(err, errno, "open %s", path);
	result = remove_entries((int)fd, path, depth + 1, err);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT && result == 0)
		result = error_set(err, errno, "remove %s", path);
	return result;
}

int file_remove_tree(int dir_fd, const char *name, struct error *err)
{
	_cleanup_free_ char *trimmed = xstrdup(name);
	_cleanup_close_ int parent_fd = -1;
	size_t length = strlen(trimmed);
	char *slash;

	while (length > 1 && trimmed[length - 1] == '/')
		trimmed[--length] = '\0';
	slash = strrchr(trimmed, '/');
	if (!slash)
		return remove_below(dir_fd, trimmed, name, 0, err);

	*slash = '\0';
	parent_fd = openat(dir_fd, *trimmed ? trimmed : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0)
		return errno == ENOENT ? 0 : error_set(err, errno, "open the parent of %s", name);
	return remove_below(parent_fd, slash + 1, name, 0, err);
}

int file_open_in_root(int root_fd, const char *path, int flags, mode_t mode, int *ret_fd,
		      struct error *err)
{
	long fd = open_at_2(root_fd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

	if (fd < 0)
		return error_set(err, errno, "open %s", path);
	*ret_fd = (int)fd;
	return 0;
}

#define ORPHANED_LOCK_MS 2000

/* The pid in a lock file; 0: none is. */
static pid_t lock_owner(int fd)
{
	char text[16] = "";
	int64_t pid = 0;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	(void)number_parse_i64(text, 1, INT32_MAX, &pid, NULL);
	return (pid_t)pid;
}

/*
 * A child that a killed owner was just starting shares its lock until it execs: that passes, and is
 * waited for. An owner that lives is not. 0, or -1 with errno.
 */
static int take_lock(int fd)
{
	int64_t until = clock_monotonic_ms() + ORPHANED_LOCK_MS;
	int r;

	while ((r = flock(fd, LOCK_EX | LOCK_NB)) < 0 && errno == EWOULDBLOCK) {
		pid_t owner = lock_owner(fd);

		if (owner == 0 || kill(owner, 0) == 0 || errno != ESRCH ||
		    clock_monotonic_ms() > until) {
			errno = EWOULDBLOCK;
			return -1;
		}
		usleep(2000);
	}
	return r;
}

int file_lock(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	char owner[32] = "";
	int length;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, errno, "open the lock file %s", path);
	if (take_lock(fd) < 0) {
		if (errno != EWOULDBLOCK)
			return error_set(err, errno, "lock %s", path);
		if (pread(fd, owner, sizeof(owner) - 1, 0) <= 0)
			strcpy(owner, "unknown");
		owner[strspn(owner, "0123456789unkow")] = '\0';
		return error_say(err, EWOULDBLOCK,
				 "lock %s: the process with pid %s holds it; only one can run on "
				 "it at a time",
				 path, owner);
	}
	length = snprintf(owner, sizeof(owner), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, owner, (size_t)length, 0) != length)
		return error_set(err, errno ? errno : EIO, "write our pid to %s", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
