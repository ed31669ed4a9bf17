/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "fake_control_plane.h"

#define RCI                    "RegisterContainerInstance"
#define ARN                    "arn:aws:ecs:us-west-2:1:container-instance/demo/0f9d"
#define FAILURE(name, message) "{\"__type\":\"" name "\",\"message\":\"" message "\"}"

/* As the agent has it for the machine that the test runs on. */
#if defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "x86_64"
#endif

/* Everything that has a value, and what the instance adds. */
#define GOOD                                                                                       \
	"{\"containerInstance\":{\"containerInstanceArn\":\"" ARN "\",\"attributes\":["            \
	"{\"name\":\"ecs.os-type\",\"value\":\"linux\"},{\"name\":\"ecs.os-family\",\"value\":"    \
	"\"LINUX\"},{\"name\":\"berth.network-address\",\"value\":\"192.0.2.2\"},"                 \
	"{\"name\":\"ecs.os-type-detailed\",\"value\":\"LINUX\"},{\"name\":\"stack\",\"value\":"   \
	"\"prod\"},"                                                                               \
	"{\"name\":\"ecs.cpu-architecture\",\"value\":\"" ARCHITECTURE "\"},"                      \
	"{\"name\":\"ecs.availability-zone\",\"value\":\"us-west-2a\"}]}}"

struct got {
	int times;
	enum ecs_exit exit_code;
	char arn[256], zone[64], cluster[64], text[1024];
};

static void keep(void *data, const struct registration_result *result)
{
	struct got *got = data;

	got->times++;
	got->exit_code = result->exit_code;
	if (result->exit_code == ECS_EXIT_OK) {
		snprintf(got->arn, sizeof(got->arn), "%s", result->container_instance);
		snprintf(got->zone, sizeof(got->zone), "%s", result->availability_zone);
		snprintf(got->cluster, sizeof(got->cluster), "%s", result->cluster);
	}
	snprintf(got->text, sizeof(got->text), "%s", result->err.text);
}

static bool done(void *data)
{
	return ((struct got *)data)->times > 0;
}

static struct got register_with(struct fake *fake, const struct registration_input *more)
{
	struct registration_input input = *more;
	struct host_resources host = { 0 };
	struct got got = { 0 };

	assert_int_equal(host_resources_read(fake->config, &host, NULL), 0);
	input.loop = fake->loop;
	input.client = fake->client;
	input.config = fake->config;
	input.host = &host;
	registration_start(&input, keep, &got);
	assert_int_equal(got.times, 0);
	fake_run_until(fake, done, &got);
	host_resources_free(&host);
	return got;
}

static struct got do_register(struct fake *fake, const char *saved_arn, const char *saved_cluster)
{
	return register_with(fake, &(struct registration_input){ .saved_arn = saved_arn,
								 .saved_cluster = saved_cluster });
}

/* With plugins of others there is no attribute of their version, whose value GOOD would need. */
#define FAST "BERTH_TIME_SCALE=1000", "ECS_CNI_PLUGINS_PATH=/nowhere"
static char *named[] = { FAST, "ECS_CLUSTER=demo", "ECS_INSTANCE_ATTRIBUTES={\"stack\":\"prod\"}",
			 NULL };
static char *unnamed[] = { FAST, "ECS_INSTANCE_ATTRIBUTES={\"stack\":\"prod\"}", NULL };

static json_t *body_of(const struct fake *fake, size_t n)
{
	json_t *json = json_loads(fake_nth(fake, RCI, n)->body, 0, NULL);

	assert_non_null(json);
	return json;
}

static bool has_attribute(json_t *body, const char *name)
{
	json_t *attributes = json_object_get(body, "attributes"), *item;
	size_t i;

	json_array_foreach (attributes, i, item)
		if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
			return true;
	return false;
}

/* What enforces security groups says so, and only that. */
static void the_network_is_announced_when_it_is_enforced(void **state)
{
	struct fake fake;
	json_t *body;

	fake_start(&fake,
		   (char *[]){ FAST, "ECS_CLUSTER=demo", "BERTH_NETWORK_ADDRESS=192.0.2.2", NULL });
	fake_answer(&fake, RCI, 200, GOOD);
	fake_answer(&fake, RCI, 200, GOOD);
	for (size_t i = 0; i < 2; i++) {
		struct registration_input input = { .enforces_network = i == 1 };

		assert_int_equal(register_with(&fake, &input).exit_code, ECS_EXIT_OK);
		body = body_of(&fake, i);
		assert_int_equal(has_attribute(body, "berth.capability.network"), i == 1);
		assert_true(has_attribute(body, "berth.network-address"));
		json_decref(body);
	}
	fake_stop(&fake);
}

