/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a network namespace of their own (awsvpc). */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "world.h"

static const char eni[] = "\"elasticNetworkInterfaces\":[{\"attachmentArn\":\"arn:att\",\"ec2Id\":"
			  "\"eni-1\",\"macAddress\":"
			  "\"0a:00:00:00:00:01\",\"ipv4Addresses\":[{\"primary\":true,"
			  "\"privateAddress\":\"10.0.0.7\"}],"
			  "\"subnetGatewayIpv4Address\":\"10.0.0.1/24\"}]";

static void run(struct world *world, const char *id, const char *more)
{
	char *container = container_json("app", true, more);

	world_payload(
		world,
		xasprintf("{\"arn\":\"arn:aws:ecs:here:1:task/c/%s\",\"desiredStatus\":\"RUNNING\","
			  "\"networkMode\":\"awsvpc\",%s,\"containers\":[%s]}",
			  id, eni, container));
	free(container);
}

/* eng-74, as far as it is ours: namespace before creation, interfaces before the start, torn down
 * after the containers and before STOPPED is said. The pull goes on beside it. */
static void the_network_is_there_when_it_is_needed(void **state)
{
	struct world *world = world_new();

	run(world, "t", "");
	assert_non_null(world_find(world, EFFECT_OPEN_NETNS, "t", NULL));
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	expect_report(world, "t", "PENDING", "app=PENDING");
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "app"));
	world_done(world, EFFECT_OPEN_NETNS, "t", NULL);
	assert_string_equal(world_task(world, "t")->network.netns_path, "/run/netns/t");
	assert_int_equal(world_task(world, "t")->network.pause_pid, 99);
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	assert_null(world_find(world, EFFECT_START_CONTAINER, "t", "app"));
	world_done(world, EFFECT_ATTACH_NETWORK, "t", NULL);
	assert_string_equal(world_task(world, "t")->network.address, "10.0.0.7");
	assert_string_equal(world_task(world, "t")->network.netns_path, "/run/netns/t");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	expect_report(world, "t", "RUNNING", "app=RUNNING");

	world_stop(world, "t");
	assert_null(world_find(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL));
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_STOP_CONTAINER,
					   .has_exit = true,
					   .exit = { .code_known = true, .exit_code = 0 } });
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_done(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL);
	expect_report(world, "t", "STOPPED", "app=STOPPED(0)");
	world_free(world);
}

/* Ports of awsvpc tasks are their own. */
static void ports_of_awsvpc_tasks_do_not_collide(void **state)
{
	struct world *world = world_new();

	run(world, "a", ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":80}]");
	run(world, "b", ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":80}]");
	assert_int_equal(world_count(world, EFFECT_OPEN_NETNS), 2);
	world_free(world);
}

/* eng-73: no container is created; what was half made is torn down; the reason is told, which the
 * reference keeps. */
static void a_network_that_fails_stops_the_task_with_the_reason(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	run(world, "t", "");
	world_done(world, EFFECT_OPEN_NETNS, "t", NULL);
	world_failed(world, EFFECT_ATTACH_NETWORK, "t", NULL, NULL,
		     "plugin ecs-eni: no such device");
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "app"));
	world_done(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL);
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_null(report->report.containers[0].runtime_id);
	assert_string_equal(report->report.reason, "ContainerNetworkingError: container resource "
						   "provisioning: failed to setup network "
						   "namespace: plugin ecs-eni: no such device");
	engine_effect_free(report);
	world_free(world);
}

