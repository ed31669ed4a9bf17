/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/cleanup.h"
#include "base/strbuf.h"

static void grows_and_is_always_terminated(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	assert_string_equal(strbuf_text(&sb), "");
	for (int i = 0; i < 1000; i++) {
		strbuf_append_char(&sb, 'x');
		assert_int_equal(strlen(sb.data), i + 1);
	}
	strbuf_appendf(&sb, "%0*d", 5000, 0);
	assert_int_equal(sb.length, 6000);
	assert_int_equal(strlen(sb.data), 6000);
}

static void taking_leaves_it_fresh(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	_cleanup_free_ char *empty = strbuf_take(&sb);
	_cleanup_free_ char *text = NULL;

	assert_string_equal(empty, "");
	strbuf_append(&sb, "hello");
	text = strbuf_take(&sb);
	assert_string_equal(text, "hello");
	assert_null(sb.data);
	assert_int_equal(sb.length, 0);
}

static void both_ends_can_be_dropped(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_append(&sb, "0123456789");
	strbuf_consume(&sb, 3);
	strbuf_truncate(&sb, 4);
	assert_string_equal(sb.data, "3456");
	strbuf_reset(&sb);
	assert_string_equal(sb.data, "");
}

static void json_strings_are_escaped_as_the_reference_does(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "plain", "\"plain\"" },
		{ "q\"b\\s/", "\"q\\\"b\\\\s/\"" },
		{ "\n\r\t\b\x01", "\"\\n\\r\\t\\u0008\\u0001\"" },
		{ "<a>&", "\"\\u003ca\\u003e\\u0026\"" },
		{ "\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"" },
		{ "\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
		{ "\xff", "\"\\ufffd\"" },
		{ "\xc0\xaf", "\"\\ufffd\\ufffd\"" },            /* overlong */
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" }, /* surrogate */
		{ "\xe2\x82", "\"\\ufffd\\ufffd\"" },            /* cut */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		strbuf_append_json(&sb, cases[i].text);
		assert_string_equal(sb.data, cases[i].json);
	}
}

static void no_json_string_is_null(void **state)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	strbuf_append_json(&sb, NULL);
	assert_string_equal(sb.data, "null");
}

/* acs 1.10: bare numbers, trailing zeros trimmed, exponent form when very small or large */
static void json_numbers_are_the_shortest(void **state)
{
	static const struct {
		double number;
		const char *json;
	} cases[] = {
		{ 0, "0" },
		{ 12, "12" },
		{ -3.5, "-3.5" },
		{ 0.1, "0.1" },
		{ 1700000000.12, "1700000000.12" },
		{ 1795170452.634, "1795170452.634" },
		{ 1e-6, "0.000001" },
		{ 1e-7, "1e-7" },
		{ 1e-9, "1e-9" },
		{ 1.5e-10, "1.5e-10" },
		{ 9e18, "9000000000000000000" },
		{ 11111111111111111111.5, "1.111111111111111e+19" },
		{ 1e20, "1e+20" },
		{ 1e21, "1e+21" },
		{ 2.5e300, "2.5e+300" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ NAN, "0" },
		{ INFINITY, "0" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

		strbuf_append_json_double(&sb, cases[i].number);
		assert_string_equal(sb.data, cases[i].json);
	}
}

static void urls_are_percent_encoded(void **state)
{
	_cleanup_strbuf_ struct strbuf url = STRBUF_INIT, form = STRBUF_INIT;

	strbuf_append_urlencoded(&url, "a b/c:d~e-f_g.h\xc3\xa9+");
	strbuf_append_formencoded(&form, "a b/c:d");
	assert_string_equal(url.data, "a%20b%2Fc%3Ad~e-f_g.h%C3%A9%2B");
	assert_string_equal(form.data, "a+b%2Fc%3Ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_is_always_terminated),
		cmocka_unit_test(taking_leaves_it_fresh),
		cmocka_unit_test(both_ends_can_be_dropped),
		cmocka_unit_test(json_strings_are_escaped_as_the_reference_does),
		cmocka_unit_test(no_json_string_is_null),
		cmocka_unit_test(json_numbers_are_the_shortest),
		cmocka_unit_test(urls_are_percent_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
