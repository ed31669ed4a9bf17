/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tcs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "quoted.h"

#define MAX_TASKS 32

static struct tcs_message *read_back(const char *text)
{
	struct tcs_message *message = NULL;
	struct error err = ERROR_INIT;

	if (tcs_decode(text, strlen(text), &message, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(message->type, TCS_PUBLISH_METRICS);
	return message;
}

/* The limit is of the inner request: what stands behind "message":, without the envelope's last
 * brace. */
static size_t inner_size(const char *text)
{
	return strlen(text) - strlen("{\"type\":\"PublishMetricsRequest\",\"message\":") - 1;
}

/* acs-T5: (10,f)(1,t) and (10,f)(10,t), one messageId for all. */
static void tasks_go_in_tens(void **state)
{
	static const struct {
		size_t tasks;
		size_t requests;
		size_t last;
	} cases[] = { { 0, 0, 0 },  { 1, 1, 1 },   { 9, 1, 9 }, { 10, 1, 10 },
		      { 11, 2, 1 }, { 20, 2, 10 }, { 21, 3, 1 } };
	static const struct tcs_container_metric container = { .name = "app" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcs_task_metric tasks[MAX_TASKS];
		char arns[MAX_TASKS][32];
		const struct tcs_metrics metrics = { .cluster = "c",
						     .container_instance = "i",
						     .message_id = "one",
						     .tasks = tasks,
						     .task_count = cases[i].tasks };
		struct tcs_requests requests;
		size_t seen = 0;

		for (size_t at = 0; at < cases[i].tasks; at++) {
			snprintf(arns[at], sizeof(arns[at]), "t/%zu", at);
			tasks[at] = (struct tcs_task_metric){ .task_arn = arns[at],
							      .containers = &container,
							      .container_count = 1 };
		}
		tcs_encode_metrics(&metrics, 1700000000000, &requests);
		assert_int_equal(requests.count, cases[i].requests);
		for (size_t at = 0; at < requests.count; at++) {
			struct tcs_message *message = read_back(requests.items[at]);
			bool last = at + 1 == requests.count;

			assert_int_equal(message->metrics.task_count, last ? cases[i].last : 10);
			assert_int_equal(message->metrics.fin, last);
			assert_false(message->metrics.idle);
			assert_string_equal(message->metrics.message_id, "one");
			for (size_t task = 0; task < message->metrics.task_count; task++)
				assert_string_equal(message->metrics.tasks[task].task_arn,
						    arns[seen++]);
			tcs_message_free(message);
		}
		assert_int_equal(seen, cases[i].tasks);
		tcs_requests_clear(&requests);
	}
}

static char *long_name(size_t size)
{
	char *name = xmalloc(size + 1);

	memset(name, 'x', size);
	name[size] = '\0';
	return name;
}

static void no_request_exceeds_a_mebibyte(void **state)
{
	_cleanup_free_ char *name = long_name(300 * 1024);
	const struct tcs_container_metric container = { .name = name };
	struct tcs_task_metric tasks[7];
	const struct tcs_metrics metrics = { .cluster = "c",
					     .container_instance = "i",
					     .message_id = "m",
					     .tasks = tasks,
					     .task_count = 7 };
	struct tcs_requests requests;
	size_t seen = 0;

	for (size_t i = 0; i < 7; i++)
		tasks[i] = (struct tcs_task_metric){ .task_arn = "t",
						     .containers = &container,
						     .container_count = 1 };
	tcs_encode_metrics(&metrics, 1700000000000, &requests);
	assert_int_equal(requests.count, 3); /* 3 + 3 + 1 */
	for (size_t i = 0; i < requests.count; i++) {
		struct tcs_message *message = read_back(requests.items[i]);

		assert_true(inner_size(requests.items[i]) <= TCS_REQUEST_LIMIT);
		assert_int_equal(message->metrics.fin, i == 2);
		seen += message->metrics.task_count;
		tcs_message_free(message);
	}
	assert_int_equal(seen, 7);
	tcs_requests_clear(&requests);
}

/* The limit is used to the last byte: one more, and the task goes to the next request. */
static void the_limit_is_exact(void **state)
{
	static const struct tcs_container_metric small = { .name = "s" };
	struct tcs_task_metric tasks[2] = {
		{ .task_arn = "a", .containers = &small, .container_count = 1 },
		{ .task_arn = "b", .container_count = 1 }
	};
	const struct tcs_metrics metrics = { .cluster = "c",
					     .container_instance = "i",
					     .message_id = "m",
					     .tasks = tasks,
					     .task_count = 2 };
	struct tcs_container_metric large = { .name = "" };
	struct tcs_requests requests;
	size_t room;

	tasks[1].containers = &large;
	tcs_encode_metrics(&metrics, 1700000000000, &requests);
	/* `fin` is counted as the longer "false", whatever it becomes. */
	room = TCS_REQUEST_LIMIT - inner_size(requests.items[0]) - 1;
	tcs_requests_clear(&requests);
	for (size_t more = 0; more < 2; more++) {
		_cleanup_free_ char *name = long_name(room + more);

		large.name = name;
		tcs_encode_metrics(&metrics, 1700000000000, &requests);
		assert_int_equal(requests.count, 1 + more);
		tcs_requests_clear(&requests);
	}
}

/* acs-T6: the container's figures only in the first request, the service's in both, the limit
 * respected. */
static void a_large_service_part_is_split(void **state)
{
	_cleanup_free_ char *name = long_name(2048);
	static const double value = 1.5;
	static const int64_t count = 1;
	static const struct tcs_container_metric container = { .name = "app" };
	static const struct tcs_volume_metric volume = { .volume_id = "v", .volume_name = "n" };
	const struct tcs_general_metric metric = {
		.name = name, .values = &value, .counts = &count, .value_count = 1
	};
	struct tcs_general_metrics *wrappers = xcalloc(700, sizeof(*wrappers));
	struct tcs_task_metric tasks[2] = {
		{ .task_arn = "t/1",
		  .containers = &container,
		  .container_count = 1,
		  .volumes = &volume,
		  .volume_count = 1,
		  .service_connect = wrappers,
		  .service_connect_count = 700 },
		{ .task_arn = "t/2", .containers = &container, .container_count = 1 }
	};
	const struct tcs_metrics metrics = { .cluster = "c",
					     .container_instance = "i",
					     .message_id = "m",
					     .tasks = tasks,
					     .task_count = 2 };
	struct tcs_requests requests;
	struct tcs_message *first;
	struct tcs_message *second;

	for (size_t i = 0; i < 700; i++)
		wrappers[i] = (struct tcs_general_metrics){ .metrics = &metric,
							    .metric_count = 1,
							    .type = "1" };
	tcs_encode_metrics(&metrics, 1700000000000, &requests);
	assert_int_equal(requests.count, 2);
	assert_true(inner_size(requests.items[0]) <= TCS_REQUEST_LIMIT);
	first = read_back(requests.items[0]);
	second = read_back(requests.items[1]);
	assert_false(first->metrics.fin);
	assert_true(second->metrics.fin);
	assert_int_equal(first->metrics.task_count, 1);
	assert_int_equal(second->metrics.task_count, 2);
	assert_int_equal(first->metrics.tasks[0].container_count, 1);
	assert_int_equal(second->metrics.tasks[0].container_count, 0);
	assert_string_equal(second->metrics.tasks[0].task_arn, "t/1");
	assert_int_equal(second->metrics.tasks[0].volume_count, 1);
	assert_int_equal(second->metrics.tasks[1].container_count, 1);
	assert_int_equal(first->metrics.tasks[0].service_connect_count +
				 second->metrics.tasks[0].service_connect_count,
			 700);
	assert_true(first->metrics.tasks[0].service_connect[0].metrics[0].values[0] == 1.5);
	tcs_message_free(first);
	tcs_message_free(second);
	tcs_requests_clear(&requests);
	free(wrappers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_go_in_tens),
		cmocka_unit_test(no_request_exceeds_a_mebibyte),
		cmocka_unit_test(the_limit_is_exact),
		cmocka_unit_test(a_large_service_part_is_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
