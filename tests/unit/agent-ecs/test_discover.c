/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/discover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_control_plane.h"

#define DPE "DiscoverPollEndpoint"

struct got {
	int times;
	bool failed;
	char endpoint[128], telemetry[128], text[1024];
};

static void keep(void *data, const struct discover_endpoints *endpoints, const struct error *err)
{
	struct got *got = data;

	got->times++;
	got->failed = !endpoints;
	assert_true(!endpoints == !!err);
	if (endpoints) {
		snprintf(got->endpoint, sizeof(got->endpoint), "%s",
			 endpoints->endpoint ? endpoints->endpoint : "-");
		snprintf(got->telemetry, sizeof(got->telemetry), "%s",
			 endpoints->telemetry_endpoint ? endpoints->telemetry_endpoint : "-");
	} else {
		snprintf(got->text, sizeof(got->text), "%s", err->text);
	}
}

static bool answered(void *data)
{
	return ((struct got *)data)->times > 0;
}

static struct got ask(struct fake *fake, struct discover *discover)
{
	struct got got = { 0 };

	discover_get(discover, keep, &got);
	assert_int_equal(got.times, 0);
	fake_run_until(fake, answered, &got);
	return got;
}

/* cfg-R33 */
static void both_sessions_share_one_call(void **state)
{
	struct got acs = { 0 }, tcs = { 0 }, later;
	struct discover *discover;
	struct fake fake;

	fake_start(&fake, NULL);
	fake_answer(&fake, DPE, 200,
		    "{\"endpoint\":\"http://a\",\"telemetryEndpoint\":\"http://t\"}");
	discover = discover_new(fake.loop, fake.client, fake.config, &fake.instance);
	discover_get(discover, keep, &acs);
	discover_get(discover, keep, &tcs);
	fake_run_until(&fake, answered, &tcs);
	assert_string_equal(acs.endpoint, "http://a");
	assert_string_equal(tcs.telemetry, "http://t");
	later = ask(&fake, discover);
	assert_string_equal(later.endpoint, "http://a");
	assert_int_equal(fake_count(&fake, DPE), 1);
	assert_string_equal(fake_nth(&fake, DPE, 0)->body,
			    "{\"cluster\":\"demo\",\"containerInstance\":\"arn:aws:ecs:us-west-2:1:"
			    "container-instance/demo/"
			    "0f9d\",\"zoneId\":\"\"}");
	discover_free(discover);
	fake_stop(&fake);
}

/* cfg-R32: twelve hours are 43 ms here. */
static void an_expired_answer_is_better_than_none(void **state)
{
	struct discover *discover;
	struct fake fake;
	struct got got;

	fake_start(&fake, (char *[]){ "BERTH_TIME_SCALE=1000000", NULL });
	discover = discover_new(fake.loop, fake.client, fake.config, &fake.instance);
	for (int i = 0; i < 3; i++)
		fake_answer(&fake, DPE, 500, "{}");
	got = ask(&fake, discover);
	assert_true(got.failed);
	assert_non_null(strstr(got.text, "call DiscoverPollEndpoint: HTTP 500"));

	fake_answer(&fake, DPE, 200, "{\"endpoint\":\"http://a\"}");
	got = ask(&fake, discover);
	assert_string_equal(got.endpoint, "http://a");
	assert_string_equal(got.telemetry, "-");
	fake_run_for(&fake, 60);
	for (int i = 0; i < 3; i++)
		fake_answer(&fake, DPE, 500, "{}");
	got = ask(&fake, discover);
	assert_false(got.failed);
	assert_string_equal(got.endpoint, "http://a");
	assert_int_equal(fake_count(&fake, DPE), 7);
	/* And a better one takes its place. */
	fake_answer(&fake, DPE, 200, "{\"endpoint\":\"http://b\"}");
	got = ask(&fake, discover);
	assert_string_equal(got.endpoint, "http://b");
	discover_free(discover);
	fake_stop(&fake);
}

static void who_has_left_is_not_answered(void **state)
{
	struct got gone = { 0 }, here = { 0 };
	struct discover *discover;
	struct fake fake;

	fake_start(&fake, NULL);
	fake_answer(&fake, DPE, 200, "{}");
	discover = discover_new(fake.loop, fake.client, fake.config, &fake.instance);
	discover_get(discover, keep, &gone);
	discover_get(discover, keep, &here);
	discover_forget(discover, &gone);
	fake_run_until(&fake, answered, &here);
	assert_int_equal(gone.times, 0);
	discover_free(discover);
	fake_stop(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sessions_share_one_call),
		cmocka_unit_test(an_expired_answer_is_better_than_none),
		cmocka_unit_test(who_has_left_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
