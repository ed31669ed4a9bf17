/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/clock.h"

static void formats(void **state)
{
	char text[CLOCK_ISO8601_SIZE];

	assert_string_equal(format_iso8601(1767323045678, text), "2026-01-02T03:04:05Z");
	assert_string_equal(format_iso8601_ms(1767323045008, text), "2026-01-02T03:04:05.008Z");
	assert_string_equal(format_iso8601_ns(1767323045678900000, text),
			    "2026-01-02T03:04:05.6789Z");
	assert_string_equal(format_iso8601_ns(1767323045000000000, text), "2026-01-02T03:04:05Z");
	assert_string_equal(format_iso8601_basic(1767323045678, text), "20260102T030405Z");
	assert_string_equal(format_iso8601(-1, text), "1969-12-31T23:59:59Z");
}

static void parses_what_it_formats_and_zones(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "2026-01-02T03:04:05Z", 1767323045000 },
		{ "2026-01-02T03:04:05.6789012Z", 1767323045678 },
		{ "2026-01-02 03:04:05.1z", 1767323045100 },
		{ "2026-01-02T05:34:05+02:30", 1767323045000 },
		{ "2026-01-01T22:04:05-05:00", 1767323045000 },
		{ "1969-12-31T23:59:59.5Z", -500 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
	};
	int64_t ms;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(parse_iso8601(cases[i].text, &ms, why));
		assert_int_equal(ms, cases[i].ms);
	}
	assert_ok(parse_iso8601_basic("20260102T030405Z", &ms, why));
	assert_int_equal(ms, 1767323045000);
}

static void refuses_what_is_no_time(void **state)
{
	static const char *const bad[] = {
		"",
		"2026-01-02",
		"2026-01-02T03:04:05",
		"2026-01-02T03:04:05Zx",
		"2026-13-02T03:04:05Z",
		"2026-02-29T03:04:05Z",
		"2026-01-32T03:04:05Z",
		"2026-01-00T03:04:05Z",
		"2026-01-02T24:04:05Z",
		"2026-01-02T03:60:05Z",
		"2026-01-02T03:04:61Z",
		"2026-01-02T03:04:05.Z",
		"2026-01-02T03:04:05+0230",
		"2026-01-02T03:04:05+24:00",
		"0000-01-02T03:04:05Z",
		"20260102T030405Z",
	};
	int64_t untouched = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;

		if (parse_iso8601(bad[i], &untouched, &err) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_contains(err.text, "is not a time");
	}
	assert_int_equal(parse_iso8601_basic("2026-01-02T03:04:05Z", &untouched, NULL), -EINVAL);
	assert_int_equal(untouched, 7);
}

static void monotonic_time_does_not_go_back(void **state)
{
	int64_t before = clock_monotonic_ns();

	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_monotonic_ns();

		assert_true(now >= before);
		before = now;
	}
	assert_true(clock_wall_ms() > 1600000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(parses_what_it_formats_and_zones),
		cmocka_unit_test(refuses_what_is_no_time),
		cmocka_unit_test(monotonic_time_does_not_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
