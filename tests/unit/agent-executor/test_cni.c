/* SPDX-License-Identifier: Apache-2.0 */
/* The CNI runtime with plugins that are small scripts: each writes what it was asked into a log. */
#include "agent/executor/cni.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"

#define NETNS      "/proc/self/ns/net" /* any will do: these plugins change nothing */
#define TIMEOUT_MS 60000

struct world {
	char directory[64];
	struct loop *loop;
	struct cni_runtime *runtime;
	/* What the last callback said. */
	int calls;
	struct cni_result result;
	struct error err;
	int64_t took_ms;
};

static struct world world;

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", world.directory, name);
}

static void write_plugin(const char *name, const char *body)
{
	char *path = path_of(name);
	char *text = xasprintf("#!/bin/sh\n"
			       "echo \"$CNI_COMMAND %s $CNI_CONTAINERID $CNI_IFNAME\" >> %s/log\n"
			       "cat > %s/stdin-%s-$CNI_COMMAND\n"
			       "%s\n",
			       name, world.directory, world.directory, name, body);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0755, false, NULL),
			 0);
	free(text);
	free(path);
}

static char *read_named(const char *name)
{
	char *path = path_of(name), *text = NULL;

	if (file_read(AT_FDCWD, path, 1 << 20, &text, NULL, NULL) < 0)
		text = xstrdup("");
	free(path);
	return text;
}

/* The log so far, emptied. */
static void assert_log(const char *expected)
{
	char *text = read_named("log"), *path = path_of("log");

	assert_string_equal(text, expected);
	unlink(path);
	free(text);
	free(path);
}

static void start_runtime(int64_t add_timeout_ms)
{
	char *cache = path_of("cache");
	static const char *const environment[] = { "BERTH_TEST=yes", NULL };
	const struct cni_runtime_config config = {
		.loop = world.loop,
		.plugin_path = world.directory,
		.cache_directory = cache,
		.add_timeout_ms = add_timeout_ms,
		.del_timeout_ms = TIMEOUT_MS,
		.environment = environment,
	};

	assert_int_equal(cni_runtime_new(&config, &world.runtime, NULL), 0);
	free(cache);
}

static int set_up(void **state)
{
	(void)state;
	world = (struct world){ .directory = "/tmp/berth-cni-runtime.XXXXXX" };
	if (!mkdtemp(world.directory) || loop_new(&world.loop, NULL) < 0)
		return -1;
	start_runtime(TIMEOUT_MS);
	write_plugin("first", "[ $CNI_COMMAND = ADD ] && echo '{\"cniVersion\":\"1.0.0\",\"ips\":"
			      "[{\"address\":\"10.0.0.5/24\"}],\"dns\":{}}' || true");
	write_plugin(
		"second",
		"[ $CNI_COMMAND = ADD ] && echo '{\"cniVersion\":\"1.0.0\",\"interfaces\":["
		"{\"name\":\"ve1\"},{\"name\":\"eth0\",\"sandbox\":\"/x\"}],\"ips\":[{\"address\":"
		"\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\",\"interface\":1}],\"routes\":[{\"dst\":"
		"\"0.0.0.0/0\"}],\"dns\":{\"nameservers\":[\"10.0.0.2\"]}}' || true");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cni_runtime_free(world.runtime);
	loop_free(world.loop);
	cni_result_free(&world.result);
	return file_remove_tree(AT_FDCWD, world.directory, NULL);
}

static void note(void *data, const struct cni_result *result, const struct error *err)
{
	(void)data;
	world.calls++;
	assert_true((result == NULL) != (err == NULL));
	cni_result_free(&world.result);
	if (result)
		cni_result_copy(&world.result, result);
	world.err = err ? *err : (struct error){ 0 };
}

#define LIST(plugins) "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"plugins\":[" plugins "]}"
#define CHAIN         LIST("{\"type\":\"first\",\"zeta\":1,\"alpha\":2},{\"type\":\"second\"}")

static const struct cni_attachment task = {
	.container_id = "task-1", .netns_path = NETNS, .ifname = "eth0", .conflist = CHAIN
};

