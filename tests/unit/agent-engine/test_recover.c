/* SPDX-License-Identifier: Apache-2.0 */
/* What a new agent makes of what the old one left. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "world.h"

/* eng-78: adopted with its pid, and nothing is done or said again. */
static void what_runs_is_adopted(void **state)
{
	struct world *world =
		world_recovered(saved_task("t", "", CONTAINER_STATUS_RUNNING, true),
				(struct engine_observation){ .seen = SEEN_RUNNING, .pid = 42 });

	assert_int_equal(world_container(world, "t", "app")->pid, 42);
	assert_int_equal(world_container(world, "t", "app")->started_at_ms, WORLD_START_MS - 50000);
	assert_string_equal(world_container(world, "t", "app")->endpoint_id,
			    "11111111-1111-4111-8111-111111111111");
	world_wait(world, 3600000);
	assert_int_equal(world->effect_count, 0);
	world_exited_with(world, "t", "app", 3);
	expect_report(world, "t", "STOPPED", "app=STOPPED(3)");
	world_free(world);
}

/* eng-79, eng-98, acs-S11: the true exit code of what ended meanwhile, once. */
static void what_ended_meanwhile_is_reported(void **state)
{
	struct world *world = world_recovered(
		saved_task("t", "", CONTAINER_STATUS_RUNNING, true),
		(struct engine_observation){ .seen = SEEN_EXITED,
					     .exit = { .code_known = true,
						       .exit_code = 7,
						       .finished_at_ms = WORLD_START_MS - 5 } });
	struct engine_effect *report = world_report(world, "t");

	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_int_equal(report->report.containers[0].exit_code, 7);
	assert_int_equal(report->report.execution_stopped_at_ms, WORLD_START_MS - 5);
	assert_int_equal(world_count(world, EFFECT_START_CONTAINER), 0);
	engine_effect_free(report);
	world_free(world);
}

/* eng-80 */
static void what_is_gone_has_vanished(void **state)
{
	static const enum engine_seen seen[] = { SEEN_NOTHING, SEEN_VANISHED };

	for (size_t i = 0; i < 2; i++) {
		struct world *world =
			world_recovered(saved_task("t", "", CONTAINER_STATUS_RUNNING, true),
					(struct engine_observation){ .seen = seen[i] });
		struct engine_effect *report = world_report(world, "t");

		assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
		assert_false(report->report.containers[0].has_exit_code);
		assert_string_equal(report->report.containers[0].reason,
				    "ContainerVanishedError: No container matching saved ID found");
		engine_effect_free(report);
		world_free(world);
	}
}

/* eng-81: what was half done before a container existed is done again. */
static void an_interrupted_pull_is_repeated(void **state)
{
	static const enum container_status known[] = { CONTAINER_STATUS_NONE,
						       CONTAINER_STATUS_PULLED };

	for (size_t i = 0; i < 2; i++) {
		struct world *world = world_recovered(saved_task("t", "", known[i], false),
						      (struct engine_observation){ 0 });

		world_start(world, "t", "app");
		assert_int_equal(world_container(world, "t", "app")->known,
				 CONTAINER_STATUS_RUNNING);
		world_free(world);
	}
}

/* eng-82 */
static void what_was_created_is_started_and_not_created_again(void **state)
{
	struct world *world = world_recovered(saved_task("t", "", CONTAINER_STATUS_PULLED, true),
					      (struct engine_observation){ .seen = SEEN_CREATED });

	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "app"));
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	world_free(world);
}

/* What the pull told was not saved: digest and stop signal would be missing for ever. */
static void what_was_created_before_its_pull_was_saved_is_pulled_again(void **state)
{
	struct world *world = world_recovered(saved_task("t", "", CONTAINER_STATUS_NONE, false),
					      (struct engine_observation){ .seen = SEEN_CREATED });

	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_PULL_IMAGE,
					   .image = { .digest = "sha256:1", .stop_signal = 12 } });
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	assert_string_equal(world_container(world, "t", "app")->image_digest, "sha256:1");
	world_stop(world, "t");
	assert_int_equal(world_find(world, EFFECT_STOP_CONTAINER, "t", "app")->stop.signal, 12);
	world_free(world);
}

