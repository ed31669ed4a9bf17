/* SPDX-License-Identifier: Apache-2.0 */
/* Real control groups and overlays of this host. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "live.h"
#include "runtime/bundle_mount.h"
#include "runtime/stats.h"

static struct cgroup_host host;
static char *top;

static char *knob(const char *path, const char *controller, const char *v1, const char *v2)
{
	_cleanup_free_ char *file = cgroup_file_path(&host, controller, path, host.v2 ? v2 : v1);
	char *text = NULL;

	assert_int_equal(file_read(AT_FDCWD, file, 4096, &text, NULL, NULL), 0);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* The group of a task: CFS quota = cpu x period, memory in bytes, pids; left alone when it is in
 * use. */
static void a_tasks_limits_are_set_once(void **state)
{
	(void)state;
	_cleanup_free_ char *path = xasprintf("%s/task", top);
	_cleanup_free_ char *below = xasprintf("%s/container", path);
	struct cgroup_limits limits = { .cpu_quota_us = 50000,
					.cpu_period_us = 100000,
					.memory_limit = 64 << 20,
					.pids_limit = 50 };
	_cleanup_free_ char *memory = NULL;
	_cleanup_free_ char *pids = NULL;
	_cleanup_free_ char *cpu = NULL;
	_cleanup_free_ char *again = NULL;
	struct error err = ERROR_INIT;

	if (cgroup_create(&host, path, &limits, &err) < 0)
		fail_msg("%s", err.text);
	memory = knob(path, "memory", "memory.limit_in_bytes", "memory.max");
	assert_string_equal(memory, "67108864");
	pids = knob(path, "pids", "pids.max", "pids.max");
	assert_string_equal(pids, "50");
	cpu = knob(path, "cpu", "cpu.cfs_quota_us", "cpu.max");
	assert_string_equal(cpu, host.v2 ? "50000 100000" : "50000");
	assert_int_equal(cgroup_create(&host, below, NULL, &err), 0);
	limits.memory_limit = 32 << 20;
	assert_int_equal(cgroup_create(&host, path, &limits, &err), 0);
	again = knob(path, "memory", "memory.limit_in_bytes", "memory.max");
	assert_string_equal(again, "67108864");
	assert_int_equal(cgroup_remove(&host, path, 0, &err), 0);
}

