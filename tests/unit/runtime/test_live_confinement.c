/* SPDX-License-Identifier: Apache-2.0 */
/* What a container may do and use, as its own process and the kernel see it, with each OCI runtime
 * of this host. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "live.h"

static struct live live;

#define ARGS(...)  ((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) ARGS("/bin/sh", "-c", script)

static uint64_t hex_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	assert_non_null(at);
	return strtoull(at + strlen(key), NULL, 16);
}

static void containers_are_confined(void **state)
{
	(void)state;
	struct live_container container;
	_cleanup_free_ char *out = NULL;

	live_container_init(
		&live, &container,
		SH("cat /proc/self/status; hostname; cat /proc/keys | head -c 1; ls /sys/firmware; "
		   "echo x 2>/dev/null > /proc/sys/kernel/domainname || echo sysrefused; id; "
		   "cat /proc/self/oom_score_adj; ulimit -n"));
	container.config.no_new_privileges = true;
	container.config.has_oom_score_adj = true;
	container.config.oom_score_adj = 321;
	container.config.rlimits =
		(struct container_rlimit[]){ { .name = "nofile", .soft = 777, .hard = 888 } };
	container.config.rlimit_count = 1;
	live_run(&container);
	out = live_log(&container, "stdout");
	assert_non_null(strstr(out, "Seccomp:\t2"));
	assert_non_null(strstr(out, "NoNewPrivs:\t1"));
	assert_int_equal(hex_of(out, "CapBnd:\t"), 0xa80425fb);
	assert_int_equal(hex_of(out, "CapEff:\t"), 0xa80425fb);
	assert_int_equal(hex_of(out, "CapAmb:\t"), 0);
	assert_non_null(strstr(out, "testhost\n"));
	assert_non_null(strstr(out, "sysrefused\n"));
	assert_non_null(strstr(out, "321\n777\n"));
	live_delete(&container);
}

static void a_named_user_has_its_groups_and_no_capability(void **state)
{
	(void)state;
	struct live_container container;
	_cleanup_free_ char *out = NULL;

	live_container_init(&live, &container, SH("cat /proc/self/status; id"));
	container.config.user = "web";
	live_run(&container);
	out = live_log(&container, "stdout");
	assert_int_equal(hex_of(out, "CapEff:\t"), 0);
	assert_non_null(strstr(out, "uid=1000(web) gid=1001(web) groups=1001(web),1500(extra)"));
	live_delete(&container);
}

/* Task and container limits arrive in the kernel; the path is /top/container in each hierarchy. */
static void limits_reach_the_cgroup(void **state)
{
	(void)state;
	struct live_container container;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *pids_path = NULL;
	_cleanup_free_ char *pids = NULL;

	live_container_init(&live, &container, ARGS("/bin/sleep", "1000"));
	container.config.memory_limit = 64 << 20;
	container.config.cpu_shares = 512;
	container.config.pids_limit = 33;
	live_create(&container, false);
	path = cgroup_file_path(&live.cgroups, "memory", container.cgroup,
				live.cgroups.v2 ? "memory.max" : "memory.limit_in_bytes");
	assert_int_equal(file_read(AT_FDCWD, path, 64, &text, NULL, NULL), 0);
	assert_string_equal(text, "67108864\n");
	pids_path = cgroup_file_path(&live.cgroups, "pids", container.cgroup, "pids.max");
	assert_int_equal(file_read(AT_FDCWD, pids_path, 64, &pids, NULL, NULL), 0);
	assert_string_equal(pids, "33\n");
	live_delete(&container);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(containers_are_confined),
		cmocka_unit_test(a_named_user_has_its_groups_and_no_capability),
		cmocka_unit_test(limits_reach_the_cgroup),
	};

	return live_with_each_runtime(&live, tests, sizeof(tests) / sizeof(tests[0]));
}
