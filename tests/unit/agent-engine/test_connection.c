/* SPDX-License-Identifier: Apache-2.0 */
/* Bridge tasks: the network of each container. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "world.h"

static void run(struct world *world, const char *id, const char *more)
{
	char *container = container_json("app", true, more);

	world_payload(
		world,
		xasprintf("{\"arn\":\"arn:aws:ecs:here:1:task/c/%s\",\"desiredStatus\":\"RUNNING\","
			  "\"networkMode\":\"bridge\",\"containers\":[%s]}",
			  id, container));
	free(container);
}

/* Its only container is STOPPED, after it ran. */
static void stop_running(struct world *world, const char *id)
{
	world_stop(world, id);
	world_answer(world, id, "app",
		     (struct engine_done){ .type = EFFECT_STOP_CONTAINER,
					   .has_exit = true,
					   .exit = { .code_known = true, .exit_code = 0 } });
}

static void start(struct world *world, const char *id)
{
	world_done(world, EFFECT_CONNECT_CONTAINER, id, "app");
	world_done(world, EFFECT_PULL_IMAGE, id, "app");
	world_done(world, EFFECT_CREATE_CONTAINER, id, "app");
	world_done(world, EFFECT_START_CONTAINER, id, "app");
}

/* eng-57: beside the pull; told with RUNNING; and free when STOPPED is said. */
static void published_ports_are_told_while_they_are_held(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	run(world, "t", "");
	assert_non_null(world_find(world, EFFECT_CONNECT_CONTAINER, "t", "app"));
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	expect_report(world, "t", "PENDING", "app=PENDING");
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "app"));
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "app");
	assert_string_equal(world_container(world, "t", "app")->connection.address, "172.29.0.2");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_RUNNING);
	assert_int_equal(report->report.containers[0].binding_count, 1);
	assert_int_equal(report->report.containers[0].bindings[0].host_port, 49153);
	engine_effect_free(report);

	stop_running(world, "t");
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	world_done(world, EFFECT_DISCONNECT_CONTAINER, "t", "app");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

/* eng-59 */
static void without_its_ports_a_container_does_not_begin(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	run(world, "t", "");
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	expect_report(world, "t", "PENDING", "app=PENDING");
	world_failed(world, EFFECT_CONNECT_CONTAINER, "t", "app", "HostConfigError",
		     "error retrieving docker port map: a host port is unavailable");
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "app"));
	/* Something of it may be there. */
	world_done(world, EFFECT_DISCONNECT_CONTAINER, "t", "app");
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_string_equal(report->report.containers[0].reason,
			    "HostConfigError: error retrieving docker port map: a host port is "
			    "unavailable");
	assert_int_equal(report->report.containers[0].binding_count, 0);
	engine_effect_free(report);
	world_free(world);
}

/* One that was created and never started holds the namespace: it goes first. */
static void the_network_goes_after_what_is_in_it(void **state)
{
	struct world *world = world_new();

	run(world, "t", "");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "app");
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_stop(world, "t");
	assert_null(world_find(world, EFFECT_DISCONNECT_CONTAINER, "t", "app"));
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	assert_null(world_find(world, EFFECT_DISCONNECT_CONTAINER, "t", "app"));
	world_done(world, EFFECT_REMOVE_CONTAINER, "t", "app");
	world_done(world, EFFECT_DISCONNECT_CONTAINER, "t", "app");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

static void a_stop_while_it_is_connected_waits_for_that(void **state)
{
	struct world *world = world_new();

	run(world, "t", "");
	world_stop(world, "t");
	assert_int_equal(world_container(world, "t", "app")->known, CONTAINER_STATUS_STOPPED);
	assert_null(world_find(world, EFFECT_DISCONNECT_CONTAINER, "t", "app"));
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "app");
	world_done(world, EFFECT_DISCONNECT_CONTAINER, "t", "app");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

/* Ports stay the same over restarts by its policy. */
static void a_restart_keeps_the_network(void **state)
{
	struct world *world = world_new();

	run(world, "t", ",\"restartPolicy\":{\"enabled\":true,\"restartAttemptPeriod\":60}");
	start(world, "t");
	world_wait(world, 61000);
	world_exited_with(world, "t", "app", 1);
	assert_null(world_find(world, EFFECT_DISCONNECT_CONTAINER, "t", "app"));
	world_done(world, EFFECT_RESTART_CONTAINER, "t", "app");
	assert_int_equal(world_container(world, "t", "app")->connection.status, NETWORK_READY);
	assert_int_equal(world_count(world, EFFECT_CONNECT_CONTAINER), 0);
	world_free(world);
}

