/* SPDX-License-Identifier: Apache-2.0 */
/* ecs-eni with an IPAM plugin: ours, and others that are small scripts. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "live.h"

static char *config_of(int n, const char *ipam)
{
	return xasprintf(
		"{\"cniVersion\":\"1.1.0\",\"name\":\"pool\",\"type\":\"ecs-eni\",\"driver\":"
		"\"veth\",\"eni\":\"eni-%d\",\"mac\":\"02:1f:00:00:01:%02x\",\"ipam\":%s}",
		n, n, ipam);
}

#define OURS                                                                                       \
	"{\"type\":\"ecs-ipam\",\"ipv4-subnet\":\"10.7.0.0/"                                       \
	"29\",\"ipv4-routes\":[{\"dst\":\"10.99.0.0/16\"}]}"

static void an_address_is_leased_and_given_back(void **state)
{
	struct task a = task_new("lease-a"), b = task_new("lease-b");
	char *config_a = config_of(1, OURS), *config_b = config_of(2, OURS);
	json_t *answer = run_good(run_of("ADD", &a, config_a)),
	       *with = json_loads(config_a, 0, NULL);
	char *text;

	assert_string_equal(text_at(answer, "ips.0.address"), "10.7.0.2/29");
	assert_string_equal(text_at(answer, "ips.0.gateway"), "10.7.0.1");
	assert_string_equal(text_at(answer, "routes.0.dst"), "0.0.0.0/0");
	assert_string_equal(text_at(answer, "routes.1.dst"), "10.99.0.0/16");
	json_object_set_new(with, "prevResult", answer);
	text = json_dumps(with, 0);
	run_good(run_of("CHECK", &a, text));

	answer = run_good(run_of("ADD", &b, config_b));
	assert_string_equal(text_at(answer, "ips.0.address"), "10.7.0.3/29");
	json_decref(answer);
	assert_true(reaches(a.netns, b.netns, "10.7.0.3"));
	assert_true(reaches(-1, a.netns, "10.7.0.2"));

	run_good(run_of("DEL", &a, config_a));
	run_refused(run_of("CHECK", &a, text), 100, "no ip address associated");
	run_good(run_of("DEL", &b, config_b));
	run_good(run_of("DEL", &b, config_b));
	json_decref(with);
	free(text);
	task_free(&a);
	task_free(&b);
	free(config_a);
	free(config_b);
}

/* The delegate's DEL is called though the namespace is gone, and after an ADD that failed behind
 * it. */
static void a_lease_never_outlives_its_interface(void **state)
{
	struct task gone = task_new("gone"), fails = task_new("fails");
	char *config = config_of(1, OURS), *bad = config_of(2, OURS);
	struct census before, after;
	struct run run;

	for (int i = 0; i < 10; i++) {
		json_decref(run_good(run_of("ADD", &gone, config)));
		task_free(&gone);
		run_good(run_of("DEL", &gone, config));
		gone = task_new("gone");
	}
	/* eth0 exists: the interface fails after the lease was taken; five addresses would not last
	 * ten times. */
	json_decref(run_good(run_of("ADD", &fails, config)));
	before = census_of(-1);
	for (int i = 0; i < 10; i++) {
		run = run_of("ADD", &fails, bad);
		run.container_id = "another";
		run_refused(run, 100, "interface eth0 exists already");
	}
	after = census_of(-1);
	census_assert_equal(&before, &after);
	run_good(run_of("DEL", &fails, config));
	task_free(&gone);
	task_free(&fails);
	free(config);
	free(bad);
}

static void an_exhausted_pool_is_a_clear_failure(void **state)
{
	struct task tasks[6];
	char *configs[6];
	struct census inside, inside_after;

	for (int i = 0; i < 6; i++) {
		char id[16];

		snprintf(id, sizeof(id), "full-%d", i);
		tasks[i] = task_new(id);
		configs[i] = config_of(10 + i, OURS);
	}
	for (int i = 0; i < 5; i++)
		json_decref(run_good(run_of("ADD", &tasks[i], configs[i])));
	inside = census_of(tasks[5].netns);
	run_refused(run_of("ADD", &tasks[5], configs[5]), 100,
		    "failed to find available ip addresses in the subnet 10.7.0.0/29");
	inside_after = census_of(tasks[5].netns);
	census_assert_equal(&inside, &inside_after);
	run_good(run_of("DEL", &tasks[3], configs[3]));
	json_decref(run_good(run_of("ADD", &tasks[5], configs[5])));
	for (int i = 0; i < 6; i++) {
		run_good(run_of("DEL", &tasks[i], configs[i]));
		task_free(&tasks[i]);
		free(configs[i]);
	}
}

static void write_script(const char *directory, const char *name, const char *body, mode_t mode)
{
	char *path = xasprintf("%s/%s", directory, name);
	char *text = xasprintf(
		"#!/bin/sh\necho \"$CNI_COMMAND\" >> $LIVE_LOG\ncat > $LIVE_LOG-stdin\n%s\n", body);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), mode, false, NULL),
			 0);
	free(text);
	free(path);
}

static void assert_calls(const char *expected)
{
	char *path = xasprintf("%s/log", live_directory()), *text = NULL;

	if (file_read(AT_FDCWD, path, 4096, &text, NULL, NULL) < 0)
		text = xstrdup("");
	assert_string_equal(text, expected);
	unlink(path);
	free(text);
	free(path);
}