static const char *text_of(json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

/* cfg-R1 for the request and the answer; cfg-R9: names without a value need no echo. */
static void a_new_instance_is_registered(void **state)
{
	struct fake fake;
	struct got got;
	json_t *body;

	fake_start(&fake, (char *[]){ FAST, "ECS_CLUSTER=demo",
				      "ECS_INSTANCE_ATTRIBUTES={\"stack\":\"prod\"}",
				      "ECS_CONTAINER_INSTANCE_TAGS={\"team\":\"a\"}",
				      "BERTH_HOST_CPU=4096", "BERTH_HOST_MEMORY=1000",
				      "ECS_RESERVED_MEMORY=24", NULL });
	fake_answer(&fake, RCI, 200, GOOD);
	got = do_register(&fake, NULL, NULL);
	assert_int_equal(got.exit_code, ECS_EXIT_OK);
	assert_string_equal(got.arn, ARN);
	assert_string_equal(got.zone, "us-west-2a");
	assert_string_equal(got.cluster, "demo");

	body = body_of(&fake, 0);
	assert_string_equal(text_of(body, "cluster"), "demo");
	assert_null(json_object_get(body, "containerInstanceArn"));
	assert_null(json_object_get(body, "versionInfo"));
	assert_string_equal(text_of(body, "instanceIdentityDocument"), "");
	assert_string_equal(text_of(body, "instanceIdentityDocumentSignature"), "");
	assert_int_equal(strlen(text_of(body, "clientToken")), 36);
	assert_true(has_attribute(body, "stack"));
	assert_true(has_attribute(body, "ecs.capability.task-eni"));
	assert_true(has_attribute(body, "ecs.os-type"));
	assert_true(has_attribute(body, "ecs.cpu-architecture"));
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(body, "tags"), 0), "key")),
			    "team");
	{
		static const char *const names[] = { "CPU", "MEMORY", "PORTS", "PORTS_UDP" };
		json_t *resources = json_object_get(body, "totalResources");

		assert_int_equal(json_array_size(resources), 4);
		for (size_t i = 0; i < 4; i++)
			assert_string_equal(text_of(json_array_get(resources, i), "name"),
					    names[i]);
		assert_int_equal(json_integer_value(json_object_get(json_array_get(resources, 0),
								    "integerValue")),
				 4096);
		assert_int_equal(json_integer_value(json_object_get(json_array_get(resources, 1),
								    "integerValue")),
				 976);
		assert_int_equal(json_array_size(json_object_get(json_array_get(resources, 2),
								 "stringSetValue")),
				 5);
		assert_int_equal(json_array_size(json_object_get(json_array_get(resources, 3),
								 "stringSetValue")),
				 0);
	}
	json_decref(body);
	fake_stop(&fake);
}

/* cfg-R10 */
static void a_saved_instance_is_registered_again(void **state)
{
	struct fake fake;
	struct got got;
	json_t *body;

	fake_start(&fake, named);
	fake_answer(&fake, RCI, 200, GOOD);
	got = do_register(&fake, "arn:saved", "demo");
	assert_int_equal(got.exit_code, ECS_EXIT_OK);
	assert_string_equal(got.arn, "arn:saved");
	body = body_of(&fake, 0);
	assert_string_equal(text_of(body, "containerInstanceArn"), "arn:saved");
	assert_false(has_attribute(body, "stack"));
	assert_true(has_attribute(body, "ecs.capability.task-eni"));
	json_decref(body);
	fake_stop(&fake);
}

