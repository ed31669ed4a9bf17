/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/bundle.h"
#include "runtime/bundle_user.h"
#include "runtime/capability.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct container_config basic(void)
{
	static const char *const args[] = { "/bin/server", "--port=80", NULL };
	struct container_config config;

	container_config_init(&config);
	config.id = "task-web-1";
	config.args = args;
	config.cgroup_path = "/ecs/task/web";
	return config;
}

static json_t *make_as(const struct container_config *config, const struct bundle_user *user)
{
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	json_t *value;

	if (bundle_config_json(config, user, "rootfs", &text, &err) < 0)
		fail_msg("%s", err.text);
	if (json_parse(text, strlen(text), NULL, &value, &err) < 0)
		fail_msg("%s: %s", err.text, text);
	return value;
}

static json_t *make(const struct container_config *config)
{
	const struct bundle_user root = { 0 };

	return make_as(config, &root);
}

/* "linux.resources.memory.limit"; NULL: absent */
static json_t *at(json_t *value, const char *path)
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;

	str_list_split(&parts, path, '.', false);
	for (size_t i = 0; value && i < parts.count; i++)
		value = json_object_get(value, parts.items[i]);
	return value;
}

static json_int_t number(json_t *value, const char *path)
{
	json_t *found = at(value, path);

	if (!json_is_integer(found))
		fail_msg("%s is no number", path);
	return json_integer_value(found);
}

static const char *string(json_t *value, const char *path)
{
	const char *text = json_string_value(at(value, path));

	return text ? text : "(absent)";
}

/* The item of an array of objects whose member is `text`. */
static json_t *find(json_t *array, const char *member, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		if (str_eq(json_string_value(json_object_get(item, member)), text))
			return item;
	}
	return NULL;
}

static bool has(json_t *array, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		if (str_eq(json_string_value(item), text))
			return true;
	}
	return false;
}

