/* SPDX-License-Identifier: Apache-2.0 */
#include "base/form.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static const struct form_limits limits = { .size = 100, .params = 4 };

static void parameters_are_found_by_their_name(void **state)
{
	static const char text[] = "Action=Describe&Filter.1.Value.1=a%2Fb%20c+d&empty=&&bare";
	struct form *form = NULL;

	assert_int_equal(
		form_parse(text, strlen(text), &(struct form_limits){ 100, 9 }, &form, NULL), 0);
	assert_int_equal(form_count(form), 4);
	assert_string_equal(form_get(form, "Action"), "Describe");
	assert_string_equal(form_get(form, "Filter.1.Value.1"), "a/b c d");
	assert_string_equal(form_get(form, "empty"), "");
	assert_null(form_get(form, "action"));
	assert_true(form_has_prefix(form, "Filter.1."));
	assert_false(form_has_prefix(form, "Filter.2."));
	form_free(form);
}

static void what_nobody_asked_for_is_known(void **state)
{
	static const char text[] = "b=1&a=2";
	struct form *form = NULL;

	assert_int_equal(form_parse(text, strlen(text), &limits, &form, NULL), 0);
	assert_true(form_has_prefix(form, "b"));
	assert_string_equal(form_unasked(form), "b");
	form_get(form, "b");
	assert_string_equal(form_unasked(form), "a");
	form_get(form, "a");
	assert_null(form_unasked(form));
	form_free(form);
}

static void an_empty_body_is_a_form_without_parameters(void **state)
{
	struct form *form = NULL;

	assert_int_equal(form_parse("", 0, &limits, &form, NULL), 0);
	assert_int_equal(form_count(form), 0);
	assert_null(form_unasked(form));
	form_free(form);
}

static void what_is_no_form_is_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *error;
	} cases[] = {
		{ "a=1&b=2&c=3&d=4&e=5", -EFBIG,
		  "the form has 5 parameters: at most 4 are possible" },
		{ "&&&&&&", -EFBIG, "the form has 7 parameters: at most 4 are possible" },
		{ "a=1&a=2", -EINVAL, "parameter a is there twice" },
		{ "=1", -EINVAL, "parameter 1 has no name that can be read" },
		{ "a=1&%41%=2", -EINVAL, "parameter 2 has no name that can be read" },
		{ "a=%", -EINVAL, "the value of parameter a can not be read" },
		{ "a=%4", -EINVAL, "the value of parameter a can not be read" },
		{ "a=%4x", -EINVAL, "the value of parameter a can not be read" },
		{ "a=%00", -EINVAL, "the value of parameter a can not be read" },
		{ "a=%1b", -EINVAL, "the value of parameter a can not be read" },
		{ "a=%ff", -EINVAL, "the value of parameter a can not be read" },
		{ "a=%ed%a0%80", -EINVAL, "the value of parameter a can not be read" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		struct form *form = NULL;

		assert_int_equal(
			form_parse(cases[i].text, strlen(cases[i].text), &limits, &form, &err),
			cases[i].result);
		assert_string_equal(err.text, cases[i].error);
		assert_null(form);
	}
}

static void a_nul_in_the_body_is_no_text(void **state)
{
	struct form *form = NULL;

	assert_int_equal(form_parse("a=1\0b", 5, &limits, &form, NULL), -EINVAL);
	assert_null(form);
}

static void a_body_over_the_limit_is_not_read(void **state)
{
	_cleanup_free_ char *text = xcalloc(1, 101);
	struct error err = ERROR_INIT;
	struct form *form = NULL;

	memset(text, 'x', 101);
	assert_int_equal(form_parse(text, 101, &limits, &form, &err), -EFBIG);
	assert_string_equal(err.text, "the form has 101 bytes: at most 100 are possible");
	assert_int_equal(form_parse(text, 100, &limits, &form, &err), 0);
	form_free(form);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_found_by_their_name),
		cmocka_unit_test(what_nobody_asked_for_is_known),
		cmocka_unit_test(an_empty_body_is_a_form_without_parameters),
		cmocka_unit_test(what_is_no_form_is_refused_with_a_sentence),
		cmocka_unit_test(a_nul_in_the_body_is_no_text),
		cmocka_unit_test(a_body_over_the_limit_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
