/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/bundle_user.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment:x:5:5\n"
			     "broken line\n"
			     "web:x:1000:1001::/:/bin/sh\n"
			     "77:x:78:79::/:/bin/sh\n"
			     "evil:x:99999999999:1::/:/bin/sh\n";
static const char group[] = "root:x:0:\n"
			    "wheel:x:10:root,web\n"
			    "web:x:1001:web\n"
			    "extra:x:1500:other,web\n";

struct expected {
	const char *user;
	const char *const *additional;
	uid_t uid;
	gid_t gid;
	size_t count;
	gid_t groups[4];
};

static void users_are_found_as_docker_finds_them(void **state)
{
	(void)state;
	const struct expected cases[] = {
		{ NULL, NULL, 0, 0, 1, { 10 } },
		{ "", NULL, 0, 0, 1, { 10 } },
		{ "root", NULL, 0, 0, 1, { 10 } },
		{ "web", NULL, 1000, 1001, 2, { 10, 1500 } },
		/* By number: the entry with that number gives group and memberships. */
		{ "1000", NULL, 1000, 1001, 2, { 10, 1500 } },
		/* A number that nobody has is taken as it is, with group 0. */
		{ "4242", NULL, 4242, 0, 0, { 0 } },
		/* A name that looks like a number is a name first. */
		{ "77", NULL, 78, 79, 0, { 0 } },
		/* With a group of its own there are no memberships. */
		{ "web:extra", NULL, 1000, 1500, 0, { 0 } },
		{ "web:4711", NULL, 1000, 4711, 0, { 0 } },
		{ "5:6", NULL, 5, 6, 0, { 0 } },
		{ ":extra", NULL, 0, 1500, 0, { 0 } },
		{ "5",
		  (const char *const[]){ "extra", "900001", "extra", NULL },
		  5,
		  0,
		  2,
		  { 1500, 900001 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bundle_user user;
		struct error err = ERROR_INIT;

		if (bundle_user_resolve(cases[i].user, cases[i].additional, passwd, group, &user,
					&err) < 0)
			fail_msg("%s: %s", cases[i].user, err.text);
		assert_int_equal(user.uid, cases[i].uid);
		assert_int_equal(user.gid, cases[i].gid);
		assert_int_equal(user.group_count, cases[i].count);
		for (size_t k = 0; k < user.group_count; k++)
			assert_int_equal(user.groups[k], cases[i].groups[k]);
	}
}

static void unknown_users_and_groups_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *user;
		int code;
		const char *text;
	} cases[] = {
		{ "nobody", ENOENT,
		  "unable to find user nobody: no matching entries in passwd file" },
		{ "web:nogroup", ENOENT,
		  "unable to find group nogroup: no matching entries in group file" },
		{ "4294967295", EINVAL, "uids and gids must be in range" },
		{ "5:4294967295", EINVAL, "uids and gids must be in range" },
		{ "evil", EINVAL, "99999999999" },
		{ "-1", ENOENT, "unable to find user -1" },
		{ "0x0", ENOENT, "unable to find user 0x0" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bundle_user user = { .uid = 12345 };
		struct error err = ERROR_INIT;

		assert_int_equal(
			bundle_user_resolve(cases[i].user, NULL, passwd, group, &user, &err),
			-cases[i].code);
		if (!strstr(err.text, cases[i].text))
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].text);
		assert_int_equal(user.uid, 12345);
	}
}

static void an_image_without_the_files_knows_numbers_only(void **state)
{
	(void)state;
	struct bundle_user user;

	assert_int_equal(bundle_user_resolve("1:2", NULL, NULL, NULL, &user, NULL), 0);
	assert_int_equal(user.gid, 2);
	assert_int_equal(bundle_user_resolve("", NULL, NULL, NULL, &user, NULL), 0);
	assert_int_equal(user.uid, 0);
	assert_int_equal(bundle_user_resolve("web", NULL, NULL, NULL, &user, NULL), -ENOENT);
}

/* /etc/passwd may be a link to anywhere: it is followed inside of the image, never outside. */
static void links_do_not_lead_out_of_the_image(void **state)
{
	(void)state;
	char dir[] = "/tmp/berth-user-XXXXXX";
	_cleanup_free_ char *etc = NULL;
	_cleanup_free_ char *link = NULL;
	_cleanup_free_ char *inside = NULL;
	_cleanup_close_ int fd = -1;
	struct bundle_user user;

	assert_non_null(mkdtemp(dir));
	etc = xasprintf("%s/etc", dir);
	link = xasprintf("%s/etc/passwd", dir);
	inside = xasprintf("%s/shadowed", dir);
	assert_int_equal(file_mkdirs(etc, 0755, NULL), 0);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);

	/* The host has a daemon in its own /etc/passwd; this image has not. */
	assert_int_equal(symlink("../../../../../../../../../etc/passwd-of-nobody", link), 0);
	assert_int_equal(bundle_user_resolve_in(fd, "daemon", NULL, &user, NULL), -ENOENT);
	assert_int_equal(bundle_user_resolve_in(fd, "7", NULL, &user, NULL), 0);
	unlink(link);
	assert_int_equal(symlink("/shadowed", link), 0);
	assert_int_equal(
		file_write_atomic(AT_FDCWD, inside, "me:x:7:8::/:\n", 13, 0644, false, NULL), 0);
	assert_int_equal(bundle_user_resolve_in(fd, "me", NULL, &user, NULL), 0);
	assert_int_equal(user.uid, 7);
	assert_int_equal(user.gid, 8);
	unlink(link);
	assert_int_equal(symlink("/proc/self/root/etc/passwd", link), 0);
	assert_int_equal(bundle_user_resolve_in(fd, "daemon", NULL, &user, NULL), -ENOENT);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_found_as_docker_finds_them),
		cmocka_unit_test(unknown_users_and_groups_are_named),
		cmocka_unit_test(an_image_without_the_files_knows_numbers_only),
		cmocka_unit_test(links_do_not_lead_out_of_the_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
