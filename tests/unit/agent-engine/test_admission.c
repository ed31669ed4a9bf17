/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use the host. The world's host has 2048 CPU units and 1024 MiB. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "world.h"

static void run(struct world *world, const char *id, int memory_mib, const char *more)
{
	char *task = xasprintf(",\"memory\":%d,\"cpu\":0.25%s", memory_mib, more);

	world_run(world, id, task,
		  xstrdup("{\"name\":\"app\",\"image\":\"i\",\"essential\":true}"));
	free(task);
}

static bool begun(struct world *world, const char *id)
{
	return world_find(world, EFFECT_PULL_IMAGE, id, "app") != NULL;
}

/* eng-52: nothing is said of a task that waits. */
static void a_task_waits_until_there_is_room(void **state)
{
	struct world *world = world_new();
	struct engine_ledger ledger;

	run(world, "a", 512, "");
	run(world, "b", 512, "");
	run(world, "c", 512, "");
	assert_true(begun(world, "a"));
	assert_true(begun(world, "b"));
	assert_false(begun(world, "c"));
	assert_int_equal(world_count(world, EFFECT_ACKNOWLEDGE), 3);
	engine_ledger(world->engine, &ledger);
	assert_int_equal(ledger.memory_mib_used, 1024);
	assert_int_equal(ledger.cpu_units_used, 512);
	assert_int_equal(ledger.waiting, 1);
	world_wait(world, 3600000);
	assert_null(world_find(world, EFFECT_REPORT, "c", NULL));
	world_stop(world, "a");
	assert_true(begun(world, "c"));
	world_free(world);
}

/* A stopping task still holds its share. */
static void the_share_is_held_until_stopped(void **state)
{
	struct world *world = world_new();

	run(world, "a", 1024, "");
	world_start(world, "a", "app");
	run(world, "b", 1024, "");
	world_stop(world, "a");
	assert_false(begun(world, "b"));
	world_exited_with(world, "a", "app", 0);
	assert_true(begun(world, "b"));
	world_free(world);
}

/* eng-53: a small task that comes later does not take what the earlier one waits for. */
static void a_small_task_behind_a_waiting_one_waits_too(void **state)
{
	struct world *world = world_new();

	run(world, "a", 512, "");
	run(world, "b", 512, "");
	run(world, "c", 512, "");
	run(world, "d", 10, "");
	assert_false(begun(world, "d"));
	world_stop(world, "a");
	assert_true(begun(world, "c"));
	assert_false(begun(world, "d"));
	world_stop(world, "b");
	assert_true(begun(world, "d"));
	world_free(world);
}

/* ... but may use what the earlier one could not use anyway. */
static void a_small_task_may_pass_when_it_delays_nobody(void **state)
{
	struct world *world = world_new();

	run(world, "a", 512, "");
	run(world, "large", 800, "");
	run(world, "small", 200, ""); /* 1024 - 200 leaves the large one its 800 */
	assert_false(begun(world, "large"));
	assert_true(begun(world, "small"));
	run(world, "next", 100, ""); /* 1024 - 200 - 100 would not */
	assert_false(begun(world, "next"));
	world_stop(world, "a");
	assert_true(begun(world, "large"));
	assert_false(begun(world, "next"));
	world_free(world);
}

#define PORT ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":8080,\"protocol\":\"%s\"}]"

static void run_port(struct world *world, const char *id, const char *protocol)
{
	char *port = xasprintf(PORT, protocol);

	world_run(world, id, "", container_json("app", true, port));
	free(port);
}

/* eng-55; UDP and TCP ports are different things, and other tasks do not wait behind the port. */
static void a_port_is_one_tasks_at_a_time(void **state)
{
	struct world *world = world_new();

	run_port(world, "a", "tcp");
	run_port(world, "b", "tcp");
	run_port(world, "u", "udp");
	run(world, "other", 10, "");
	assert_true(begun(world, "a"));
	assert_false(begun(world, "b"));
	assert_true(begun(world, "u"));
	assert_true(begun(world, "other"));
	run_port(world, "c", "tcp");
	world_stop(world, "a");
	assert_true(begun(world, "b"));
	assert_false(begun(world, "c"));
	world_free(world);
}

