/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/retry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const double least = 0.0;
static const double most = 0.999999;

/* acs-S7 for the waits: 60-118 ms, 120-236, 240-472. */
static void submits_wait_twice_as_long_each_time_then_five_minutes(void **state)
{
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 1, least), 60);
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 1, most), 118);
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 2, least), 120);
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 2, most), 236);
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 3, least), 240);
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 3, most), 472);
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 13, most), 8192 * 59);
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 14, least), 300000);
	assert_int_equal(retry_wait_ms(ECS_RETRY_SUBMIT, 297, most), 300000);
	assert_int_equal(retry_max_attempts(ECS_RETRY_SUBMIT), 298);
}

static void other_calls_wait_seconds_and_give_up_after_three(void **state)
{
	assert_int_equal(retry_max_attempts(ECS_RETRY_STANDARD), 3);
	assert_int_equal(retry_max_attempts(ECS_RETRY_NONE), 1);
	assert_int_equal(retry_wait_ms(ECS_RETRY_STANDARD, 1, least), 0);
	assert_in_range(retry_wait_ms(ECS_RETRY_STANDARD, 1, most), 1990, 2000);
	assert_in_range(retry_wait_ms(ECS_RETRY_STANDARD, 2, most), 3990, 4000);
	assert_int_equal(retry_wait_ms(ECS_RETRY_STANDARD, 10, most), 20000);
}

static void only_what_can_pass_is_repeated(void **state)
{
	static const struct {
		int error, status;
		const char *name;
		enum retry_kind kind;
	} cases[] = {
		{ 0, 500, "ServerException", RETRY_AGAIN },
		{ 0, 502, "", RETRY_AGAIN },
		{ 0, 503, "", RETRY_AGAIN },
		{ 0, 504, "", RETRY_AGAIN },
		{ 0, 501, "", RETRY_NEVER },
		{ 0, 400, "ThrottlingException", RETRY_AGAIN },
		{ 0, 400, "LimitExceededException", RETRY_AGAIN },
		{ 0, 400, "RequestTimeout", RETRY_AGAIN },
		{ 0, 400, "ServerException", RETRY_NEVER },
		{ 0, 400, "InvalidParameterException", RETRY_NEVER },
		{ 0, 400, "AccessDeniedException", RETRY_NEVER },
		{ 0, 400, "", RETRY_NEVER },
		{ -ECONNREFUSED, 0, "", RETRY_AGAIN },
		{ -ECONNRESET, 0, "", RETRY_AGAIN },
		{ -ETIMEDOUT, 0, "", RETRY_AFTER_TIMEOUT },
		{ -ENOENT, 0, "", RETRY_NEVER },
		{ -EINVAL, 0, "", RETRY_NEVER },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(retry_classify(cases[i].error, cases[i].status, cases[i].name),
				 cases[i].kind);
}

static void the_quota_ends_a_storm_of_retries(void **state)
{
	struct retry_quota quota;
	int retries = 0;

	retry_quota_init(&quota);
	while (retry_quota_take(&quota, RETRY_AGAIN))
		retries++;
	assert_int_equal(retries, 100);
	retry_quota_return(&quota, 0);
	assert_int_equal(retry_quota_take(&quota, RETRY_AGAIN), 0);
	retry_quota_return(&quota, 5);
	assert_int_equal(retry_quota_take(&quota, RETRY_AGAIN), 5);

	retry_quota_init(&quota);
	retry_quota_return(&quota, 10); /* never more than full */
	for (retries = 0; retry_quota_take(&quota, RETRY_AFTER_TIMEOUT); retries++)
		;
	assert_int_equal(retries, 50);
}

/* cfg-R37 for the name. */
static void the_error_header_is_cut_at_colon_and_hash(void **state)
{
	char name[32];

	retry_error_name("ns#ClientException:http://x#y", name, sizeof(name));
	assert_string_equal(name, "ClientException");
	retry_error_name("ServerException", name, sizeof(name));
	assert_string_equal(name, "ServerException");
	retry_error_name("ThrottlingException:", name, sizeof(name));
	assert_string_equal(name, "ThrottlingException");
	retry_error_name("", name, sizeof(name));
	assert_string_equal(name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submits_wait_twice_as_long_each_time_then_five_minutes),
		cmocka_unit_test(other_calls_wait_seconds_and_give_up_after_three),
		cmocka_unit_test(only_what_can_pass_is_repeated),
		cmocka_unit_test(the_quota_ends_a_storm_of_retries),
		cmocka_unit_test(the_error_header_is_cut_at_colon_and_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
