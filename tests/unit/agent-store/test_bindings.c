/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/bindings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Of a damaged row nothing is believed. */
static void what_was_not_written_is_refused(void **state)
{
	static const char *const texts[] = {
		"tcp",
		"tcp 80 80 1",
		"tcp 65536 80 1 0",
		"tcp 80 80 0 0",
		"sctp 80 80 1 0",
		"tcp 80 80 1 2",
		"tcp 80 80 1 0 and more",
		"tcp 80 80 1 0;;",
		"tcp -1 80 1 0",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct connection_state connection = { 0 };
		struct error err;

		assert_int_equal(bindings_decode(texts[i], &connection, &err), -EINVAL);
		assert_null(connection.bindings);
	}
}

static void none_is_nothing(void **state)
{
	struct connection_state connection = { 0 };

	assert_null(bindings_encode(&connection));
	assert_int_equal(bindings_decode(NULL, &connection, NULL), 0);
	assert_int_equal(connection.binding_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_written_is_refused),
		cmocka_unit_test(none_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
