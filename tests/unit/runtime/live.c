/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"

#define WAIT_MS 60000
#define RUNC    "/usr/sbin/runc"
#define CRUN    "/usr/bin/crun"

static void leave(const char *reason, const char *what)
{
	printf("skipped: %s%s\n", reason, what);
	exit(77);
}

void live_need(const char *const *programs)
{
	if (geteuid() != 0)
		leave("needs root", "");
	if (access(BERTH_BINARY_DIR "/berth-monitor", X_OK) < 0)
		leave("not built: ", "berth-monitor");
	for (; *programs; programs++) {
		if (access(*programs, X_OK) < 0)
			leave("needs ", *programs);
	}
}

char *live_directory(void)
{
	char *dir = xstrdup("/tmp/berth-live-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

void live_remove_directory(const char *dir)
{
	struct error err = ERROR_INIT;

	if (file_remove_tree(AT_FDCWD, dir, &err) < 0)
		fail_msg("%s", err.text);
}

static void write_text(const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, false, NULL),
			 0);
}

void live_make_layer(const char *dir)
{
	static const char *const applets[] = { "sh",   "sleep", "cat",   "echo", "id",
					       "kill", "true",  "false", "head", "hostname",
					       "ls",   "dd",    "seq" };
	static const char *const dirs[] = { "", "/bin", "/etc", "/tmp", "/proc", "/sys", "/dev" };
	_cleanup_free_ char *busybox = NULL;
	size_t size;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s%s", dir, dirs[i]);

		assert_int_equal(file_mkdirs(path, 0755, NULL), 0);
	}
	assert_int_equal(file_read(AT_FDCWD, "/usr/bin/busybox", 8 << 20, &busybox, &size, NULL),
			 0);
	{
		_cleanup_free_ char *path = xasprintf("%s/bin/busybox", dir);

		assert_int_equal(
			file_write_atomic(AT_FDCWD, path, busybox, size, 0755, false, NULL), 0);
	}
	for (size_t i = 0; i < sizeof(applets) / sizeof(applets[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s/bin/%s", dir, applets[i]);

		assert_int_equal(symlink("busybox", path), 0);
	}
	write_text(dir, "etc/passwd",
		   "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/:/bin/sh\n");
	write_text(dir, "etc/group", "root:x:0:\nweb:x:1001:\nextra:x:1500:web\n");
	write_text(dir, "etc/not-a-program", "just text\n");
}

void live_wait(struct loop *loop, const bool *flag)
{
	int64_t until = clock_monotonic_ms() + WAIT_MS;

	while (!*flag) {
		if (clock_monotonic_ms() > until)
			fail_msg("nothing happened for %d ms", WAIT_MS);
		loop_run_once(loop, false);
		if (!*flag)
			usleep(100);
	}
}

void live_wait_count(struct loop *loop, const int *counter, int wanted)
{
	int64_t until = clock_monotonic_ms() + WAIT_MS;

	while (*counter < wanted) {
		if (clock_monotonic_ms() > until)
			fail_msg("%d of %d after %d ms", *counter, wanted, WAIT_MS);
		loop_run_once(loop, false);
		if (*counter < wanted)
			usleep(100);
	}
}

/* ---- the host */

static struct live_container *known[256];
static size_t known_count;

static void on_exit_of(void *data, const char *id, const struct container_exit *exit)
{
	(void)data;
	for (size_t i = 0; i < known_count; i++) {
		if (known[i] && str_eq(known[i]->id, id)) {
			known[i]->exit = *exit;
			known[i]->exited = true;
			known[i]->exits++;
			return;
		}
	}
	fail_msg("exit of %s, which nobody knows", id);
}

static void make_runtime(struct live *live)
{
	_cleanup_free_ char *root = xasprintf("%s/runtime", live->dir);
	_cleanup_free_ char *run = xasprintf("%s/run", live->dir);
	struct error err = ERROR_INIT;
	const struct container_runtime_config config = {
		.monitor_path = BERTH_BINARY_DIR "/berth-monitor",
		.runtime_path = live->runtime_path,
		.runtime_root = root,
		.run_dir = run,
		.on_exit = on_exit_of,
		.data = live,
	};

	if (container_runtime_new(live->loop, &config, &live->runtime, &err) < 0)
		fail_msg("%s", err.text);
}

void live_set_up(struct live *live, const char *runtime_path)
{
	_cleanup_free_ char *layer = NULL;
	char unique[9];
	struct error err = ERROR_INIT;

	memset(live, 0, sizeof(*live));
	live->runtime_path = runtime_path;
	live->dir = live_directory();
	random_hex(unique, 4);
	live->cgroup_top = xasprintf("/berth-test-%s", unique);
	layer = xasprintf("%s/layer", live->dir);
	live_make_layer(layer);
	str_list_add(&live->layers, layer);
	assert_int_equal(loop_new(&live->loop, &err), 0);
	assert_int_equal(cgroup_host_detect(&live->cgroups, &err), 0);
	assert_int_equal(cgroup_create(&live->cgroups, live->cgroup_top, NULL, &err), 0);
	make_runtime(live);
}

void live_restart(struct live *live)
{
	container_runtime_free(live->runtime);
	make_runtime(live);
}

/* Monitors whose command line speaks of our directory. */
static int count_monitors(const char *dir)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(proc))) {
		_cleanup_free_ char *path = xasprintf("/proc/%s/cmdline", entry->d_name);
		_cleanup_free_ char *line = NULL;
		size_t size;

		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' &&
		    file_read(AT_FDCWD, path, 1 << 20, &line, &size, NULL) == 0 && size &&
		    memmem(line, size, dir, strlen(dir)))
			count++;
	}
	return count;
}