/* eng-54: STOPPED at once, nothing done, and whoever waited behind it moves up. */
static void a_waiting_task_can_be_stopped(void **state)
{
	struct world *world = world_new();

	run(world, "a", 512, "");
	run(world, "b", 1024, "");
	run(world, "c", 512, "");
	assert_false(begun(world, "c"));
	world_stop(world, "b");
	assert_int_equal(world_task(world, "b")->known, TASK_STATUS_STOPPED);
	assert_false(begun(world, "b"));
	assert_non_null(world_find(world, EFFECT_REPORT, "b", NULL));
	assert_true(begun(world, "c"));
	world_free(world);
}

/* eng-56 */
static void fargate_tasks_are_not_counted(void **state)
{
	struct world *world = world_new();

	run(world, "a", 1024, "");
	run(world, "b", 512, "");
	run(world, "f", 5000, ",\"launchType\":\"fargate\"");
	assert_false(begun(world, "b"));
	assert_true(begun(world, "f"));
	world_free(world);
}

static void expect_refused(struct world *world, const char *id, const char *cause)
{
	char *reason = xasprintf(
		"resource cannot be initialized for task arn:aws:ecs:here:1:task/c/%s: %s", id,
		cause);

	assert_int_equal(world_task(world, id)->known, TASK_STATUS_STOPPED);
	assert_string_equal(world_task(world, id)->reason, reason);
	assert_string_equal(world_find(world, EFFECT_REPORT, id, NULL)->report.reason, reason);
	free(reason);
}

static void ssh(struct engine_config *config)
{
	static const uint16_t tcp[] = { 22, 8080 };

	config->reserved_tcp = tcp;
	config->reserved_tcp_count = 2;
}

/* What this host can never give is refused with the numbers, instead of waiting for ever. */
static void what_the_host_can_never_give_is_refused(void **state)
{
	struct world *world = world_new_with(ssh);

	run(world, "m", 1025, "");
	expect_refused(world, "m",
		       "it asks for 1025 MiB of memory, and this host has 1024 for tasks in all");
	world_run(world, "c", ",\"cpu\":2.5", container_json("app", true, ""));
	expect_refused(world, "c", "it asks for 2560 CPU units, and this host has 2048 in all");
	run_port(world, "p", "tcp");
	expect_refused(world, "p", "it asks for TCP port 8080, which is reserved on this host");
	run(world, "after", 1024, "");
	assert_true(begun(world, "after"));
	world_free(world);
}

/* Without figures of the task, those of its containers count: the reservation before the limit. */
static void containers_are_added_up_when_the_task_names_no_figures(void **state)
{
	struct world *world = world_new();
	struct engine_ledger ledger;

	world_run(world, "t", "",
		  xstrdup("{\"name\":\"a\",\"image\":\"i\",\"essential\":true,\"cpu\":100,"
			  "\"memory\":300,"
			  "\"dockerConfig\":{\"hostConfig\":\"{\\\"MemoryReservation\\\":134217728}"
			  "\"}},"
			  "{\"name\":\"b\",\"image\":\"i\",\"cpu\":20,\"memory\":64}"));
	engine_ledger(world->engine, &ledger);
	assert_int_equal(ledger.cpu_units_used, 120);
	assert_int_equal(ledger.memory_mib_used, 128 + 64);
	world_free(world);
}

/* eng-50 */
static void a_container_larger_than_its_task_is_refused(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", ",\"memory\":512",
		  xstrdup("{\"name\":\"a\",\"image\":\"i\",\"essential\":true,\"memory\":1024}"));
	assert_true(
		str_ends_with(world_task(world, "t")->reason,
			      "container memory limit(1024) greater than task memory limit(512)"));
	world_free(world);
}

