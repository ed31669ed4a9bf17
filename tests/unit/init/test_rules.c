/* SPDX-License-Identifier: Apache-2.0 */
#include "init/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const struct init_settings usual = { .metadata_port = 51679, .introspection_port = 51678 };

/* cfg-I1: the metadata address leads to the agent, localhost and introspection are closed to the
 * outside. */
static void all_rules_are_there(void **state)
{
	_cleanup_free_ char *text = rules_text(&usual);

	assert_non_null(
		strstr(text, "ip daddr 169.254.170.2 tcp dport 80 dnat to 127.0.0.1:51679"));
	assert_non_null(strstr(text, "ip daddr 169.254.170.2 tcp dport 80 redirect to :51679"));
	assert_non_null(strstr(text, "tcp dport 51678 iifname != \"lo\" drop"));
	assert_non_null(strstr(text, "ip daddr 127.0.0.0/8 ip saddr != 127.0.0.0/8"));
}

/* cfg-I3 */
static void flags_leave_rules_out(void **state)
{
	struct init_settings settings = usual;
	char *text;

	settings.skip_localhost_filter = true;
	text = rules_text(&settings);
	assert_null(strstr(text, "127.0.0.0/8"));
	assert_non_null(strstr(text, "51678"));
	free(text);
	settings.skip_localhost_filter = false;
	settings.allow_offhost_introspection = true;
	text = rules_text(&settings);
	assert_null(strstr(text, "51678"));
	assert_non_null(strstr(text, "127.0.0.0/8"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_rules_are_there),
		cmocka_unit_test(flags_leave_rules_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
