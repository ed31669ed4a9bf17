/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tcs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "quoted.h"

static struct tcs_message *decoded(const char *text)
{
	struct tcs_message *message = NULL;
	struct error err = ERROR_INIT;

	if (decode_tcs(text, &message, &err) < 0)
		fail_msg("%s was refused: %s", text, err.text);
	return message;
}

#define META                                                                                       \
	"'metadata':{'cluster':'c','containerInstance':'i','messageId':'m','fin':true,'idle':"     \
	"false}"

static void metrics_arrive(void **state)
{
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message = decoded(
		"{'type':'PublishMetricsRequest','message':{" META
		",'timestamp':1700000000.123,'taskMetrics':[{"
		"'taskArn':'t/"
		"1','taskDefinitionFamily':'web','taskDefinitionVersion':'7','containerMetrics':[{"
		"'containerName':'app','cpuStatsSet':{'max':25,'min':12.5,'sampleCount':2,'sum':37."
		"5},"
		"'memoryStatsSet':{'max':104,'min':99,'sampleCount':3,'sum':302},"
		"'networkStatsSet':{'rxBytes':{'max':5,'min':1,'sum':6,'sampleCount':2,'"
		"overflowMax':3},"
		"'txErrors':{'max':1},'rxBytesPerSecond':{'max':2.5}},'restartStatsSet':{'"
		"restartCount':4},"
		"'storageStatsSet':{'readSizeBytes':{'max':8192},'writeSizeBytes':{'sum':7}}},"
		"{'containerName':'bare'}]}]}}");
	const struct tcs_container_metric *app = &message->metrics.tasks[0].containers[0];
	const struct tcs_container_metric *bare = &message->metrics.tasks[0].containers[1];

	assert_true(message->metrics.fin);
	assert_true(message->metrics.timestamp_ms == 1700000000123);
	assert_string_equal(message->metrics.tasks[0].family, "web");
	assert_true(app->cpu.min == 12.5);
	assert_int_equal(app->memory.sample_count, 3);
	assert_true(app->has_network && app->network.has_bytes && app->network.has_rates);
	assert_int_equal(app->network.rx_bytes.overflow_max, 3);
	assert_int_equal(app->network.tx_errors.max, 1);
	assert_true(app->network.rx_bytes_per_second.max == 2.5);
	assert_true(app->has_restarts);
	assert_int_equal(app->restart_count, 4);
	assert_true(app->has_storage);
	assert_int_equal(app->write_size_bytes.sum, 7);
	assert_false(bare->has_network || bare->has_restarts || bare->has_storage);
}

static void health_arrives(void **state)
{
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message =
		decoded("{'type':'PublishHealthRequest','message':{" META
			",'timestamp':1700000000,'tasks':[{'taskArn':'t/1',"
			"'containers':[{'containerName':'app','healthStatus':'UNHEALTHY','"
			"statusSince':1699999999.9}]}]}}");

	assert_int_equal(message->health.tasks[0].containers[0].status, HEALTH_STATUS_UNHEALTHY);
	assert_true(message->health.tasks[0].containers[0].status_since_ms == 1699999999900);
	assert_true(message->health.timestamp_ms == 1700000000000);
}

static void instance_status_arrives(void **state)
{
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message = decoded(
		"{'type':'PublishInstanceStatusRequest','message':{'metadata':{'cluster':'c',"
		"'containerInstance':'i','requestId':'r'},'statuses':[{'type':'ContainerRuntime','"
		"status':'OK',"
		"'lastUpdated':1700000000.5}],'timestamp':1700000001}}");

	assert_string_equal(message->instance_status.request_id, "r");
	assert_string_equal(message->instance_status.checks[0].status, "OK");
	assert_true(message->instance_status.checks[0].has_last_updated);
	assert_false(message->instance_status.checks[0].has_last_status_change);
	assert_true(message->instance_status.checks[0].last_updated_ms == 1700000000500);
}

