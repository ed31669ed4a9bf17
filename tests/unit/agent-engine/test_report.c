/* SPDX-License-Identifier: Apache-2.0 */
/* Order, coalescing and repetition of reports. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "world.h"

static char *two(void)
{
	char *a = container_json("a", true, ""), *b = container_json("b", false, "");
	char *both = xasprintf("%s,%s", a, b);

	free(a);
	free(b);
	return both;
}

/* acs-S2: what starts soon after travels with it. */
static void starts_that_come_together_are_one_report(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", two());
	world_done(world, EFFECT_PULL_IMAGE, "t", "a");
	world_done(world, EFFECT_PULL_IMAGE, "t", "b");
	expect_report(world, "t", "PENDING", "a=PENDING b=PENDING");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "a");
	world_done(world, EFFECT_START_CONTAINER, "t", "a");
	world_wait(world, 900);
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "b");
	world_done(world, EFFECT_START_CONTAINER, "t", "b");
	expect_report(world, "t", "RUNNING", "a=RUNNING b=RUNNING");
	world_wait(world, 60000);
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_free(world);
}

/* acs-S2, its other half: the first leaves when the second takes long, and is then not repeated. */
static void a_start_that_waits_too_long_leaves_before_its_task(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", two());
	world_start(world, "t", "a");
	world_wait(world, 1000);
	expect_report(world, "t", "PENDING", "a=RUNNING");
	world_start(world, "t", "b");
	expect_report(world, "t", "PENDING", "b=PENDING");
	expect_report(world, "t", "RUNNING", "b=RUNNING");
	world_free(world);
}

/* One in flight, the others in order behind it: nothing overtakes. */
static void reports_of_a_task_leave_one_at_a_time(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", two());
	world_start(world, "t", "a");
	world_start(world, "t", "b");
	assert_int_equal(world_count(world, EFFECT_REPORT), 1);
	world_exited_with(world, "t", "a", 3);
	world_done(world, EFFECT_STOP_CONTAINER, "t", "b");
	world_exited_with(world, "t", "b", 4);
	world_wait(world, 60000);
	assert_int_equal(world_count(world, EFFECT_REPORT), 1);
	expect_report(world, "t", "PENDING", "a=RUNNING b=PENDING");
	expect_report(world, "t", "RUNNING", "b=RUNNING");
	expect_report(world, "t", "STOPPED", "a=STOPPED(3) b=STOPPED(4)");
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_free(world);
}

/* acs-S12's other side: a task whose report hangs does not hold up another. */
static void tasks_do_not_wait_for_each_other(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", container_json("a", true, ""));
	world_run(world, "u", "", container_json("a", true, ""));
	world_start(world, "t", "a");
	world_start(world, "u", "a");
	expect_report(world, "u", "PENDING", "a=PENDING");
	expect_report(world, "u", "RUNNING", "a=RUNNING");
	expect_report(world, "t", "PENDING", "a=PENDING");
	world_free(world);
}

static void refuse(struct world *world, const char *id)
{
	struct engine_effect *report = world_report(world, id);
	struct engine_event event = { .type = EVENT_REPORT_REFUSED,
				      .task_id = id,
				      .report = report->report.serial };

	world_step(world, &event);
	engine_effect_free(report);
}

/* eng-84, acs-S5: dropped, and what comes later still flows; the container is in the next one. */
static void a_refused_report_is_dropped_and_later_ones_flow(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", container_json("a", true, ""));
	world_start(world, "t", "a");
	expect_report(world, "t", "PENDING", "a=PENDING");
	refuse(world, "t");
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	assert_int_equal(world_task(world, "t")->sent, TASK_STATUS_MANIFEST_PULLED);
	world_exited_with(world, "t", "a", 0);
	expect_report(world, "t", "STOPPED", "a=STOPPED(0)");
	world_free(world);
}

/* A control plane that will not hear of the end of a task does not make us keep it for ever. */
static void a_refused_stopped_report_still_lets_the_task_be_cleaned_up(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", container_json("a", true, ""));
	world_start(world, "t", "a");
	world_accept_all(world);
	world_exited_with(world, "t", "a", 0);
	refuse(world, "t");
	assert_true(world_task(world, "t")->report_refused);
	world_wait(world, world->config.cleanup_wait_ms);
	assert_non_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "a"));
	world_free(world);
}

/* An answer to a report that is not under way is an echo. */
static void an_answer_of_yesterday_changes_nothing(void **state)
{
	struct world *world = world_new();
	struct engine_event event = { .type = EVENT_REPORT_ACCEPTED, .task_id = "t" };

	world_run(world, "t", "", container_json("a", true, ""));
	world_start(world, "t", "a");
	event.report = world_find(world, EFFECT_REPORT, "t", NULL)->report.serial;
	expect_report(world, "t", "PENDING", "a=PENDING");
	world_step(world, &event);
	assert_int_equal(world_task(world, "t")->sent, TASK_STATUS_MANIFEST_PULLED);
	expect_report(world, "t", "RUNNING", "a=RUNNING");
	world_free(world);
}

/* Each acceptance is durable: it is not told again after a restart. */
static void what_was_accepted_is_persisted(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", container_json("a", true, ""));
	world_start(world, "t", "a");
	world_accept(world, "t");
	assert_int_equal(world->last.items[0].type, EFFECT_PERSIST_TASK);
	assert_int_equal(world->last.items[1].type, EFFECT_PERSIST_CONTAINER);
	assert_int_equal(world_container(world, "t", "a")->sent, CONTAINER_STATUS_MANIFEST_PULLED);
	world_free(world);
}

/* A copy holds all that the original pointed to. */
static void an_effect_can_be_copied(void **state)
{
	struct world *world = world_new();
	struct engine_effect *copy;

	world_run(world, "t", "", container_json("a", true, ""));
	world_failed(world, EFFECT_PULL_IMAGE, "t", "a", NULL, "gone");
	copy = engine_effect_copy(world_find(world, EFFECT_REPORT, "t", NULL));
	world_free(world);
	assert_string_equal(copy->task_id, "t");
	assert_string_equal(copy->report.task_arn, ARN("t"));
	assert_string_equal(copy->report.reason, "");
	assert_string_equal(copy->report.containers[0].name, "a");
	assert_string_equal(copy->report.containers[0].reason, "CannotPullContainerError: gone");
	engine_effect_free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_that_come_together_are_one_report),
		cmocka_unit_test(a_start_that_waits_too_long_leaves_before_its_task),
		cmocka_unit_test(reports_of_a_task_leave_one_at_a_time),
		cmocka_unit_test(tasks_do_not_wait_for_each_other),
		cmocka_unit_test(a_refused_report_is_dropped_and_later_ones_flow),
		cmocka_unit_test(a_refused_stopped_report_still_lets_the_task_be_cleaned_up),
		cmocka_unit_test(an_answer_of_yesterday_changes_nothing),
		cmocka_unit_test(what_was_accepted_is_persisted),
		cmocka_unit_test(an_effect_can_be_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
