/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads, manifests and stop verification. */
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"
#include "world.h"

#define MOST 4

static void send(struct world *world, char **tasks, size_t count,
		 const struct engine_refused_task *refused, int64_t sequence)
{
	struct task_spec *specs[MOST];
	struct engine_event event = { .type = EVENT_PAYLOAD };

	for (size_t i = 0; i < count; i++) {
		specs[i] = spec_of(tasks[i]);
		free(tasks[i]);
	}
	event.payload = (struct engine_payload){ .message_id = "m1",
						 .sequence_number = sequence,
						 .tasks = specs,
						 .task_count = count,
						 .refused = refused,
						 .refused_count = refused ? 1 : 0,
						 .random = { 1, 2 } };
	world_step(world, &event);
	for (size_t i = 0; i < count; i++)
		task_spec_unref(specs[i]);
}

static char *task_of(const char *id, const char *desired, const char *more)
{
	char *container = container_json("app", true, more);
	char *json = task_json(id, desired, "", container);

	free(container);
	return json;
}

static size_t position(const struct engine_effects *effects, enum engine_effect_type type)
{
	for (size_t i = 0; i < effects->count; i++)
		if (effects->items[i].type == type)
			return i;
	fail_msg("no %s", engine_effect_name(type));
	return 0;
}

/* acs-M3, acs-M4: everything of the task is durable before the payload is acknowledged and before
 * anything is done. */
static void the_task_is_persisted_before_it_is_acknowledged(void **state)
{
	struct world *world = world_new();

	world_payload(world, task_of("t", "RUNNING", ""));
	size_t task = position(&world->last, EFFECT_PERSIST_TASK);
	size_t container = position(&world->last, EFFECT_PERSIST_CONTAINER);
	size_t acknowledge = position(&world->last, EFFECT_ACKNOWLEDGE);
	size_t pull = position(&world->last, EFFECT_PULL_IMAGE);

	assert_true(task < acknowledge && container < acknowledge);
	assert_true(task < pull && container < pull);
	assert_string_equal(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL)->message_id,
			    "message");
	world_free(world);
}

/* acs-M5 */
static void an_empty_payload_is_acknowledged(void **state)
{
	struct world *world = world_new();

	send(world, NULL, 0, NULL, 1);
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	world_free(world);
}

/* acs-M7, eng-60: the good task runs, the bad one is reported, nothing is acknowledged; the payload
 * that comes again, mended, is, and starts the good one no second time. */
static void a_bad_task_is_reported_and_the_payload_not_acknowledged(void **state)
{
	struct world *world = world_new();
	struct engine_refused_task refused = {
		.arn = ARN("bad"), .reason = "UnrecogniedTaskError: Error loading task - nonsense"
	};
	char *tasks[] = { task_of("good", "RUNNING", ""), NULL };
	struct engine_effect *report;

	send(world, tasks, 1, &refused, 1);
	assert_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_int_equal(world_count(world, EFFECT_PULL_IMAGE), 1);
	report = world_report(world, NULL);
	assert_string_equal(report->report.task_arn, ARN("bad"));
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_int_equal(report->report.container_count, 0);
	assert_string_equal(report->report.reason,
			    "UnrecogniedTaskError: Error loading task - nonsense");

	/* Meanwhile it comes again, twice: one report is enough, and the mended task waits for its
	 * end. */
	send(world, NULL, 0, &refused, 1);
	assert_null(world_find(world, EFFECT_REPORT, NULL, NULL));
	tasks[0] = task_of("good", "RUNNING", "");
	tasks[1] = task_of("bad", "RUNNING", "");
	send(world, tasks, 2, NULL, 1);
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_int_equal(world_count(world, EFFECT_PULL_IMAGE), 2);
	world_done(world, EFFECT_PULL_IMAGE, "bad", "app");
	assert_null(world_find(world, EFFECT_REPORT, NULL, NULL));
	world_step(world, &(struct engine_event){ .type = EVENT_REPORT_ACCEPTED,
						  .task_id = "bad",
						  .report = report->report.serial });
	expect_report(world, "bad", "PENDING", "app=PENDING");
	engine_effect_free(report);
	world_free(world);
}

