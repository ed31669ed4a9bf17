/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping one container, and health checks. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "world.h"

/* Health check of these nanoseconds and retries. */
static char *checked(long long interval_ms, long long start_period_ms, int retries)
{
	char *more = xasprintf(
		",\"healthCheckType\":\"docker\",\"dockerConfig\":{\"config\":\"{"
		"\\\"Healthcheck\\\":{"
		"\\\"Test\\\":[\\\"CMD-SHELL\\\",\\\"true\\\"],\\\"Interval\\\":%lld,"
		"\\\"Timeout\\\":2000000000,\\\"StartPeriod\\\":%lld,\\\"Retries\\\":%d}}\"}",
		interval_ms * 1000000, start_period_ms * 1000000, retries);
	char *json = container_json("app", true, more);

	free(more);
	return json;
}

static struct world *running(char *container)
{
	struct world *world = world_new();

	world_run(world, "t", "", container);
	world_start(world, "t", "app");
	world_accept_all(world);
	return world;
}

/* eng-2, eng-3, acs-M13: SIGTERM and the default grace of 30 s; the exit code is the process's own.
 */
static void a_stop_sends_term_and_reports_the_true_code(void **state)
{
	struct world *world = running(container_json("app", true, ""));
	struct engine_effect *report;
	const struct engine_effect *stop;

	world_stop(world, "t");
	stop = world_find(world, EFFECT_STOP_CONTAINER, "t", "app");
	assert_non_null(stop);
	assert_int_equal(stop->stop.signal, SIGTERM);
	assert_int_equal(stop->stop.grace_ms, 30000);
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_STOP_CONTAINER,
					   .has_exit = true,
					   .exit = { .code_known = true, .exit_code = 42 } });
	report = world_report(world, "t");
	assert_int_equal(report->report.containers[0].exit_code, 42);
	assert_string_equal(report->report.reason, "");
	assert_int_equal(report->report.execution_stopped_at_ms, WORLD_START_MS);
	engine_effect_free(report);
	world_free(world);
}

static void two_seconds(struct engine_config *config)
{
	config->stop_timeout_ms = 2000;
}

static void no_time(struct engine_config *config)
{
	config->stop_timeout_ms = 0;
}

/* eng-4, eng-5: the container's own stopTimeout, else the agent's, at least 1 s. */
static void the_grace_is_the_containers_or_the_agents(void **state)
{
	static const struct {
		void (*change)(struct engine_config *);
		const char *more;
		int64_t grace_ms;
	} cases[] = {
		{ two_seconds, ",\"stopTimeout\":5", 5000 },
		{ two_seconds, "", 2000 },
		{ no_time, "", 1000 },
	};

	for (size_t i = 0; i < 3; i++) {
		struct world *world = world_new_with(cases[i].change);

		world_run(world, "t", "", container_json("app", true, cases[i].more));
		world_start(world, "t", "app");
		world_stop(world, "t");
		assert_int_equal(
			world_find(world, EFFECT_STOP_CONTAINER, "t", "app")->stop.grace_ms,
			cases[i].grace_ms);
		world_free(world);
	}
}

/* What begins later keeps to it; what has begun does not. */
static void habits_may_change_while_it_runs(void **state)
{
	static const struct engine_habits habits = { .stop_timeout_ms = 7000,
						     .cleanup_wait_ms = 5000 };
	struct world *world = world_new();

	world_run(world, "t", "", container_json("app", true, ""));
	world_start(world, "t", "app");
	engine_set_habits(world->engine, &habits);
	world_stop(world, "t");
	assert_int_equal(world_find(world, EFFECT_STOP_CONTAINER, "t", "app")->stop.grace_ms, 7000);
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_STOP_CONTAINER,
					   .has_exit = true,
					   .exit = { .code_known = true } });
	world_accept_all(world);
	engine_set_habits(world->engine, &(struct engine_habits){ .cleanup_wait_ms = 1 });
	world_wait(world, 4999);
	assert_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	world_wait(world, 1);
	assert_non_null(world_find(world, EFFECT_REMOVE_CONTAINER, "t", "app"));
	world_free(world);
}

static void the_stop_signal_is_the_configurations_or_the_images(void **state)
{
	struct world *world = world_new();

	world_run(world, "t", "", container_json("app", true, ""));
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_PULL_IMAGE,
					   .image = { .stop_signal = SIGQUIT } });
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	world_stop(world, "t");
	assert_int_equal(world_find(world, EFFECT_STOP_CONTAINER, "t", "app")->stop.signal,
			 SIGQUIT);
	world_free(world);

	world = world_new();
	world_run(
		world, "t", "",
		container_json(
			"app", true,
			",\"dockerConfig\":{\"config\":\"{\\\"StopSignal\\\":\\\"SIGUSR1\\\"}\"}"));
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_PULL_IMAGE,
					   .image = { .stop_signal = SIGQUIT } });
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "app");
	world_done(world, EFFECT_START_CONTAINER, "t", "app");
	world_stop(world, "t");
	assert_int_equal(world_find(world, EFFECT_STOP_CONTAINER, "t", "app")->stop.signal,
			 SIGUSR1);
	world_free(world);
}