static void another_ipam_plugin_is_run_as_the_protocol_says(void **state)
{
	static const struct {
		const char *body;
		int code;
		const char *text;
		const char *calls;
	} bad[] = {
		{ "echo '{\"code\":11,\"msg\":\"come back\"}'; exit 1", 11, "come back", "ADD\n" },
		{ "exit 1", 999, "failed with no error message: 1", "ADD\n" },
		{ "echo rubbish; exit 2", 999, "its message is no JSON", "ADD\n" },
		{ "echo rubbish", 6, "is no JSON", "ADD\n" },
		{ "echo '{\"cniVersion\":\"1.1.0\"}'", 100, "gave no address", "ADD\n" },
		{ "[ $CNI_COMMAND = DEL ] || echo "
		  "'{\"ips\":[{\"address\":\"10.8.0.9/24\"},{\"address\":\"10.8.0.9/24\"}]}'",
		  100, "10.8.0.9/32: File exists", "ADD\nDEL\n" },
	};
	struct task task = task_new("foreign");
	char *config = config_of(1, "{\"type\":\"test-ipam\",\"more\":1}");
	char *directory = xasprintf("%s/plugins", live_directory());
	struct run run = run_of("ADD", &task, config);
	struct census before = census_of(-1), after;
	json_t *answer;

	assert_int_equal(mkdir(directory, 0755), 0);
	run.path = directory;
	run_refused(run, 7, "plugin test-ipam is in none of the directories");
	write_script(directory, "test-ipam", ":", 0644);
	run_refused(run, 7, "cannot be executed");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_script(directory, "test-ipam", bad[i].body, 0755);
		run_refused(run, bad[i].code, bad[i].text);
		assert_calls(bad[i].calls);
	}
	after = census_of(-1);
	census_assert_equal(&before, &after);

	write_script(
		directory, "test-ipam",
		"[ $CNI_COMMAND = DEL ] || echo '{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":"
		"\"10.8.0.9/"
		"24\",\"gateway\":\"10.8.0.1\"}],\"dns\":{\"nameservers\":[\"9.9.9.9\"]}}'",
		0755);
	answer = run_good(run);
	assert_string_equal(text_at(answer, "ips.0.address"), "10.8.0.9/24");
	assert_string_equal(text_at(answer, "dns.nameservers.0"), "9.9.9.9");
	json_decref(answer);
	assert_true(reaches(-1, task.netns, "10.8.0.9"));
	run.command = "DEL";
	run.netns = "";
	run_good(run);
	assert_calls("ADD\nDEL\n");
	task_free(&task);
	free(config);
	free(directory);
}

static void the_program_leases_by_itself_too(void **state)
{
	struct task task = task_new("alone");
	char *config = config_of(1, OURS);
	struct run run = run_of("ADD", &task, config);
	json_t *answer;

	run.program = "ecs-ipam";
	answer = run_good(run);
	assert_string_equal(text_at(answer, "ips.0.address") + strlen("10.7.0.x"), "/29");
	assert_null(json_object_get(answer, "interfaces"));
	json_decref(answer);
	run_refused(run, 100, "id already exists");
	run.command = "DEL";
	run_good(run);
	run_good(run);
	task_free(&task);
	free(config);
}

/* net-T37: truncated, zero bytes and garbage; read-only; locked for 10 s. */
static void a_store_in_any_state_gives_a_defined_answer(void **state)
{
	static const char *const damage[] = { "",
					      "gar\xff"
					      "bage",
					      "{\"owner\":\"x\"," };
	struct task task = task_new("damage");
	char *store = xasprintf("%s/store", live_directory());
	char *ipam = xasprintf(
		"{\"type\":\"ecs-ipam\",\"ipv4-subnet\":\"10.7.0.0/29\",\"data-dir\":\"%s\"}",
		store);
	char *config = config_of(1, ipam), *path;
	struct run run = run_of("ADD", &task, config);
	int64_t start_ms;
	int lock;

	run.program = "ecs-ipam";
	assert_int_equal(mkdir(store, 0700), 0);
	assert_int_equal(mount("store", store, "tmpfs", 0, NULL), 0);
	json_decref(run_good(run));
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		run.command = "DEL";
		run_good(run);
		path = xasprintf("%s/pool/leases/10.7.0.%zu", store, 3 + i);
		assert_int_equal(file_write_atomic(AT_FDCWD, path, damage[i], strlen(damage[i]),
						   0600, false, NULL),
				 0);
		free(path);
		path = xasprintf("%s/pool/last.4", store);
		assert_int_equal(file_write_atomic(AT_FDCWD, path, damage[i], strlen(damage[i]),
						   0600, false, NULL),
				 0);
		free(path);
		run.command = "ADD";
		json_decref(run_good(run));
	}

	path = xasprintf("%s/pool/lock", store);
	lock = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	start_ms = clock_monotonic_ms();
	run.container_id = "other";
	run_refused(run, 11, "is locked by another process");
	assert_in_range(clock_monotonic_ms() - start_ms, 4000, 60000);
	close(lock);
	free(path);

	assert_int_equal(mount(NULL, store, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	run_refused(run, 100, "Read-only file system");
	assert_int_equal(umount2(store, MNT_DETACH), 0);
	task_free(&task);
	free(config);
	free(ipam);
	free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_leased_and_given_back),
		cmocka_unit_test(a_lease_never_outlives_its_interface),
		cmocka_unit_test(an_exhausted_pool_is_a_clear_failure),
		cmocka_unit_test(another_ipam_plugin_is_run_as_the_protocol_says),
		cmocka_unit_test(the_program_leases_by_itself_too),
		cmocka_unit_test(a_store_in_any_state_gives_a_defined_answer),
	};
	int failed;

	live_enter("ecs-eni");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