/* A message that nobody understands does not speak for the task that runs under its name. */
static void a_running_task_is_not_reported_stopped_for_a_bad_copy(void **state)
{
	struct world *world = world_new();
	struct engine_refused_task refused = { .arn = ARN("t"),
					       .reason = "UnrecogniedTaskError: ..." };

	world_payload(world, task_of("t", "RUNNING", ""));
	world_drop(world, EFFECT_ACKNOWLEDGE);
	send(world, NULL, 0, &refused, 2);
	assert_null(world_find(world, EFFECT_REPORT, NULL, NULL));
	assert_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	world_free(world);
}

/* acs-M12: a stop in the same payload frees the port that a start before it needs. */
static void stops_are_applied_before_starts(void **state)
{
	static const char port[] = ",\"portMappings\":[{\"containerPort\":80,\"hostPort\":8080}]";
	struct world *world = world_new();
	char *tasks[3];

	world_payload(world, task_of("x", "RUNNING", port));
	tasks[0] = task_of("r1", "RUNNING", port);
	tasks[1] = task_of("x", "STOPPED", port);
	tasks[2] = task_of("r2", "RUNNING", "");
	send(world, tasks, 3, NULL, 2);
	/* x had not begun to run, so it is STOPPED at once, and r1 has the port in the same step.
	 */
	assert_int_equal(world_task(world, "x")->known, TASK_STATUS_STOPPED);
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "r1", "app"));
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "r2", "app"));
	world_free(world);
}

/* acs-M14: nothing is done for it, and STOPPED is reported without an exit code. */
static void a_stop_for_an_unknown_task_is_reported_stopped(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_payload(world, task_of("t", "STOPPED", ""));
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_int_equal(report->report.container_count, 1);
	assert_false(report->report.containers[0].has_exit_code);
	assert_string_equal(report->report.reason, "");
	assert_int_equal(world_count(world, EFFECT_PULL_IMAGE) +
				 world_count(world, EFFECT_STOP_CONTAINER),
			 0);
	engine_effect_free(report);
	world_free(world);
}

/* eng-86 */
static void a_stop_for_an_unknown_task_without_containers_says_so(void **state)
{
	struct world *world = world_new();
	struct engine_effect *report;

	world_stop(world, "t");
	report = world_report(world, "t");
	assert_string_equal(report->report.reason,
			    "TaskStateError: Agent could not progress task's state to stopped");
	engine_effect_free(report);
	world_free(world);
}

