/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/number.h"

static void whole_numbers(void **state)
{
	int64_t i;
	uint64_t u;

	assert_ok(number_parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &i, why));
	assert_true(i == INT64_MIN);
	assert_ok(number_parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &i, why));
	assert_true(i == INT64_MAX);
	assert_ok(number_parse_i64("+007", 0, 10, &i, why));
	assert_int_equal(i, 7);
	assert_ok(number_parse_u64("18446744073709551615", 0, UINT64_MAX, &u, why));
	assert_true(u == UINT64_MAX);
}

static void refusals_say_what_is_allowed(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *says;
	} cases[] = {
		{ "", EINVAL, "\"\" is not a whole number" },
		{ " 1", EINVAL, "\" 1\" is not a whole number" },
		{ "1 ", EINVAL, "is not a whole number" },
		{ "1.0", EINVAL, "is not a whole number" },
		{ "0x10", EINVAL, "is not a whole number" },
		{ "-", EINVAL, "is not a whole number" },
		{ "--1", EINVAL, "is not a whole number" },
		{ "1e3", EINVAL, "is not a whole number" },
		{ "0", ERANGE, "\"0\" is not between 1 and 100" },
		{ "101", ERANGE, "\"101\" is not between 1 and 100" },
		{ "-9223372036854775809", ERANGE, "is not between 1 and 100" },
		{ "99999999999999999999999999", ERANGE, "is not between 1 and 100" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		int64_t untouched = 4711;

		assert_int_equal(number_parse_i64(cases[i].text, 1, 100, &untouched, &err),
				 -cases[i].code);
		assert_contains(err.text, cases[i].says);
		assert_int_equal(untouched, 4711);
	}
}

static void unsigned_numbers_have_no_sign(void **state)
{
	uint64_t untouched = 4711;

	assert_int_equal(number_parse_u64("+1", 0, 9, &untouched, NULL), -EINVAL);
	assert_int_equal(number_parse_u64("-1", 0, 9, &untouched, NULL), -EINVAL);
	assert_int_equal(number_parse_u64("18446744073709551616", 0, UINT64_MAX, &untouched, NULL),
			 -ERANGE);
	assert_int_equal(untouched, 4711);
}

static void decimals(void **state)
{
	static const char *const bad[] = { "",      ".",     "e5",  "1e",   "nan",  "inf",
					   "0x1p3", "1.2.3", "1,5", " 1.5", "1.5x", "infinity" };
	double d;

	assert_ok(number_parse_double("5.25", 0, 10, &d, why));
	assert_true(d == 5.25);
	assert_ok(number_parse_double("-.5e1", -10, 10, &d, why));
	assert_true(d == -5);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number_parse_double(bad[i], -1e300, 1e300, &d, NULL), -EINVAL);
	assert_int_equal(number_parse_double("1e999", -1e300, 1e300, &d, NULL), -ERANGE);
	assert_int_equal(number_parse_double("10.5", 0, 10, &d, NULL), -ERANGE);
	assert_true(d == -5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(refusals_say_what_is_allowed),
		cmocka_unit_test(unsigned_numbers_have_no_sign),
		cmocka_unit_test(decimals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