static void wait_for_calls(int calls)
{
	int64_t start_ms = clock_monotonic_ms();

	while (world.calls < calls && clock_monotonic_ms() - start_ms < 60000)
		loop_run_once(world.loop, true);
	assert_int_equal(world.calls, calls);
	world.took_ms = clock_monotonic_ms() - start_ms;
}

/* Both run to the end and return 0 or the error's code, negative. */
static int add(const struct cni_attachment *attachment)
{
	int before = world.calls;

	cni_add(world.runtime, attachment, note, NULL, NULL);
	assert_int_equal(world.calls, before);
	wait_for_calls(before + 1);
	return -world.err.code;
}

static int del(const struct cni_attachment *attachment)
{
	int before = world.calls;

	cni_del(world.runtime, attachment, note, NULL, NULL);
	wait_for_calls(before + 1);
	return -world.err.code;
}

static struct cni_attachment with(const char *conflist)
{
	struct cni_attachment attachment = task;

	attachment.conflist = conflist;
	return attachment;
}

/* Whether anything is on record of the task. */
static bool is_on_record(void)
{
	struct cni_result result = CNI_RESULT_INIT;
	int r = cni_cached_result(world.runtime, "task-1", "eth0", &result, NULL);

	cni_result_free(&result);
	return r != -ENOENT;
}

static json_t *stdin_of(const char *name)
{
	char *text = read_named(name);
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	free(text);
	return value;
}

static void plugins_run_in_order_and_back(void **state)
{
	json_t *input;
	char *text;

	assert_int_equal(add(&task), 0);
	assert_log("ADD first task-1 eth0\nADD second task-1 eth0\n");
	assert_int_equal(world.result.interface_count, 2);
	assert_int_equal(world.result.ip_count, 1);
	assert_int_equal(world.result.route_count, 1);
	assert_string_equal(world.result.dns.nameservers.items[0], "10.0.0.2");

	/* Name and version are put in, the keys come sorted, the previous result is handed on. */
	text = read_named("stdin-first-ADD");
	assert_string_equal(text, "{\"alpha\":2,\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":"
				  "\"first\",\"zeta\":1}");
	free(text);
	input = stdin_of("stdin-second-ADD");
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(json_object_get(input, "prevResult"), "ips"),
				       0),
			"address")),
		"10.0.0.5/24");
	json_decref(input);

	assert_int_equal(del(&task), 0);
	assert_log("DEL second task-1 eth0\nDEL first task-1 eth0\n");
	/* Who deletes hears once more what there was. */
	assert_int_equal(world.result.interface_count, 2);
	input = stdin_of("stdin-first-DEL");
	assert_int_equal(json_array_size(json_object_get(json_object_get(input, "prevResult"),
							 "interfaces")),
			 2);
	json_decref(input);
	assert_false(is_on_record());
}

static void a_del_after_a_restart_needs_no_configuration(void **state)
{
	struct cni_attachment bare = { .container_id = "task-1", .ifname = "eth0" };
	struct cni_result result = CNI_RESULT_INIT;

	assert_int_equal(add(&task), 0);
	cni_runtime_free(world.runtime);
	start_runtime(TIMEOUT_MS);
	assert_int_equal(cni_cached_result(world.runtime, "task-1", "eth0", &result, NULL), 0);
	assert_int_equal(result.ip_count, 1);
	cni_result_free(&result);
	assert_log("ADD first task-1 eth0\nADD second task-1 eth0\n");
	assert_int_equal(del(&bare), 0);
	assert_log("DEL second task-1 eth0\nDEL first task-1 eth0\n");
	/* Nobody knows it any more: that is what was wanted. */
	assert_int_equal(del(&bare), 0);
	assert_log("");
}

static void an_add_that_was_done_is_not_done_again(void **state)
{
	assert_int_equal(add(&task), 0);
	assert_log("ADD first task-1 eth0\nADD second task-1 eth0\n");
	assert_int_equal(add(&task), 0);
	assert_log("");
	assert_int_equal(world.result.ip_count, 1);
}