/* The start was decided, and the process has already ended: it is not started a second time. */
static void what_was_started_and_ended_is_not_started_again(void **state)
{
	struct world *world = world_recovered(
		saved_task("t", "", CONTAINER_STATUS_PULLED, true),
		(struct engine_observation){ .seen = SEEN_EXITED,
					     .exit = { .code_known = true,
						       .exit_code = 9,
						       .started_at_ms = WORLD_START_MS - 9 } });

	assert_int_equal(world_count(world, EFFECT_START_CONTAINER), 0);
	assert_int_equal(world_container(world, "t", "app")->exit_code, 9);
	assert_int_equal(world_container(world, "t", "app")->started_at_ms, WORLD_START_MS - 9);
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

/* Its first process was killed while it waited for its start: that is no exit code of the program.
 */
static void what_died_before_its_start_never_ran(void **state)
{
	struct world *world = world_recovered(
		saved_task("t", "", CONTAINER_STATUS_CREATED, false),
		(struct engine_observation){ .seen = SEEN_EXITED,
					     .exit = { .code_known = true, .signal = 9 } });

	assert_string_equal(world_container(world, "t", "app")->reason,
			    "CannotStartContainerError: the container's first process ended before "
			    "it was started");
	expect_report(world, "t", "STOPPED", "app=STOPPED");
	world_free(world);
}

static void a_decided_start_without_any_trace_is_not_repeated(void **state)
{
	struct world *world = world_recovered(saved_task("t", "", CONTAINER_STATUS_PULLED, true),
					      (struct engine_observation){ 0 });

	assert_int_equal(world_count(world, EFFECT_CREATE_CONTAINER), 0);
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

/* A stop that was wanted is carried on. */
static void an_interrupted_stop_is_repeated(void **state)
{
	struct task_state *task = saved_task("t", "", CONTAINER_STATUS_RUNNING, true);
	struct world *world;

	task->desired = TASK_STATUS_STOPPED;
	task->containers[0].desired = CONTAINER_STATUS_STOPPED;
	world = world_recovered(task,
				(struct engine_observation){ .seen = SEEN_RUNNING, .pid = 42 });
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "app"));
	world_free(world);
}

/* eng-98's other half: STOPPED that nobody heard of is said again; STOPPED that was accepted is
 * not. */
static void only_what_was_not_accepted_is_said_again(void **state)
{
	for (int sent = 0; sent <= 1; sent++) {
		struct task_state *task = saved_task("t", "", CONTAINER_STATUS_RUNNING, true);
		struct world *world;

		task->known = TASK_STATUS_STOPPED;
		task->desired = TASK_STATUS_STOPPED;
		task->admitted = false;
		task->stopped_at_ms = WORLD_START_MS - 1000;
		task->containers[0].known = task->containers[0].desired = CONTAINER_STATUS_STOPPED;
		task->containers[0].has_exit_code = true;
		task->containers[0].exit_code = 4;
		if (sent) {
			task->sent = TASK_STATUS_STOPPED;
			task->containers[0].sent = CONTAINER_STATUS_STOPPED;
		}
		world = world_recovered(task,
					(struct engine_observation){
						.seen = SEEN_EXITED,
						.exit = { .code_known = true, .exit_code = 5 } });
		if (!sent)
			expect_report(world, "t", "STOPPED", "app=STOPPED(4)");
		assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
		/* The clean-up wait goes on from where it was. */
		world_wait(world, world->config.cleanup_wait_ms - 1001);
		assert_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
		world_wait(world, 1);
		assert_non_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
		world_free(world);
	}
}

/* Tasks that hold their share keep it; those that waited wait on, in their order. */
static void the_ledger_is_as_before(void **state)
{
	struct world *world = world_before_recovery();
	struct engine_ledger ledger;

	for (int i = 0; i < 3; i++) {
		static const char *const ids[] = { "b", "c", "a" };
		struct task_state *task = saved_task(ids[i], "", CONTAINER_STATUS_NONE, false);
		char *json = task_json(ids[i], "RUNNING", ",\"memory\":600",
				       "{\"name\":\"app\",\"image\":\"i\",\"essential\":true}");
		struct task_spec *spec = spec_of(json);

		task_spec_unref(task->spec);
		task->spec = spec;
		task->containers[0].spec = &spec->containers[0];
		free(json);
		task->arrival = (uint64_t)i + 1;
		task->admitted = i == 2;
		world_recover(
			world, task,
			(struct engine_observation){ .seen = i == 2 ? SEEN_RUNNING : SEEN_NOTHING },
			(struct engine_observation){ 0 });
	}
	world_finish_recovery(world);
	engine_ledger(world->engine, &ledger);
	assert_int_equal(ledger.memory_mib_used, 600);
	assert_int_equal(ledger.waiting, 2);
	world_exited_with(world, "a", "app", 0);
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "b", "app"));
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "c", "app"));
	world_free(world);
}

