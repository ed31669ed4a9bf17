/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/telemetry.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define SECOND 1000000000LL

/* One telemetry on a loop whose intervals pass as fast as can be: 20 s become 1 ms. */
struct fixture {
	struct loop *loop;
	struct agent_config *config;
	struct ecs_instance instance;
	struct telemetry *telemetry;
	int ready;
};

static void count_ready(void *data)
{
	((struct fixture *)data)->ready++;
}

static void set_up(struct fixture *f, char *setting)
{
	char *environment[] = { "AWS_REGION=us-west-2", "BERTH_TIME_SCALE=20000", setting, NULL };

	memset(f, 0, sizeof(*f));
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	assert_int_equal(config_load(environment, NULL, &f->config, NULL, NULL), 0);
	f->instance = (struct ecs_instance){ .cluster = "demo",
					     .container_instance = "arn:ci",
					     .engine_version = "" };
	f->telemetry = telemetry_new(f->loop, f->config, &f->instance);
	telemetry_on_ready(f->telemetry, count_ready, f);
}

static void tear_down(struct fixture *f)
{
	telemetry_free(f->telemetry);
	config_free(f->config);
	loop_free(f->loop);
}

/* Lets `count` intervals pass after the one of the start. */
static void pass(struct fixture *f, int count)
{
	int until = f->ready + count;

	while (f->ready < until)
		loop_run_once(f->loop, true);
}

static void watch(struct fixture *f, const char *task, const char *name, bool health_checked)
{
	telemetry_watch(f->telemetry,
			&(struct telemetry_container){ .task_arn = task,
						       .family = "web",
						       .version = "7",
						       .name = name,
						       .health_checked = health_checked });
}

static void sample(struct fixture *f, const char *task, const char *name, int second)
{
	telemetry_add_sample(f->telemetry, task, name,
			     &(struct metrics_sample){ .time_ns = second * SECOND,
						       .cpu_total_ns = (uint64_t)second * 1000000,
						       .memory_usage_bytes = 10 * 1048576 });
}

/* Decodes the next interval's requests. Returns how many there are; 0: nothing is queued. */
static size_t take(struct fixture *f, struct tcs_message *messages[], size_t max)
{
	struct tcs_requests requests = { 0 };
	size_t count;

	if (!telemetry_take(f->telemetry, &requests))
		return 0;
	count = requests.count;
	assert_true(count <= max);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(tcs_decode(requests.items[i], strlen(requests.items[i]),
					    &messages[i], NULL),
				 0);
	tcs_requests_clear(&requests);
	return count;
}

static void drain(struct fixture *f)
{
	struct tcs_requests requests = { 0 };

	while (telemetry_take(f->telemetry, &requests))
		tcs_requests_clear(&requests);
}

/* acs-T2, acs-T3: at once and then each interval; idle, fin, no tasks, a new id each. */
static void without_containers_the_instance_is_idle(void **state)
{
	struct tcs_message *first[1], *second[1];
	struct fixture f;

	set_up(&f, NULL);
	telemetry_start(f.telemetry);
	assert_int_equal(f.ready, 1);
	assert_int_equal(take(&f, first, 1), 1);
	assert_int_equal(first[0]->type, TCS_PUBLISH_METRICS);
	assert_true(first[0]->metrics.idle);
	assert_true(first[0]->metrics.fin);
	assert_int_equal(first[0]->metrics.task_count, 0);
	assert_string_equal(first[0]->metrics.cluster, "demo");
	assert_string_equal(first[0]->metrics.container_instance, "arn:ci");
	pass(&f, 1);
	assert_int_equal(take(&f, second, 1), 1);
	assert_string_not_equal(first[0]->metrics.message_id, second[0]->metrics.message_id);
	tcs_message_free(first[0]);
	tcs_message_free(second[0]);
	tear_down(&f);
}

/* acs-T17: two restarts within an interval, each with counters that begin at nothing. What is sent
 * has the two, and counters that only grow; the next interval has none. */
