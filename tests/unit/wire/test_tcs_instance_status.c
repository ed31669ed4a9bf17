/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "wire/tcs.h"

/* acs-T15 */
static void a_check_goes_over_the_wire_and_comes_back(void **state)
{
	static const struct tcs_instance_check checks[] = {
		{ .type = "ContainerRuntime",
		  .status = "IMPAIRED",
		  .status_reason = "no answer within 2 s",
		  .has_last_updated = true,
		  .last_updated_ms = 1700000000100 },
		{ .type = "EBSDaemon", .status = "OK" },
	};
	const struct tcs_instance_status status = { .cluster = "c",
						    .container_instance = "i",
						    .request_id = "r",
						    .checks = checks,
						    .check_count = 2 };
	_cleanup_free_ char *text = tcs_encode_instance_status(&status, 1700000020200);
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message = NULL;
	struct error err = ERROR_INIT;

	if (tcs_decode(text, strlen(text), &message, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(message->instance_status.check_count, 2);
	assert_string_equal(message->instance_status.checks[0].status_reason,
			    "no answer within 2 s");
	assert_true(message->instance_status.checks[0].last_updated_ms == 1700000000100);
	assert_null(message->instance_status.checks[1].status_reason);
	assert_false(message->instance_status.checks[1].has_last_updated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_check_goes_over_the_wire_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
