/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/header.h"

static void names_are_found_in_any_case(void **state)
{
	_cleanup_header_list_ struct header_list list = HEADER_LIST_INIT;

	header_list_add(&list, "Content-Type", "text/plain");
	header_list_add_n(&list, "X-A: rest", 3, "value\r\n", 5);
	header_list_add(&list, "x-a", "second");
	assert_string_equal(header_find(list.items, list.count, "content-TYPE"), "text/plain");
	assert_string_equal(header_find(list.items, list.count, "X-A"), "value");
	assert_null(header_find(list.items, list.count, "X"));
	assert_null(header_find(NULL, 0, "X"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_in_any_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