/* cfg-R2 */
static void the_default_cluster_is_made_when_it_is_missing(void **state)
{
	struct fake fake;
	struct got got;
	json_t *first, *second;

	fake_start(&fake, unnamed);
	fake_answer(&fake, RCI, 400, FAILURE("ClientException", "Cluster not found."));
	fake_answer(&fake, "CreateCluster", 200, "{\"cluster\":{\"clusterName\":\"default\"}}");
	fake_answer(&fake, RCI, 200, GOOD);
	got = do_register(&fake, NULL, NULL);
	assert_int_equal(got.exit_code, ECS_EXIT_OK);
	assert_string_equal(got.cluster, "default");
	assert_string_equal(fake_nth(&fake, "CreateCluster", 0)->body,
			    "{\"clusterName\":\"default\"}");
	first = body_of(&fake, 0);
	second = body_of(&fake, 1);
	assert_string_equal(text_of(first, "cluster"), "default");
	assert_string_equal(text_of(first, "clientToken"), text_of(second, "clientToken"));
	json_decref(first);
	json_decref(second);
	fake_stop(&fake);
}

/* cfg-R3 */
static void a_configured_cluster_is_never_made(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, named);
	fake_answer(&fake, RCI, 400, FAILURE("ClientException", "Cluster not found."));
	got = do_register(&fake, NULL, NULL);
	assert_int_equal(got.exit_code, ECS_EXIT_TERMINAL);
	assert_int_equal(fake_count(&fake, "CreateCluster"), 0);
	assert_int_equal(fake_count(&fake, RCI), 1);
	assert_string_equal(
		got.text,
		"register this host in cluster demo: call RegisterContainerInstance: HTTP 400: "
		"ClientException: Cluster not found.");
	fake_stop(&fake);
}

/* cfg-R4 */
static void without_a_cluster_any_failure_is_tried_once_more(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, unnamed);
	fake_answer(&fake, RCI, 400, FAILURE("InvalidParameterException", "x"));
	fake_answer(&fake, RCI, 200, GOOD);
	got = do_register(&fake, NULL, NULL);
	assert_int_equal(got.exit_code, ECS_EXIT_OK);
	assert_int_equal(fake_count(&fake, "CreateCluster"), 0);
	fake_answer(&fake, RCI, 400, FAILURE("InvalidParameterException", "x"));
	fake_answer(&fake, RCI, 400, FAILURE("InvalidParameterException", "x"));
	got = do_register(&fake, NULL, NULL);
	assert_int_equal(got.exit_code, ECS_EXIT_TERMINAL);
	assert_int_equal(fake_count(&fake, RCI), 4);
	fake_stop(&fake);
}

/* cfg-R5: two are absorbed within one call; four need a second one, seven a third. The token stays.
 */
static void throttling_is_waited_out(void **state)
{
	static const struct {
		int throttled;
		size_t requests;
	} cases[] = { { 2, 3 }, { 4, 5 }, { 7, 8 } };

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct fake fake;
		struct got got;
		json_t *first, *last;

		fake_start(&fake, named);
		for (int i = 0; i < cases[c].throttled; i++)
			fake_answer(&fake, RCI, 400, FAILURE("ThrottlingException", "slow"));
		fake_answer(&fake, RCI, 200, GOOD);
		got = do_register(&fake, NULL, NULL);
		assert_int_equal(got.exit_code, ECS_EXIT_OK);
		assert_int_equal(fake_count(&fake, RCI), cases[c].requests);
		first = body_of(&fake, 0);
		last = body_of(&fake, cases[c].requests - 1);
		assert_string_equal(text_of(first, "clientToken"), text_of(last, "clientToken"));
		json_decref(first);
		json_decref(last);
		fake_stop(&fake);
	}
}

/* An hour of throttling is the end, with what the control plane said last: no instance without a
 * name. */
static void an_hour_of_throttling_is_an_error(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, (char *[]){ "BERTH_TIME_SCALE=20000", "ECS_CLUSTER=demo", NULL });
	for (int i = 0; i < 400; i++)
		fake_answer(&fake, RCI, 400, FAILURE("ThrottlingException", "slow"));
	got = do_register(&fake, NULL, NULL);
	assert_int_equal(got.exit_code, ECS_EXIT_ERROR);
	assert_non_null(strstr(got.text, "ThrottlingException: slow"));
	assert_true(fake_count(&fake, RCI) >= 3);
	fake_stop(&fake);
}