static void an_add_that_was_cut_off_is_undone_first(void **state)
{
	struct cni_attachment slow = with(LIST("{\"type\":\"first\"},{\"type\":\"slow\"}"));
	struct cni_operation *operation = NULL;
	struct cni_result result = CNI_RESULT_INIT;
	char *text = NULL;
	int64_t start_ms = clock_monotonic_ms();

	write_plugin("slow", "[ $CNI_COMMAND = ADD ] && exec sleep 5 || true");
	cni_add(world.runtime, &slow, note, NULL, &operation);
	do {
		free(text);
		loop_run_once(world.loop, false);
		text = read_named("log");
	} while (!strstr(text, "ADD slow") && clock_monotonic_ms() - start_ms < 60000);
	free(text);
	cni_cancel(operation);
	assert_int_equal(world.calls, 0);
	assert_log("ADD first task-1 eth0\nADD slow task-1 eth0\n");
	assert_int_equal(cni_cached_result(world.runtime, "task-1", "eth0", &result, NULL),
			 -EINPROGRESS);

	assert_int_equal(add(&task), 0);
	assert_log("DEL slow task-1 eth0\nDEL first task-1 eth0\n"
		   "ADD first task-1 eth0\nADD second task-1 eth0\n");
}

struct failure {
	const char *body;
	int code;
	const char *text;
};

/* Whatever a plugin does, the reason is a sentence, and all are
 * undone. */
static void a_plugin_that_fails_is_told_and_everything_undone(void **state)
{
	static const struct failure failures[] = {
		{ "echo '{\"code\":100,\"msg\":\"no such device\",\"details\":\"mac 02\"}'; exit 1",
		  EREMOTEIO, "CNI plugin bad ADD: no such device; mac 02 (code 100)" },
		{ "echo garbage; exit 1", EBADMSG,
		  "netplugin failed but error parsing its diagnostic message \"garbage\": exit "
		  "status 1" },
		{ "echo 'it hurts' >&2; exit 3", EREMOTEIO,
		  "netplugin failed: \"it hurts\": exit status 3" },
		{ "exit 4", EREMOTEIO, "netplugin failed with no error message: exit status 4" },
		{ "kill -9 $$", EREMOTEIO,
		  "netplugin failed with no error message: signal 9 (Killed)" },
		{ "echo garbage", EBADMSG, "it ended well but its answer is no JSON: \"garbage\"" },
		{ ":", EBADMSG, "it ended well but its answer is no JSON" },
		{ "echo '{\"ips\":[{\"address\":\"nowhere\"}]}'", EBADMSG,
		  "its answer is no result: ips[0].address" },
		{ "echo '{\"cniVersion\":\"1.0.0\",\"code\":100,\"msg\":\"crashed\"}'", EREMOTEIO,
		  "crashed (code 100)" },
		{ "head -c 3000000 /dev/zero", EBADMSG, "its answer is longer than 1048576 bytes" },
	};
	struct cni_attachment attachment =
		with(LIST("{\"type\":\"first\"},{\"type\":\"bad\"},{\"type\":\"second\"}"));

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		char *body = xasprintf("[ $CNI_COMMAND = DEL ] && exit 0\n%s", failures[i].body);

		write_plugin("bad", body);
		free(body);
		assert_int_equal(add(&attachment), -failures[i].code);
		if (!strstr(world.err.text, failures[i].text))
			print_message("unexpected: %s\n", world.err.text);
		assert_non_null(strstr(world.err.text, failures[i].text));
		assert_log("ADD first task-1 eth0\nADD bad task-1 eth0\n"
			   "DEL second task-1 eth0\nDEL bad task-1 eth0\nDEL first task-1 eth0\n");
		assert_false(is_on_record());
	}
}

static void a_plugin_that_hangs_is_ended_at_its_deadline(void **state)
{
	struct cni_attachment attachment = with(LIST("{\"type\":\"hangs\"}"));

	write_plugin("hangs", "[ $CNI_COMMAND = DEL ] && exit 0\nexec sleep 900");
	cni_runtime_free(world.runtime);
	start_runtime(2000);
	assert_int_equal(add(&attachment), -ETIMEDOUT);
	assert_non_null(strstr(world.err.text, "it did not end within its deadline"));
	assert_in_range(world.took_ms, 2000, 60000);
	assert_log("ADD hangs task-1 eth0\nDEL hangs task-1 eth0\n");
	assert_false(is_on_record());
}

