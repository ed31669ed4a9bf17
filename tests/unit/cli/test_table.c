/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const char *const headers[] = { "ID", "NAME" };

static struct table two_rows(void)
{
	struct table table = { .headers = headers, .columns = 2 };

	table_add(&table, (const char *[]){ "1", "first" });
	table_add(&table, (const char *[]){ "234", "x" });
	return table;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	struct table table = two_rows();
	_cleanup_free_ char *text = table_text(&table, 0, false);

	assert_string_equal(text, "ID   NAME\n1    first\n234  x\n");
	table_free(&table);
}

static void only_headers_without_rows(void **state)
{
	struct table table = { .headers = headers, .columns = 2 };
	_cleanup_free_ char *text = table_text(&table, 0, false);

	assert_string_equal(text, "ID  NAME\n");
}

static void lines_are_cut_at_the_width(void **state)
{
	struct table table = two_rows();
	_cleanup_free_ char *text = table_text(&table, 7, false);

	assert_string_equal(text, "ID   NA\n1    fi\n234  x\n");
	table_free(&table);
}

/* A cut never parts the bytes of a character, and a character counts as one. */
static void characters_stay_whole(void **state)
{
	struct table table = { .headers = headers, .columns = 2 };
	_cleanup_free_ char *text = NULL;

	table_add(&table, (const char *[]){ "\xc3\xa9\xc3\xa9\xc3\xa9", "\xc3\xbc\xc3\xbc" });
	text = table_text(&table, 6, false);
	assert_string_equal(text, "ID   N\n\xc3\xa9\xc3\xa9\xc3\xa9  \xc3\xbc\n");
	table_free(&table);
}

static void headers_are_bold_when_wanted(void **state)
{
	struct table table = two_rows();
	_cleanup_free_ char *text = table_text(&table, 4, true);

	assert_string_equal(text, "\033[1mID  \033[0m\n1   \n234 \n");
	table_free(&table);
}

/* What comes from elsewhere must not steer the terminal. */
static void control_characters_are_not_printed(void **state)
{
	struct table table = { .headers = headers, .columns = 2 };
	_cleanup_free_ char *text = NULL;

	table_add(&table, (const char *[]){ "\033[2J", "a\nb\x7f" });
	text = table_text(&table, 0, false);
	assert_string_equal(text, "ID    NAME\n?[2J  a?b?\n");
	table_free(&table);
}

static void ages(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ -5000, "0s" },       { 999, "0s" },         { 59999, "59s" },
		{ 60000, "1m" },       { 3599999, "59m" },    { 3600000, "1h00m" },
		{ 11100000, "3h05m" }, { 86400000, "1d00h" }, { 187200000, "2d04h" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = age_text(cases[i].ms);

		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(only_headers_without_rows),
		cmocka_unit_test(lines_are_cut_at_the_width),
		cmocka_unit_test(characters_stay_whole),
		cmocka_unit_test(headers_are_bold_when_wanted),
		cmocka_unit_test(control_characters_are_not_printed),
		cmocka_unit_test(ages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