static void the_defaults_are_dockers(void **state)
{
	(void)state;
	struct container_config config = basic();
	_cleanup_json_ json_t *value = make(&config);
	json_t *mounts = at(value, "mounts"), *masked = at(value, "linux.maskedPaths");
	json_t *read_only = at(value, "linux.readonlyPaths"),
	       *namespaces = at(value, "linux.namespaces");
	static const char *const masked_wanted[] = {
		"/proc/acpi",        "/proc/asound",        "/proc/kcore",
		"/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug",   "/proc/scsi",
		"/proc/interrupts",  "/sys/firmware",       "/sys/devices/virtual/powercap"
	};
	static const char *const read_only_wanted[] = { "/proc/bus", "/proc/fs", "/proc/irq",
							"/proc/sys", "/proc/sysrq-trigger" };

	assert_string_equal(string(value, "ociVersion"), "1.0.2");
	assert_string_equal(string(value, "root.path"), "rootfs");
	assert_true(json_is_false(at(value, "root.readonly")));
	assert_true(json_is_false(at(value, "process.terminal")));
	assert_string_equal(string(value, "process.cwd"), "/");
	assert_int_equal(json_array_size(at(value, "process.args")), 2);
	assert_true(has(at(value, "process.env"),
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	assert_string_equal(string(value, "linux.cgroupsPath"), "/ecs/task/web");
	for (size_t i = 0; i < sizeof(masked_wanted) / sizeof(masked_wanted[0]); i++)
		assert_true(has(masked, masked_wanted[i]));
	for (size_t i = 0; i < sizeof(read_only_wanted) / sizeof(read_only_wanted[0]); i++)
		assert_true(has(read_only, read_only_wanted[i]));
	assert_true(has(json_object_get(find(mounts, "destination", "/sys"), "options"), "ro"));
	assert_true(has(json_object_get(find(mounts, "destination", "/dev/shm"), "options"),
			"size=67108864"));
	assert_non_null(find(mounts, "destination", "/proc"));
	assert_non_null(find(mounts, "destination", "/dev/pts"));
	assert_non_null(find(mounts, "destination", "/dev/mqueue"));
	assert_non_null(find(mounts, "destination", "/sys/fs/cgroup"));
	for (size_t i = 0; i < 5; i++)
		assert_non_null(
			find(namespaces, "type", LIST("mount", "pid", "ipc", "uts", "network")[i]));
	/* Only what is allowed to all: the runtime adds null, zero and so on. */
	assert_int_equal(json_array_size(at(value, "linux.resources.devices")), 1);
	assert_true(json_is_false(
		json_object_get(json_array_get(at(value, "linux.resources.devices"), 0), "allow")));
	assert_non_null(at(value, "linux.seccomp"));
	assert_int_equal(json_array_size(at(value, "process.capabilities.ambient")), 0);
	assert_int_equal(json_object_size(at(value, "linux.resources.memory")), 0);
	assert_int_equal(json_object_size(at(value, "linux.resources.cpu")), 0);
}

/* Memory limit without MemorySwap gives twice the limit; -1 unlimited; equal is no swap. */
static void limits_are_as_asked(void **state)
{
	(void)state;
	struct container_config config = basic();
	json_t *value;

	config.memory_limit = 512 << 20;
	config.memory_reservation = 256 << 20;
	config.cpu_shares = 2;
	config.pids_limit = 100;
	value = make(&config);
	assert_int_equal(number(value, "linux.resources.memory.limit"), 512 << 20);
	assert_int_equal(number(value, "linux.resources.memory.swap"), 1024 << 20);
	assert_int_equal(number(value, "linux.resources.memory.reservation"), 256 << 20);
	assert_null(at(value, "linux.resources.memory.swappiness"));
	assert_int_equal(number(value, "linux.resources.cpu.shares"), 2);
	assert_null(at(value, "linux.resources.cpu.quota"));
	assert_int_equal(number(value, "linux.resources.pids.limit"), 100);
	json_decref(value);

	config.memory_swap = -1;
	config.memory_swappiness = 0;
	config.cpu_quota_us = 50000;
	value = make(&config);
	assert_int_equal(number(value, "linux.resources.memory.swap"), -1);
	assert_int_equal(number(value, "linux.resources.memory.swappiness"), 0);
	assert_int_equal(number(value, "linux.resources.cpu.quota"), 50000);
	assert_int_equal(number(value, "linux.resources.cpu.period"), 100000);
	json_decref(value);

	config.memory_swap = -2;
	value = make(&config);
	assert_null(at(value, "linux.resources.memory.swap"));
	json_decref(value);
}

static void namespaces_are_joined_shared_or_new(void **state)
{
	(void)state;
	struct container_config config = basic();
	json_t *value, *namespaces;

	config.hostname = "name";
	config.net = (struct container_namespace){ NAMESPACE_PATH, "/run/netns/x" };
	config.pid.mode = NAMESPACE_HOST;
	config.cgroup.mode = NAMESPACE_NEW;
	value = make(&config);
	namespaces = at(value, "linux.namespaces");
	assert_string_equal(
		json_string_value(json_object_get(find(namespaces, "type", "network"), "path")),
		"/run/netns/x");
	assert_null(find(namespaces, "type", "pid"));
	assert_non_null(find(namespaces, "type", "cgroup"));
	assert_string_equal(string(value, "hostname"), "name");
	assert_true(has(at(value, "process.env"), "HOSTNAME=name"));
	json_decref(value);

	/* The name of a joined uts namespace is its owner's. */
	config.uts = (struct container_namespace){ NAMESPACE_PATH, "/proc/1/ns/uts" };
	value = make(&config);
	assert_null(at(value, "hostname"));
	json_decref(value);
}

static void mounts_have_dockers_defaults(void **state)
{
	(void)state;
	struct container_config config = basic();
	_cleanup_json_ json_t *value = NULL;
	json_t *mounts, *options;

	config.tmpfs = LIST("/run", "/cache:exec,size=1m", "/dev/shm:size=2m");
	config.mounts = (struct container_mount[]){
		{ .source = "/etc", .destination = "/host-etc", .read_only = true },
		{ .source = "/tmp", .destination = "/shared", .options = LIST("rshared", "bind") },
		{ .source = "/etc/hostname", .destination = "/sys" },
	};
	config.mount_count = 3;
	value = make(&config);
	mounts = at(value, "mounts");
	options = json_object_get(find(mounts, "destination", "/run"), "options");
	assert_true(has(options, "noexec") && has(options, "nosuid") && has(options, "nodev"));
	options = json_object_get(find(mounts, "destination", "/cache"), "options");
	assert_true(has(options, "exec") && has(options, "size=1m") && !has(options, "noexec"));
	options = json_object_get(find(mounts, "destination", "/host-etc"), "options");
	assert_true(has(options, "rbind") && has(options, "rprivate") && has(options, "ro"));
	options = json_object_get(find(mounts, "destination", "/shared"), "options");
	assert_true(has(options, "rshared") && !has(options, "rprivate") && !has(options, "rbind"));
	/* The same destination takes a default's place. */
	assert_string_equal(
		json_string_value(json_object_get(find(mounts, "destination", "/sys"), "type")),
		"bind");
	options = json_object_get(find(mounts, "destination", "/dev/shm"), "options");
	assert_true(has(options, "size=2m"));
}

/* ipcMode none has no /dev/shm; a shared one is bound. */
static void shared_memory_follows_the_ipc_mode(void **state)
{
	(void)state;
	struct container_config config = basic();
	json_t *value;

	config.shm_size = -1;
	value = make(&config);
	assert_null(find(at(value, "mounts"), "destination", "/dev/shm"));
	json_decref(value);
	config.shm_size = 1 << 20;
	value = make(&config);
	assert_true(has(
		json_object_get(find(at(value, "mounts"), "destination", "/dev/shm"), "options"),
		"size=1048576"));
	json_decref(value);
	config.shm_source = "/run/shm-of-task";
	value = make(&config);
	assert_string_equal(
		json_string_value(json_object_get(
			find(at(value, "mounts"), "destination", "/dev/shm"), "source")),
		"/run/shm-of-task");
	json_decref(value);
}

static void a_user_has_groups_and_no_capabilities(void **state)
{
	(void)state;
	struct container_config config = basic();
	const struct bundle_user user = {
		.uid = 1000, .gid = 1001, .groups = { 10 }, .group_count = 1
	};
	_cleanup_json_ json_t *value = make_as(&config, &user);

	assert_int_equal(number(value, "process.user.uid"), 1000);
	assert_int_equal(number(value, "process.user.gid"), 1001);
	assert_int_equal(
		json_integer_value(json_array_get(at(value, "process.user.additionalGids"), 0)),
		1001);
	assert_int_equal(
		json_integer_value(json_array_get(at(value, "process.user.additionalGids"), 1)),
		10);
	assert_true(json_array_size(at(value, "process.capabilities.bounding")) > 0);
	assert_int_equal(json_array_size(at(value, "process.capabilities.effective")), 0);
	assert_int_equal(json_array_size(at(value, "process.capabilities.permitted")), 0);
}

static void privileged_lifts_the_confinement(void **state)
{
	(void)state;
	struct container_config config = basic();
	_cleanup_json_ json_t *value = NULL;
	uint64_t host = capability_host_set();
	size_t count = 0;

	config.privileged = true;
	value = make(&config);
	assert_null(at(value, "linux.seccomp"));
	assert_null(at(value, "linux.maskedPaths"));
	assert_null(at(value, "linux.readonlyPaths"));
	assert_true(
		has(json_object_get(find(at(value, "mounts"), "destination", "/sys"), "options"),
		    "rw"));
	for (unsigned i = 0; i < 64; i++)
		count += capability_has(host, i);
	/* All that this host can give, and not more. */
	assert_int_equal(json_array_size(at(value, "process.capabilities.bounding")), count);
	assert_true(json_is_true(
		json_object_get(json_array_get(at(value, "linux.resources.devices"), 0), "allow")));
}

static void devices_are_taken_from_the_host(void **state)
{
	(void)state;
	struct container_config config = basic();
	_cleanup_json_ json_t *value = NULL;
	json_t *rule;

	config.devices = (struct container_device[]){
		{ .host_path = "/dev/null", .path = "/dev/other", .permissions = "rw" },
	};
	config.device_count = 1;
	value = make(&config);
	assert_int_equal(json_integer_value(json_object_get(
				 find(at(value, "linux.devices"), "path", "/dev/other"), "major")),
			 1);
	rule = json_array_get(at(value, "linux.resources.devices"), 1);
	assert_true(json_is_true(json_object_get(rule, "allow")));
	assert_int_equal(json_integer_value(json_object_get(rule, "minor")), 3);
	assert_string_equal(json_string_value(json_object_get(rule, "access")), "rw");
}

static void the_rest_arrives_too(void **state)
{
	(void)state;
	struct container_config config = basic();
	_cleanup_json_ json_t *value = NULL;

	config.env = LIST("PATH=/mine", "QUOTE=\"<a>\n");
	config.cwd = "/srv";
	config.read_only_root = true;
	config.no_new_privileges = true;
	config.has_oom_score_adj = true;
	config.oom_score_adj = 500;
	config.rlimits =
		(struct container_rlimit[]){ { "NOFILE", 1024, 4096 }, { "RLIMIT_CORE", 0, 0 } };
	config.rlimit_count = 2;
	config.sysctls = (struct container_sysctl[]){ { "net.core.somaxconn", "1024" } };
	config.sysctl_count = 1;
	config.annotations = (struct container_sysctl[]){ { "com.example", "x" } };
	config.annotation_count = 1;
	config.seccomp = SECCOMP_UNCONFINED;
	value = make(&config);
	assert_int_equal(json_array_size(at(value, "process.env")), 2);
	assert_true(has(at(value, "process.env"), "QUOTE=\"<a>\n"));
	assert_string_equal(string(value, "process.cwd"), "/srv");
	assert_true(json_is_true(at(value, "root.readonly")));
	assert_true(json_is_true(at(value, "process.noNewPrivileges")));
	assert_int_equal(number(value, "process.oomScoreAdj"), 500);
	assert_int_equal(
		json_integer_value(json_object_get(
			find(at(value, "process.rlimits"), "type", "RLIMIT_NOFILE"), "soft")),
		1024);
	assert_non_null(find(at(value, "process.rlimits"), "type", "RLIMIT_CORE"));
	assert_string_equal(
		json_string_value(json_object_get(at(value, "linux.sysctl"), "net.core.somaxconn")),
		"1024");
	assert_string_equal(
		json_string_value(json_object_get(at(value, "annotations"), "com.example")), "x");
	assert_null(at(value, "linux.seccomp"));
}

/* No limit is a number that only unsigned 64 bits hold. */
static void unlimited_is_the_largest_number(void **state)
{
	(void)state;
	struct container_config config = basic();
	const struct bundle_user root = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *process = NULL;

	config.rlimits = (struct container_rlimit[]){ { "memlock", UINT64_MAX, UINT64_MAX } };
	config.rlimit_count = 1;
	assert_int_equal(bundle_config_json(&config, &root, "rootfs", &text, NULL), 0);
	assert_non_null(strstr(text, "{\"type\":\"RLIMIT_MEMLOCK\",\"hard\":18446744073709551615,"
				     "\"soft\":18446744073709551615}"));
	/* The settings of further processes are the same, without arguments. */
	assert_int_equal(bundle_process_json(&config, &root, &process, NULL), 0);
	assert_null(strstr(process, "\"args\""));
	assert_non_null(strstr(text, process + 1));
}

static void refuse(const struct container_config *config, int code, const char *text)
{
	const struct bundle_user root = { 0 };
	struct error err = ERROR_INIT;
	char *json = NULL;

	assert_int_equal(bundle_config_json(config, &root, "rootfs", &json, &err), -code);
	assert_null(json);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void wrong_configurations_are_refused_with_a_reason(void **state)
{
	(void)state;
	struct container_config config = basic();

	config.id = "../escape";
	refuse(&config, EINVAL, "container id \"../escape\"");
	config = basic();
	config.args = LIST(NULL);
	refuse(&config, EINVAL, "no command specified");
	config = basic();
	config.args = LIST("");
	refuse(&config, EINVAL, "the command is an empty string");
	config = basic();
	config.cwd = "relative";
	refuse(&config, EINVAL, "'relative' is invalid, it needs to be an absolute path");
	config = basic();
	config.env = LIST("NOVALUE");
	refuse(&config, EINVAL, "environment variable");
	config = basic();
	config.capabilities_add = LIST("FLY");
	refuse(&config, EINVAL, "CAP_FLY");
	config = basic();
	config.rlimits = (struct container_rlimit[]){ { "nofiles", 1, 2 } };
	config.rlimit_count = 1;
	refuse(&config, EINVAL, "ulimit \"nofiles\" is not known");
	config.rlimits = (struct container_rlimit[]){ { "nofile", 3, 2 } };
	refuse(&config, EINVAL, "3 > 2");
	config = basic();
	config.devices = (struct container_device[]){ { .host_path = "/dev/nonexistent" } };
	config.device_count = 1;
	refuse(&config, ENOENT, "/dev/nonexistent");
	config.devices = (struct container_device[]){ { .host_path = "/etc/hostname" } };
	refuse(&config, EINVAL, "not a device");
	config.devices =
		(struct container_device[]){ { .host_path = "/dev/null", .permissions = "rx" } };
	refuse(&config, EINVAL, "\"rx\"");
	config = basic();
	config.mounts =
		(struct container_mount[]){ { .source = "/nonexistent/x", .destination = "/x" } };
	config.mount_count = 1;
	refuse(&config, ENOENT, "/nonexistent/x");
	config.mounts = (struct container_mount[]){ { .source = "/etc", .destination = "x" } };
	refuse(&config, EINVAL, "absolute");
	config = basic();
	config.tmpfs = LIST("relative");
	refuse(&config, EINVAL, "tmpfs relative");
	config = basic();
	config.net = (struct container_namespace){ NAMESPACE_PATH, "x" };
	refuse(&config, EINVAL, "network namespace");
	config = basic();
	config.memory_limit = -5;
	refuse(&config, EINVAL, "out of range");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_dockers),
		cmocka_unit_test(limits_are_as_asked),
		cmocka_unit_test(namespaces_are_joined_shared_or_new),
		cmocka_unit_test(mounts_have_dockers_defaults),
		cmocka_unit_test(shared_memory_follows_the_ipc_mode),
		cmocka_unit_test(a_user_has_groups_and_no_capabilities),
		cmocka_unit_test(privileged_lifts_the_confinement),
		cmocka_unit_test(devices_are_taken_from_the_host),
		cmocka_unit_test(the_rest_arrives_too),
		cmocka_unit_test(unlimited_is_the_largest_number),
		cmocka_unit_test(wrong_configurations_are_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