static void what_the_server_says_arrives(void **state)
{
	static const enum tcs_type types[] = { TCS_ACK_METRICS,
					       TCS_ACK_HEALTH,
					       TCS_ACK_INSTANCE_STATUS,
					       TCS_SERVER_EXCEPTION,
					       TCS_BAD_REQUEST_EXCEPTION,
					       TCS_RESOURCE_VALIDATION_EXCEPTION,
					       TCS_INVALID_PARAMETER_EXCEPTION,
					       TCS_STOP_SESSION };
	_cleanup_free_ char *heartbeat = tcs_encode_heartbeat(true);
	_cleanup_free_ char *ack = tcs_encode_text(TCS_ACK_METRICS, "ok");
	struct tcs_message *message = NULL;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		_cleanup_free_ char *text = tcs_encode_text(types[i], "said");

		assert_int_equal(tcs_decode(text, strlen(text), &message, NULL), 0);
		assert_int_equal(message->type, types[i]);
		assert_string_equal(message->text, "said");
		tcs_message_free(message);
	}
	assert_int_equal(tcs_decode(heartbeat, strlen(heartbeat), &message, NULL), 0);
	assert_true(message->healthy);
	tcs_message_free(message);
	assert_string_equal(ack,
			    "{\"type\":\"AckPublishMetric\",\"message\":{\"message\":\"ok\"}}");
}

static void others_are_refused(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *error; /* NULL: the parser's */
	} cases[] = {
		{ "{", -EBADMSG, NULL },
		{ "{}", -EBADMSG, "the message has no type" },
		{ "{'type':'AckPublishMetrics','message':{}}", -ENOMSG,
		  "unknown message type 'AckPublishMetrics'" },
		{ "{'type':'AckPublishMetric'}", -EBADMSG, "AckPublishMetric without a message" },
		{ "{'type':'AckPublishMetric','message':{'message':5}}", -EBADMSG,
		  "AckPublishMetric: message: must be a string, got a number" },
		{ "{'type':'PublishMetricsRequest','message':{}}", -EINVAL,
		  "PublishMetricsRequest: metadata is missing" },
		{ "{'type':'PublishMetricsRequest','message':{" META ",'timestamp':1e300}}",
		  -EINVAL, "PublishMetricsRequest: timestamp: 1e+300 is no time" },
		{ "{'type':'PublishMetricsRequest','message':{" META ",'taskMetrics':[{}]}}",
		  -EINVAL, "PublishMetricsRequest: taskMetrics[0]: taskArn is missing" },
		{ "{'type':'PublishMetricsRequest','message':{" META
		  ",'taskMetrics':[{'taskArn':'t','containerMetrics':[{}]}]}}",
		  -EINVAL,
		  "PublishMetricsRequest: taskMetrics[0].containerMetrics[0]: containerName is "
		  "missing" },
		{ "{'type':'PublishMetricsRequest','message':{" META
		  ",'taskMetrics':[{'taskArn':'t','containerMetrics':[{'containerName':'c','"
		  "cpuStatsSet':{'max':'x'}}]}]}}",
		  -EBADMSG,
		  "PublishMetricsRequest: taskMetrics[0].containerMetrics[0].cpuStatsSet.max: must "
		  "be a number, got a "
		  "string" },
		{ "{'type':'PublishHealthRequest','message':{" META
		  ",'tasks':[{'taskArn':'t','containers':[{'containerName':'c','healthStatus':'"
		  "fine'}]}]}}",
		  -EINVAL, "PublishHealthRequest: unrecognized health status 'fine'" },
		{ "{'type':'PublishInstanceStatusRequest','message':{'metadata':{},'statuses':[{'"
		  "type':'Agent'}]}}",
		  -EINVAL, "PublishInstanceStatusRequest: statuses[0]: status is missing" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcs_message *message = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(decode_tcs(cases[i].text, &message, &err), cases[i].result);
		assert_null(message);
		if (cases[i].error) {
			_cleanup_free_ char *expected = quoted(cases[i].error);

			assert_string_equal(err.text, expected);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics_arrive),
		cmocka_unit_test(health_arrives),
		cmocka_unit_test(instance_status_arrives),
		cmocka_unit_test(what_the_server_says_arrives),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