/* Somebody was killed right after the first step of it: no CPUs, no limits. */
static void a_group_that_was_begun_is_finished(void **state)
{
	(void)state;
	_cleanup_free_ char *path = xasprintf("%s/begun", top);
	_cleanup_free_ char *below = xasprintf("%s/pause", path);
	const struct cgroup_limits limits = { .memory_limit = 64 << 20 };
	_cleanup_free_ char *memory = NULL;
	struct error err = ERROR_INIT;
	pid_t pid;

	assert_int_equal(cgroup_create(&host, top, NULL, &err), 0);
	for (size_t i = 0; i < host.count; i++) {
		_cleanup_free_ char *dir = xasprintf("%s%s", host.hierarchies[i].mount_point, path);

		assert_int_equal(mkdir(dir, 0755), 0);
	}
	if (cgroup_create(&host, path, &limits, &err) < 0 ||
	    cgroup_create(&host, below, NULL, &err) < 0)
		fail_msg("%s", err.text);
	memory = knob(path, "memory", "memory.limit_in_bytes", "memory.max");
	assert_string_equal(memory, "67108864");
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	if (cgroup_enter(&host, below, pid, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(cgroup_kill(&host, path, &err), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(cgroup_remove(&host, path, 2000, &err), 0);
}

/* Whatever lives in a group and below is killed, and then every hierarchy is empty again. */
static void a_group_is_emptied_and_removed(void **state)
{
	(void)state;
	_cleanup_free_ char *path = xasprintf("%s/busy", top);
	_cleanup_free_ char *below = xasprintf("%s/busy/below", top);
	_cleanup_free_ pid_t *pids = NULL;
	_cleanup_str_list_ struct str_list left = STR_LIST_INIT;
	struct error err = ERROR_INIT;
	size_t count;
	pid_t children[2];

	assert_int_equal(cgroup_create(&host, below, NULL, &err), 0);
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			pause();
			_exit(0);
		}
	}
	if (cgroup_enter(&host, below, children[0], &err) < 0 ||
	    cgroup_enter(&host, below, children[1], &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(cgroup_processes(&host, below, &pids, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_int_equal(cgroup_remove(&host, path, 0, &err), -EBUSY);
	assert_int_equal(cgroup_kill(&host, path, &err), 0);
	for (int i = 0; i < 2; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	if (cgroup_remove(&host, path, 1000, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(cgroup_children(&host, top, &left, NULL), 0);
	assert_int_equal(left.count, 0);
}

/* The same in a version 2 hierarchy, where cgroup.kill does it, when this host has one. */
static void version_2_groups_are_emptied_too(void **state)
{
	struct cgroup_host real = host;
	_cleanup_free_ char *text = NULL;
	const char *mount_point = NULL;

	for (size_t i = 0; i < real.count; i++) {
		if (real.hierarchies[i].unified)
			mount_point = real.hierarchies[i].mount_point;
	}
	if (!mount_point)
		return;
	text = xasprintf("1 1 0:1 / %s rw - cgroup2 cgroup2 rw\n", mount_point);
	assert_int_equal(cgroup_host_parse(text, &host, NULL), 0);
	assert_true(host.v2);
	a_group_is_emptied_and_removed(state);
	cgroup_host_free(&host);
	host = real;
}

static void a_sample_is_cheap_and_ends_with_its_group(void **state)
{
	(void)state;
	enum { N = 2000 };
	_cleanup_free_ char *path = xasprintf("%s/stats", top);
	static struct container_stats stats;
	struct stats_source *source;
	struct error err = ERROR_INIT;
	struct network_stats network;
	int64_t begin, sample, net;

	assert_int_equal(cgroup_create(&host, path, NULL, &err), 0);
	assert_int_equal(stats_open(&host, path, &source, &err), 0);
	begin = clock_monotonic_ns();
	for (int i = 0; i < N; i++)
		assert_int_equal(stats_read(source, &stats, &err), 0);
	sample = (clock_monotonic_ns() - begin) / N;
	begin = clock_monotonic_ns();
	for (int i = 0; i < N; i++)
		assert_int_equal(stats_read_network(getpid(), &network, &err), 0);
	net = (clock_monotonic_ns() - begin) / N;
	printf("statistics: %.1f us per container, %.1f us for its interfaces\n",
	       (double)sample / 1e3, (double)net / 1e3);
	assert_true(stats.memory_stats_count > 5);
	assert_true(stats.memory_limit > 0);
	assert_int_equal(cgroup_remove(&host, path, 1000, &err), 0);
	assert_int_equal(stats_read(source, &stats, &err), -ENODEV);
	stats_close(source);
}

/* ---- overlays */

static void write_file(const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(file_mkdirs(dir, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, false, NULL),
			 0);
}

/* The topmost layer counts, with as many layers as Docker takes, in both ways of mounting. */
static void many_layers_are_mounted_in_order(void **state)
{
	(void)state;
	enum { LAYERS = 120 };
	_cleanup_free_ char *dir = live_directory();
	_cleanup_free_ char *upper = xasprintf("%s/upper", dir);
	_cleanup_free_ char *work = xasprintf("%s/work", dir);
	_cleanup_free_ char *target = xasprintf("%s/root", dir);
	_cleanup_str_list_ struct str_list layers = STR_LIST_INIT;
	struct error err = ERROR_INIT;

	for (int i = 0; i < LAYERS; i++) {
		/* As long as containerd's own. */
		_cleanup_free_ char *layer = xasprintf(
			"%s/io.containerd.snapshotter.v1.overlayfs/snapshots/%d/fs", dir, i + 1);
		_cleanup_free_ char *number = xasprintf("%d", i);

		write_file(layer, "top", number);
		write_file(layer, number, number);
		str_list_add(&layers, layer);
	}
	assert_int_equal(file_mkdirs(upper, 0755, NULL), 0);
	assert_int_equal(file_mkdirs(work, 0755, NULL), 0);
	assert_int_equal(file_mkdirs(target, 0755, NULL), 0);
	for (int way = 0; way < 2; way++) {
		_cleanup_free_ char *text = NULL;
		_cleanup_free_ char *name = xasprintf("%s/top", target);
		_cleanup_free_ char *last = xasprintf("%s/%d", target, LAYERS - 1);
		int result = way ? bundle_mount_overlay_classic(&layers, upper, work, target, &err)
				 : bundle_mount_overlay(&layers, upper, work, target, &err);

		if (result < 0)
			fail_msg("%s", err.text);
		assert_int_equal(file_read(AT_FDCWD, name, 100, &text, NULL, NULL), 0);
		assert_string_equal(text, "0");
		assert_int_equal(access(last, R_OK), 0);
		/* Twice mounted is unmounted twice. */
		if (way == 0)
			assert_int_equal(bundle_mount_overlay(&layers, upper, work, target, &err),
					 0);
		assert_int_equal(bundle_unmount(target, &err), 0);
		assert_int_equal(access(name, F_OK), -1);
		assert_int_equal(bundle_unmount(target, &err), 0);
	}
	live_remove_directory(dir);
}

static void a_missing_layer_is_named(void **state)
{
	(void)state;
	_cleanup_free_ char *dir = live_directory();
	_cleanup_str_list_ struct str_list layers = STR_LIST_INIT;
	const struct container_config base = { .id = "x",
					       .args = (const char *const[]){ "/x", NULL } };
	struct container_config config = base;
	_cleanup_free_ char *bundle = xasprintf("%s/bundle", dir);
	struct error err = ERROR_INIT;

	str_list_add(&layers, "/nonexistent/layer");
	config.layers = &layers;
	assert_true(bundle_create(bundle, &config, &err) < 0);
	assert_non_null(strstr(err.text, "/nonexistent/layer"));
	/* Not what the kernel had said of an option that was only tried. */
	assert_null(strstr(err.text, "nosuchoption"));
	assert_int_equal(access(bundle, F_OK), -1);
	live_remove_directory(dir);
}

/* A user that the image does not have: said, and nothing is mounted or left. */
static void a_bundle_that_fails_leaves_nothing(void **state)
{
	(void)state;
	_cleanup_free_ char *dir = live_directory();
	_cleanup_free_ char *layer = xasprintf("%s/layer", dir);
	_cleanup_free_ char *bundle = xasprintf("%s/bundle", dir);
	_cleanup_free_ char *mounts = NULL;
	_cleanup_str_list_ struct str_list layers = STR_LIST_INIT;
	struct container_config config;
	struct error err = ERROR_INIT;

	live_make_layer(layer);
	str_list_add(&layers, layer);
	container_config_init(&config);
	config.id = "x";
	config.args = (const char *const[]){ "/bin/true", NULL };
	config.layers = &layers;
	config.user = "nosuchuser";
	assert_int_equal(bundle_create(bundle, &config, &err), -ENOENT);
	assert_non_null(strstr(
		err.text, "unable to find user nosuchuser: no matching entries in passwd file"));
	assert_int_equal(access(bundle, F_OK), -1);
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &mounts, NULL, NULL),
			 0);
	assert_null(strstr(mounts, dir));
	live_remove_directory(dir);
}

static int set_up(void **state)
{
	(void)state;
	char unique[9];

	random_hex(unique, 4);
	top = xasprintf("/berth-test-%s", unique);
	assert_int_equal(cgroup_host_detect(&host, NULL), 0);
	return cgroup_create(&host, top, NULL, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	int result = cgroup_remove(&host, top, 1000, NULL);

	cgroup_host_free(&host);
	free(top);
	return result;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tasks_limits_are_set_once),
		cmocka_unit_test(a_group_that_was_begun_is_finished),
		cmocka_unit_test(a_group_is_emptied_and_removed),
		cmocka_unit_test(version_2_groups_are_emptied_too),
		cmocka_unit_test(a_sample_is_cheap_and_ends_with_its_group),
		cmocka_unit_test(many_layers_are_mounted_in_order),
		cmocka_unit_test(a_missing_layer_is_named),
		cmocka_unit_test(a_bundle_that_fails_leaves_nothing),
	};

	live_need((const char *const[]){ "/usr/bin/busybox", NULL });
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
