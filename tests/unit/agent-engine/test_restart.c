/* SPDX-License-Identifier: Apache-2.0 */
/* Restart policies. */
#include <string.h>

#include "world.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

#define POLICY(period, ignored)                                                                    \
	",\"restartPolicy\":{\"enabled\":true,\"ignoredExitCodes\":[" ignored                      \
	"],\"restartAttemptPeriod\":" #period "}"

static struct world *running(const char *more)
{
	struct world *world = world_new();

	world_run(world, "t", "", container_json("app", true, more));
	world_start(world, "t", "app");
	world_accept_all(world);
	return world;
}

static void restarted(struct world *world, int pid)
{
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_RESTART_CONTAINER, .pid = pid });
}

static void expect_stopped(struct world *world, const char *containers)
{
	assert_null(world_find(world, EFFECT_RESTART_CONTAINER, "t", "app"));
	expect_report(world, "t", "STOPPED", containers);
	world_free(world);
}

/* eng-41: the same container, no report, and the count says that it happened. */
static void a_container_that_lasted_is_restarted(void **state)
{
	struct world *world = running(POLICY(60, ""));
	const struct container_state *app = world_container(world, "t", "app");
	char *runtime_id = xstrdup(app->runtime_id);
	int64_t started_at_ms = app->started_at_ms;

	world_wait(world, 70000);
	world_exited_with(world, "t", "app", 1);
	assert_int_equal(world_find(world, EFFECT_RESTART_CONTAINER, "t", "app")->attempt, 2);
	restarted(world, 77);
	app = world_container(world, "t", "app");
	assert_int_equal(app->known, CONTAINER_STATUS_RUNNING);
	assert_false(app->has_exit_code);
	assert_int_equal(app->pid, 77);
	assert_int_equal(app->attempt, 2);
	assert_int_equal(app->started_at_ms, started_at_ms);
	assert_string_equal(app->runtime_id, runtime_id);
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));
	world_wait(world, 59999);
	assert_null(world_find(world, EFFECT_REPORT, "t", NULL));

	/* The period counts anew from each start; what ends the container is the last exit. */
	world_exited_with(world, "t", "app", 4);
	free(runtime_id);
	expect_stopped(world, "app=STOPPED(4)");
}

/* It is saved before it is done: else the agent might do it twice. */
static void the_restart_is_saved_before_it_is_done(void **state)
{
	struct world *world = running(POLICY(60, ""));
	size_t saved = SIZE_MAX, done = SIZE_MAX;

	world_wait(world, 70000);
	world_exited_with(world, "t", "app", 1);
	for (size_t i = 0; i < world->last.count; i++) {
		if (world->last.items[i].type == EFFECT_PERSIST_CONTAINER)
			saved = i;
		if (world->last.items[i].type == EFFECT_RESTART_CONTAINER)
			done = i;
	}
	assert_true(saved < done && done < SIZE_MAX);
	assert_true(world_container(world, "t", "app")->restarting);
	world_free(world);
}

/* eng-42 */
static void a_container_that_fails_within_its_period_stays_down(void **state)
{
	struct world *world = running(POLICY(60, ""));

	world_wait(world, 59999);
	world_exited_with(world, "t", "app", 1);
	expect_stopped(world, "app=STOPPED(1)");
}

/* eng-43: and exit code 0 restarts unless it is ignored. */
static void an_ignored_exit_code_stays_down(void **state)
{
	struct world *world = running(POLICY(60, "3,0"));

	world_wait(world, 90000);
	world_exited_with(world, "t", "app", 0);
	expect_stopped(world, "app=STOPPED(0)");

	world = running(POLICY(60, "137"));
	world_wait(world, 90000);
	world_exited(world, "t", "app", (struct engine_exit){ .code_known = true, .signal = 9 });
	expect_stopped(world, "app=STOPPED(137)");

	world = running(POLICY(60, "3"));
	world_wait(world, 90000);
	world_exited_with(world, "t", "app", 0);
	assert_non_null(world_find(world, EFFECT_RESTART_CONTAINER, "t", "app"));
	world_free(world);
}