static void a_missing_plugin_is_found_before_anything_is_done(void **state)
{
	struct cni_attachment attachment = with(LIST("{\"type\":\"first\"},{\"type\":\"absent\"}"));
	char *path = path_of("absent");

	assert_int_equal(add(&attachment), -ENOENT);
	assert_non_null(strstr(world.err.text, "plugin absent is in none of the directories"));
	assert_int_equal(file_write_atomic(AT_FDCWD, path, "#!/bin/sh\n", 10, 0644, false, NULL),
			 0);
	assert_int_equal(add(&attachment), -EACCES);
	assert_non_null(strstr(world.err.text, "cannot be executed"));
	assert_log("");
	assert_false(is_on_record());
	free(path);
}

/* A plugin that fails to undo leaves the record, so that a later DEL tries again. */
static void what_could_not_be_undone_stays_on_record(void **state)
{
	struct cni_attachment attachment = with(LIST("{\"type\":\"stuck\"},{\"type\":\"bad\"}"));
	struct cni_attachment bare = { .container_id = "task-1", .ifname = "eth0" };

	write_plugin("stuck",
		     "[ $CNI_COMMAND = ADD ] && echo '{\"cniVersion\":\"1.0.0\"}' || exit 1");
	write_plugin("bad", "[ $CNI_COMMAND = ADD ] && exit 1 || true");
	assert_int_equal(add(&attachment), -EREMOTEIO);
	assert_non_null(strstr(world.err.text, "CNI plugin bad ADD"));
	assert_true(is_on_record());
	assert_log("ADD stuck task-1 eth0\nADD bad task-1 eth0\n"
		   "DEL bad task-1 eth0\nDEL stuck task-1 eth0\n");

	/* All are tried, though one fails, and the first failure is told. */
	assert_int_equal(del(&bare), -EREMOTEIO);
	assert_non_null(strstr(world.err.text, "CNI plugin stuck DEL"));
	assert_log("DEL bad task-1 eth0\nDEL stuck task-1 eth0\n");
	assert_true(is_on_record());
	write_plugin("stuck", ":");
	assert_int_equal(del(&bare), 0);
	assert_false(is_on_record());
}

/* net-T69 */
static void attachments_with_alike_names_do_not_mix(void **state)
{
	struct cni_attachment a = task, b = task;
	struct cni_result result = CNI_RESULT_INIT;

	a.container_id = "t-eth0";
	a.ifname = "x";
	b.container_id = "t";
	b.ifname = "eth0-x";
	assert_int_equal(add(&a), 0);
	assert_int_equal(cni_cached_result(world.runtime, "t", "eth0-x", &result, NULL), -ENOENT);
	assert_int_equal(add(&b), 0);
	assert_int_equal(del(&a), 0);
	assert_int_equal(cni_cached_result(world.runtime, "t", "eth0-x", &result, NULL), 0);
	cni_result_free(&result);
}

static void one_attachment_has_one_operation_at_a_time(void **state)
{
	struct cni_attachment other = task;

	other.ifname = "eth1";
	cni_add(world.runtime, &task, note, NULL, NULL);
	cni_del(world.runtime, &task, note, NULL, NULL);
	wait_for_calls(1);
	assert_int_equal(world.err.code, EBUSY);
	assert_non_null(strstr(world.err.text, "another ADD is under way"));
	wait_for_calls(2);
	assert_int_equal(world.err.code, 0);
	cni_add(world.runtime, &other, note, NULL, NULL);
	cni_del(world.runtime, &task, note, NULL, NULL);
	wait_for_calls(4);
	assert_int_equal(world.err.code, 0);
}

static void what_cannot_be_run_is_refused_with_its_field(void **state)
{
	static const struct {
		const char *conflist;
		const char *text;
	} bad[] = {
		{ "{", "read the CNI configuration list" },
		{ "[]", "must be an object" },
		{ "{\"cniVersion\":\"1.0.0\",\"plugins\":[{\"type\":\"first\"}]}", "name" },
		{ "{\"cniVersion\":\"0.2.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"first\"}]}",
		  "cniVersion" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[]}", "plugins" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{}]}", "plugins[0].type" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"../x\"}]}",
		  "is a path" },
	};
	struct cni_attachment attachment;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		attachment = with(bad[i].conflist);
		assert_int_equal(add(&attachment), -EINVAL);
		assert_non_null(strstr(world.err.text, bad[i].text));
	}
	attachment = task;
	attachment.container_id = "../x";
	assert_int_equal(add(&attachment), -EINVAL);
	attachment = task;
	attachment.ifname = "a/b";
	assert_int_equal(add(&attachment), -EINVAL);
	attachment = task;
	attachment.netns_path = "/nowhere";
	assert_int_equal(add(&attachment), -EINVAL);
	assert_non_null(strstr(world.err.text, "no network namespace at /nowhere"));
	assert_log("");
}

