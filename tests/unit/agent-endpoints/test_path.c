/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "agent/endpoints/path.h"

static void paths_are_decoded_once_and_cleaned(void **state)
{
	static const struct {
		const char *raw, *clean;
		bool moved;
	} cases[] = {
		{ "/", "/", false },
		{ "/v4/ea", "/v4/ea", false },
		{ "/v4/ea/", "/v4/ea/", false },
		{ "/v4/%65a", "/v4/ea", false },
		{ "/v4/a%2Fb", "/v4/a/b", false },
		{ "/v4/%2565a", "/v4/%65a", false },
		{ "//v2/credentials/ca", "/v2/credentials/ca", true },
		{ "/v4/./ea", "/v4/ea", true },
		{ "/v4/.", "/v4", true },
		{ "/v4/x/../ea/", "/v4/ea/", true },
		{ "/../../etc/passwd", "/etc/passwd", true },
		{ "/..", "/", true },
		{ "/a/%2e%2e/b", "/b", true },
		{ "/v4/...", "/v4/...", false },
		{ "///", "/", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *clean = NULL;
		bool moved = !cases[i].moved;

		assert_int_equal(path_clean(cases[i].raw, &clean, &moved), 0);
		assert_string_equal(clean, cases[i].clean);
		assert_int_equal(moved, cases[i].moved);
		free(clean);
	}
}

static void escapes_that_are_none_are_refused(void **state)
{
	static const char *const cases[] = { "/%", "/%6", "/%zz", "/a%00b", "/ok%20%" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *clean = NULL;
		bool moved;

		assert_int_equal(path_clean(cases[i], &clean, &moved), -EINVAL);
		assert_null(clean);
	}
}

/* What was decoded must not come back as it is: a line feed would begin a header. */
static void locations_are_escaped_again(void **state)
{
	char *location = path_location("/a b\r\nX: <y>", "q=1&r");

	assert_string_equal(location, "/a%20b%0D%0AX:%20%3Cy%3E?q=1&r");
	free(location);
	location = path_location("/v4/ea", "");
	assert_string_equal(location, "/v4/ea");
	free(location);
}

static void the_first_well_formed_value_of_a_query_counts(void **state)
{
	static const struct {
		const char *query, *value;
	} cases[] = {
		{ "", NULL },         { "other=1", NULL },
		{ "id=a&id=b", "a" }, { "id", "" },
		{ "id=", "" },        { "id=%zz&id=b", "b" },
		{ "id=a;b", NULL },   { "i%64=x+y%2Fz", "x y/z" },
		{ "&&id=x", "x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *value = path_query_value(cases[i].query, "id");

		if (cases[i].value)
			assert_string_equal(value, cases[i].value);
		else
			assert_null(value);
		free(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_decoded_once_and_cleaned),
		cmocka_unit_test(escapes_that_are_none_are_refused),
		cmocka_unit_test(locations_are_escaped_again),
		cmocka_unit_test(the_first_well_formed_value_of_a_query_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
