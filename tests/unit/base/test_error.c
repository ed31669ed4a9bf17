/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/str.h"

static void set_appends_what_the_code_means(void **state)
{
	struct error err = ERROR_INIT;

	assert_int_equal(error_set(&err, ENOENT, "open %s", "config.json"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.text, "open config.json: No such file or directory");
}

static void say_appends_nothing(void **state)
{
	struct error err = ERROR_INIT;

	assert_int_equal(error_say(&err, EINVAL, "%d is odd", 3), -EINVAL);
	assert_string_equal(err.text, "3 is odd");
}

static void prefixes_gather_on_the_way_up(void **state)
{
	struct error err = ERROR_INIT;

	error_say(&err, EIO, "401 Unauthorized");
	error_prefix(&err, "ask %s", "registry");
	error_prefix(&err, "pull");
	assert_string_equal(err.text, "pull: ask registry: 401 Unauthorized");
	assert_int_equal(err.code, EIO);
}

static void nobody_has_to_listen(void **state)
{
	struct error none = ERROR_INIT;

	assert_int_equal(error_set(NULL, EIO, "x"), -EIO);
	assert_int_equal(error_say(NULL, EIO, "x"), -EIO);
	error_prefix(NULL, "x");
	error_prefix(&none, "prefix of nothing");
	assert_string_equal(none.text, "");
}

static void arguments_may_come_from_the_text_itself(void **state)
{
	struct error err = ERROR_INIT;

	error_say(&err, EIO, "inner");
	error_say(&err, EINVAL, "outer (%s)", err.text);
	assert_string_equal(err.text, "outer (inner)");
}

static void long_texts_are_cut_between_characters(void **state)
{
	struct error err = ERROR_INIT;
	char many[3 * ERROR_TEXT_SIZE];

	for (size_t i = 0; i + 3 < sizeof(many); i += 3)
		memcpy(many + i, "\xe2\x82\xac", 4); /* euro signs */
	for (int shift = 0; shift < 3; shift++) {
		error_say(&err, EIO, "%.*s%s", shift, "xx", many);
		assert_true(strlen(err.text) >= ERROR_TEXT_SIZE - 4);
		assert_true(str_is_utf8(err.text, strlen(err.text)));
		error_prefix(&err, "12345");
		assert_true(str_is_utf8(err.text, strlen(err.text)));
		assert_int_equal(strncmp(err.text, "12345: ", 7), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_appends_what_the_code_means),
		cmocka_unit_test(say_appends_nothing),
		cmocka_unit_test(prefixes_gather_on_the_way_up),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(arguments_may_come_from_the_text_itself),
		cmocka_unit_test(long_texts_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
