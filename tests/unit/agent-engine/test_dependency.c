/* SPDX-License-Identifier: Apache-2.0 */
/* dependsOn, start timeouts, and the order of stopping. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "world.h"

#define HEALTH                                                                                     \
	",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{\\\"Healthcheck\\\":{"    \
	"\\\"Test\\\":["                                                                           \
	"\\\"CMD\\\",\\\"true\\\"],\\\"Interval\\\":1000000000}}\"}"

static char *depends(const char *name, bool essential, const char *on, const char *condition)
{
	char *more = xasprintf(",\"dependsOn\":[{\"containerName\":\"%s\",\"condition\":\"%s\"}]",
			       on, condition);
	char *json = container_json(name, essential, more);

	free(more);
	return json;
}

static char *join(char *first, char *second)
{
	char *both = xasprintf("%s,%s", first, second);

	free(first);
	free(second);
	return both;
}

/* P waits for D, which has `more`. */
static struct world *pair(bool p_essential, bool d_essential, const char *condition,
			  const char *more)
{
	struct world *world = world_new();

	world_run(world, "t", "",
		  join(depends("p", p_essential, "d", condition),
		       container_json("d", d_essential, more)));
	return world;
}

/* eng-23: also the pull waits. */
static void start_waits_for_the_start(void **state)
{
	struct world *world = pair(true, true, "START", "");

	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_done(world, EFFECT_PULL_IMAGE, "t", "d");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "d");
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_done(world, EFFECT_START_CONTAINER, "t", "d");
	world_start(world, "t", "p");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	world_free(world);
}

/* A container that started and ended counts as started. */
static void start_is_satisfied_by_one_that_ran(void **state)
{
	struct world *world = pair(true, false, "START", "");

	world_done(world, EFFECT_PULL_IMAGE, "t", "d");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "d");
	world_exited_with(world, "t", "d", 9);
	world_done(world, EFFECT_START_CONTAINER, "t", "d");
	world_start(world, "t", "p");
	world_free(world);
}

/* eng-24: any exit code will do, and the finished container does not hold the task back. */
static void complete_waits_for_the_exit(void **state)
{
	struct world *world = pair(true, false, "COMPLETE", "");

	world_start(world, "t", "d");
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_exited_with(world, "t", "d", 1);
	world_start(world, "t", "p");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	world_free(world);
}

/* eng-25, and at once: nothing is polled. */
static void success_waits_for_zero(void **state)
{
	struct world *world = pair(true, false, "SUCCESS", "");

	world_start(world, "t", "d");
	world_exited_with(world, "t", "d", 0);
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_free(world);
}

/* eng-26, acs-S14 */
static void success_fails_with_143_when_the_exit_is_not_zero(void **state)
{
	struct world *world = pair(true, false, "SUCCESS", "");

	world_start(world, "t", "d");
	world_accept_all(world);
	world_exited_with(world, "t", "d", 1);
	assert_string_equal(
		world_container(world, "t", "p")->reason,
		"CannotStartContainerError: dependency graph: failed to resolve container ordering "
		"dependency [d(img:1) (STOPPED->STOPPED) - Exit: 1] for target [p(img:1) "
		"(NONE->RUNNING)] as dependency did not exit successfully.");
	expect_report(world, "t", "STOPPED", "p=STOPPED(143) d=STOPPED(1)");
	world_free(world);
}

/* eng-27: counted from the dependency's start; the dependency itself is stopped because the task
 * is. */
static void success_times_out(void **state)
{
	struct world *world = pair(true, false, "SUCCESS", ",\"startTimeout\":8");

	world_wait(world, 60000);
	world_start(world, "t", "d");
	world_wait(world, 7999);
	assert_null(world_container(world, "t", "p")->reason);
	world_wait(world, 1);
	assert_true(str_ends_with(world_container(world, "t", "p")->reason, "has timed out."));
	assert_int_equal(world_container(world, "t", "p")->exit_code, 143);
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "d"));
	world_free(world);
}

