/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void epoch_seconds_have_no_trailing_zeros(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 1700000000123, "1700000000.123" },
		{ 1700000000120, "1700000000.12" },
		{ 1700000000100, "1700000000.1" },
		{ 1700000000000, "1700000000" },
		{ 1700000000007, "1700000000.007" },
		{ 1700000000070, "1700000000.07" },
		{ 0, "0" },
		{ -1500, "-1.5" },
		{ -500, "-0.5" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

		append_json_epoch(&out, cases[i].ms);
		assert_string_equal(strbuf_text(&out), cases[i].text);
	}
}

static void members_and_elements_are_separated(void **state)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct writer writer = writer_to(&out);
	const char *const texts[] = { "x", "y" };

	write_object(&writer, NULL);
	write_object(&writer, "a");
	write_object_end(&writer);
	write_text(&writer, "absent", NULL);
	write_list(&writer, "b");
	write_i64(&writer, NULL, -3);
	write_list(&writer, NULL);
	write_list_end(&writer);
	write_bool(&writer, NULL, false);
	write_list_end(&writer);
	write_raw(&writer, "c", "{\"raw\":1}");
	write_double(&writer, "d", 1e-9);
	write_texts(&writer, "e", texts, 2);
	write_texts(&writer, "f", NULL, 0);
	write_object_end(&writer);
	assert_string_equal(out.data, "{\"a\":{},\"b\":[-3,[],false],\"c\":{\"raw\":1},\"d\":1e-9,"
				      "\"e\":[\"x\",\"y\"],\"f\":[]}");
}

static void markup_leaves_escaped(void **state)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct writer writer = writer_to(&out);

	write_text(&writer, NULL, "a<b>&\xe2\x80\xa8\xe2\x80\xa9\"\\\n");
	assert_string_equal(out.data, "\"a\\u003cb\\u003e\\u0026\\u2028\\u2029\\\"\\\\\\n\"");
}

static char *cut(const char *text, size_t limit)
{
	struct strbuf out = STRBUF_INIT;
	struct writer writer = writer_to(&out);

	write_text_cut(&writer, NULL, text, limit);
	return strbuf_take(&out);
}

static void texts_are_cut_between_characters(void **state)
{
	static const struct {
		const char *text;
		size_t limit;
		const char *written;
	} cases[] = {
		{ "abcdef", 6, "\"abcdef\"" },
		{ "abcdef", 5, "\"abcde\"" },
		{ "a\xc3\xa9z", 2, "\"a\"" },
		{ "a\xc3\xa9z", 3, "\"a\xc3\xa9\"" },
		{ "\xf0\x9f\x98\x80", 3, "\"\"" },
		{ "\xf0\x9f\x98\x80z", 4, "\"\xf0\x9f\x98\x80\"" },
		{ "a\xe2\x82\xac", 3, "\"a\"" },
		{ "", 3, "\"\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *written = cut(cases[i].text, cases[i].limit);

		assert_string_equal(written, cases[i].written);
		free(written);
	}
}

/* What is no UTF-8 must still be valid JSON: the cut takes bytes, and each becomes U+FFFD. */
static void bytes_that_are_no_text_are_replaced(void **state)
{
	char *written = cut("\x80\x80\x80\x80\x80\x80", 5);

	assert_string_equal(written, "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
	free(written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(epoch_seconds_have_no_trailing_zeros),
		cmocka_unit_test(members_and_elements_are_separated),
		cmocka_unit_test(markup_leaves_escaped),
		cmocka_unit_test(texts_are_cut_between_characters),
		cmocka_unit_test(bytes_that_are_no_text_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