/* Nobody saw how it ended: there is no exit code to decide by. */
static void an_unknown_end_stays_down(void **state)
{
	struct world *world = running(POLICY(60, ""));

	world_wait(world, 90000);
	world_exited(world, "t", "app", (struct engine_exit){ .code_known = false });
	expect_stopped(world, "app=STOPPED");
}

static void a_policy_that_is_not_enabled_is_none(void **state)
{
	struct world *world =
		running(",\"restartPolicy\":{\"enabled\":false,\"restartAttemptPeriod\":60}");

	world_wait(world, 90000);
	world_exited_with(world, "t", "app", 1);
	expect_stopped(world, "app=STOPPED(1)");
}

/* eng-44 */
static void what_is_told_to_stop_is_not_restarted(void **state)
{
	struct world *world = running(POLICY(60, ""));

	world_wait(world, 90000);
	world_stop(world, "t");
	world_exited_with(world, "t", "app", 143);
	expect_stopped(world, "app=STOPPED(143)");
}

/* Told to stop while it is on its way up again: once it is known whether it runs, that is ended
 * too. */
static void a_stop_during_a_restart_waits_for_it(void **state)
{
	struct world *world = running(POLICY(60, ""));

	world_wait(world, 90000);
	world_exited_with(world, "t", "app", 5);
	world_stop(world, "t");
	assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "app"));
	restarted(world, 77);
	assert_int_equal(world_find(world, EFFECT_STOP_CONTAINER, "t", "app")->attempt, 2);
	world_exited_with(world, "t", "app", 6);
	expect_stopped(world, "app=STOPPED(6)");
}

/* The failure is not the reason, and the exit code is that of the run before. */
static void a_restart_that_fails_lets_the_end_stand(void **state)
{
	struct world *world = running(POLICY(60, ""));

	world_wait(world, 90000);
	world_exited_with(world, "t", "app", 5);
	world_failed(world, EFFECT_RESTART_CONTAINER, "t", "app", NULL, "no space left");
	/* How far it came nobody knows. */
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_STOP_CONTAINER, .has_exit = true });
	assert_null(world_container(world, "t", "app")->reason);
	/* What is there of it goes at once. */
	assert_non_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	expect_stopped(world, "app=STOPPED(5)");
}

static void a_restart_that_failed_and_ran_all_the_same_has_its_own_exit_code(void **state)
{
	const struct engine_exit exit = { .code_known = true, .signal = 15, .started_at_ms = 9 };
	struct world *world = running(POLICY(60, ""));

	world_wait(world, 90000);
	world_exited_with(world, "t", "app", 5);
	world_failed(world, EFFECT_RESTART_CONTAINER, "t", "app", "DockerTimeoutError", "late");
	world_exited(world, "t", "app", exit);
	world_done(world, EFFECT_STOP_CONTAINER, "t", "app");
	expect_stopped(world, "app=STOPPED(143)");
}

/* The end of the new run is heard of before the restart has come back. */
static void an_end_before_the_restart_is_done_is_not_lost(void **state)
{
	struct world *world = running(POLICY(60, ""));

	world_wait(world, 90000);
	world_exited_with(world, "t", "app", 5);
	world_exited_with(world, "t", "app", 6);
	restarted(world, 0);
	expect_stopped(world, "app=STOPPED(6)");
}

/* News of an earlier run does not concern the one that runs now. */
static void an_echo_of_the_run_before_changes_nothing(void **state)
{
	struct world *world = running(POLICY(60, ""));
	struct engine_event echo = { .type = EVENT_CONTAINER_EXITED,
				     .task_id = "t",
				     .container = "app",
				     .attempt = 1,
				     .exit = { .code_known = true, .exit_code = 5 } };

	world_wait(world, 90000);
	world_exited_with(world, "t", "app", 5);
	restarted(world, 77);
	world_step(world, &echo);
	assert_int_equal(world_container(world, "t", "app")->known, CONTAINER_STATUS_RUNNING);
	world_free(world);
}

