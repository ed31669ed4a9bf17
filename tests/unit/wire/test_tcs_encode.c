/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tcs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "quoted.h"

static struct tcs_requests encoded(const struct tcs_metrics *metrics, int64_t now_ms)
{
	struct tcs_requests requests;

	tcs_encode_metrics(metrics, now_ms, &requests);
	return requests;
}

/* The body of the protocol's signature vector, byte for byte. */
static void idle_is_one_request_without_tasks(void **state)
{
	const struct tcs_metrics metrics = {
		.cluster = "c", .container_instance = "ci", .message_id = "m", .idle = true
	};
	struct tcs_requests requests = encoded(&metrics, 1795170452634);

	assert_int_equal(requests.count, 1);
	assert_string_equal(
		requests.items[0],
		"{\"type\":\"PublishMetricsRequest\",\"message\":{\"metadata\":{\"cluster\":\"c\","
		"\"containerInstance\":\"ci\",\"fin\":true,\"idle\":true,\"messageId\":\"m\"},"
		"\"timestamp\":1795170452.634}}");
	tcs_requests_clear(&requests);
}

static void sets_are_written_in_full(void **state)
{
	static const struct tcs_container_metric container = {
		.name = "app",
		.cpu = { .max = 25, .min = 12.5, .sum = 37.5, .sample_count = 2 },
		.memory = { .max = 104, .min = 99, .sum = 302, .sample_count = 3 },
		.has_storage = true,
		.read_size_bytes = { .max = 8192, .min = 4096, .sum = 20480, .sample_count = 3 },
		.write_size_bytes = { .max = 16384, .min = 8192, .sum = 32768, .sample_count = 3 },
		.has_network = true,
		.network = { .has_bytes = true,
			     .rx_bytes = { .max = 3001,
					   .min = 1001,
					   .sum = 7003,
					   .sample_count = 3 },
			     .has_rates = true,
			     .rx_bytes_per_second = { .max = 2000,
						      .sum = 2000,
						      .sample_count = 2 } },
		.has_restarts = true,
		.restart_count = 2,
	};
	static const struct tcs_volume_metric volume = {
		.volume_id = "vol-1",
		.volume_name = "v",
		.utilized = { .max = 5, .min = 5, .sum = 5, .sample_count = 1 },
		.size = { .max = 9, .min = 9, .sum = 9, .sample_count = 1 },
	};
	static const struct tcs_task_metric task = { .task_arn = "t/1",
						     .family = "web",
						     .version = "7",
						     .containers = &container,
						     .container_count = 1,
						     .volumes = &volume,
						     .volume_count = 1 };
	const struct tcs_metrics metrics = { .cluster = "c",
					     .container_instance = "i",
					     .message_id = "m",
					     .tasks = &task,
					     .task_count = 1 };
	struct tcs_requests requests = encoded(&metrics, 1700000000120);
#define NO_OVERFLOW "'overflowMax':0,'overflowMin':0,'overflowSum':0,"
#define EMPTY_SET   "{'max':0,'min':0," NO_OVERFLOW "'sampleCount':0,'sum':0}"
	_cleanup_free_ char *expected = quoted(
		"{'type':'PublishMetricsRequest','message':{'metadata':{'cluster':'c','"
		"containerInstance':'i',"
		"'fin':true,'idle':false,'messageId':'m'},'taskMetrics':[{'containerMetrics':[{'"
		"containerName':'app',"
		"'cpuStatsSet':{'max':25,'min':12.5,'sampleCount':2,'sum':37.5},"
		"'memoryStatsSet':{'max':104,'min':99,'sampleCount':3,'sum':302},"
		"'networkStatsSet':{'rxBytes':{'max':3001,'min':1001," NO_OVERFLOW
		"'sampleCount':3,'sum':7003},"
		"'rxBytesPerSecond':{'max':2000,'min':0,'sampleCount':2,'sum':2000},"
		"'rxDropped':" EMPTY_SET ",'rxErrors':" EMPTY_SET ",'rxPackets':" EMPTY_SET
		",'txBytes':" EMPTY_SET
		",'txBytesPerSecond':{'max':0,'min':0,'sampleCount':0,'sum':0},"
		"'txDropped':" EMPTY_SET ",'txErrors':" EMPTY_SET ",'txPackets':" EMPTY_SET "},"
		"'restartStatsSet':{'restartCount':2},"
		"'storageStatsSet':{'readSizeBytes':{'max':8192,'min':4096," NO_OVERFLOW
		"'sampleCount':3,'sum':20480},'writeSizeBytes':{'max':16384,'min':8192," NO_OVERFLOW
		"'sampleCount':3,'sum':32768}}}],'taskArn':'t/1','taskDefinitionFamily':'web',"
		"'taskDefinitionVersion':'7','volumeMetrics':[{'size':{'max':9,'min':9,'"
		"sampleCount':1,'sum':9},"
		"'utilized':{'max':5,'min':5,'sampleCount':1,'sum':5},'volumeId':'vol-1','"
		"volumeName':'v'}]}],"
		"'timestamp':1700000000.12}}");

	assert_int_equal(requests.count, 1);
	assert_string_equal(requests.items[0], expected);
	tcs_requests_clear(&requests);
}

