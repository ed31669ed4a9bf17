/* SPDX-License-Identifier: Apache-2.0 */
/* "name:group" resolved with the passwd and group files of an image, which are not trusted. */
#ifndef BERTH_RUNTIME_BUNDLE_USER_H
#define BERTH_RUNTIME_BUNDLE_USER_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define BUNDLE_USER_GROUPS_MAX 64

struct bundle_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[BUNDLE_USER_GROUPS_MAX]; /* supplementary, without gid */
	size_t group_count;
};

/*
 * Pure. `passwd` and `group` are the files' texts, NULL when the image has none. `user` NULL or ""
 * is root. `additional_groups`: names or numbers, NULL-terminated or NULL. As Docker: a number need
 * not be listed in the file. -ENOENT "unable to find user x: no matching entries in passwd file",
 * -EINVAL out of range.
 */
int bundle_user_resolve(const char *user, const char *const *additional_groups, const char *passwd,
			const char *group, struct bundle_user *ret, struct error *err);

/* Reads the two files below root_fd (symbolic links stay inside), at most 1 MiB each, and resolves.
 */
int bundle_user_resolve_in(int root_fd, const char *user, const char *const *additional_groups,
			   struct bundle_user *ret, struct error *err);

#endif