static void nothing_is_left(struct live *live)
{
	int64_t until = clock_monotonic_ms() + 60000;

	_cleanup_free_ char *mounts = NULL;
	_cleanup_free_ char *root = xasprintf("%s/runtime", live->dir);
	_cleanup_str_list_ struct str_list groups = STR_LIST_INIT;

	assert_int_equal(file_read(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &mounts, NULL, NULL),
			 0);
	if (strstr(mounts, live->dir))
		fail_msg("a mount is left below %s", live->dir);
	assert_int_equal(cgroup_children(&live->cgroups, live->cgroup_top, &groups, NULL), 0);
	if (groups.count)
		fail_msg("cgroup %s/%s is left", live->cgroup_top, groups.items[0]);
	while (count_monitors(live->dir)) {
		if (clock_monotonic_ms() > until)
			fail_msg("%d processes are left", count_monitors(live->dir));
		usleep(1000);
	}
	if (rmdir(root) < 0)
		fail_msg("the OCI runtime still has state in %s", root);
}

void live_tear_down(struct live *live)
{
	struct error err = ERROR_INIT;

	container_runtime_free(live->runtime);
	nothing_is_left(live);
	if (cgroup_remove(&live->cgroups, live->cgroup_top, 1000, &err) < 0)
		fail_msg("%s", err.text);
	cgroup_host_free(&live->cgroups);
	loop_free(live->loop);
	live_remove_directory(live->dir);
	str_list_free(&live->layers);
	free(live->cgroup_top);
	free(live->dir);
	known_count = 0;
}

/* ---- containers */

void live_container_init(struct live *live, struct live_container *container,
			 const char *const *args)
{
	memset(container, 0, sizeof(*container));
	container->live = live;
	container->id =
		xasprintf("test-%s-%u", live->cgroup_top + strlen("/berth-test-"), live->counter++);
	container->bundle = xasprintf("%s/%s/bundle", live->dir, container->id);
	/* Longer than the address of a socket can be. */
	container->state = xasprintf(
		"%s/%s/state-of-a-container-with-a-long-path-0123456789-0123456789-0123456789-"
		"0123456789-0123456789",
		live->dir, container->id);
	container->log = xasprintf("%s/%s.log", live->dir, container->id);
	container->cgroup = xasprintf("%s/%s", live->cgroup_top, container->id);
	container_config_init(&container->config);
	container->config.id = container->id;
	container->config.layers = &live->layers;
	container->config.args = args;
	container->config.hostname = "testhost";
	container->config.cgroup_path = container->cgroup;
	known[known_count++] = container;
}

static void created(void *data, pid_t pid, const struct error *err)
{
	struct live_container *container = data;

	container->created = true;
	container->pid = pid;
	container->create_result = pid > 0 ? 0 : (int)pid;
	if (err)
		container->err = *err;
}