/* cfg-R6, cfg-R8, cfg-R11 */
static void failures_decide_the_exit_code(void **state)
{
	static const struct {
		int status;
		const char *body, *saved;
		enum ecs_exit exit_code;
		const char *text;
	} cases[] = {
		{ 400, FAILURE("AccessDeniedException", "no"), NULL, ECS_EXIT_ERROR,
		  "AccessDeniedException: no" },
		{ 400, FAILURE("InvalidParameterException", "no"), NULL, ECS_EXIT_TERMINAL,
		  "InvalidParameterException" },
		{ 400,
		  FAILURE("FooException", "Container instance type changes are not supported."),
		  "arn:saved", ECS_EXIT_TERMINAL, "type changes" },
		{ 400,
		  FAILURE("FooException", "Container instance type changes are not supported."),
		  NULL, ECS_EXIT_ERROR, "type changes" },
		{ 200, "{}", NULL, ECS_EXIT_ERROR, "containerInstance" },
		{ 200, "not JSON", NULL, ECS_EXIT_ERROR, "" },
		/* The value of "stack" is not echoed. */
		{ 200,
		  "{\"containerInstance\":{\"containerInstanceArn\":\"" ARN "\",\"attributes\":["
		  "{\"name\":\"ecs.os-type\",\"value\":\"linux\"},{\"name\":\"ecs.os-family\","
		  "\"value\":\"LINUX\"},"
		  "{\"name\":\"ecs.os-type-detailed\",\"value\":\"LINUX\"},{\"name\":\"stack\"}]}}",
		  NULL, ECS_EXIT_TERMINAL, "stack" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake fake;
		struct got got;

		fake_start(&fake, named);
		fake_answer(&fake, RCI, cases[i].status, cases[i].body);
		got = do_register(&fake, cases[i].saved, cases[i].saved ? "demo" : NULL);
		assert_int_equal(got.exit_code, cases[i].exit_code);
		assert_non_null(strstr(got.text, cases[i].text));
		assert_int_equal(fake_count(&fake, RCI), 1);
		fake_stop(&fake);
	}
}

/* acs-S16 */
static void an_attribute_that_is_not_echoed_at_all_is_terminal(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, named);
	fake_answer(&fake, RCI, 200,
		    "{\"containerInstance\":{\"containerInstanceArn\":\"" ARN "\",\"attributes\":["
		    "{\"name\":\"ecs.os-type\",\"value\":\"linux\"},{\"name\":\"ecs.os-family\","
		    "\"value\":\"LINUX\"},"
		    "{\"name\":\"stack\",\"value\":\"prod\"}]}}");
	got = do_register(&fake, NULL, NULL);
	assert_int_equal(got.exit_code, ECS_EXIT_TERMINAL);
	assert_non_null(strstr(got.text, "ecs.os-type-detailed"));
	fake_stop(&fake);
}

/* cfg-R12, cfg-R13 */
static void another_cluster_than_the_saved_one_is_refused_before_any_call(void **state)
{
	static const char *const saved[] = { "other", "arn:aws:ecs:us-west-2:1:cluster/demo" };

	for (size_t i = 0; i < 2; i++) {
		struct fake fake;
		struct got got;

		fake_start(&fake, named);
		got = do_register(&fake, ARN, saved[i]);
		assert_int_equal(got.exit_code, ECS_EXIT_TERMINAL);
		assert_non_null(strstr(got.text, "the saved state belongs to cluster"));
		assert_int_equal(fake.request_count, 0);
		fake_stop(&fake);
	}
}

/* cfg-R7 */
static void a_control_plane_that_is_down_is_an_error_after_three_attempts(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, named);
	web_listener_free(fake.listener);
	got = do_register(&fake, NULL, NULL);
	assert_int_equal(got.exit_code, ECS_EXIT_ERROR);
	assert_non_null(strstr(got.text, "connect"));
	fake_stop(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_instance_is_registered),
		cmocka_unit_test(the_network_is_announced_when_it_is_enforced),
		cmocka_unit_test(a_saved_instance_is_registered_again),
		cmocka_unit_test(the_default_cluster_is_made_when_it_is_missing),
		cmocka_unit_test(a_configured_cluster_is_never_made),
		cmocka_unit_test(without_a_cluster_any_failure_is_tried_once_more),
		cmocka_unit_test(throttling_is_waited_out),
		cmocka_unit_test(an_hour_of_throttling_is_an_error),
		cmocka_unit_test(failures_decide_the_exit_code),
		cmocka_unit_test(an_attribute_that_is_not_echoed_at_all_is_terminal),
		cmocka_unit_test(another_cluster_than_the_saved_one_is_refused_before_any_call),
		cmocka_unit_test(a_control_plane_that_is_down_is_an_error_after_three_attempts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
