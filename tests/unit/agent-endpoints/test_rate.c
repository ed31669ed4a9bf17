/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "agent/endpoints/rate.h"

static size_t taken(struct rate_limiter *limiter, const char *path, size_t asked, int64_t now_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < asked; i++)
		count += rate_limiter_take(limiter, "10.0.0.1", path, now_ms);
	return count;
}

static void the_burst_passes_and_then_the_steady_rate(void **state)
{
	struct rate_limiter *limiter = rate_limiter_new(40, 60, 16);

	assert_int_equal(taken(limiter, "/nosuch", 100, 1000), 60);
	assert_int_equal(taken(limiter, "/nosuch", 100, 1024), 0);
	assert_int_equal(taken(limiter, "/nosuch", 100, 1025), 1);
	assert_int_equal(taken(limiter, "/nosuch", 100, 2025), 40);
	/* never more than the burst, however long nobody asked */
	assert_int_equal(taken(limiter, "/nosuch", 100, INT64_C(1) << 60), 60);
	rate_limiter_free(limiter);
}

/* tmds-11 */
static void each_path_and_each_peer_has_a_bucket_of_its_own(void **state)
{
	struct rate_limiter *limiter = rate_limiter_new(40, 60, 16);

	assert_int_equal(taken(limiter, "/v4/ea", 100, 0), 60);
	assert_int_equal(taken(limiter, "/v4/ea/task", 100, 0), 60);
	assert_false(rate_limiter_take(limiter, "10.0.0.1", "/v4/ea", 0));
	assert_true(rate_limiter_take(limiter, "10.0.0.2", "/v4/ea", 0));
	rate_limiter_free(limiter);
}

static void there_are_never_more_buckets_than_the_bound(void **state)
{
	struct rate_limiter *limiter = rate_limiter_new(1, 2, 8);
	char path[16];

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/%d", i);
		assert_int_equal(taken(limiter, path, 3, 0), 2);
	}
	/* none of them is full again: there is no place */
	assert_int_equal(taken(limiter, "/new", 1, 1999), 0);
	/* the ones that were asked for are not forgotten meanwhile */
	assert_int_equal(taken(limiter, "/3", 3, 1999), 1);
	/* seven are full, and make place */
	assert_int_equal(taken(limiter, "/new", 3, 2000), 2);
	assert_int_equal(taken(limiter, "/3", 1, 2000), 1);
	assert_int_equal(taken(limiter, "/3", 1, 2000), 0);
	rate_limiter_free(limiter);
}

static void the_rates_may_change(void **state)
{
	struct rate_limiter *limiter = rate_limiter_new(40, 60, 16);

	assert_int_equal(taken(limiter, "/a", 10, 0), 10);
	rate_limiter_set(limiter, 1, 3);
	assert_int_equal(taken(limiter, "/a", 100, 1), 3);
	assert_int_equal(taken(limiter, "/b", 100, 1), 3);
	assert_int_equal(taken(limiter, "/a", 100, 1001), 1);
	rate_limiter_set(limiter, 10, 20);
	assert_int_equal(taken(limiter, "/a", 100, 3001), 20);
	rate_limiter_free(limiter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_burst_passes_and_then_the_steady_rate),
		cmocka_unit_test(each_path_and_each_peer_has_a_bucket_of_its_own),
		cmocka_unit_test(the_rates_may_change),
		cmocka_unit_test(there_are_never_more_buckets_than_the_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