static void restarts_are_counted_and_counters_go_on(void **state)
{
	static const struct metrics_sample samples[] = {
		{ .cpu_total_ns = 500000000, .read_bytes = 4096, .rx_bytes = 1000, .restarts = 0 },
		{ .cpu_total_ns = 900000000, .read_bytes = 8192, .rx_bytes = 3000, .restarts = 0 },
		{ .cpu_total_ns = 100000000, .read_bytes = 512, .rx_bytes = 10, .restarts = 1 },
		{ .cpu_total_ns = 50000000, .read_bytes = 256, .rx_bytes = 5, .restarts = 2 },
		{ .cpu_total_ns = 90000000, .read_bytes = 256, .rx_bytes = 5, .restarts = 2 },
	};
	const struct tcs_container_metric *sent;
	struct tcs_message *message[1];
	struct fixture f;

	set_up(&f, NULL);
	watch(&f, "arn:1", "app", false);
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct metrics_sample next = samples[i];

		if (i == 4) { /* of the next interval */
			telemetry_start(f.telemetry);
			assert_int_equal(take(&f, message, 1), 1);
			sent = &message[0]->metrics.tasks[0].containers[0];
			assert_true(sent->has_restarts);
			assert_int_equal(sent->restart_count, 2);
			assert_int_equal(sent->cpu.sample_count, 3);
			assert_true(sent->cpu.min > 0);
			assert_int_equal(sent->read_size_bytes.min, 4096);
			assert_int_equal(sent->read_size_bytes.max, 8192 + 512 + 256);
			assert_int_equal(sent->network.rx_bytes.max, 3000 + 10 + 5);
			assert_true(sent->network.rx_bytes_per_second.min > 0);
			tcs_message_free(message[0]);
		}
		next.time_ns = (int64_t)(i + 1) * SECOND;
		next.has_storage = next.has_network = next.has_restarts = true;
		telemetry_add_sample(f.telemetry, "arn:1", "app", &next);
	}
	pass(&f, 1);
	assert_int_equal(take(&f, message, 1), 1);
	sent = &message[0]->metrics.tasks[0].containers[0];
	assert_true(sent->has_restarts);
	assert_int_equal(sent->restart_count, 0);
	assert_int_equal(sent->read_size_bytes.min, 8192 + 512 + 256);
	assert_int_equal(sent->cpu.sample_count, 1);
	tcs_message_free(message[0]);
	tear_down(&f);
}

/* acs-T8 */
static void a_container_with_one_sample_is_neither_idle_nor_reported(void **state)
{
	struct tcs_message *got[2];
	struct fixture f;

	set_up(&f, NULL);
	watch(&f, "arn:t1", "app", false);
	sample(&f, "arn:t1", "app", 1);
	telemetry_start(f.telemetry);
	assert_int_equal(take(&f, got, 2), 0);
	sample(&f, "arn:t1", "app", 2);
	pass(&f, 1);
	assert_int_equal(take(&f, got, 2), 1);
	assert_false(got[0]->metrics.idle);
	assert_int_equal(got[0]->metrics.task_count, 1);
	assert_string_equal(got[0]->metrics.tasks[0].task_arn, "arn:t1");
	assert_string_equal(got[0]->metrics.tasks[0].family, "web");
	assert_string_equal(got[0]->metrics.tasks[0].version, "7");
	assert_string_equal(got[0]->metrics.tasks[0].containers[0].name, "app");
	assert_int_equal(got[0]->metrics.tasks[0].containers[0].memory.sample_count, 2);
	tcs_message_free(got[0]);
	tear_down(&f);
}

/* acs-T5 */
static void tasks_leave_ten_at_a_time_under_one_id(void **state)
{
	static const struct {
		int tasks;
		size_t requests, last;
	} cases[] = { { 1, 1, 1 }, { 10, 1, 10 }, { 11, 2, 1 }, { 20, 2, 10 } };

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct tcs_message *got[3];
		struct fixture f;
		size_t count;

		set_up(&f, NULL);
		for (int t = 0; t < cases[c].tasks; t++) {
			char arn[32];

			snprintf(arn, sizeof(arn), "arn:t%d", t);
			watch(&f, arn, "app", false);
			sample(&f, arn, "app", 1);
			sample(&f, arn, "app", 2);
		}
		telemetry_start(f.telemetry);
		count = take(&f, got, 3);
		assert_int_equal(count, cases[c].requests);
		assert_int_equal(got[count - 1]->metrics.task_count, cases[c].last);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(got[i]->metrics.fin, i == count - 1);
			assert_string_equal(got[i]->metrics.message_id, got[0]->metrics.message_id);
		}
		for (size_t i = 0; i < count; i++)
			tcs_message_free(got[i]);
		tear_down(&f);
	}
}