static void signals_are_understood_by_name_and_number(void **state)
{
	static const struct {
		const char *text;
		int number;
	} cases[] = { { "SIGTERM", 15 },    { "term", 15 },    { "15", 15 },
		      { "SIGRTMIN+3", 37 }, { "RTMAX-1", 63 }, { "SIGWINCH", 28 },
		      { "SIGRTMIN", 34 },   { NULL, 0 },       { "", 0 },
		      { "SIGNONSENSE", 0 }, { "0", 0 },        { "65", 0 },
		      { "RTMIN+31", 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(signal_parse(cases[i].text), cases[i].number);
}

/* eng-92: five attempts with growing waits; then STOPPED all the same, with the error and without
 * an exit code. */
static void a_stop_that_never_ends_is_given_up_after_five_attempts(void **state)
{
	static const int64_t waits_ms[] = { 1000, 1300, 1690, 2197 };
	static const char text[] = "Could not transition to stopped; timed out after waiting 2m30s";
	struct world *world = running(container_json("app", true, ""));
	struct engine_effect *report;

	world_stop(world, "t");
	for (size_t i = 0; i < 4; i++) {
		world_failed(world, EFFECT_STOP_CONTAINER, "t", "app", "DockerTimeoutError", text);
		world_wait(world, waits_ms[i] - 1);
		assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "app"));
		world_wait(world, 1);
	}
	world_failed(world, EFFECT_STOP_CONTAINER, "t", "app", "DockerTimeoutError", text);
	report = world_report(world, "t");
	assert_int_equal(report->report.status, TASK_STATUS_STOPPED);
	assert_false(report->report.containers[0].has_exit_code);
	assert_string_equal(report->report.containers[0].reason,
			    "DockerTimeoutError: Could not transition to stopped; timed out after "
			    "waiting 2m30s");
	engine_effect_free(report);
	world_free(world);
}

/* The exit is known before the call that stopped it returns. */
static void an_exit_during_the_stop_ends_it(void **state)
{
	struct world *world = running(container_json("app", true, ""));

	world_stop(world, "t");
	world_exited_with(world, "t", "app", 7);
	expect_report(world, "t", "STOPPED", "app=STOPPED(7)");
	world_done(world, EFFECT_STOP_CONTAINER, "t", "app");
	assert_int_equal(world_container(world, "t", "app")->exit_code, 7);
	world_free(world);
}

static void the_first_exit_code_stays(void **state)
{
	struct world *world = running(container_json("app", true, ""));

	world_exited_with(world, "t", "app", 7);
	world_exited_with(world, "t", "app", 8);
	assert_int_equal(world_container(world, "t", "app")->exit_code, 7);
	world_free(world);

	world = running(container_json("app", true, ""));
	world_stop(world, "t");
	world_exited_with(world, "t", "app", 7);
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_STOP_CONTAINER,
					   .has_exit = true,
					   .exit = { .code_known = true, .exit_code = 8 } });
	assert_int_equal(world_container(world, "t", "app")->exit_code, 7);
	world_free(world);
}

/* eng-37: UNKNOWN, then HEALTHY one interval after the start; the output is kept. */
static void a_passing_probe_makes_it_healthy(void **state)
{
	struct world *world = running(checked(1000, 0, 3));

	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_STARTING);
	world_wait(world, 999);
	assert_null(world_find(world, EFFECT_PROBE_HEALTH, "t", "app"));
	world_wait(world, 1);
	assert_int_equal(world_find(world, EFFECT_PROBE_HEALTH, "t", "app")->probe.timeout_ms,
			 2000);
	world_probed(world, "t", "app", 0, "fine");
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_HEALTHY);
	assert_string_equal(world_container(world, "t", "app")->health_output, "fine");
	assert_int_equal(world_container(world, "t", "app")->health_since_ms,
			 WORLD_START_MS + 1000);
	assert_non_null(world_find(world, EFFECT_HEALTH_CHANGED, "t", "app"));
	world_free(world);
}

