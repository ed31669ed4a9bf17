/* SPDX-License-Identifier: Apache-2.0 */
/* Recognising hosts from their mountinfo, and making groups in directories that stand for a
 * hierarchy. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup.h"

static const char hybrid[] =
	"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:7 - cgroup cgroup "
	"rw,cpu,cpuacct\n"
	"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:8 master:3 - cgroup cgroup "
	"rw,memory\n"
	"36 31 0:33 / /mnt/with\\040space rw - cgroup cgroup rw,pids,release_agent=/x\n"
	"40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
	"42 31 0:32 / /elsewhere/memory rw,relatime - cgroup cgroup rw,memory\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

static const char unified[] =
	"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"41 31 0:38 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

static void hosts_are_recognised(void **state)
{
	(void)state;
	struct cgroup_host host;
	_cleanup_free_ char *memory = NULL;
	_cleanup_free_ char *pids = NULL;
	_cleanup_free_ char *events = NULL;

	assert_int_equal(cgroup_host_parse(hybrid, &host, NULL), 0);
	assert_false(host.v2);
	assert_true(host.hybrid);
	assert_int_equal(host.count, 5);
	memory = cgroup_file_path(&host, "memory", "/ecs/t", "memory.stat");
	assert_string_equal(memory, "/sys/fs/cgroup/memory/ecs/t/memory.stat");
	pids = cgroup_file_path(&host, "pids", "/ecs/t", "pids.max");
	assert_string_equal(pids, "/mnt/with space/ecs/t/pids.max");
	assert_null(cgroup_file_path(&host, "blkio", "/ecs/t", "x"));
	events = cgroup_oom_events_path(&host, "/ecs/t/c");
	assert_string_equal(events, "/sys/fs/cgroup/memory/ecs/t/c/memory.oom_control");
	cgroup_host_free(&host);

	assert_int_equal(cgroup_host_parse(unified, &host, NULL), 0);
	assert_true(host.v2);
	assert_false(host.hybrid);
	free(events);
	events = cgroup_oom_events_path(&host, "/ecs/t/c");
	assert_string_equal(events, "/sys/fs/cgroup/ecs/t/c/memory.events");
	cgroup_host_free(&host);
}

static void a_host_without_cgroups_is_said(void **state)
{
	(void)state;
	struct cgroup_host host;
	struct error err = ERROR_INIT;

	assert_int_equal(
		cgroup_host_parse("27 1 254:0 / / rw - ext4 /dev/vda rw\ngarbage\n", &host, &err),
		-ENOENT);
	assert_non_null(strstr(err.text, "mount one"));
}

/* runc's conversion. */
static void shares_become_weights(void **state)
{
	(void)state;
	assert_int_equal(cgroup_weight_from_shares(2), 1);
	assert_int_equal(cgroup_weight_from_shares(0), 1);
	assert_int_equal(cgroup_weight_from_shares(256), 10);
	assert_int_equal(cgroup_weight_from_shares(1024), 39);
	assert_int_equal(cgroup_weight_from_shares(262144), 10000);
	assert_int_equal(cgroup_weight_from_shares(UINT64_MAX), 10000);
}

/* ---- on directories */

static char top[32];

static struct cgroup_host fake(bool v2)
{
	_cleanup_free_ char *text =
		v2 ? xasprintf("41 31 0:38 / %s rw - cgroup2 cgroup2 rw\n", top)
		   : xasprintf("32 31 0:29 / %s/cpu rw - cgroup cgroup rw,cpu\n"
			       "33 31 0:29 / %s/memory rw - cgroup cgroup rw,memory\n",
			       top, top);
	struct cgroup_host host;

	assert_int_equal(cgroup_host_parse(text, &host, NULL), 0);
	return host;
}

static int set_up(void **state)
{
	(void)state;
	_cleanup_free_ char *cpu = NULL;
	_cleanup_free_ char *memory = NULL;

	strcpy(top, "/tmp/berth-cgroup-XXXXXX");
	assert_non_null(mkdtemp(top));
	cpu = xasprintf("%s/cpu", top);
	memory = xasprintf("%s/memory", top);
	assert_int_equal(mkdir(cpu, 0755), 0);
	return mkdir(memory, 0755);
}

static int tear_down(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, top, NULL);
}

static bool is_there(const char *path)
{
	_cleanup_free_ char *full = xasprintf("%s%s", top, path);

	return access(full, F_OK) == 0;
}

static void groups_are_made_and_removed_in_every_hierarchy(void **state)
{
	(void)state;
	struct cgroup_host host = fake(false);
	_cleanup_str_list_ struct str_list tasks = STR_LIST_INIT;

	assert_int_equal(cgroup_create(&host, "/ecs/one", NULL, NULL), 0);
	assert_int_equal(cgroup_create(&host, "/ecs/two/c", NULL, NULL), 0);
	/* Again is no error. */
	assert_int_equal(cgroup_create(&host, "/ecs/one", NULL, NULL), 0);
	assert_true(is_there("/cpu/ecs/one") && is_there("/memory/ecs/two/c"));
	assert_int_equal(cgroup_children(&host, "/ecs", &tasks, NULL), 0);
	assert_int_equal(tasks.count, 2);
	assert_int_equal(cgroup_remove(&host, "/ecs/two", 0, NULL), 0);
	assert_false(is_there("/cpu/ecs/two") || is_there("/memory/ecs/two"));
	assert_int_equal(cgroup_remove(&host, "/ecs/two", 0, NULL), 0);
	assert_int_equal(cgroup_remove(&host, "/ecs/one", 0, NULL), 0);
	cgroup_host_free(&host);
}

/* A limit that cannot be set (here: there is no such file): the error names it, and nothing is
 * left. */
static void a_limit_that_fails_leaves_no_group(void **state)
{
	(void)state;
	struct cgroup_host host = fake(false);
	const struct cgroup_limits limits = { .memory_limit = 1 << 20 };
	struct error err = ERROR_INIT;

	assert_int_equal(cgroup_create(&host, "/ecs/one", &limits, &err), -ENOENT);
	assert_non_null(strstr(err.text, "create cgroup /ecs/one"));
	assert_non_null(strstr(err.text, "memory.limit_in_bytes"));
	assert_false(is_there("/cpu/ecs/one") || is_there("/memory/ecs/one"));
	cgroup_host_free(&host);
}

static void paths_cannot_leave_the_hierarchy(void **state)
{
	(void)state;
	static const char *const wrong[] = { "/", "ecs", "", "/ecs/../..", "/ecs/../x", "/.." };
	struct cgroup_host host = fake(true);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(cgroup_create(&host, wrong[i], NULL, &err), -EINVAL);
		assert_int_equal(cgroup_remove(&host, wrong[i], 0, &err), -EINVAL);
		assert_int_equal(cgroup_kill(&host, wrong[i], &err), -EINVAL);
	}
	cgroup_host_free(&host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_recognised),
		cmocka_unit_test(a_host_without_cgroups_is_said),
		cmocka_unit_test(shares_become_weights),
		TEST(groups_are_made_and_removed_in_every_hierarchy),
		TEST(a_limit_that_fails_leaves_no_group),
		TEST(paths_cannot_leave_the_hierarchy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