/* acs-T7 */
static void with_metrics_disabled_it_is_idle_though_tasks_run(void **state)
{
	struct tcs_message *got[1];
	struct fixture f;

	set_up(&f, "ECS_DISABLE_METRICS=true");
	watch(&f, "arn:t1", "app", true);
	sample(&f, "arn:t1", "app", 1);
	sample(&f, "arn:t1", "app", 2);
	telemetry_start(f.telemetry);
	assert_int_equal(take(&f, got, 1), 1);
	assert_true(got[0]->metrics.idle);
	tcs_message_free(got[0]);
	/* Health goes on. */
	assert_int_equal(take(&f, got, 1), 1);
	assert_int_equal(got[0]->type, TCS_PUBLISH_HEALTH);
	tcs_message_free(got[0]);
	tear_down(&f);
}

/* acs-T12: of a long outage the oldest 15 intervals are kept. */
static void the_queue_keeps_the_oldest_fifteen(void **state)
{
	struct tcs_message *got[1];
	struct fixture f;
	int count = 0;

	set_up(&f, NULL);
	watch(&f, "arn:t1", "app", false);
	/* The n-th interval carries n in its highest memory reading. */
	for (int i = 0; i < 20; i++) {
		for (int j = 0; j < 2; j++)
			telemetry_add_sample(
				f.telemetry, "arn:t1", "app",
				&(struct metrics_sample){ .time_ns = (2 * i + j + 1) * SECOND,
							  .memory_usage_bytes =
								  (uint64_t)(i + 1) * 1048576 });
		if (i == 0)
			telemetry_start(f.telemetry);
		else
			pass(&f, 1);
	}
	while (take(&f, got, 1) == 1) {
		count++;
		assert_true(got[0]->metrics.tasks[0].containers[0].memory.max == count);
		tcs_message_free(got[0]);
	}
	assert_int_equal(count, 15);
	tear_down(&f);
}

/* acs-T13, acs-T14: as for the messages. */
static void health_is_told_of_checked_containers_only(void **state)
{
	struct tcs_message *got[1];
	struct fixture f;
	int64_t before = clock_wall_ms();

	set_up(&f, NULL);
	watch(&f, "arn:t1", "plain", false);
	telemetry_start(f.telemetry);
	assert_int_equal(take(&f, got, 1), 0);

	watch(&f, "arn:t1", "app", true);
	pass(&f, 1);
	assert_int_equal(take(&f, got, 1), 1);
	assert_int_equal(got[0]->type, TCS_PUBLISH_HEALTH);
	assert_true(got[0]->health.fin);
	assert_int_equal(got[0]->health.task_count, 1);
	assert_int_equal(got[0]->health.tasks[0].container_count, 1);
	assert_string_equal(got[0]->health.tasks[0].containers[0].name, "app");
	assert_int_equal(got[0]->health.tasks[0].containers[0].status, HEALTH_STATUS_UNKNOWN);
	assert_true(got[0]->health.tasks[0].containers[0].status_since_ms >= before);
	tcs_message_free(got[0]);

	telemetry_set_health(f.telemetry, "arn:t1", "app", HEALTH_STATUS_UNHEALTHY, 1700000000100);
	for (int i = 0; i < 2; i++) {
		pass(&f, 1);
		assert_int_equal(take(&f, got, 1), 1);
		assert_int_equal(got[0]->health.tasks[0].containers[0].status,
				 HEALTH_STATUS_UNHEALTHY);
		assert_int_equal(got[0]->health.tasks[0].containers[0].status_since_ms,
				 1700000000100);
		tcs_message_free(got[0]);
	}
	tear_down(&f);
}