/* The end is told after three attempts; what is left is tried again until it is gone. */
static void a_network_that_stays_does_not_hold_the_end_back(void **state)
{
	struct world *world = world_new();

	run(world, "t", "");
	start(world, "t");
	world_accept_all(world);
	stop_running(world, "t");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
		world_wait(world, 60000);
		world_failed(world, EFFECT_DISCONNECT_CONTAINER, "t", "app", NULL, "it is busy");
	}
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_accept_all(world);
	world_wait(world, 24 * 3600 * INT64_C(1000));
	assert_null(world_find(world, EFFECT_CLEAN_UP_TASK, "t", NULL));
	world_done(world, EFFECT_DISCONNECT_CONTAINER, "t", "app");
	world_free(world);
}

static struct task_state *saved_bridge(enum container_status known, bool started)
{
	struct task_state *task = saved_task("t", "", known, started);

	task->spec->network_mode = NETWORK_MODE_BRIDGE;
	task->containers[0].connection.status = NETWORK_READY;
	return task;
}

static void a_network_that_is_there_is_kept_after_a_restart_of_the_agent(void **state)
{
	struct world *world =
		world_recovered(saved_bridge(CONTAINER_STATUS_RUNNING, true),
				(struct engine_observation){ .seen = SEEN_RUNNING, .pid = 42 });

	assert_int_equal(world_count(world, EFFECT_CONNECT_CONTAINER), 0);
	assert_int_equal(world_container(world, "t", "app")->connection.status, NETWORK_READY);
	world_free(world);
}

/* And saved at once: the next agent is not told of the reboot again. */
static void after_a_reboot_what_has_not_run_is_connected_anew(void **state)
{
	struct world *world = world_before_recovery();

	world->rebooted = true;
	world_recover(world, saved_bridge(CONTAINER_STATUS_PULLED, false),
		      (struct engine_observation){ 0 }, (struct engine_observation){ 0 });
	world_finish_recovery(world);
	assert_non_null(world_find(world, EFFECT_CONNECT_CONTAINER, "t", "app"));
	assert_non_null(world_find(world, EFFECT_PERSIST_CONTAINER, "t", "app"));
	assert_int_equal(world_container(world, "t", "app")->connection.status, NETWORK_ATTACHING);
	world_free(world);
}

/* ---- Service Connect ---- */

#define HEALTHY_SOME_TIME                                                                          \
	",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{\\\"Healthcheck\\\":{"    \
	"\\\"Test\\\":[\\\"CMD\\\",\\\"true\\\"]}}\"}"

/* "app", which is essential, "side", which is not, and "relay", with more of the last two. */
static void run_relayed_with(struct world *world, const char *side_more, const char *relay_more)
{
	char *app = container_json("app", true, "");
	char *side = container_json("side", false, side_more);
	char *relay = container_json("relay", true, relay_more);

	world_payload(
		world,
		xasprintf("{\"arn\":\"arn:aws:ecs:here:1:task/c/t\",\"desiredStatus\":\"RUNNING\","
			  "\"networkMode\":\"bridge\",\"containers\":[%s,%s,%s],"
			  "\"attachments\":[{\"attachmentType\":\"serviceconnectdetail\","
			  "\"attachmentProperties\":[{\"name\":\"ContainerName\",\"value\":"
			  "\"relay\"},{\"name\":\"ServiceConnectConfig\",\"value\":\"{"
			  "\\\"egressConfig\\\":{\\\"listenerName\\\":\\\"e\\\",\\\"vip\\\":{"
			  "\\\"ipv4Cidr\\\":\\\"10.255.0.0/16\\\"}}}\"}]}]}",
			  app, side, relay));
	free(app);
	free(side);
	free(relay);
}

static void run_relayed(struct world *world)
{
	run_relayed_with(world, "", HEALTHY_SOME_TIME);
}

static bool connects(struct world *world, const char *container)
{
	return world_find(world, EFFECT_CONNECT_CONTAINER, "t", container) != NULL;
}

