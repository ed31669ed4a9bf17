/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

static void comparing(void **state)
{
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_true(str_eq_nocase("Content-TYPE", "content-type"));
	assert_false(str_eq_nocase("content", "content-type"));
	assert_false(str_eq_nocase("[", "{"));
	assert_true(str_starts_with("abc", "ab"));
	assert_false(str_starts_with("a", "ab"));
	assert_true(str_starts_with_nocase("HTTP://x", "http://"));
	assert_true(str_ends_with("abc", "bc"));
	assert_false(str_ends_with("c", "bc"));
	assert_true(str_is_empty(NULL));
	assert_true(str_is_empty(""));
}

static void white_space_is_trimmed_on_both_sides(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },         { " \t\r\n\v\f", "" },        { "a", "a" },
		{ " a b ", "a b" }, { "\n\va\tb\f\r\n", "a\tb" }, { "a ", "a" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *copy = str_trim(cases[i][0]);

		assert_string_equal(copy, cases[i][1]);
		assert_string_equal(str_trim_in_place(copy), cases[i][1]);
		free(copy);
	}
}

static void lists_split_and_join(void **state)
{
	_cleanup_str_list_ struct str_list with = STR_LIST_INIT, without = STR_LIST_INIT;
	_cleanup_free_ char *joined = NULL;

	str_list_split(&with, "a,,b,", ',', true);
	str_list_split(&without, "a,,b,", ',', false);
	assert_int_equal(with.count, 4);
	assert_int_equal(without.count, 2);
	assert_null(without.items[2]);
	assert_true(str_list_has(&without, "b"));
	assert_false(str_list_has(&without, ""));
	joined = str_list_join(&with, "+");
	assert_string_equal(joined, "a++b+");
}

static void an_empty_list_joins_to_nothing(void **state)
{
	struct str_list list = STR_LIST_INIT;
	_cleanup_free_ char *joined = str_list_join(&list, ",");

	assert_string_equal(joined, "");
}

static void hex_goes_both_ways(void **state)
{
	static const char *const bad[] = { "", "0", "00112", "0011zz", "00112233", "0x1122" };
	unsigned char bytes[3] = { 0x00, 0xab, 0xff };
	char text[7];

	hex_encode(bytes, 3, text);
	assert_string_equal(text, "00abff");
	memset(bytes, 0, 3);
	assert_int_equal(hex_decode("00ABff", bytes, 3), 0);
	assert_memory_equal(bytes, "\x00\xab\xff", 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hex_decode(bad[i], bytes, 3), -EINVAL);
	assert_memory_equal(bytes, "\x00\xab\xff", 3);
}

/* RFC 4648 section 10 */
static void base64_goes_both_ways(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		_cleanup_free_ char *text = base64_encode(pairs[i][0], strlen(pairs[i][0]));
		_cleanup_free_ unsigned char *data = NULL;
		size_t size;

		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(base64_decode(text, &data, &size), 0);
		assert_int_equal(size, strlen(pairs[i][0]));
		assert_string_equal((char *)data, pairs[i][0]);
	}
}

static void what_is_not_base64_is_refused(void **state)
{
	static const char *const bad[] = { "Zg",   "Zg=",        "Zg===", "=Zg=",    "Z===",
					   "Z*==", "Zm9v\nZg==", "Zm 9",  "Zg==Zg==" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned char *untouched = NULL;
		size_t size;

		if (base64_decode(bad[i], &untouched, &size) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_null(untouched);
	}
}

static void utf8_is_told_from_what_looks_like_it(void **state)
{
	static const char *const bad[] = {
		"\x80",     "\xc1\xbf", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
		"a\xe2\x82"
	};

	assert_true(str_is_utf8("\xf4\x8f\xbf\xbf\xc3\xa9z", 7));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(str_is_utf8(bad[i], strlen(bad[i])));
}

static void replacing_frees_the_old(void **state)
{
	_cleanup_free_ char *text = xstrdup("old");

	str_replace(&text, "new");
	assert_string_equal(text, "new");
	str_replace(&text, NULL);
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparing),
		cmocka_unit_test(white_space_is_trimmed_on_both_sides),
		cmocka_unit_test(lists_split_and_join),
		cmocka_unit_test(an_empty_list_joins_to_nothing),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(base64_goes_both_ways),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(utf8_is_told_from_what_looks_like_it),
		cmocka_unit_test(replacing_frees_the_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