/* eng-28: a non-essential container gives up, and the task runs on. */
static void healthy_times_out_alone_when_not_essential(void **state)
{
	struct world *world = pair(false, true, "HEALTHY", HEALTH ",\"startTimeout\":5");

	world_start(world, "t", "d");
	world_wait(world, 5000);
	world_drop(world, EFFECT_PROBE_HEALTH);
	assert_int_equal(world_container(world, "t", "p")->known, CONTAINER_STATUS_STOPPED);
	assert_int_equal(world_container(world, "t", "p")->exit_code, 143);
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_RUNNING);
	assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "d"));
	world_free(world);
}

static void healthy_waits_for_the_health(void **state)
{
	struct world *world = pair(true, true, "HEALTHY", HEALTH);

	world_start(world, "t", "d");
	world_wait(world, 1000);
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_probed(world, "t", "d", 0, NULL);
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_free(world);
}

static void expect_refused(char *containers, const char *container, const char *detail)
{
	struct world *world = world_new();

	world_run(world, "t", "", containers);
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	assert_string_equal(world_task(world, "t")->reason,
			    "Task dependencies cannot be resolved, taskArn: " ARN("t"));
	assert_string_equal(world_container(world, "t", container)->reason, detail);
	assert_int_equal(world_count(world, EFFECT_PULL_IMAGE), 0);
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	expect_report(world, "t", "STOPPED",
		      world_task(world, "t")->container_count == 2 ? "p=STOPPED d=STOPPED"
								   : "p=STOPPED");
	/* It is cleaned up as any other: the reference keeps it for ever. */
	world_wait(world, world->config.cleanup_wait_ms);
	assert_null(engine_task(world->engine, "t"));
	world_free(world);
}

/* eng-29 */
static void healthy_without_a_health_check_is_refused(void **state)
{
	expect_refused(join(depends("p", true, "d", "HEALTHY"), container_json("d", true, "")), "p",
		       "TaskDependencyError: container p waits for d to be HEALTHY, but that has "
		       "no health check");
}

/* eng-30 */
static void a_cycle_is_refused(void **state)
{
	expect_refused(
		join(depends("p", true, "d", "START"), depends("d", true, "p", "START")), "p",
		"TaskDependencyError: container p waits for itself through its dependencies");
}

/* eng-31 */
static void an_unknown_container_is_refused(void **state)
{
	expect_refused(depends("p", true, "x", "START"), "p",
		       "TaskDependencyError: container p depends on x, which is not in the task");
}

/* eng-32 */
static void an_unknown_link_is_refused(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", container_json("p", true, ",\"links\":[\"x:y\"]"));
	assert_string_equal(world_task(world, "t")->reason,
			    "resource cannot be initialized for task " ARN(
				    "t") ": could not find container for link x");
	world_free(world);
}

static void a_link_waits_for_the_start(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "",
		  join(container_json("p", true, ",\"links\":[\"d:alias\"]"),
		       container_json("d", true, "")));
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_start(world, "t", "d");
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_free(world);
}

/* eng-70, its order: the source is created first. */
static void volumes_from_waits_for_the_creation(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "",
		  join(container_json("p", true, ",\"volumesFrom\":[{\"sourceContainer\":\"d\"}]"),
		       container_json("d", true, "")));
	world_done(world, EFFECT_PULL_IMAGE, "t", "d");
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "d");
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "p"));
	world_free(world);
}

/* What can never be satisfied fails at once, with the reason, whatever the condition. */
static void a_dependency_that_never_starts_fails_its_dependents(void **state)
{
	static const char *const conditions[] = { "START", "COMPLETE", "HEALTHY" };

	for (size_t i = 0; i < 3; i++) {
		struct world *world = pair(false, false, conditions[i], HEALTH);

		world_failed(world, EFFECT_PULL_IMAGE, "t", "d", NULL, "gone");
		assert_int_equal(world_container(world, "t", "p")->exit_code, 143);
		assert_true(str_ends_with(world_container(world, "t", "p")->reason,
					  "because dependency will never start"));
		assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
		world_free(world);
	}
}

static void a_dependency_that_ends_before_it_is_healthy_fails_its_dependents(void **state)
{
	struct world *world = pair(true, false, "HEALTHY", HEALTH);

	world_start(world, "t", "d");
	world_exited_with(world, "t", "d", 0);
	assert_true(str_ends_with(world_container(world, "t", "p")->reason,
				  "because dependency stopped before it became healthy"));
	world_free(world);
}