/* net-T50: others have their ways by its address, and it is told theirs when it is made. */
static void the_relays_network_is_the_first(void **state)
{
	struct world *world = world_new();

	run_relayed(world);
	assert_true(connects(world, "relay"));
	assert_false(connects(world, "app") || connects(world, "side"));
	world_done(world, EFFECT_PULL_IMAGE, "t", "relay");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "relay");
	assert_string_equal(world_container(world, "t", "relay")->connection.address, "172.29.0.2");
	/* Though they may not begin yet. */
	assert_true(connects(world, "app") && connects(world, "side"));
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "relay"));
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "app");
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "relay"));
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "side");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "relay");
	world_done(world, EFFECT_START_CONTAINER, "t", "relay");
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	world_wait(world, 30000);
	world_probed(world, "t", "relay", 0, "");
	world_start(world, "t", "app");
	world_start(world, "t", "side");
	/* It is there as long as anybody else. */
	world_stop(world, "t");
	world_exited_with(world, "t", "app", 0);
	assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "relay"));
	world_exited_with(world, "t", "side", 0);
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "relay"));
	world_free(world);
}

/* Neither waits for the other: the router has its way by the relay's address, and starts first. */
static void the_relays_own_log_router_is_there_before_it(void **state)
{
	struct world *world = world_new();

	run_relayed_with(world, ",\"firelensConfiguration\":{\"type\":\"fluentbit\"}",
			 ",\"dockerConfig\":{\"hostConfig\":\"{\\\"LogConfig\\\":{"
			 "\\\"Type\\\":\\\"awsfirelens\\\"}}\"}");
	assert_true(connects(world, "relay"));
	assert_false(connects(world, "app") || connects(world, "side"));
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "relay");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "side");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "app");
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "relay"));
	world_start(world, "t", "side");
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	world_start(world, "t", "relay");
	world_start(world, "t", "app");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	world_stop(world, "t");
	world_exited_with(world, "t", "app", 0);
	assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "side"));
	world_exited_with(world, "t", "relay", 0);
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "side"));
	world_free(world);
}

/* Through others, too; who is not among them waits. */
static void what_the_relay_needs_does_not_wait_for_it(void **state)
{
	struct world *world = world_new();

	run_relayed_with(world,
			 ",\"dependsOn\":[{\"containerName\":\"app\",\"condition\":\"START\"}]",
			 ",\"volumesFrom\":[{\"sourceContainer\":\"side\"}]");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "relay");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "side");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "app");
	world_start(world, "t", "app");
	world_start(world, "t", "side");
	world_start(world, "t", "relay");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	world_free(world);
}

static void who_has_no_network_does_not_hold_the_relay_back(void **state)
{
	struct world *world = world_new();

	run_relayed(world);
	world_done(world, EFFECT_PULL_IMAGE, "t", "relay");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "relay");
	world_done(world, EFFECT_CONNECT_CONTAINER, "t", "app");
	world_failed(world, EFFECT_CONNECT_CONTAINER, "t", "side", "ContainerNetworkingError",
		     "no way");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "relay");
	world_free(world);
}

static void without_the_relays_network_nobody_is_connected(void **state)
{
	struct world *world = world_new();

	run_relayed(world);
	world_failed(world, EFFECT_CONNECT_CONTAINER, "t", "relay", "ContainerNetworkingError",
		     "no way");
	assert_false(connects(world, "app") || connects(world, "side"));
	world_done(world, EFFECT_PULL_IMAGE, "t", "relay");
	world_done(world, EFFECT_DISCONNECT_CONTAINER, "t", "relay");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_ports_are_told_while_they_are_held),
		cmocka_unit_test(without_its_ports_a_container_does_not_begin),
		cmocka_unit_test(the_network_goes_after_what_is_in_it),
		cmocka_unit_test(a_stop_while_it_is_connected_waits_for_that),
		cmocka_unit_test(a_restart_keeps_the_network),
		cmocka_unit_test(a_network_that_stays_does_not_hold_the_end_back),
		cmocka_unit_test(a_network_that_is_there_is_kept_after_a_restart_of_the_agent),
		cmocka_unit_test(after_a_reboot_what_has_not_run_is_connected_anew),
		cmocka_unit_test(the_relays_network_is_the_first),
		cmocka_unit_test(the_relays_own_log_router_is_there_before_it),
		cmocka_unit_test(what_the_relay_needs_does_not_wait_for_it),
		cmocka_unit_test(who_has_no_network_does_not_hold_the_relay_back),
		cmocka_unit_test(without_the_relays_network_nobody_is_connected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
