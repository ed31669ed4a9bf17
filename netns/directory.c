/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/namespace.h"

/* Opened, and locked against others who prepare or release it. The lock is the inode's: a mount
 * over it changes nothing. */
static int lock_directory(const char *directory, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, errno, "open directory %s", directory);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_set(err, errno, "lock directory %s", directory);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int is_mount_point(const char *directory, struct error *err)
{
	struct statx info;

	if (statx(AT_FDCWD, directory, AT_NO_AUTOMOUNT, STATX_TYPE, &info) < 0)
		return error_set(err, errno, "examine directory %s", directory);
	return (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

int netns_directory_prepare(const char *directory, struct error *err)
{
	_cleanup_close_ int lock = -1;
	int r = file_mkdirs(directory, 0755, err);

	if (r == 0)
		r = lock_directory(directory, &lock, err);
	if (r == 0)
		r = is_mount_point(directory, err);
	if (r < 0)
		return r;
	if (r == 0 && mount(directory, directory, NULL, MS_BIND, NULL) < 0)
		return error_set(err, errno, "bind directory %s to itself", directory);
	if (mount(NULL, directory, NULL, MS_PRIVATE, NULL) < 0)
		return error_set(err, errno, "make the mount of %s private", directory);
	return 0;
}

int netns_directory_release(const char *directory, struct error *err)
{
	_cleanup_close_ int lock = -1;
	int r = lock_directory(directory, &lock, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = is_mount_point(directory, err);
	if (r < 0)
		return r;
	/* Our own open directory keeps the mount busy for a plain umount(2). */
	close(TAKE_FD(lock));
	if (r > 0 && umount2(directory, UMOUNT_NOFOLLOW) < 0)
		return error_set(err, errno, "unmount %s, where network namespaces are kept",
				 directory);
	if (rmdir(directory) < 0 && errno != ENOENT)
		return error_set(err, errno, "remove directory %s", directory);
	return 0;
}