/* Health is not saved: it starts anew, but the start period does not. */
static void health_starts_anew(void **state)
{
	struct world *world = world_recovered(
		saved_task("t",
			   ",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{"
			   "\\\"Healthcheck\\\":{"
			   "\\\"Test\\\":[\\\"CMD\\\",\\\"x\\\"],\\\"Interval\\\":1000000000,"
			   "\\\"StartPeriod\\\":"
			   "40000000000,\\\"Retries\\\":1}}\"}",
			   CONTAINER_STATUS_RUNNING, true),
		(struct engine_observation){ .seen = SEEN_RUNNING, .pid = 42 });

	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_STARTING);
	world_wait(world, 1000);
	world_probed(world, "t", "app", 1, "");
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_UNHEALTHY);
	world_free(world);
}

/* Started 50 s ago, probed every 30 s: the next one is due in 10, whenever the agent came. */
static void probes_go_on_in_their_beat(void **state)
{
	struct world *world = world_recovered(
		saved_task("t",
			   ",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{"
			   "\\\"Healthcheck\\\":{\\\"Test\\\":[\\\"CMD\\\",\\\"x\\\"],"
			   "\\\"Interval\\\":30000000000}}\"}",
			   CONTAINER_STATUS_RUNNING, true),
		(struct engine_observation){ .seen = SEEN_RUNNING, .pid = 42 });

	world_wait(world, 9999);
	assert_null(world_find(world, EFFECT_PROBE_HEALTH, "t", "app"));
	world_wait(world, 1);
	assert_non_null(world_find(world, EFFECT_PROBE_HEALTH, "t", "app"));
	world_free(world);
}

