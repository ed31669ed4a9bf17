/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct log_line *line, struct error *err)
{
	return log_line_parse(text, strlen(text), line, err);
}

static void a_record_is_read(void **state)
{
	struct log_line line;

	assert_int_equal(parse("{\"log\":\"h\\u00e9\\n\",\"stream\":\"stderr\",\"time\":\"T\"}",
			       &line, NULL),
			 0);
	assert_int_equal(line.size, 4);
	assert_memory_equal(line.text, "h\xc3\xa9\n", 4);
	assert_true(line.is_stderr);
	assert_string_equal(line.time, "T");
	log_line_free(&line);
}

static void any_byte_may_be_written(void **state)
{
	struct log_line line;

	assert_int_equal(parse("{\"log\":\"a\\u0000b\",\"stream\":\"stdout\"}", &line, NULL), 0);
	assert_int_equal(line.size, 3);
	assert_memory_equal(line.text, "a\0b", 3);
	assert_false(line.is_stderr);
	assert_string_equal(line.time, "");
	log_line_free(&line);
}

static void what_is_no_record_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"{",
		"[]",
		"{\"stream\":\"stdout\"}",
		"{\"log\":1,\"stream\":\"stdout\"}",
		"{\"log\":\"\",\"stream\":\"stdin\"}",
		"{\"log\":\"\"}",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_line line;
		struct error err;

		assert_int_equal(parse(cases[i], &line, &err), -EINVAL);
		assert_non_null(strstr(err.text, "no record of text and stream"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read),
		cmocka_unit_test(any_byte_may_be_written),
		cmocka_unit_test(what_is_no_record_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