/* eng-38: the streak of failures, and the task keeps running. */
static void retries_failures_in_a_row_make_it_unhealthy_and_nothing_else(void **state)
{
	static const int results[] = { 0, 1, 1, 0, 1, 1, 1 };
	struct world *world = running(checked(1000, 0, 3));

	for (size_t i = 0; i < 7; i++) {
		assert_int_not_equal(world_container(world, "t", "app")->health,
				     CONTAINER_HEALTH_UNHEALTHY);
		world_wait(world, 1000);
		world_probed(world, "t", "app", results[i], "no");
	}
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_UNHEALTHY);
	assert_int_equal(world_container(world, "t", "app")->health_exit_code, 1);
	assert_int_equal(world_task(world, "t")->desired, TASK_STATUS_RUNNING);
	assert_null(world_find(world, EFFECT_STOP_CONTAINER, "t", "app"));
	world_wait(world, 1000);
	world_probed(world, "t", "app", 0, "yes");
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_HEALTHY);
	world_free(world);
}

/* eng-39 */
static void the_output_is_cut_at_1024_bytes(void **state)
{
	struct world *world = running(checked(1000, 0, 3));
	char output[5001];

	memset(output, 'o', 5000);
	output[5000] = '\0';
	world_wait(world, 1000);
	world_probed(world, "t", "app", 0, output);
	assert_int_equal(strlen(world_container(world, "t", "app")->health_output), 1024);
	world_free(world);
}

/* eng-40: failures within the start period do not count. */
static void failures_in_the_start_period_do_not_count(void **state)
{
	struct world *world = running(checked(1000, 30000, 1));

	for (int i = 0; i < 20; i++) {
		world_wait(world, 1000);
		world_probed(world, "t", "app", 1, "");
		assert_int_equal(world_container(world, "t", "app")->health,
				 CONTAINER_HEALTH_STARTING);
	}
	world_wait(world, 1000);
	world_probed(world, "t", "app", 0, "");
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_HEALTHY);
	/* After the first success they do. */
	world_wait(world, 1000);
	world_probed(world, "t", "app", 1, "");
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_UNHEALTHY);
	world_free(world);
}

static void a_probe_that_times_out_or_cannot_run_is_a_failure(void **state)
{
	struct world *world = running(checked(1000, 0, 2));

	world_wait(world, 1000);
	world_failed(world, EFFECT_PROBE_HEALTH, "t", "app", NULL, "exec failed");
	world_wait(world, 1000);
	world_answer(world, "t", "app",
		     (struct engine_done){ .type = EFFECT_PROBE_HEALTH,
					   .probe = { .timed_out = true } });
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_UNHEALTHY);
	assert_int_equal(world_container(world, "t", "app")->health_exit_code, -1);
	world_free(world);
}

/* The next probe comes one interval after the previous one ended, never beside it. */
static void probes_do_not_overlap(void **state)
{
	struct world *world = running(checked(1000, 0, 3));

	world_wait(world, 10000);
	assert_int_equal(world_count(world, EFFECT_PROBE_HEALTH), 1);
	world_probed(world, "t", "app", 0, "");
	world_wait(world, 999);
	assert_int_equal(world_count(world, EFFECT_PROBE_HEALTH), 0);
	world_wait(world, 1);
	assert_int_equal(world_count(world, EFFECT_PROBE_HEALTH), 1);
	world_free(world);
}

static void a_disabled_health_check_is_never_probed(void **state)
{
	struct world *world =
		running(container_json("app", true,
				       ",\"healthCheckType\":\"docker\",\"dockerConfig\":{"
				       "\"config\":\"{\\\"Healthcheck\\\":{\\\"Test\\\":["
				       "\\\"NONE\\\"]}}\"}"));

	world_wait(world, 100000);
	assert_int_equal(world_count(world, EFFECT_PROBE_HEALTH), 0);
	assert_int_equal(world_container(world, "t", "app")->health, CONTAINER_HEALTH_NONE);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_sends_term_and_reports_the_true_code),
		cmocka_unit_test(the_grace_is_the_containers_or_the_agents),
		cmocka_unit_test(habits_may_change_while_it_runs),
		cmocka_unit_test(the_stop_signal_is_the_configurations_or_the_images),
		cmocka_unit_test(signals_are_understood_by_name_and_number),
		cmocka_unit_test(a_stop_that_never_ends_is_given_up_after_five_attempts),
		cmocka_unit_test(an_exit_during_the_stop_ends_it),
		cmocka_unit_test(the_first_exit_code_stays),
		cmocka_unit_test(a_passing_probe_makes_it_healthy),
		cmocka_unit_test(retries_failures_in_a_row_make_it_unhealthy_and_nothing_else),
		cmocka_unit_test(the_output_is_cut_at_1024_bytes),
		cmocka_unit_test(failures_in_the_start_period_do_not_count),
		cmocka_unit_test(a_probe_that_times_out_or_cannot_run_is_a_failure),
		cmocka_unit_test(probes_do_not_overlap),
		cmocka_unit_test(a_disabled_health_check_is_never_probed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