/* Health begins anew; a probe of the run that has ended holds nothing up. */
static void health_begins_anew_with_each_run(void **state)
{
	struct world *world = running(
		POLICY(60, "") ",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{"
			       "\\\"Healthcheck\\\":{\\\"Test\\\":[\\\"CMD\\\",\\\"x\\\"],"
			       "\\\"Interval\\\":1000000000}}\"}");

	world_wait(world, 1000);
	world_probed(world, "t", "app", 0, "fine");
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_HEALTHY);
	world_wait(world, 90000);
	assert_non_null(world_find(world, EFFECT_PROBE_HEALTH, "t", "app"));
	world_drop(world, EFFECT_PROBE_HEALTH);
	world_exited_with(world, "t", "app", 5);
	restarted(world, 77);
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_STARTING);
	world_wait(world, 999);
	assert_null(world_find(world, EFFECT_PROBE_HEALTH, "t", "app"));
	world_wait(world, 1);
	assert_int_equal(world_find(world, EFFECT_PROBE_HEALTH, "t", "app")->attempt, 2);
	world_free(world);
}

/* What was HEALTHY is not while it runs again. */
static void dependents_wait_for_the_health_of_the_next_run(void **state)
{
	struct world *world = world_new();
	char *server = container_json(
		"server", false,
		POLICY(60, "") ",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{"
			       "\\\"Healthcheck\\\":{\\\"Test\\\":[\\\"CMD\\\",\\\"x\\\"],"
			       "\\\"Interval\\\":1000000000}}\"}");
	char *client = container_json(
		"client", true,
		",\"dependsOn\":[{\"containerName\":\"server\",\"condition\":\"HEALTHY\"}]");

	world_run(world, "t", "", xasprintf("%s,%s", server, client));
	world_start(world, "t", "server");
	world_wait(world, 89000);
	world_probed(world, "t", "server", 0, "fine");
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "client"));
	world_exited_with(world, "t", "server", 5);
	assert_int_equal(world_container(world, "t", "server")->health, CONTAINER_HEALTH_STARTING);
	world_answer(world, "t", "client",
		     (struct engine_done){ .type = EFFECT_PULL_IMAGE,
					   .image = { .digest = "sha256:d" } });
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "client"));
	free(server);
	free(client);
	world_free(world);
}

/* COMPLETE waits for the last exit. */
static void dependents_wait_for_the_last_exit(void **state)
{
	struct world *world = world_new();
	char *job = container_json("job", false, POLICY(60, ""));
	char *after = container_json(
		"after", true,
		",\"dependsOn\":[{\"containerName\":\"job\",\"condition\":\"COMPLETE\"}]");

	world_run(world, "t", "", xasprintf("%s,%s", job, after));
	world_start(world, "t", "job");
	world_wait(world, 90000);
	world_exited_with(world, "t", "job", 1);
	world_answer(world, "t", "job", (struct engine_done){ .type = EFFECT_RESTART_CONTAINER });
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", "after"));
	world_exited_with(world, "t", "job", 1);
	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "after"));
	free(job);
	free(after);
	world_free(world);
}

/* ---- a restart of the agent ---- */

static struct task_state *saved(bool restarting)
{
	struct task_state *task = saved_task("t", POLICY(60, ""), CONTAINER_STATUS_RUNNING, true);
	struct container_state *app = &task->containers[0];

	app->started_at_ms = WORLD_START_MS - 200000;
	if (restarting) {
		app->restarting = true;
		app->attempt = 2;
		app->has_exit_code = true;
		app->exit_code = 5;
		app->finished_at_ms = app->last_restart_at_ms = WORLD_START_MS - 100000;
	}
	return task;
}

static struct world *recovered(bool restarting, struct engine_observation seen)
{
	return world_recovered(saved(restarting), seen);
}

/* eng-45: what ended while the agent was down is restarted too, if it had lasted. */
static void an_end_while_the_agent_was_down_is_restarted(void **state)
{
	struct engine_observation seen = { .seen = SEEN_EXITED,
					   .exit = { .code_known = true,
						     .exit_code = 1,
						     .started_at_ms = WORLD_START_MS - 200000,
						     .finished_at_ms = WORLD_START_MS - 140000 } };
	struct world *world = recovered(false, seen);

	assert_int_equal(world_find(world, EFFECT_RESTART_CONTAINER, "t", "app")->attempt, 2);
	world_free(world);

	/* How long the agent was down does not make the run longer. */
	seen.exit.finished_at_ms -= 1;
	world = recovered(false, seen);
	expect_stopped(world, "app=STOPPED(1)");
}

