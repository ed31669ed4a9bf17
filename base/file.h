/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whole reads with a bound, atomic writes, trees, locks. Every fd is close-on-exec. */
#ifndef BERTH_BASE_FILE_H
#define BERTH_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * `name` is relative to `dir_fd` (AT_FDCWD: the working directory) or absolute.
 *
 * Reads the regular file whole, NUL-terminated after its last byte, into *ret_text (the caller
 * frees); *ret_size (may be NULL) without the NUL. Also reads procfs and sysfs files, whose size is
 * said to be 0. A symbolic link as last component is followed. Errors: -EFBIG over `limit` bytes,
 * -EINVAL not a regular file, else what open or read say.
 */
int file_read(int dir_fd, const char *name, size_t limit, char **ret_text, size_t *ret_size,
	      struct error *err);

/*
 * Replaces or makes `name` in one step: a temporary file beside it, then rename. When `durable`,
 * the data are on the disk (fdatasync, and fsync of the directory) when this returns. On failure
 * the old file is untouched and no temporary file is left. `mode` is applied as is (no umask).
 */
int file_write_atomic(int dir_fd, const char *name, const void *data, size_t size, mode_t mode,
		      bool durable, struct error *err);

/* Writes over an existing file (a cgroup or sysctl knob) with one write(); never creates. */
int file_write_knob(int dir_fd, const char *name, const char *text, struct error *err);

/* write() until all is written; -errno. */
int file_write_all(int fd, const void *data, size_t size);

/* The directory and its missing parents; an existing directory keeps its mode. */
int file_mkdirs(const char *path, mode_t mode, struct error *err);

/*
 * Removes `name` and all below it; 0 also when it does not exist. Symbolic links are removed, never
 * followed; other file systems mounted below are not entered (-EXDEV).
 */
int file_remove_tree(int dir_fd, const char *name, struct error *err);

/*
 * Opens `path`, which comes from outside, as if root_fd were "/": "..", absolute links and the like
 * stay inside; magic links are refused. `flags` as open(2); O_CLOEXEC is added.
 */
int file_open_in_root(int root_fd, const char *path, int flags, mode_t mode, int *ret_fd,
		      struct error *err);

/*
 * Takes the exclusive lock file at `path` (made with mode 0600 when missing) and writes our pid in
 * it. The lock lives as long as the fd. -EWOULDBLOCK: another has it, and the text says who.
 */
int file_lock(const char *path, int *ret_fd, struct error *err);

#endif