/* What of it was over when the agent came, is over; after a reboot the clock has begun anew. */
static void a_grace_goes_on_without_the_agent(void **state)
{
	static const struct {
		int64_t begun_ms;
		bool rebooted;
		int64_t grace_ms;
	} cases[] = { { 0, false, 30000 },
		      { 500, false, 29500 },
		      { 5000, false, 30000 },
		      { 500, true, 30000 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct task_state *task = saved_task("t", "", CONTAINER_STATUS_RUNNING, true);
		struct world *world = world_before_recovery();

		task->desired = TASK_STATUS_STOPPED;
		task->containers[0].desired = CONTAINER_STATUS_STOPPED;
		task->containers[0].stop_begun_ms = cases[i].begun_ms;
		world->rebooted = cases[i].rebooted;
		world_recover(world, task, (struct engine_observation){ .seen = SEEN_RUNNING },
			      (struct engine_observation){ 0 });
		world_finish_recovery(world);
		assert_int_equal(
			world_find(world, EFFECT_STOP_CONTAINER, "t", "app")->stop.grace_ms,
			cases[i].grace_ms);
		world_free(world);
	}
}

static struct task_state *saved_awsvpc(enum network_status status, enum container_status known)
{
	struct task_state *task = saved_task("t", "", known, known >= CONTAINER_STATUS_RUNNING);
	struct task_spec *spec = spec_of("{\"arn\":\"" ARN(
		"t") "\",\"desiredStatus\":\"RUNNING\",\"networkMode\":\"awsvpc\","
		     "\"elasticNetworkInterfaces\":[{\"attachmentArn\":\"a\",\"ec2Id\":\"e\","
		     "\"macAddress\":\"0a:00:00:00:00:01\",\"ipv4Addresses\":[{\"primary\":true,"
		     "\"privateAddress\":\"10.0.0.7\"}],\"subnetGatewayIpv4Address\":"
		     "\"10.0.0.1/24\"}],\"containers\":[{\"name\":\"app\",\"image\":\"i\","
		     "\"essential\":true}]}");

	task_spec_unref(task->spec);
	task->spec = spec;
	task->containers[0].spec = &spec->containers[0];
	task->network.status = status;
	return task;
}

static struct world *recovered_network(enum network_status status, enum container_status known,
				       enum engine_seen container, enum engine_seen pause)
{
	struct world *world = world_before_recovery();

	world_recover(world, saved_awsvpc(status, known),
		      (struct engine_observation){ .seen = container, .pid = 42 },
		      (struct engine_observation){ .seen = pause, .pid = 43 });
	world_finish_recovery(world);
	return world;
}

static void a_half_made_network_is_finished(void **state)
{
	struct world *world = recovered_network(NETWORK_OPENING, CONTAINER_STATUS_NONE,
						SEEN_NOTHING, SEEN_NOTHING);

	world_done(world, EFFECT_OPEN_NETNS, "t", NULL);
	assert_non_null(world_find(world, EFFECT_ATTACH_NETWORK, "t", NULL));
	world_free(world);

	world = recovered_network(NETWORK_ATTACHING, CONTAINER_STATUS_NONE, SEEN_NOTHING,
				  SEEN_RUNNING);
	assert_null(world_find(world, EFFECT_OPEN_NETNS, "t", NULL));
	assert_non_null(world_find(world, EFFECT_ATTACH_NETWORK, "t", NULL));
	assert_int_equal(world_task(world, "t")->network.pause_pid, 43);
	world_free(world);
}

static void a_network_that_is_there_is_kept(void **state)
{
	struct world *world = recovered_network(NETWORK_READY, CONTAINER_STATUS_RUNNING,
						SEEN_RUNNING, SEEN_RUNNING);

	assert_int_equal(world->effect_count, 0);
	assert_int_equal(world_task(world, "t")->network.pause_pid, 43);
	world_free(world);
}

static void a_lost_pause_process_stops_the_task(void **state)
{
	struct world *world = recovered_network(NETWORK_READY, CONTAINER_STATUS_RUNNING,
						SEEN_RUNNING, SEEN_NOTHING);

	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "app"));
	assert_string_equal(
		world_task(world, "t")->reason,
		"ContainerNetworkingError: the pause container, which holds the task's network "
		"namespace, exited and nobody saw how");
	world_free(world);
}

/* Nothing is decided before the last task is known: not even for one that could move. */
static void nothing_is_done_before_recovery_is_finished(void **state)
{
	struct world *world = world_before_recovery();
	struct engine_event event = { .type = EVENT_TIME_PASSED };

	world_recover(world, saved_task("t", "", CONTAINER_STATUS_NONE, false),
		      (struct engine_observation){ 0 }, (struct engine_observation){ 0 });
	world_step(world, &event);
	assert_int_equal(world->effect_count, 0);
	world_finish_recovery(world);
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_runs_is_adopted),
		cmocka_unit_test(what_ended_meanwhile_is_reported),
		cmocka_unit_test(what_is_gone_has_vanished),
		cmocka_unit_test(an_interrupted_pull_is_repeated),
		cmocka_unit_test(what_was_created_is_started_and_not_created_again),
		cmocka_unit_test(what_was_created_before_its_pull_was_saved_is_pulled_again),
		cmocka_unit_test(what_was_started_and_ended_is_not_started_again),
		cmocka_unit_test(what_died_before_its_start_never_ran),
		cmocka_unit_test(a_decided_start_without_any_trace_is_not_repeated),
		cmocka_unit_test(an_interrupted_stop_is_repeated),
		cmocka_unit_test(only_what_was_not_accepted_is_said_again),
		cmocka_unit_test(the_ledger_is_as_before),
		cmocka_unit_test(health_starts_anew),
		cmocka_unit_test(probes_go_on_in_their_beat),
		cmocka_unit_test(a_grace_goes_on_without_the_agent),
		cmocka_unit_test(a_half_made_network_is_finished),
		cmocka_unit_test(a_network_that_is_there_is_kept),
		cmocka_unit_test(a_lost_pause_process_stops_the_task),
		cmocka_unit_test(nothing_is_done_before_recovery_is_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