static void an_unknown_exit_fails_those_who_wait_for_completion(void **state)
{
	struct world *world = pair(true, false, "COMPLETE", "");

	world_start(world, "t", "d");
	world_exited(world, "t", "d", (struct engine_exit){ .code_known = false });
	assert_true(str_ends_with(world_container(world, "t", "p")->reason,
				  "because nobody knows how dependency exited"));
	world_free(world);
}

/* eng-33: P, A, B, C, each only after the one before is STOPPED. */
static void a_chain_stops_in_reverse_order(void **state)
{
	static const char *const order[] = { "a", "b", "c" };
	struct world *world = world_new();

	world_run(world, "t", "",
		  join(join(depends("p", true, "a", "START"), depends("a", false, "b", "START")),
		       join(depends("b", false, "c", "START"), container_json("c", false, ""))));
	world_start(world, "t", "c");
	world_start(world, "t", "b");
	world_start(world, "t", "a");
	world_start(world, "t", "p");
	world_exited_with(world, "t", "p", 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(world_count(world, EFFECT_STOP_CONTAINER), 1);
		world_answer(world, "t", order[i],
			     (struct engine_done){ .type = EFFECT_STOP_CONTAINER,
						   .has_exit = true,
						   .exit = { .code_known = true, .signal = 15 } });
		assert_int_equal(world_container(world, "t", order[i])->exit_code, 143);
	}
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);
}

/* eng-34: independent containers stop side by side, each with its own grace. */
static void independent_containers_stop_side_by_side(void **state)
{
	struct world *world = world_new();
	struct engine_effect *d1, *d2;

	world_run(world, "t", "",
		  join(container_json(
			       "p", true,
			       ",\"dependsOn\":[{\"containerName\":\"d1\",\"condition\":\"START\"},"
			       "{\"containerName\":\"d2\",\"condition\":\"START\"}]"),
		       join(container_json("d1", false, ",\"stopTimeout\":5"),
			    container_json("d2", false, ",\"stopTimeout\":50"))));
	world_start(world, "t", "d1");
	world_start(world, "t", "d2");
	world_start(world, "t", "p");
	world_exited_with(world, "t", "p", 0);
	d1 = world_take(world, EFFECT_STOP_CONTAINER, "t", "d1");
	d2 = world_take(world, EFFECT_STOP_CONTAINER, "t", "d2");
	assert_int_equal(d1->stop.grace_ms, 5000);
	assert_int_equal(d2->stop.grace_ms, 50000);
	engine_effect_free(d1);
	engine_effect_free(d2);
	world_free(world);
}

/* eng-35 */
static void a_blocked_container_stops_without_an_exit_code(void **state)
{
	struct world *world = pair(true, true, "COMPLETE", "");

	world_start(world, "t", "d");
	world_stop(world, "t");
	assert_int_equal(world_container(world, "t", "p")->known, CONTAINER_STATUS_STOPPED);
	assert_false(world_container(world, "t", "p")->has_exit_code);
	assert_null(world_container(world, "t", "p")->reason);
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "d"));
	world_free(world);
}

static void upfront(struct engine_config *config)
{
	config->pull_dependents_upfront = true;
}

/* eng-36 */
static void with_upfront_the_pull_does_not_wait_but_the_creation_does(void **state)
{
	struct world *world = world_new_with(upfront);

	world_run(world, "t", "",
		  join(depends("p", true, "d", "COMPLETE"), container_json("d", false, "")));
	world_done(world, EFFECT_PULL_IMAGE, "t", "p");
	world_start(world, "t", "d");
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "p"));
	world_exited_with(world, "t", "d", 0);
	assert_non_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "p"));
	world_free(world);
}

/* A dependency whose start is still under way when the task is stopped is not abandoned. */
static void a_start_under_way_is_waited_for_before_it_is_stopped(void **state)
{
	struct world *world = pair(true, true, "START", "");

	world_done(world, EFFECT_PULL_IMAGE, "t", "d");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "d");
	world_stop(world, "t");
	assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "d"));
	assert_int_equal(world_container(world, "t", "d")->known, CONTAINER_STATUS_CREATED);
	world_done(world, EFFECT_START_CONTAINER, "t", "d");
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "d"));
	world_free(world);
}

