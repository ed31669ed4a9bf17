/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/str.h"
#include "base/strbuf.h"

#define NAME       "json.log"
#define LINE_LIMIT ((size_t)1 << 20)
#define CHUNK      ((size_t)64 << 10)

struct log_reader {
	char *directory;
	int dir_fd;
	int fd;
	struct stat file;      /* what fd is */
	struct strbuf pending; /* read, not given yet */
	size_t given;          /* bytes at the start of pending that were given */
};

/* The number of a file of the log: 0 for json.log itself, 2 for json.log.2; -1: it is none. */
static int64_t number_of(const char *name)
{
	int64_t number;

	if (str_eq(name, NAME))
		return 0;
	if (!str_starts_with(name, NAME ".") ||
	    number_parse_i64(name + strlen(NAME "."), 1, INT32_MAX, &number, NULL) < 0)
		return -1;
	return number;
}

/* Which of the log's files to read when the open one is at its end. Numbers; -1: there is none. */
struct files {
	int64_t oldest;
	int64_t open;
	int64_t next; /* the one that is newer than the open one by the least */
};

static bool is_open(const struct log_reader *reader, const char *name)
{
	struct stat info;

	return reader->fd >= 0 && fstatat(reader->dir_fd, name, &info, 0) == 0 &&
	       info.st_ino == reader->file.st_ino && info.st_dev == reader->file.st_dev;
}

static int look(const struct log_reader *reader, struct files *ret, struct error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct files files = { .oldest = -1, .open = -1, .next = -1 };
	const struct dirent *entry;
	int fd = openat(reader->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return error_set(err, errno, "list %s", reader->directory);
	while ((entry = readdir(dir))) {
		int64_t number = number_of(entry->d_name);

		if (number > files.oldest)
			files.oldest = number;
		if (number >= 0 && is_open(reader, entry->d_name))
			files.open = number;
	}
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		int64_t number = number_of(entry->d_name);

		if (number < files.open && number > files.next)
			files.next = number;
	}
	*ret = files;
	return 0;
}

static int open_number(struct log_reader *reader, int64_t number, struct error *err)
{
	_cleanup_free_ char *name =
		number == 0 ? xstrdup(NAME) : xasprintf(NAME ".%lld", (long long)number);
	_cleanup_close_ int fd =
		openat(reader->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0)
		return error_set(err, errno, "open %s/%s", reader->directory, name);
	if (!S_ISREG(info.st_mode))
		return error_say(err, EINVAL, "open %s/%s: it is no regular file",
				 reader->directory, name);
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = TAKE_FD(fd);
	reader->file = info;
	strbuf_reset(&reader->pending);
	reader->given = 0;
	return 0;
}

int log_reader_open(const char *directory, struct log_reader **ret, struct error *err)
{
	struct log_reader *reader = xcalloc(1, sizeof(*reader));
	struct files files = { .oldest = -1 };
	int r = 0;

	reader->directory = xstrdup(directory);
	reader->fd = -1;
	reader->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (reader->dir_fd < 0)
		r = error_set(err, errno, "open %s", directory);
	if (r == 0)
		r = look(reader, &files, err);
	if (r == 0 && files.oldest < 0)
		r = error_say(err, ENOENT, "there is no log in %s", directory);
	if (r == 0)
		r = open_number(reader, files.oldest, err);
	if (r < 0) {
		log_reader_free(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

void log_reader_free(struct log_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	if (reader->dir_fd >= 0)
		close(reader->dir_fd);
	strbuf_free(&reader->pending);
	free(reader->directory);
	free(reader);
}

/* 1: bytes were read; 0: the end of the file. */
static int read_more(struct log_reader *reader, struct error *err)
{
	_cleanup_free_ char *chunk = xmalloc(CHUNK);
	ssize_t size;

	strbuf_consume(&reader->pending, reader->given);
	reader->given = 0;
	if (reader->pending.length > LINE_LIMIT)
		return error_say(err, EFBIG, "a line of the log in %s is longer than %zu bytes",
				 reader->directory, LINE_LIMIT);
	do {
		size = read(reader->fd, chunk, CHUNK);
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return error_set(err, errno, "read the log in %s", reader->directory);
	strbuf_append_n(&reader->pending, chunk, (size_t)size);
	return size > 0;
}

/* At the end of a file: 1 when it was rotated away and the next one is open now. */
static int move_on(struct log_reader *reader, struct error *err)
{
	struct files files = { .oldest = -1 };
	int r = look(reader, &files, err);

	/* Nothing newer also means: between the two steps of a rotation, before json.log is made.
	 */
	if (r < 0 || files.oldest < 0 || (files.open >= 0 && files.next < 0))
		return r;
	/* Between our reading its end and its getting a new name more may have been written. */
	r = read_more(reader, err);
	if (r != 0)
		return r;
	r = open_number(reader, files.open >= 0 ? files.next : files.oldest, err);
	/* Renamed meanwhile: the next look will find it. */
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int log_reader_next(struct log_reader *reader, const char **ret_line, size_t *ret_size,
		    struct error *err)
{
	for (;;) {
		const char *start = strbuf_text(&reader->pending) + reader->given;
		size_t size = reader->pending.length - reader->given;
		const char *end = memchr(start, '\n', size);
		int r;

		if (end) {
			*ret_line = start;
			*ret_size = (size_t)(end - start);
			reader->given += *ret_size + 1;
			return 1;
		}
		r = read_more(reader, err);
		if (r == 0)
			r = move_on(reader, err);
		if (r <= 0)
			return r;
	}
}