static void with_health_checks_disabled_none_is_reported(void **state)
{
	struct tcs_message *got[1];
	struct fixture f;

	set_up(&f, "ECS_DISABLE_DOCKER_HEALTH_CHECK=true");
	watch(&f, "arn:t1", "app", true);
	telemetry_start(f.telemetry);
	assert_int_equal(take(&f, got, 1), 0);
	tear_down(&f);
}

static void what_is_not_watched_any_more_is_forgotten(void **state)
{
	struct tcs_message *got[1];
	struct fixture f;

	set_up(&f, NULL);
	watch(&f, "arn:t1", "a", true);
	watch(&f, "arn:t1", "b", true);
	watch(&f, "arn:t1", "b", true);
	telemetry_unwatch(f.telemetry, "arn:t1", "a");
	telemetry_unwatch(f.telemetry, "arn:t1", "nobody");
	telemetry_start(f.telemetry);
	assert_int_equal(take(&f, got, 1), 1);
	assert_int_equal(got[0]->health.tasks[0].container_count, 1);
	assert_string_equal(got[0]->health.tasks[0].containers[0].name, "b");
	tcs_message_free(got[0]);
	telemetry_unwatch(f.telemetry, "arn:t1", "b");
	sample(&f, "arn:t1", "b", 1); /* late; nothing may come of it */
	drain(&f);
	pass(&f, 1);
	assert_int_equal(take(&f, got, 1), 1);
	assert_true(got[0]->metrics.idle);
	tcs_message_free(got[0]);
	tear_down(&f);
}

static struct tcs_message *status_of(struct fixture *f)
{
	_cleanup_free_ char *text = telemetry_instance_status(f->telemetry);
	struct tcs_message *message = NULL;

	if (text)
		assert_int_equal(tcs_decode(text, strlen(text), &message, NULL), 0);
	return message;
}

/* acs-T15 for the statuses: once for each check, first before any check. */
static void the_runtime_is_reported_once_for_each_check(void **state)
{
	struct tcs_message *message;
	int64_t changed;
	struct fixture f;

	set_up(&f, NULL);
	message = status_of(&f);
	assert_string_equal(message->instance_status.checks[0].type, "ContainerRuntime");
	assert_string_equal(message->instance_status.checks[0].status, "INITIALIZING");
	tcs_message_free(message);
	telemetry_instance_status_sent(f.telemetry);
	assert_null(status_of(&f));

	telemetry_set_runtime_status(f.telemetry, true);
	message = status_of(&f);
	assert_string_equal(message->instance_status.checks[0].status, "OK");
	changed = message->instance_status.checks[0].last_status_change_ms;
	tcs_message_free(message);
	telemetry_instance_status_sent(f.telemetry);
	assert_null(status_of(&f));

	telemetry_set_runtime_status(f.telemetry, true);
	message = status_of(&f);
	assert_int_equal(message->instance_status.checks[0].last_status_change_ms, changed);
	tcs_message_free(message);
	telemetry_set_runtime_status(f.telemetry, false);
	message = status_of(&f);
	assert_string_equal(message->instance_status.checks[0].status, "IMPAIRED");
	tcs_message_free(message);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restarts_are_counted_and_counters_go_on),
		cmocka_unit_test(without_containers_the_instance_is_idle),
		cmocka_unit_test(a_container_with_one_sample_is_neither_idle_nor_reported),
		cmocka_unit_test(tasks_leave_ten_at_a_time_under_one_id),
		cmocka_unit_test(with_metrics_disabled_it_is_idle_though_tasks_run),
		cmocka_unit_test(the_queue_keeps_the_oldest_fifteen),
		cmocka_unit_test(health_is_told_of_checked_containers_only),
		cmocka_unit_test(with_health_checks_disabled_none_is_reported),
		cmocka_unit_test(what_is_not_watched_any_more_is_forgotten),
		cmocka_unit_test(the_runtime_is_reported_once_for_each_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
