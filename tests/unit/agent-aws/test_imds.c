/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/imds.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "fake_imds.h"

#define MAC "/latest/meta-data/mac"

static const struct fake_imds_file files[] = {
	{ MAC, 200, "02:00:00:00:00:07", 0 },
	{ "/latest/meta-data/broken", 500, "", 2 },
	{ "/latest/meta-data/broken", 200, "whole", 0 },
	{ "/latest/meta-data/always-broken", 503, "", 0 },
	{ "/latest/meta-data/silent", 0, "", 0 },
	{ "/latest/meta-data/forbidden", 403, "", 0 },
	{ NULL, 0, NULL, 0 },
};

static void one_token_is_for_many_questions(void **state)
{
	struct fake_imds fake = { .files = files, .token_required = true };
	struct fake_imds_got got;

	fake_imds_start(&fake, false);
	got = fake_imds_ask(&fake, MAC);
	assert_int_equal(got.error, 0);
	assert_int_equal(got.status, 200);
	assert_string_equal(got.body, "02:00:00:00:00:07");
	got = fake_imds_ask(&fake, "/latest/meta-data/outpost-arn");
	assert_int_equal(got.error, -ENOENT);
	assert_int_equal(got.status, 404);
	assert_string_equal(got.text,
			    "read instance metadata /latest/meta-data/outpost-arn: HTTP 404");
	assert_int_equal(fake.token_requests, 1);
	assert_string_equal(fake.token_ttl_asked, "300");
	assert_int_equal(fake.with_token, 2);
	assert_int_equal(fake.without_token, 0);
	fake_imds_stop(&fake);
}

static bool both_came(void *data)
{
	struct fake_imds_got *got = data;

	return got[0].times > 0 && got[1].times > 0;
}

static void who_asks_meanwhile_waits_for_the_same_token(void **state)
{
	struct fake_imds fake = { .files = files, .token_required = true };
	struct fake_imds_got got[2] = { 0 };

	fake_imds_start(&fake, false);
	imds_get(fake.imds, MAC, fake_imds_keep, &got[0], NULL);
	imds_get(fake.imds, MAC, fake_imds_keep, &got[1], NULL);
	fake_imds_run_until(&fake, both_came, got);
	assert_int_equal(got[0].error, 0);
	assert_int_equal(got[1].error, 0);
	assert_int_equal(fake.token_requests, 1);
	fake_imds_stop(&fake);
}

static void a_token_is_renewed_before_it_ends(void **state)
{
	struct fake_imds fake = { .files = files, .token_ttl = 1 };

	/* All of its second is the margin. */
	fake_imds_start(&fake, false);
	assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
	assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
	assert_int_equal(fake.token_requests, 2);
	fake_imds_stop(&fake);
}

static void a_token_that_ended_early_is_asked_for_anew(void **state)
{
	struct fake_imds fake = { .files = files, .token_required = true };

	fake_imds_start(&fake, true);
	assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
	fake.token_expired = true;
	assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
	assert_int_equal(fake.token_requests, 2);
	assert_int_equal(fake.with_token, 3);
	fake_imds_stop(&fake);
}

static void without_tokens_version_1_is_spoken(void **state)
{
	static const int statuses[] = { 403, 404, 405, -1 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct fake_imds fake = { .files = files, .token_status = statuses[i] };

		fake_imds_start(&fake, false);
		assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
		assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
		assert_int_equal(fake.token_requests, 1);
		assert_int_equal(fake.without_token, 2);
		fake_imds_stop(&fake);
	}
}

static void version_2_is_tried_again_when_version_1_is_refused(void **state)
{
	struct fake_imds fake = { .files = files, .token_status = 404 };

	fake_imds_start(&fake, false);
	assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
	fake.token_required = true;
	fake.token_status = 0;
	assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
	assert_int_equal(fake.token_requests, 2);
	assert_int_equal(fake.with_token, 1);
	fake_imds_stop(&fake);
}

static void version_1_can_be_switched_off(void **state)
{
	struct fake_imds fake = { .files = files, .token_status = 404 };
	struct fake_imds_got got;

	fake_imds_start(&fake, true);
	got = fake_imds_ask(&fake, MAC);
	assert_int_equal(got.error, -EPROTO);
	assert_int_equal(fake.without_token, 0);
	assert_int_equal(fake.token_requests, 5);
	assert_string_equal(got.text, "read instance metadata " MAC ": ask for a token: HTTP 404");
	fake_imds_stop(&fake);
}

