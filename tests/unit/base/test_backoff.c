/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const double no_jitter = 0.0;
static const double most_jitter = 0.999999;

/* acs-C8: after error closes the gaps are 250-300 ms, then 375-450, then 562-675. */
static void waits_grow_by_the_multiplier_and_only_lengthen(void **state)
{
	(void)state;
	struct backoff low, high;

	backoff_reset(&low, &backoff_acs);
	backoff_reset(&high, &backoff_acs);

	assert_int_equal(backoff_next_ms(&low, no_jitter), 250);
	assert_int_equal(backoff_next_ms(&low, no_jitter), 375);
	assert_int_equal(backoff_next_ms(&low, no_jitter), 562);

	assert_in_range(backoff_next_ms(&high, most_jitter), 250, 300);
	assert_in_range(backoff_next_ms(&high, most_jitter), 375, 450);
	assert_in_range(backoff_next_ms(&high, most_jitter), 562, 675);
}

/* acs-C9: gaps never exceed 144 s. */
static void waits_have_a_ceiling(void **state)
{
	(void)state;
	struct backoff backoff;

	backoff_reset(&backoff, &backoff_acs);
	for (int attempt = 0; attempt < 10000; attempt++)
		assert_true(backoff_next_ms(&backoff, most_jitter) <= 144 * 1000);
}

static void reset_starts_over(void **state)
{
	(void)state;
	struct backoff backoff;

	backoff_reset(&backoff, &backoff_acs);
	for (int attempt = 0; attempt < 5; attempt++)
		backoff_next_ms(&backoff, no_jitter);
	backoff_reset(&backoff, &backoff_acs);

	assert_int_equal(backoff_next_ms(&backoff, no_jitter), 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_grow_by_the_multiplier_and_only_lengthen),
		cmocka_unit_test(waits_have_a_ceiling),
		cmocka_unit_test(reset_starts_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