/* A container that was created and never started holds the namespace: it goes first. */
static void the_tear_down_waits_for_what_is_in_the_namespace(void **state)
{
	struct world *world = world_new();

	run(world, "t", "");
	world_done(world, EFFECT_OPEN_NETNS, "t", NULL);
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_stop(world, "t");
	/* CREATE and ATTACH are under way. */
	assert_null(world_find(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL));
	world_done(world, EFFECT_ATTACH_NETWORK, "t", NULL);
	assert_null(world_find(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL));
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	assert_null(world_find(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL));
	world_done(world, EFFECT_REMOVE_CONTAINER, "t", "app");
	world_done(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL);
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

/* eng-75 */
static void the_end_of_the_pause_process_stops_the_task(void **state)
{
	struct world *world = world_new();
	struct engine_event event = { .type = EVENT_PAUSE_EXITED,
				      .task_id = "t",
				      .exit = { .code_known = true, .signal = 9 } };

	run(world, "t", "");
	world_done(world, EFFECT_OPEN_NETNS, "t", NULL);
	world_done(world, EFFECT_ATTACH_NETWORK, "t", NULL);
	world_start(world, "t", "app");
	world_step(world, &event);
	assert_int_equal(world_task(world, "t")->desired, TASK_STATUS_STOPPED);
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "app"));
	assert_string_equal(
		world_task(world, "t")->reason,
		"ContainerNetworkingError: the pause container, which holds the task's network "
		"namespace, exited with exit code 137");
	world_free(world);
}

static void a_pause_process_that_ends_before_it_was_heard_of_is_lost_too(void **state)
{
	struct world *world = world_new();
	struct engine_event event = { .type = EVENT_PAUSE_EXITED, .task_id = "t" };

	run(world, "t", "");
	world_step(world, &event);
	assert_int_equal(world_task(world, "t")->desired, TASK_STATUS_RUNNING);
	world_done(world, EFFECT_OPEN_NETNS, "t", NULL);
	assert_int_equal(world_task(world, "t")->desired, TASK_STATUS_STOPPED);
	assert_non_null(world_find(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL));
	world_free(world);
}

/* STOPPED does not wait for ever on a network that cannot be removed, but the task is not forgotten
 * before it is. */
static void a_tear_down_that_fails_is_repeated_until_it_succeeds(void **state)
{
	struct world *world = world_new();

	run(world, "t", "");
	world_done(world, EFFECT_OPEN_NETNS, "t", NULL);
	world_done(world, EFFECT_ATTACH_NETWORK, "t", NULL);
	world_start(world, "t", "app");
	world_accept_all(world);
	world_exited_with(world, "t", "app", 0);
	for (int i = 0; i < 3; i++) {
		assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
		world_wait(world, 4000);
		world_failed(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL, NULL, "busy");
		if (i == 0)
			expect_report(world, "t", "RUNNING", "app=STOPPED(0)");
	}
	assert_non_null(strstr(world_find(world, EFFECT_REPORT, "t", NULL)->report.reason,
			       "the task's network could not be removed: busy"));
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms + 60000);
	world_done(world, EFFECT_REMOVE_CONTAINER, "t", "app");
	world_wait(world, 60000);
	assert_null(world_find(world, EFFECT_CLEAN_UP_TASK, "t", NULL));
	world_done(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL);
	world_done(world, EFFECT_CLEAN_UP_TASK, "t", NULL);
	assert_null(engine_task(world->engine, "t"));
	world_free(world);
}

/* The end of the container is told while the network is still being torn down. */
static void a_slow_tear_down_does_not_hide_the_exit(void **state)
{
	struct world *world = world_new();

	run(world, "t", "");
	world_done(world, EFFECT_OPEN_NETNS, "t", NULL);
	world_done(world, EFFECT_ATTACH_NETWORK, "t", NULL);
	world_start(world, "t", "app");
	world_accept_all(world);
	world_exited_with(world, "t", "app", 5);
	world_wait(world, 100);
	expect_report(world, "t", "RUNNING", "app=STOPPED(5)");
	world_done(world, EFFECT_TEAR_DOWN_NETWORK, "t", NULL);
	expect_report(world, "t", "STOPPED", "");
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_network_is_there_when_it_is_needed),
		cmocka_unit_test(ports_of_awsvpc_tasks_do_not_collide),
		cmocka_unit_test(a_network_that_fails_stops_the_task_with_the_reason),
		cmocka_unit_test(the_tear_down_waits_for_what_is_in_the_namespace),
		cmocka_unit_test(the_end_of_the_pause_process_stops_the_task),
		cmocka_unit_test(a_pause_process_that_ends_before_it_was_heard_of_is_lost_too),
		cmocka_unit_test(a_tear_down_that_fails_is_repeated_until_it_succeeds),
		cmocka_unit_test(a_slow_tear_down_does_not_hide_the_exit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
