/* SPDX-License-Identifier: Apache-2.0 */
/* What each test of base/ includes: cmocka and its needs, a private directory, short words. */
#ifndef BERTH_TESTS_UNIT_BASE_UNIT_H
#define BERTH_TESTS_UNIT_BASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* A new directory under TMPDIR or /tmp; the caller frees the name and removes the tree. */
char *make_test_directory(void);
/* assert_ok(f(..., why)): fails with the text of the error when the call did. */
#define assert_ok(call)                                                                            \
	do {                                                                                       \
		struct error ok_err = ERROR_INIT;                                                  \
		struct error *why = &ok_err;                                                       \
		int ok_result = (call);                                                            \
                                                                                                   \
		if (ok_result < 0)                                                                 \
			fail_msg("%s: %d: %s", #call, ok_result, ok_err.text);                     \
	} while (0)

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (!strstr((text), (part)))                                                       \
			fail_msg("\"%s\" does not contain \"%s\"", (text), (part));                \
	} while (0)

#endif
