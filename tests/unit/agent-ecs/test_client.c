/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_control_plane.h"

struct got {
	int times;
	int error;
	bool quota_exhausted;
	char name[128], body[256], text[1024];
};

static void keep(void *data, const struct ecs_response *response)
{
	struct got *got = data;

	got->times++;
	got->error = response->error;
	got->quota_exhausted = response->quota_exhausted;
	snprintf(got->name, sizeof(got->name), "%s", response->failure.name);
	snprintf(got->body, sizeof(got->body), "%s", response->body);
	snprintf(got->text, sizeof(got->text), "%s", response->err.text);
}

static bool answered(void *data)
{
	return ((struct got *)data)->times > 0;
}

static char *fast[] = { "BERTH_TIME_SCALE=1000", NULL };

static struct got call(struct fake *fake, const char *operation, enum ecs_retry retry)
{
	struct got got = { 0 };

	ecs_call(fake->client, operation, "{\"a\":1}", retry, keep, &got, NULL);
	assert_int_equal(got.times, 0); /* never from within */
	fake_run_until(fake, answered, &got);
	assert_int_equal(got.times, 1);
	return got;
}

/* cfg-R36 for this client: fake_stop() asserts that every signature was right. */
static void a_call_is_json_signed_and_named(void **state)
{
	const struct fake_request *request;
	struct fake fake;
	struct got got;

	fake_start(&fake, NULL);
	fake_answer(&fake, "DiscoverPollEndpoint", 200, "{\"endpoint\":\"e\"}");
	got = call(&fake, "DiscoverPollEndpoint", ECS_RETRY_STANDARD);
	assert_int_equal(got.error, 0);
	assert_string_equal(got.body, "{\"endpoint\":\"e\"}");
	request = fake_nth(&fake, "DiscoverPollEndpoint", 0);
	assert_string_equal(request->body, "{\"a\":1}");
	assert_string_equal(request->attempt, "attempt=1; max=3");
	assert_ptr_equal(strstr(request->user_agent, "Amazon ECS Agent - v"), request->user_agent);
	fake_stop(&fake);
}

static void what_can_pass_is_tried_three_times(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, fast);
	fake_answer(&fake, "X", 500, "{\"__type\":\"ServerException\",\"message\":\"oops\"}");
	fake_answer(&fake, "X", 400, "{\"__type\":\"ThrottlingException\"}");
	fake_answer(&fake, "X", 200, "{}");
	got = call(&fake, "X", ECS_RETRY_STANDARD);
	assert_int_equal(got.error, 0);
	assert_int_equal(fake_count(&fake, "X"), 3);
	assert_string_equal(fake_nth(&fake, "X", 2)->attempt, "attempt=3; max=3");

	for (int i = 0; i < 4; i++)
		fake_answer(&fake, "Y", 503, "busy");
	got = call(&fake, "Y", ECS_RETRY_STANDARD);
	assert_int_equal(got.error, -EPROTO);
	assert_int_equal(fake_count(&fake, "Y"), 3);
	assert_non_null(strstr(got.text, "call Y: HTTP 503"));
	fake_stop(&fake);
}

static void what_is_refused_is_not_tried_again(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, fast);
	fake_answer(&fake, "X", 400,
		    "{\"__type\":\"com.amazon#AccessDeniedException\",\"message\":\"no\"}");
	got = call(&fake, "X", ECS_RETRY_SUBMIT);
	assert_int_equal(got.error, -EPROTO);
	assert_string_equal(got.name, "AccessDeniedException");
	assert_string_equal(got.text, "call X: HTTP 400: AccessDeniedException: no");
	assert_int_equal(fake_count(&fake, "X"), 1);
	fake_stop(&fake);
}

static void the_header_names_the_error_before_the_body(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, fast);
	fake_answer_with_header(&fake, "X", 400, "{\"__type\":\"Other\"}",
				"ns#ClientException:http://x");
	got = call(&fake, "X", ECS_RETRY_STANDARD);
	assert_string_equal(got.name, "ClientException");
	fake_stop(&fake);
}

static void submits_go_on_until_the_quota_is_used_up(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, (char *[]){ "BERTH_TIME_SCALE=1000000", NULL });
	for (int i = 0; i < 12; i++)
		fake_answer(&fake, "X", 500, "");
	got = call(&fake, "X", ECS_RETRY_SUBMIT);
	assert_int_equal(got.error, 0);
	assert_int_equal(fake_count(&fake, "X"), 13);
	/* 12 retries took 60 tokens; the last of them came back. 445 are left: 89 more. */
	for (int i = 0; i < 200; i++)
		fake_answer(&fake, "Y", 500, "");
	got = call(&fake, "Y", ECS_RETRY_SUBMIT);
	assert_int_equal(got.error, -EPROTO);
	assert_true(got.quota_exhausted);
	assert_int_equal(fake_count(&fake, "Y"), 90);
	fake_stop(&fake);
}