static void what_does_not_fit_a_long_overflows(void **state)
{
	struct tcs_ulong_set set =
		tcs_ulong_set_of(UINT64_MAX, INT64_MAX, (uint64_t)INT64_MAX + 5, 2);

	assert_true(set.max == INT64_MAX);
	assert_int_equal(set.overflow_max, 1); /* 2^64-1 = 2 * (2^63-1) + 1 */
	assert_true(set.min == INT64_MAX);
	assert_int_equal(set.overflow_min, 0);
	assert_true(set.sum == INT64_MAX);
	assert_int_equal(set.overflow_sum, 5);
	assert_int_equal(set.sample_count, 2);
	set = tcs_ulong_set_of(3, 2, 5, 2);
	assert_int_equal(set.max, 3);
	assert_int_equal(set.overflow_max, 0);
}

static void health_of_eleven_tasks_is_two_requests(void **state)
{
	static const struct tcs_container_health container = { .name = "app",
							       .status = HEALTH_STATUS_HEALTHY,
							       .status_since_ms = 1700000000100 };
	struct tcs_task_health tasks[11];
	const struct tcs_health health = { .cluster = "c",
					   .container_instance = "i",
					   .message_id = "m",
					   .tasks = tasks,
					   .task_count = 11 };
	struct tcs_requests requests;
	_cleanup_free_ char *expected =
		quoted("{'type':'PublishHealthRequest','message':{'metadata':{'cluster':'c','"
		       "containerInstance':'i',"
		       "'fin':true,'messageId':'m'},'tasks':[{'containers':[{'containerName':'app',"
		       "'healthStatus':'HEALTHY','statusSince':1700000000.1}],'taskArn':'t','"
		       "taskDefinitionFamily':"
		       "'web','taskDefinitionVersion':'7'}],'timestamp':1700000020.2}}");
	struct tcs_message *message = NULL;

	for (size_t i = 0; i < 11; i++)
		tasks[i] = (struct tcs_task_health){ .task_arn = "t",
						     .family = "web",
						     .version = "7",
						     .containers = &container,
						     .container_count = 1 };
	tcs_encode_health(&health, 1700000020200, &requests);
	assert_int_equal(requests.count, 2);
	assert_string_equal(requests.items[1], expected);
	assert_int_equal(tcs_decode(requests.items[0], strlen(requests.items[0]), &message, NULL),
			 0);
	assert_int_equal(message->health.task_count, 10);
	assert_false(message->health.fin);
	tcs_message_free(message);
	tcs_requests_clear(&requests);
}

/* acs-T14: without containers that have health checks there is no request. */
static void no_health_no_request(void **state)
{
	const struct tcs_health health = { .cluster = "c" };
	struct tcs_requests requests;

	tcs_encode_health(&health, 1, &requests);
	assert_int_equal(requests.count, 0);
	tcs_requests_clear(&requests);
}

static void instance_status_leaves_out_what_never_was(void **state)
{
	static const struct tcs_instance_check checks[] = {
		{ .type = "ContainerRuntime",
		  .status = "OK",
		  .has_last_updated = true,
		  .last_updated_ms = 1700000000100,
		  .has_last_status_change = true,
		  .last_status_change_ms = 1700000000100 },
		{ .type = "ContainerRuntime", .status = "INITIALIZING" },
	};
	const struct tcs_instance_status status = { .cluster = "c",
						    .container_instance = "i",
						    .request_id = "r",
						    .checks = checks,
						    .check_count = 2 };
	_cleanup_free_ char *text = tcs_encode_instance_status(&status, 1700000020200);
	_cleanup_free_ char *expected = quoted(
		"{'type':'PublishInstanceStatusRequest','message':{'metadata':{'cluster':'c',"
		"'containerInstance':'i','requestId':'r'},'statuses':[{'lastStatusChange':"
		"1700000000.1,"
		"'lastUpdated':1700000000.1,'status':'OK','type':'ContainerRuntime'},"
		"{'status':'INITIALIZING','type':'ContainerRuntime'}],'timestamp':1700000020.2}}");

	assert_string_equal(text, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_is_one_request_without_tasks),
		cmocka_unit_test(sets_are_written_in_full),
		cmocka_unit_test(what_does_not_fit_a_long_overflows),
		cmocka_unit_test(health_of_eleven_tasks_is_two_requests),
		cmocka_unit_test(no_health_no_request),
		cmocka_unit_test(instance_status_leaves_out_what_never_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