static void a_token_that_never_comes_has_a_hint(void **state)
{
	struct fake_imds fake = { .files = files, .token_status = -1 };
	struct fake_imds_got got;

	fake_imds_start(&fake, true);
	got = fake_imds_ask(&fake, MAC);
	assert_int_equal(got.error, -ETIMEDOUT);
	assert_non_null(strstr(got.text, "hop limit"));
	fake_imds_stop(&fake);
}

static void a_question_that_is_none_is_not_repeated(void **state)
{
	struct fake_imds fake = { .files = files, .token_status = 400 };

	fake_imds_start(&fake, false);
	assert_int_equal(fake_imds_ask(&fake, MAC).error, -EPROTO);
	assert_int_equal(fake.token_requests, 1);
	fake.token_status = 0;
	assert_int_equal(fake_imds_ask(&fake, "/latest/meta-data/forbidden").status, 403);
	assert_int_equal(fake.with_token, 1);
	fake_imds_stop(&fake);
}

static void what_may_pass_is_tried_five_times(void **state)
{
	struct fake_imds fake = { .files = files };
	struct fake_imds_got got;

	fake_imds_start(&fake, false);
	got = fake_imds_ask(&fake, "/latest/meta-data/broken");
	assert_string_equal(got.body, "whole");
	assert_int_equal(fake.with_token, 3);
	got = fake_imds_ask(&fake, "/latest/meta-data/always-broken");
	assert_int_equal(got.status, 503);
	assert_int_equal(fake.with_token, 8);
	fake_imds_stop(&fake);
}

static void silence_is_waited_for_no_longer_than_five_seconds(void **state)
{
	struct fake_imds fake = { .files = files };
	int64_t since_ms = clock_monotonic_ms();

	fake_imds_start(&fake, false);
	assert_int_equal(fake_imds_ask(&fake, "/latest/meta-data/silent").error, -ETIMEDOUT);
	assert_int_equal(fake.with_token, 5);
	assert_in_range(clock_monotonic_ms() - since_ms, 5 * 700, 6000);
	fake_imds_stop(&fake);
}

/* cfg-C5: its first half; the exit code is in test_registration.py. */
static void nobody_there_is_said_soon(void **state)
{
	struct fake_imds fake = { .files = files };
	struct fake_imds_got got;

	fake_imds_start(&fake, false);
	web_listener_free(fake.listener);
	fake.listener = NULL;
	got = fake_imds_ask(&fake, MAC);
	assert_int_equal(got.error, -ECONNREFUSED);
	assert_non_null(strstr(got.text, "read instance metadata " MAC ": "));
	fake_imds_stop(&fake);
}

static void what_is_cancelled_is_never_answered(void **state)
{
	struct fake_imds fake = { .files = files };
	struct fake_imds_got got = { 0 };
	struct imds_call *call;

	fake_imds_start(&fake, false);
	imds_get(fake.imds, MAC, fake_imds_keep, &got, &call);
	imds_cancel(call);
	assert_int_equal(fake_imds_ask(&fake, MAC).error, 0);
	imds_get(fake.imds, MAC, fake_imds_keep, &got, NULL);
	imds_get(fake.imds, "/latest/meta-data/silent", fake_imds_keep, &got, NULL);
	fake_imds_stop(&fake);
	assert_int_equal(got.times, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_token_is_for_many_questions),
		cmocka_unit_test(who_asks_meanwhile_waits_for_the_same_token),
		cmocka_unit_test(a_token_is_renewed_before_it_ends),
		cmocka_unit_test(a_token_that_ended_early_is_asked_for_anew),
		cmocka_unit_test(without_tokens_version_1_is_spoken),
		cmocka_unit_test(version_2_is_tried_again_when_version_1_is_refused),
		cmocka_unit_test(version_1_can_be_switched_off),
		cmocka_unit_test(a_token_that_never_comes_has_a_hint),
		cmocka_unit_test(a_question_that_is_none_is_not_repeated),
		cmocka_unit_test(what_may_pass_is_tried_five_times),
		cmocka_unit_test(silence_is_waited_for_no_longer_than_five_seconds),
		cmocka_unit_test(nobody_there_is_said_soon),
		cmocka_unit_test(what_is_cancelled_is_never_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