/* net-T31: where another namespace stands now, a plugin is told that there is none. */
static void a_namespace_that_is_another_is_not_handed_to_a_del(void **state)
{
	struct cni_attachment elsewhere = task;
	char *path = path_of("netns"), *text;

	write_plugin(
		"first",
		"[ $CNI_COMMAND = ADD ] && echo '{\"cniVersion\":\"1.0.0\"}'\n"
		"echo \"netns=$CNI_NETNS path=$CNI_PATH extra=$BERTH_TEST\" >> \"${0%/*}/seen\"");
	assert_int_equal(symlink("/proc/self/ns/net", path), 0);
	elsewhere.netns_path = path;
	elsewhere.conflist = LIST("{\"type\":\"first\"}");
	assert_int_equal(add(&elsewhere), 0);
	unlink(path);
	assert_int_equal(symlink("/proc/self/ns/mnt", path), 0);
	assert_int_equal(del(&elsewhere), 0);
	text = read_named("seen");
	assert_non_null(strstr(text, "netns=/tmp/"));
	assert_non_null(strstr(text, "\nnetns= path=/tmp/"));
	assert_non_null(strstr(text, "extra=yes"));
	free(text);
	free(path);
}

static void only_who_declares_it_hears_that_the_namespace_goes(void **state)
{
	struct cni_attachment attachment =
		with(LIST("{\"type\":\"first\",\"capabilities\":{\"leaveToNetns\":true},"
			  "\"runtimeConfig\":{\"given\":1}},{\"type\":\"second\"}"));
	json_t *input;

	assert_int_equal(add(&attachment), 0);
	input = stdin_of("stdin-first-ADD");
	assert_int_equal(json_object_size(json_object_get(input, "runtimeConfig")), 1);
	json_decref(input);
	assert_int_equal(del(&attachment), 0);
	input = stdin_of("stdin-first-DEL");
	assert_true(json_is_true(
		json_object_get(json_object_get(input, "runtimeConfig"), "leaveToNetns")));
	assert_non_null(json_object_get(json_object_get(input, "runtimeConfig"), "given"));
	json_decref(input);
	input = stdin_of("stdin-second-DEL");
	assert_null(json_object_get(input, "runtimeConfig"));
	json_decref(input);
}

static void before_0_4_a_del_has_no_previous_result(void **state)
{
	struct cni_attachment attachment = with(
		"{\"cniVersion\":\"0.3.1\",\"name\":\"net\",\"plugins\":[{\"type\":\"first\"}]}");
	json_t *input;

	assert_int_equal(add(&attachment), 0);
	assert_int_equal(del(&attachment), 0);
	input = stdin_of("stdin-first-DEL");
	assert_null(json_object_get(input, "prevResult"));
	json_decref(input);
	attachment =
		with("{\"cniVersion\":\"0.3.1\",\"cniVersions\":[\"1.0.0\",\"9.0.0\",\"0.4.0\"],"
		     "\"name\":\"net\",\"plugins\":[{\"type\":\"first\"}]}");
	assert_int_equal(add(&attachment), 0);
	input = stdin_of("stdin-first-ADD");
	assert_string_equal(json_string_value(json_object_get(input, "cniVersion")), "1.0.0");
	json_decref(input);
}

static void count_cached(void *data, const char *container_id, const char *ifname,
			 const char *netns)
{
	int *count = data;

	(*count)++;
	assert_string_equal(ifname, "eth0");
	assert_string_equal(netns, NETNS);
	assert_memory_equal(container_id, "task-", 5);
}