/* The host has started anew, too: perhaps it did run, and what would tell so is lost. */
static void after_a_reboot_a_restart_is_not_gone_on_with(void **state)
{
	struct world *world = world_before_recovery();

	world->rebooted = true;
	world_recover(world, saved(true), (struct engine_observation){ .seen = SEEN_NOTHING },
		      (struct engine_observation){ 0 });
	world_finish_recovery(world);
	assert_null(world_find(world, EFFECT_RESTART_CONTAINER, "t", "app"));
	assert_int_equal(world_container(world, "t", "app")->known, CONTAINER_STATUS_STOPPED);
	assert_false(world_container(world, "t", "app")->has_exit_code);
	assert_non_null(
		strstr(world_container(world, "t", "app")->reason, "ContainerVanishedError"));
	world_free(world);
}

static void an_interrupted_restart_is_gone_on_with(void **state)
{
	const enum engine_seen seen[] = { SEEN_NOTHING, SEEN_CREATED };

	for (size_t i = 0; i < 2; i++) {
		struct world *world =
			recovered(true, (struct engine_observation){ .seen = seen[i] });

		assert_int_equal(world_find(world, EFFECT_RESTART_CONTAINER, "t", "app")->attempt,
				 2);
		assert_null(world_find(world, EFFECT_START_CONTAINER, "t", "app"));
		world_free(world);
	}
}

static void a_restart_that_was_done_is_adopted(void **state)
{
	struct world *world =
		recovered(true, (struct engine_observation){ .seen = SEEN_RUNNING, .pid = 9 });

	assert_null(world_find(world, EFFECT_RESTART_CONTAINER, "t", "app"));
	assert_int_equal(world_container(world, "t", "app")->pid, 9);
	assert_false(world_container(world, "t", "app")->has_exit_code);
	world_free(world);

	/* Its run is over too. */
	world = recovered(true, (struct engine_observation){
					.seen = SEEN_EXITED,
					.exit = { .code_known = true,
						  .exit_code = 8,
						  .started_at_ms = WORLD_START_MS - 99000,
						  .finished_at_ms = WORLD_START_MS - 98000 } });
	expect_stopped(world, "app=STOPPED(8)");

	world = recovered(true, (struct engine_observation){ .seen = SEEN_VANISHED });
	expect_stopped(world, "app=STOPPED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_that_lasted_is_restarted),
		cmocka_unit_test(the_restart_is_saved_before_it_is_done),
		cmocka_unit_test(a_container_that_fails_within_its_period_stays_down),
		cmocka_unit_test(an_ignored_exit_code_stays_down),
		cmocka_unit_test(an_unknown_end_stays_down),
		cmocka_unit_test(a_policy_that_is_not_enabled_is_none),
		cmocka_unit_test(what_is_told_to_stop_is_not_restarted),
		cmocka_unit_test(a_stop_during_a_restart_waits_for_it),
		cmocka_unit_test(a_restart_that_fails_lets_the_end_stand),
		cmocka_unit_test(a_restart_that_failed_and_ran_all_the_same_has_its_own_exit_code),
		cmocka_unit_test(an_end_before_the_restart_is_done_is_not_lost),
		cmocka_unit_test(an_echo_of_the_run_before_changes_nothing),
		cmocka_unit_test(health_begins_anew_with_each_run),
		cmocka_unit_test(dependents_wait_for_the_last_exit),
		cmocka_unit_test(dependents_wait_for_the_health_of_the_next_run),
		cmocka_unit_test(an_end_while_the_agent_was_down_is_restarted),
		cmocka_unit_test(an_interrupted_restart_is_gone_on_with),
		cmocka_unit_test(after_a_reboot_a_restart_is_not_gone_on_with),
		cmocka_unit_test(a_restart_that_was_done_is_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