/* What was waited for held when the start was decided; the true exit code is not replaced by 143.
 */
static void a_start_under_way_is_not_undone_by_its_dependency(void **state)
{
	struct world *world = pair(true, false, "HEALTHY", HEALTH);

	world_start(world, "t", "d");
	world_wait(world, 1000);
	world_probed(world, "t", "d", 0, NULL);
	world_done(world, EFFECT_PULL_IMAGE, "t", "p");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "p");
	world_exited_with(world, "t", "d", 0);
	world_done(world, EFFECT_START_CONTAINER, "t", "p");
	assert_int_equal(world_container(world, "t", "p")->known, CONTAINER_STATUS_RUNNING);
	assert_null(world_container(world, "t", "p")->reason);
	world_exited_with(world, "t", "p", 5);
	assert_int_equal(world_container(world, "t", "p")->exit_code, 5);
	world_free(world);
}

#define ROUTER ",\"firelensConfiguration\":{\"type\":\"fluentbit\"}"
#define ROUTED                                                                                     \
	",\"dockerConfig\":{\"hostConfig\":\"{\\\"LogConfig\\\":{\\\"Type\\\":"                    \
	"\\\"awsfirelens\\\"}}\"}"

/* eng-76: whoever logs through the router starts after it and stops before it; others do not care.
 */
static void who_logs_through_a_router_waits_for_it(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "",
		  join(join(container_json("app", true, ROUTED),
			    container_json("router", true, ROUTER)),
		       container_json("other", true, "")));
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "other"));
	world_start(world, "t", "router");
	world_start(world, "t", "app");
	world_stop(world, "t");
	assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "router"));
	world_exited_with(world, "t", "app", 0);
	assert_non_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "router"));
	world_free(world);
}

/* eng-77: and whoever depends on it already, in his own way. */
static void a_router_with_dependencies_is_left_alone(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "",
		  join(container_json("app", true, ROUTED),
		       container_json("router", true,
				      ROUTER ",\"dependsOn\":[{\"containerName\":\"app\","
					     "\"condition\":\"START\"}]")));
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	world_free(world);

	world = world_new();
	world_run(world, "t", "",
		  join(container_json("app", true,
				      ROUTED ",\"dependsOn\":[{\"containerName\":\"router\","
					     "\"condition\":\"COMPLETE\"}]"),
		       container_json("router", false, ROUTER)));
	world_start(world, "t", "router");
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	world_exited_with(world, "t", "router", 1);
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "app"));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_logs_through_a_router_waits_for_it),
		cmocka_unit_test(a_router_with_dependencies_is_left_alone),
		cmocka_unit_test(start_waits_for_the_start),
		cmocka_unit_test(start_is_satisfied_by_one_that_ran),
		cmocka_unit_test(complete_waits_for_the_exit),
		cmocka_unit_test(success_waits_for_zero),
		cmocka_unit_test(success_fails_with_143_when_the_exit_is_not_zero),
		cmocka_unit_test(success_times_out),
		cmocka_unit_test(healthy_times_out_alone_when_not_essential),
		cmocka_unit_test(healthy_waits_for_the_health),
		cmocka_unit_test(healthy_without_a_health_check_is_refused),
		cmocka_unit_test(a_cycle_is_refused),
		cmocka_unit_test(an_unknown_container_is_refused),
		cmocka_unit_test(an_unknown_link_is_refused),
		cmocka_unit_test(a_link_waits_for_the_start),
		cmocka_unit_test(volumes_from_waits_for_the_creation),
		cmocka_unit_test(a_dependency_that_never_starts_fails_its_dependents),
		cmocka_unit_test(a_dependency_that_ends_before_it_is_healthy_fails_its_dependents),
		cmocka_unit_test(an_unknown_exit_fails_those_who_wait_for_completion),
		cmocka_unit_test(a_chain_stops_in_reverse_order),
		cmocka_unit_test(independent_containers_stop_side_by_side),
		cmocka_unit_test(a_blocked_container_stops_without_an_exit_code),
		cmocka_unit_test(with_upfront_the_pull_does_not_wait_but_the_creation_does),
		cmocka_unit_test(a_start_under_way_is_waited_for_before_it_is_stopped),
		cmocka_unit_test(a_start_under_way_is_not_undone_by_its_dependency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