/* acs-M15: STOPPED is for ever. */
static void a_stopped_task_is_not_started_again(void **state)
{
	struct world *world = world_new();

	world_payload(world, task_of("t", "RUNNING", ""));
	world_stop(world, "t");
	world_drop(world, EFFECT_ACKNOWLEDGE);
	world_payload(world, task_of("t", "RUNNING", ""));
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_int_equal(world_task(world, "t")->desired, TASK_STATUS_STOPPED);
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

/* A stop that was decided here already, and not saved yet, is saved before the control plane's own
 * is acknowledged. */
static void a_stop_is_saved_before_it_is_acknowledged(void **state)
{
	struct world *world = world_new();

	world_payload(world, task_of("t", "RUNNING", ""));
	world_done(world, EFFECT_PULL_IMAGE, "t", "app");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	world_stop(world, "t");
	assert_true(position(&world->last, EFFECT_PERSIST_TASK) <
		    position(&world->last, EFFECT_ACKNOWLEDGE));
	world_free(world);

	world = world_new();
	char *a = container_json("a", true, ""), *b = container_json("b", false, "");
	char *both = xasprintf("%s,%s", a, b);

	world_payload(world, task_json("t", "RUNNING", "", both));
	for (int i = 0; i < 2; i++)
		world_start(world, "t", i ? "b" : "a");
	world_exited_with(world, "t", "a", 0); /* b is to be stopped now */
	world_stop(world, "t");
	assert_true(position(&world->last, EFFECT_PERSIST_TASK) <
		    position(&world->last, EFFECT_ACKNOWLEDGE));
	free(a);
	free(b);
	free(both);
	world_free(world);
}

/* eng-85, acs-M16, acs-M17: acknowledged, and nothing else; what changed in it is ignored. */
static void a_payload_that_comes_again_changes_nothing(void **state)
{
	struct world *world = world_new();

	world_payload(world, task_of("t", "RUNNING", ""));
	world_payload(world, task_of("t", "RUNNING", ",\"image\":\"other:2\""));
	assert_int_equal(world_count(world, EFFECT_ACKNOWLEDGE), 2);
	assert_int_equal(world_count(world, EFFECT_PULL_IMAGE), 1);
	assert_string_equal(world_find(world, EFFECT_PULL_IMAGE, "t", "app")->pull.reference,
			    "img:1");
	world_free(world);
}

/* Missing desiredStatus is NONE: taken, and not begun until RUNNING comes. */
static void a_task_without_desired_status_waits(void **state)
{
	struct world *world = world_new();

	world_payload(world, task_of("t", "NONE", ""));
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_int_equal(world_count(world, EFFECT_PULL_IMAGE), 0);
	world_payload(world, task_of("t", "RUNNING", ""));
	assert_int_equal(world_count(world, EFFECT_PULL_IMAGE), 1);
	world_free(world);
}

static void one_task(struct engine_config *config)
{
	config->task_limit = 1;
}

static void tasks_beyond_the_limit_are_refused_and_not_acknowledged(void **state)
{
	struct world *world = world_new_with(one_task);

	world_payload(world, task_of("t1", "RUNNING", ""));
	world_drop(world, EFFECT_ACKNOWLEDGE);
	world_payload(world, task_of("t2", "RUNNING", ""));
	assert_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_non_null(strstr(world_find(world, EFFECT_REPORT, NULL, NULL)->report.reason,
			       "this agent holds 1 tasks"));
	assert_null(engine_task(world->engine, "t2"));
	world_free(world);
}

static void four_tasks(struct engine_config *config)
{
	config->task_limit = 4;
}

/* Many short tasks do not fill the agent: the longest arrived of those that stopped makes room. */
static void near_the_limit_stopped_tasks_are_cleaned_up_early(void **state)
{
	struct world *world = world_new_with(four_tasks);
	char id[16];

	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		world_payload(world, task_of(id, "STOPPED", ""));
		world_accept_all(world);
		assert_true(engine_task_count(world->engine) <= 3);
	}
	assert_int_equal(world_count(world, EFFECT_ACKNOWLEDGE), 20);
	assert_null(engine_task(world->engine, "t0"));
	assert_non_null(engine_task(world->engine, "t19"));
	world_free(world);
}

static void a_second_task_of_the_same_id_is_refused(void **state)
{
	struct world *world = world_new();

	world_payload(world, task_of("t", "RUNNING", ""));
	world_drop(world, EFFECT_ACKNOWLEDGE);
	world_payload(world, xstrdup("{\"arn\":\"arn:aws:ecs:here:1:task/other/"
				     "t\",\"desiredStatus\":\"RUNNING\","
				     "\"networkMode\":\"host\",\"containers\":[{\"name\":\"a\","
				     "\"image\":\"i\"}]}"));
	assert_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_string_equal(world_find(world, EFFECT_REPORT, NULL, NULL)->report.task_arn,
			    "arn:aws:ecs:here:1:task/other/t");
	world_free(world);
}

/* ---- manifests ---- */

static void manifest(struct world *world, const char *id, int64_t timeline, const char *running,
		     const char *stopped)
{
	struct engine_manifest_task tasks[] = { { .arn = running, .running = true },
						{ .arn = stopped, .running = false } };
	struct engine_event event = { .type = EVENT_MANIFEST };

	event.manifest = (struct engine_manifest){ .message_id = id,
						   .cluster_arn = "arn:cluster",
						   .timeline = timeline,
						   .tasks = tasks,
						   .task_count = 2 };
	world_step(world, &event);
}

static void verified(struct world *world, const char *id, const char *arn)
{
	struct engine_event event = { .type = EVENT_STOP_VERIFIED };

	event.stop_verified =
		(struct engine_stop_verified){ .message_id = id, .arns = &arn, .count = 1 };
	world_step(world, &event);
}

static struct world *with_two_tasks(void)
{
	struct world *world = world_new();

	world_payload(world, task_of("a", "RUNNING", ""));
	world_payload(world, task_of("b", "RUNNING", ""));
	world_drop(world, EFFECT_ACKNOWLEDGE);
	return world;
}

