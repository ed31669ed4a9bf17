/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/random.h"

static void units_are_spread_over_the_interval(void **state)
{
	int low = 0, high = 0;

	for (int i = 0; i < 1000; i++) {
		double unit = random_unit();

		assert_true(unit >= 0 && unit < 1);
		low += unit < 0.5;
		high += unit >= 0.5;
	}
	assert_true(low > 300 && high > 300);
}

static void bounds_are_kept_and_reached(void **state)
{
	bool seen[3] = { false, false, false };

	for (int i = 0; i < 500; i++) {
		uint64_t value = random_below(3);

		assert_true(value < 3);
		seen[value] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
	assert_int_equal(random_below(1), 0);
}

static void uuids_are_of_version_4_and_differ(void **state)
{
	char one[UUID_SIZE], other[UUID_SIZE];

	uuid4(one);
	uuid4(other);
	assert_int_equal(strlen(one), 36);
	assert_int_equal(strspn(one, "0123456789abcdef-"), 36);
	assert_true(one[8] == '-' && one[13] == '-' && one[18] == '-' && one[23] == '-');
	assert_int_equal(one[14], '4');
	assert_non_null(strchr("89ab", one[19]));
	assert_string_not_equal(one, other);
}

static void hex_has_two_digits_a_byte(void **state)
{
	char text[33];

	random_hex(text, 16);
	assert_int_equal(strlen(text), 32);
	assert_int_equal(strspn(text, "0123456789abcdef"), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_spread_over_the_interval),
		cmocka_unit_test(bounds_are_kept_and_reached),
		cmocka_unit_test(uuids_are_of_version_4_and_differ),
		cmocka_unit_test(hex_has_two_digits_a_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