static void a_damaged_record_is_passed_over(void **state)
{
	struct cni_attachment second = task;
	char *path = path_of("cache/task-9:eth0.json");
	int count = 0;

	second.container_id = "task-2";
	assert_int_equal(add(&task), 0);
	assert_int_equal(add(&second), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, "{", 1, 0600, false, NULL), 0);
	assert_int_equal(cni_each_cached(world.runtime, count_cached, &count, NULL), 0);
	assert_int_equal(count, 2);
	free(path);
}

/* By an agent that was killed while it wrote a record. */
static void half_a_record_does_not_stay(void **state)
{
	char *path = path_of("cache/task-1:eth0.json.0123456789ab.tmp");

	assert_int_equal(file_write_atomic(AT_FDCWD, path, "{", 1, 0600, false, NULL), 0);
	assert_int_equal(add(&task), 0);
	cni_runtime_free(world.runtime);
	start_runtime(TIMEOUT_MS);
	assert_int_equal(access(path, F_OK), -1);
	cni_result_free(&world.result);
	assert_int_equal(cni_cached_result(world.runtime, task.container_id, task.ifname,
					   &world.result, NULL),
			 0);
	free(path);
}

static void a_network_is_loaded_from_a_directory(void **state)
{
	static const char *const files[][2] = {
		{ "20-b.conflist", LIST("{\"type\":\"first\"}") },
		{ "10-single.conf",
		  "{\"cniVersion\":\"1.0.0\",\"name\":\"single\",\"type\":\"first\"}" },
		{ "30-broken.conflist", "{" },
		{ "05-ignored.txt", LIST("{\"type\":\"x\"}") },
	};
	char *directory = path_of("net.d"), *text = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(cni_conflist_load(directory, NULL, &text, &err), -ENOENT);
	assert_int_equal(file_mkdirs(directory, 0700, NULL), 0);
	assert_int_equal(cni_conflist_load(directory, NULL, &text, &err), -ENOENT);
	assert_non_null(strstr(err.text, "there is no CNI configuration in"));
	for (size_t i = 0; i < 4; i++) {
		char *path = xasprintf("%s/%s", directory, files[i][0]);

		assert_int_equal(file_write_atomic(AT_FDCWD, path, files[i][1], strlen(files[i][1]),
						   0600, false, NULL),
				 0);
		free(path);
	}
	/* Lists go first, whatever a single configuration is called. */
	assert_int_equal(cni_conflist_load(directory, NULL, &text, NULL), 0);
	assert_string_equal(text, LIST("{\"type\":\"first\"}"));
	free(text);
	assert_int_equal(cni_conflist_load(directory, "single", &text, NULL), 0);
	assert_string_equal(text,
			    "{\"name\":\"single\",\"cniVersion\":\"1.0.0\",\"plugins\":["
			    "{\"cniVersion\":\"1.0.0\",\"name\":\"single\",\"type\":\"first\"}]}");
	free(text);
	assert_true(cni_conflist_load(directory, "nobody", &text, &err) < 0);
	assert_non_null(strstr(err.text, "30-broken.conflist"));
	free(directory);
}

int main(void)
{
#define RUNTIME(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		RUNTIME(plugins_run_in_order_and_back),
		RUNTIME(a_del_after_a_restart_needs_no_configuration),
		RUNTIME(an_add_that_was_done_is_not_done_again),
		RUNTIME(an_add_that_was_cut_off_is_undone_first),
		RUNTIME(a_plugin_that_fails_is_told_and_everything_undone),
		RUNTIME(a_plugin_that_hangs_is_ended_at_its_deadline),
		RUNTIME(a_missing_plugin_is_found_before_anything_is_done),
		RUNTIME(what_could_not_be_undone_stays_on_record),
		RUNTIME(attachments_with_alike_names_do_not_mix),
		RUNTIME(one_attachment_has_one_operation_at_a_time),
		RUNTIME(what_cannot_be_run_is_refused_with_its_field),
		RUNTIME(a_namespace_that_is_another_is_not_handed_to_a_del),
		RUNTIME(only_who_declares_it_hears_that_the_namespace_goes),
		RUNTIME(before_0_4_a_del_has_no_previous_result),
		RUNTIME(a_damaged_record_is_passed_over),
		RUNTIME(half_a_record_does_not_stay),
		RUNTIME(a_network_is_loaded_from_a_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