/* acs-M31, acs-M46: what we do not know is neither started nor reported. */
static void a_manifest_that_agrees_is_only_acknowledged(void **state)
{
	struct world *world = world_new();

	world_payload(world, task_of("a", "RUNNING", ""));
	world_drop(world, EFFECT_ACKNOWLEDGE);
	manifest(world, "m", 10, ARN("a"), ARN("unknown"));
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_null(world_find(world, EFFECT_STOP_CANDIDATES, NULL, NULL));
	assert_int_equal(world_find(world, EFFECT_PERSIST_SEQUENCE, NULL, NULL)->sequence_number,
			 10);
	assert_int_equal(engine_task_count(world->engine), 1);
	world_free(world);
}

/* acs-M32: omitted, or listed otherwise than RUNNING. */
static void a_manifest_without_our_tasks_asks_about_them(void **state)
{
	struct world *world = with_two_tasks();
	struct engine_effect *effect;

	manifest(world, "m", 10, ARN("c"), ARN("b"));
	effect = world_take(world, EFFECT_STOP_CANDIDATES, NULL, NULL);
	assert_string_equal(effect->candidates.message_id, "m");
	assert_string_equal(effect->candidates.cluster_arn, "arn:cluster");
	assert_int_equal(effect->candidates.count, 2);
	assert_string_equal(effect->candidates.arns[0], ARN("a"));
	assert_string_equal(effect->candidates.arns[1], ARN("b"));
	engine_effect_free(effect);
	/* Nothing is stopped before the control plane says so. */
	assert_int_equal(world_task(world, "a")->desired, TASK_STATUS_RUNNING);
	world_free(world);
}

/* acs-M33, acs-M34 */
static void a_stale_manifest_is_discarded(void **state)
{
	struct world *world = world_new();

	manifest(world, "m1", 10, ARN("a"), ARN("b"));
	world_drop(world, EFFECT_ACKNOWLEDGE);
	manifest(world, "m2", 10, ARN("a"), ARN("b"));
	manifest(world, "m3", 9, ARN("a"), ARN("b"));
	assert_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	send(world, NULL, 0, NULL, 50);
	world_drop(world, EFFECT_ACKNOWLEDGE);
	manifest(world, "m4", 50, ARN("a"), ARN("b"));
	assert_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	manifest(world, "m5", 51, ARN("a"), ARN("b"));
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	world_free(world);
}

/* acs-M35 */
static void the_sequence_number_survives_a_restart(void **state)
{
	struct world *world = world_new();
	struct engine_event event = { .type = EVENT_RECOVERY_FINISHED,
				      .recovery_end = { .sequence_number = 60 } };

	world_step(world, &event);
	manifest(world, "m", 60, ARN("a"), ARN("b"));
	assert_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_int_equal(engine_sequence_number(world->engine), 60);
	world_free(world);
}

/* acs-M36, acs-M37, eng-94: the named task stops, with an empty reason; a second copy is ignored.
 */
static void a_verified_stop_stops_that_task_once(void **state)
{
	struct world *world = with_two_tasks();

	manifest(world, "m", 10, ARN("c"), ARN("d"));
	verified(world, "other", ARN("a"));
	verified(world, "", ARN("a"));
	assert_int_equal(world_task(world, "a")->desired, TASK_STATUS_RUNNING);
	verified(world, "m", ARN("a"));
	assert_int_equal(world_task(world, "a")->desired, TASK_STATUS_STOPPED);
	assert_string_equal(world_find(world, EFFECT_REPORT, "a", NULL)->report.reason, "");
	verified(world, "m", ARN("b"));
	assert_int_equal(world_task(world, "b")->desired, TASK_STATUS_RUNNING);
	world_free(world);
}

/* acs-M38 */
static void only_the_last_manifest_can_be_verified(void **state)
{
	struct world *world = with_two_tasks();

	manifest(world, "m1", 10, ARN("c"), ARN("d"));
	manifest(world, "m2", 11, ARN("c"), ARN("d"));
	verified(world, "m1", ARN("a"));
	assert_int_equal(world_task(world, "a")->desired, TASK_STATUS_RUNNING);
	verified(world, "m2", ARN("a"));
	assert_int_equal(world_task(world, "a")->desired, TASK_STATUS_STOPPED);
	world_free(world);
}