void live_create(struct live_container *container, bool may_fail)
{
	struct live *live = container->live;
	_cleanup_free_ char *oom = cgroup_oom_events_path(&live->cgroups, container->cgroup);
	const struct container_create_spec spec = {
		.id = container->id,
		.bundle_dir = container->bundle,
		.state_dir = container->state,
		.log_path = container->log,
		.oom_events_path = oom,
	};

	if (bundle_create(container->bundle, &container->config, &container->err) < 0)
		fail_msg("%s", container->err.text);
	if (container_create(live->runtime, &spec, created, container, &container->err) < 0)
		fail_msg("%s", container->err.text);
	assert_false(container->created);
	live_wait(live->loop, &container->created);
	if (container->create_result < 0 && !may_fail)
		fail_msg("%s", container->err.text);
}

static void started(void *data, int result, int64_t started_ms, const struct error *err)
{
	struct live_container *container = data;

	container->started = true;
	container->start_result = result;
	if (result == 0)
		assert_true(started_ms > 1600000000000);
	else
		container->err = *err;
}

void live_start(struct live_container *container)
{
	if (container_start(container->live->runtime, container->id, container->state, started,
			    container, &container->err) < 0)
		fail_msg("%s", container->err.text);
	live_wait(container->live->loop, &container->started);
	if (container->start_result < 0)
		fail_msg("%s", container->err.text);
}

void live_wait_exit(struct live_container *container)
{
	live_wait(container->live->loop, &container->exited);
}

void live_run(struct live_container *container)
{
	live_create(container, false);
	live_start(container);
	live_wait_exit(container);
}

char *live_log(const struct live_container *container, const char *stream)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;
	struct strbuf all = STRBUF_INIT;

	assert_int_equal(file_read(AT_FDCWD, container->log, 64 << 20, &text, NULL, NULL), 0);
	str_list_split(&lines, text, '\n', false);
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_json_ json_t *value = NULL;

		assert_int_equal(
			json_parse(lines.items[i], strlen(lines.items[i]), NULL, &value, NULL), 0);
		if (str_eq(json_string_value(json_object_get(value, "stream")), stream))
			strbuf_append(&all, json_string_value(json_object_get(value, "log")));
	}
	return strbuf_take(&all);
}

static void deleted(void *data, int result, const struct error *err)
{
	struct live_container *container = data;

	if (result < 0)
		fail_msg("%s", err->text);
	container->deleted = true;
}

void live_delete(struct live_container *container)
{
	struct live *live = container->live;

	if (container_delete(live->runtime, container->id, container->state, deleted, container,
			     &container->err) < 0)
		fail_msg("%s", container->err.text);
	live_wait(live->loop, &container->deleted);
	if (bundle_remove(container->bundle, &container->err) < 0)
		fail_msg("%s", container->err.text);
	assert_int_equal(access(container->state, F_OK), -1);
	assert_int_equal(access(container->bundle, F_OK), -1);
	for (size_t i = 0; i < known_count; i++) {
		if (known[i] == container)
			known[i] = NULL;
	}
	free(container->id);
	free(container->bundle);
	free(container->state);
	free(container->log);
	free(container->cgroup);
}

struct container_state_record live_state(const struct live_container *container)
{
	_cleanup_free_ char *path = xasprintf("%s/state.json", container->state);
	_cleanup_free_ char *text = NULL;
	struct container_state_record record;
	size_t size;

	assert_int_equal(file_read(AT_FDCWD, path, 4096, &text, &size, NULL), 0);
	assert_int_equal(container_state_parse(text, size, &record, NULL), 0);
	return record;
}

static struct live *shared;

static int set_up_runc(void **state)
{
	(void)state;
	live_set_up(shared, RUNC);
	return 0;
}

static int set_up_crun(void **state)
{
	(void)state;
	live_set_up(shared, CRUN);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	live_tear_down(shared);
	return 0;
}

int live_with_each_runtime(struct live *live, const struct CMUnitTest *tests, size_t count)
{
	const char *const busybox[] = { "/usr/bin/busybox", NULL };
	const char *const runc[] = { RUNC, NULL };
	int failed = 0;

	shared = live;
	live_need(busybox);
	if (access(CRUN, X_OK) < 0)
		live_need(runc);
	if (access(RUNC, X_OK) == 0)
		failed += _cmocka_run_group_tests("runc", tests, count, set_up_runc, tear_down);
	if (access(CRUN, X_OK) == 0)
		failed += _cmocka_run_group_tests("crun", tests, count, set_up_crun, tear_down);
	return failed;
}
