/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle_user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/str.h"

#define FILE_LIMIT (1 << 20)
#define ID_MAX     INT32_MAX /* as the reference: the upper half is refused */

static bool parse_id(const char *text, uint32_t *ret)
{
	int64_t number;

	if (number_parse_i64(text, 0, ID_MAX, &number, NULL) < 0)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* The next line of *text with its fields ("name:x:0:..."); false at the end. Lines that are no
 * records are skipped. */
static bool next_record(const char **text, size_t fields_least, struct str_list *ret)
{
	while (*text && **text) {
		size_t length = strcspn(*text, "\n");
		_cleanup_free_ char *line = xstrndup(*text, length);

		*text += length + ((*text)[length] == '\n');
		str_list_free(ret);
		str_list_split(ret, line, ':', true);
		if (ret->count >= fields_least && line[0] != '#')
			return true;
	}
	return false;
}

/* By name, or by number when the text is one. False: not listed. */
static bool find_user(const char *passwd, const char *user, struct str_list *ret)
{
	uint32_t wanted, uid;
	bool by_number = parse_id(user, &wanted);

	while (next_record(&passwd, 4, ret)) {
		if (str_eq(ret->items[0], user))
			return true;
		if (by_number && parse_id(ret->items[2], &uid) && uid == wanted)
			return true;
	}
	return false;
}

static bool find_group(const char *group, const char *name, struct str_list *ret)
{
	while (next_record(&group, 3, ret)) {
		if (str_eq(ret->items[0], name))
			return true;
	}
	return false;
}

static int resolve_group(const char *text, const char *group, gid_t *ret, struct error *err)
{
	_cleanup_str_list_ struct str_list record = STR_LIST_INIT;
	uint32_t gid;

	if (find_group(group, text, &record) && parse_id(record.items[2], &gid)) {
		*ret = gid;
		return 0;
	}
	if (is_number(text)) {
		if (!parse_id(text, &gid))
			return error_say(err, EINVAL,
					 "group %s: uids and gids must be in range 0-%d", text,
					 ID_MAX);
		*ret = gid;
		return 0;
	}
	return error_say(err, ENOENT, "unable to find group %s: no matching entries in group file",
			 text);
}

static int add_group(struct bundle_user *user, gid_t gid, struct error *err)
{
	for (size_t i = 0; i < user->group_count; i++) {
		if (user->groups[i] == gid)
			return 0;
	}
	if (gid == user->gid)
		return 0;
	if (user->group_count == BUNDLE_USER_GROUPS_MAX)
		return error_say(err, EINVAL, "more than %d supplementary groups",
				 BUNDLE_USER_GROUPS_MAX);
	user->groups[user->group_count++] = gid;
	return 0;
}

/* The groups that list the user as a member. */
static int add_memberships(struct bundle_user *user, const char *name, const char *group,
			   struct error *err)
{
	_cleanup_str_list_ struct str_list record = STR_LIST_INIT;

	while (next_record(&group, 4, &record)) {
		_cleanup_str_list_ struct str_list members = STR_LIST_INIT;
		uint32_t gid;
		int result;

		str_list_split(&members, record.items[3], ',', false);
		if (!str_list_has(&members, name) || !parse_id(record.items[2], &gid))
			continue;
		result = add_group(user, gid, err);
		if (result < 0)
			return result;
	}
	return 0;
}

int bundle_user_resolve(const char *user, const char *const *additional_groups, const char *passwd,
			const char *group, struct bundle_user *ret, struct error *err)
{
	_cleanup_str_list_ struct str_list record = STR_LIST_INIT;
	_cleanup_free_ char *name = NULL;
	struct bundle_user found = { 0 };
	const char *colon = user ? strchr(user, ':') : NULL;
	const char *group_name = colon ? colon + 1 : NULL;
	uint32_t id;
	int result = 0;

	name = xstrndup(user ? user : "", colon ? (size_t)(colon - user) : user ? strlen(user) : 0);
	if (!*name) {
		free(name);
		name = xstrdup("0");
	}

	if (find_user(passwd, name, &record)) {
		if (!parse_id(record.items[2], &id))
			return error_say(err, EINVAL,
					 "user %s: the image's passwd file gives it the uid \"%s\"",
					 name, record.items[2]);
		found.uid = id;
		if (parse_id(record.items[3], &id))
			found.gid = id;
	} else if (is_number(name)) {
		if (!parse_id(name, &id))
			return error_say(err, EINVAL,
					 "user %s: uids and gids must be in range 0-%d", name,
					 ID_MAX);
		found.uid = id;
	} else {
		return error_say(err, ENOENT,
				 "unable to find user %s: no matching entries in passwd file",
				 name);
	}

	if (group_name && *group_name)
		/* With a group of its own the user's memberships do not count, as in Docker. */
		result = resolve_group(group_name, group, &found.gid, err);
	else if (record.count)
		result = add_memberships(&found, record.items[0], group, err);
	for (; result == 0 && additional_groups && *additional_groups; additional_groups++) {
		gid_t gid = 0;

		result = resolve_group(*additional_groups, group, &gid, err);
		if (result == 0)
			result = add_group(&found, gid, err);
	}
	if (result == 0)
		*ret = found;
	return result;
}

static int read_in(int root_fd, const char *path, char **ret, struct error *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *name = NULL;
	int result = file_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK, 0, &fd, err);

	if (result == -ENOENT || result == -ENOTDIR)
		return 0;
	if (result < 0)
		return result;
	name = xasprintf("/proc/self/fd/%d", fd);
	return file_read(AT_FDCWD, name, FILE_LIMIT, ret, NULL, err);
}

int bundle_user_resolve_in(int root_fd, const char *user, const char *const *additional_groups,
			   struct bundle_user *ret, struct error *err)
{
	_cleanup_free_ char *passwd = NULL;
	_cleanup_free_ char *group = NULL;
	int result = read_in(root_fd, "/etc/passwd", &passwd, err);

	if (result == 0)
		result = read_in(root_fd, "/etc/group", &group, err);
	if (result < 0) {
		error_prefix(err, "look up user %s in the image", user && *user ? user : "root");
		return result;
	}
	return bundle_user_resolve(user, additional_groups, passwd, group, ret, err);
}