/* ---- names ---- */

static void endpoint_ids_are_uuids_and_find_their_container(void **state)
{
	struct world *world = world_new();
	const struct task_state *task;

	world_payload(world, task_of("a", "RUNNING", ""));
	world_payload(world, task_of("b", "RUNNING", ""));
	const char *a = world_container(world, "a", "app")->endpoint_id;
	const char *b = world_container(world, "b", "app")->endpoint_id;

	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
	assert_ptr_equal(engine_find_endpoint(world->engine, b, &task),
			 world_container(world, "b", "app"));
	assert_ptr_equal(task, world_task(world, "b"));
	assert_null(engine_find_endpoint(world->engine, "nonsense", NULL));
	world_free(world);
}

static void runtime_ids_are_unique_and_plain(void **state)
{
	struct world *world = world_new();

	world_payload(world,
		      xstrdup("{\"arn\":\"" ARN(
			      "t") "\",\"desiredStatus\":\"RUNNING\",\"networkMode\":\"host\","
				   "\"containers\":[{\"name\":\"a b\",\"image\":\"i\"},"
				   "{\"name\":\"a/"
				   "b\",\"image\":\"i\"},{\"name\":\"a_b\",\"image\":\"i\"}]}"));
	assert_string_equal(world_task(world, "t")->containers[0].runtime_id, "t-a-b.0-1");
	assert_string_equal(world_task(world, "t")->containers[1].runtime_id, "t-a-b.1-1");
	assert_string_equal(world_task(world, "t")->containers[2].runtime_id, "t-a_b-1");
	world_free(world);
}

/* The tables grow, and lose nothing. */
static void many_tasks_come_and_go(void **state)
{
	struct world *world = world_new();
	char id[32];
	size_t count = 0;

	for (int i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		world_payload(world, task_of(id, "STOPPED", ""));
	}
	for (const struct task_state *task = NULL;
	     (task = engine_next_task(world->engine, task));) {
		snprintf(id, sizeof(id), "t%zu", count++);
		assert_string_equal(task->spec->id, id);
		assert_ptr_equal(engine_task_by_arn(world->engine, task->spec->arn), task);
	}
	assert_int_equal(count, 300);
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms);
	assert_int_equal(engine_task_count(world->engine), 0);
	assert_int_equal(world_count(world, EFFECT_FORGET_TASK), 300);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_task_is_persisted_before_it_is_acknowledged),
		cmocka_unit_test(an_empty_payload_is_acknowledged),
		cmocka_unit_test(a_bad_task_is_reported_and_the_payload_not_acknowledged),
		cmocka_unit_test(a_running_task_is_not_reported_stopped_for_a_bad_copy),
		cmocka_unit_test(stops_are_applied_before_starts),
		cmocka_unit_test(a_stop_for_an_unknown_task_is_reported_stopped),
		cmocka_unit_test(a_stop_for_an_unknown_task_without_containers_says_so),
		cmocka_unit_test(a_stopped_task_is_not_started_again),
		cmocka_unit_test(a_stop_is_saved_before_it_is_acknowledged),
		cmocka_unit_test(a_payload_that_comes_again_changes_nothing),
		cmocka_unit_test(a_task_without_desired_status_waits),
		cmocka_unit_test(tasks_beyond_the_limit_are_refused_and_not_acknowledged),
		cmocka_unit_test(near_the_limit_stopped_tasks_are_cleaned_up_early),
		cmocka_unit_test(a_second_task_of_the_same_id_is_refused),
		cmocka_unit_test(a_manifest_that_agrees_is_only_acknowledged),
		cmocka_unit_test(a_manifest_without_our_tasks_asks_about_them),
		cmocka_unit_test(a_stale_manifest_is_discarded),
		cmocka_unit_test(the_sequence_number_survives_a_restart),
		cmocka_unit_test(a_verified_stop_stops_that_task_once),
		cmocka_unit_test(only_the_last_manifest_can_be_verified),
		cmocka_unit_test(endpoint_ids_are_uuids_and_find_their_container),
		cmocka_unit_test(runtime_ids_are_unique_and_plain),
		cmocka_unit_test(many_tasks_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