static void a_cancelled_call_never_answers(void **state)
{
	struct ecs_call *pending;
	struct got got = { 0 };
	struct fake fake;

	fake_start(&fake, fast);
	ecs_call(fake.client, "X", "{}", ECS_RETRY_STANDARD, keep, &got, &pending);
	ecs_call_cancel(pending);
	fake_answer_nothing(&fake, "Y");
	ecs_call(fake.client, "Y", "{}", ECS_RETRY_STANDARD, keep, &got, &pending);
	fake_run_until_count(&fake, "Y", 1);
	ecs_call_cancel(pending);
	fake_run_for(&fake, 20);
	assert_int_equal(got.times, 0);
	fake_stop(&fake);
}

static void a_wrong_clock_is_corrected_by_the_control_planes(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, fast);
	fake.ahead_ms = -3600LL * 1000;
	got = call(&fake, "X", ECS_RETRY_STANDARD);
	assert_int_equal(got.error, 0);
	assert_int_equal(fake.refused_for_time, 1);
	assert_int_equal(fake_count(&fake, "X"), 2);
	/* What is signed later has the right time at once: calls, handshakes, messages. */
	got = call(&fake, "Y", ECS_RETRY_NONE);
	assert_int_equal(got.error, 0);
	assert_int_equal(fake.refused_for_time, 1);
	assert_in_range(aws_credentials_wall_ms(fake.credentials),
			clock_wall_ms() + fake.ahead_ms - 5000,
			clock_wall_ms() + fake.ahead_ms + 5000);
	fake_stop(&fake);
}

static void a_refusal_that_is_not_for_the_time_is_not_repeated(void **state)
{
	struct fake fake;
	struct got got;

	fake_start(&fake, fast);
	fake_answer(&fake, "X", 400, "{\"__type\":\"InvalidSignatureException\"}");
	got = call(&fake, "X", ECS_RETRY_STANDARD);
	assert_int_equal(got.error, -EPROTO);
	assert_int_equal(fake_count(&fake, "X"), 1);
	fake_stop(&fake);
}

static void nobody_there_is_an_error_that_names_the_call(void **state)
{
	struct agent_config *config = NULL;
	char *environment[] = { "AWS_REGION=r",          "ECS_BACKEND_HOST=http://127.0.0.1:1",
				"AWS_ACCESS_KEY_ID=a",   "AWS_SECRET_ACCESS_KEY=b",
				"BERTH_TIME_SCALE=1000", NULL };
	struct aws_credentials *credentials;
	struct ecs_client *client;
	struct fake fake;
	struct got got = { 0 };

	fake_start(&fake, NULL);
	assert_int_equal(config_load(environment, NULL, &config, NULL, NULL), 0);
	credentials = ecs_credentials_new(fake.loop, fake.http, fake.http, NULL, config);
	client = ecs_client_new(fake.loop, fake.http, credentials, config, false);
	ecs_call(client, "X", "{}", ECS_RETRY_STANDARD, keep, &got, NULL);
	fake_run_until(&fake, answered, &got);
	assert_int_equal(got.error, -ECONNREFUSED);
	assert_non_null(strstr(got.text, "call X: "));
	ecs_client_free(client);
	aws_credentials_free(credentials);
	config_free(config);
	fake_stop(&fake);
}

static void without_keys_the_call_fails_later_and_says_why(void **state)
{
	struct agent_config *config = NULL;
	char *environment[] = { "AWS_REGION=r", NULL };
	struct aws_credentials *credentials;
	struct ecs_client *client;
	struct fake fake;
	struct got got = { 0 };

	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
	fake_start(&fake, NULL);
	assert_int_equal(config_load(environment, NULL, &config, NULL, NULL), 0);
	credentials = ecs_credentials_new(fake.loop, fake.http, fake.http, NULL, config);
	client = ecs_client_new(fake.loop, fake.http, credentials, config, false);
	ecs_call(client, "X", "{}", ECS_RETRY_STANDARD, keep, &got, NULL);
	assert_int_equal(got.times, 0);
	fake_run_until(&fake, answered, &got);
	assert_int_equal(got.error, -ENOKEY);
	assert_non_null(strstr(got.text, "call X: there are no AWS credentials"));
	ecs_client_free(client);
	aws_credentials_free(credentials);
	config_free(config);
	fake_stop(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_json_signed_and_named),
		cmocka_unit_test(what_can_pass_is_tried_three_times),
		cmocka_unit_test(what_is_refused_is_not_tried_again),
		cmocka_unit_test(the_header_names_the_error_before_the_body),
		cmocka_unit_test(submits_go_on_until_the_quota_is_used_up),
		cmocka_unit_test(a_cancelled_call_never_answers),
		cmocka_unit_test(a_wrong_clock_is_corrected_by_the_control_planes),
		cmocka_unit_test(a_refusal_that_is_not_for_the_time_is_not_repeated),
		cmocka_unit_test(nobody_there_is_an_error_that_names_the_call),
		cmocka_unit_test(without_keys_the_call_fails_later_and_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
