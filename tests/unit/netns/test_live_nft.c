/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "live.h"

static void rules_are_set_and_taken_away(void **state)
{
	char *output = NULL;

	assert_int_equal(nft_run("table ip berth_test {\n"
				 " chain input {\n"
				 "  type filter hook input priority filter; policy accept;\n"
				 "  tcp dport 51678 iifname != \"lo\" drop\n"
				 " }\n}\n",
				 NULL),
			 0);
	assert_int_equal(nft_query("list table ip berth_test", &output, NULL), 0);
	assert_non_null(strstr(output, "tcp dport 51678"));
	free(output);

	assert_int_equal(nft_delete_table("ip", "berth_test", NULL), 0);
	assert_int_equal(nft_delete_table("ip", "berth_test", NULL), 0);
	assert_int_equal(nft_query("list ruleset", &output, NULL), 0);
	assert_string_equal(output, "");
	free(output);
}

static void commands_hold_all_or_none(void **state)
{
	struct error err;
	char *output = NULL;

	assert_true(nft_run("add table ip berth_test\nadd rule ip berth_test absent accept\n",
			    &err) < 0);
	assert_non_null(strstr(err.text, "nftables refused the rules: "));
	assert_null(strchr(err.text, '\n'));
	assert_int_equal(nft_query("list ruleset", &output, NULL), 0);
	assert_string_equal(output, "");
	free(output);
	assert_true(nft_run("this is no rule", &err) < 0);
	assert_non_null(strstr(err.text, "syntax error"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_set_and_taken_away),
		cmocka_unit_test(commands_hold_all_or_none),
	};
	int failed;

	live_enter();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
