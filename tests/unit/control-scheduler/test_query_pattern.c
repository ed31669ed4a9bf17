/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/scheduler/query_pattern.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* api-114 */
static void a_pattern_matches_a_value_as_a_whole(void **state)
{
	static const struct {
		const char *pattern, *value;
		bool matches;
	} table[] = {
		{ "g2.*", "g2.large", true },
		{ "g2", "g2.large", false },
		{ "2.large", "g2.large", false },
		{ "a|ab", "ab", true },
		{ "a|b", "ab", false },
		{ "", "", true },
		{ "", "x", false },
		{ "i-[0-9a-f]{8}(-[0-9a-f]{4}){3}", "i-01234567-89ab-cdef-0123", true },
		{ "([0-9]{1,3}\\.){3}[0-9]{1,3}", "10.0.0.255", true },
		{ "[]a]+", "a]a", true },
		{ "[^]]*", "a]", false },
		{ "a\nb|c", "c", true },
		{ "a", "a\n", false },
		{ "(ab)*\\1", "abab", true },
		{ "(?=t2).*", "t2.micro", true },
		{ "(?i)T2", "t2", true },
		{ "a++b", "aab", true },
		{ "[a\\]-]+", "]-a", true },
		{ "[a-c.-]+", "a.-c", true },
		{ "[^a-z]", "A", true },
		{ "[^a-z]", "q", false },
		{ "[\\w.]+", "t2_a.micro", true },
		{ "\\w+\\.\\w+", "t2.micro", true },
		{ "\\d{2}\\D\\s?\\S\\W", "42x y-", true },
		{ "\\d", "x", false },
		{ "a{2,}", "aaa", true },
		{ "a{2,}", "a", false },
		{ "a{0}b{1}c{0,2}", "bcc", true },
		{ "a{0}b{1}c{0,2}", "bccc", false },
		{ "(?:a|b)*?c+?", "abbac", true },
		{ "\\(x\\)", "(x)", true },
		{ "^a$|^b$", "b", true },
		{ "a^b", "ab", false },
		{ "a$b", "ab", false },
		{ "(a|)(|b)", "ab", true },
		{ "(a|)(|b)", "", true },
		{ "(a*)*b", "aaab", true },
		{ "((a?)*)+", "aaaa", true },
		{ "\xc3.", "\xc3\xa9", true },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct error err = ERROR_INIT;
		struct query_pattern *pattern;

		if (query_pattern_compile(table[i].pattern, &pattern, &err) < 0)
			fail_msg("%s", err.text);
		if (query_pattern_matches(pattern, table[i].value) != table[i].matches)
			fail_msg("%s and %s", table[i].pattern, table[i].value);
		query_pattern_free(pattern);
	}
}

static void refused(const char *text, const char *why)
{
	struct error err = ERROR_INIT;
	struct query_pattern *pattern;

	if (query_pattern_compile(text, &pattern, &err) != -EINVAL)
		fail_msg("%s was taken", text);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", text, err.text);
}

static void what_is_no_pattern_is_refused(void **state)
{
	static const char *const table[][2] = {
		{ "x)|(y", "unmatched closing parenthesis (at character 2)" },
		{ ")", "unmatched closing parenthesis" },
		{ "(x", "missing closing parenthesis" },
		{ "[x", "missing terminating ]" },
		{ "[]", "missing terminating ]" },
		{ "[z-a]", "range out of order" },
		{ "x\\", "\\ at end of pattern" },
		{ "*", "quantifier does not follow a repeatable item" },
		{ "a{3,2}", "numbers out of order" },
		{ "\\C", "is disabled" },
		{ "(*UTF)a", "UTF" },
		{ "a{99999}", "number too big" },
	};

	for (size_t i = 0; i < COUNT(table); i++)
		refused(table[i][0], table[i][1]);
}

static char *repeated(const char *before, const char *middle, const char *after, int times)
{
	struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < times; i++)
		strbuf_append(&text, before);
	strbuf_append(&text, middle);
	for (int i = 0; i < times; i++)
		strbuf_append(&text, after);
	return strbuf_take(&text);
}

/* The C library takes seconds or gigabytes for some of these. */
static void what_would_be_costly_is_bounded(void **state)
{
	_cleanup_free_ char *plus = repeated("(", "a", ")+", 30);
	_cleanup_free_ char *value = repeated("", "", "a", 1024);
	const char *const costly[] = { plus, "(a+*+++++)r+", "(a*)*b", "(a|a)*(a|a)*(a|a)*b",
				       "((a{1,9}){1,9})+b" };
	_cleanup_free_ char *deep = repeated("(", "a", ")", 40);
	_cleanup_free_ char *length = repeated("", "", "a", QUERY_PATTERN_MAX + 1);
	struct query_pattern *pattern;
	clock_t begin = clock();

	for (size_t i = 0; i < COUNT(costly); i++) {
		if (query_pattern_compile(costly[i], &pattern, NULL) < 0)
			continue;
		query_pattern_matches(pattern, value);
		query_pattern_free(pattern);
	}
	assert_true(clock() - begin < CLOCKS_PER_SEC / 4);
	refused("((((a{1,255}){1,255}){1,255}){1,255})", "too large");
	refused(deep, "too deeply nested");
	refused(length, "at most 256 characters");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_matches_a_value_as_a_whole),
		cmocka_unit_test(what_is_no_pattern_is_refused),
		cmocka_unit_test(what_would_be_costly_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