static void unsupported_networks_are_refused(void **state)
{
	static const struct {
		const char *mode, *cause;
	} cases[] = {
		{ "weird", "network mode weird is not supported by this agent; use awsvpc, bridge, "
			   "host or none" },
		{ "awsvpc", "network mode awsvpc needs an elastic network interface, and the "
			    "payload brought none" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world *world = world_new();
		char *json = xasprintf(
			"{\"arn\":\"%s\",\"desiredStatus\":\"RUNNING\",\"networkMode\":\"%s\","
			"\"containers\":[{\"name\":\"a\",\"image\":\"i\"}]}",
			ARN("t"), cases[i].mode);

		world_payload(world, json);
		expect_refused(world, "t", cases[i].cause);
		world_free(world);
	}
}

static const char *const gpus[] = { "GPU-a", "GPU-b" };

static void two_gpus(struct engine_config *config)
{
	config->gpus = gpus;
	config->gpu_count = 2;
}

#define GPU(id, containers)                                                                        \
	",\"associations\":[{\"type\":\"gpu\",\"name\":\"" id "\",\"containers\":[" containers "]" \
	"}"                                                                                        \
	"]"

static void a_gpu_is_one_tasks_at_a_time(void **state)
{
	struct world *world = world_new_with(two_gpus);
	struct engine_ledger ledger;

	run(world, "a", 100, GPU("GPU-a", "\"app\""));
	run(world, "b", 100, GPU("GPU-a", "\"app\""));
	run(world, "c", 100, GPU("GPU-b", "\"app\""));
	run(world, "d", 100, "");
	assert_true(begun(world, "a"));
	assert_false(begun(world, "b"));
	assert_true(begun(world, "c"));
	assert_true(begun(world, "d"));
	engine_ledger(world->engine, &ledger);
	assert_int_equal(ledger.gpus, 2);
	assert_int_equal(ledger.gpus_used, 2);
	world_stop(world, "a");
	assert_true(begun(world, "b"));
	world_free(world);
}

/* Who waits for a GPU is not passed by one that wants the same. */
static void who_waits_for_a_gpu_is_not_passed(void **state)
{
	struct world *world = world_new_with(two_gpus);

	run(world, "a", 600, "");
	run(world, "b", 600, GPU("GPU-a", "\"app\""));
	run(world, "c", 100, GPU("GPU-a", "\"app\""));
	run(world, "d", 100, GPU("GPU-b", "\"app\""));
	assert_false(begun(world, "c"));
	assert_true(begun(world, "d"));
	world_free(world);
}

/* eng-96 */
static void wrong_gpus_are_refused(void **state)
{
	static const struct {
		const char *more, *reason;
	} cases[] = {
		{ GPU("GPU-a", "\"app\",\"other\""),
		  "could not associate multiple containers to GPU GPU-a" },
		{ GPU("GPU-a", "\"nobody\""),
		  "could not find container with name nobody for associating GPU GPU-a" },
		{ GPU("GPU-z", "\"app\""), "it asks for GPU GPU-z, which this host does not have" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world *world = world_new_with(two_gpus);
		char *reason = xasprintf("resource cannot be initialized for task %s: %s", ARN("t"),
					 cases[i].reason);

		run(world, "t", 100, cases[i].more);
		assert_string_equal(world_task(world, "t")->reason, reason);
		assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
		free(reason);
		world_free(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_waits_until_there_is_room),
		cmocka_unit_test(the_share_is_held_until_stopped),
		cmocka_unit_test(a_small_task_behind_a_waiting_one_waits_too),
		cmocka_unit_test(a_small_task_may_pass_when_it_delays_nobody),
		cmocka_unit_test(a_port_is_one_tasks_at_a_time),
		cmocka_unit_test(a_waiting_task_can_be_stopped),
		cmocka_unit_test(fargate_tasks_are_not_counted),
		cmocka_unit_test(what_the_host_can_never_give_is_refused),
		cmocka_unit_test(containers_are_added_up_when_the_task_names_no_figures),
		cmocka_unit_test(a_container_larger_than_its_task_is_refused),
		cmocka_unit_test(unsupported_networks_are_refused),
		cmocka_unit_test(a_gpu_is_one_tasks_at_a_time),
		cmocka_unit_test(who_waits_for_a_gpu_is_not_passed),
		cmocka_unit_test(wrong_gpus_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
