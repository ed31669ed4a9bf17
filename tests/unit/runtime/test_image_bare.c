/* SPDX-License-Identifier: Apache-2.0 */
/* An image whose configuration says next to nothing, as one that is made by hand. */
#include "runtime/image_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"

/* No member of it is NULL: who reads it need not ask. */
static void what_is_not_said_is_empty(void **state)
{
	static const char *const texts[] = {
		"{\"rootfs\":{}}",
		"{\"rootfs\":{\"diff_ids\":null},\"config\":null}",
		"{\"rootfs\":{},\"config\":{}}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct image *image = xcalloc(1, sizeof(*image));
		_cleanup_free_ char *chain = NULL;
		struct error err = ERROR_INIT;

		image->references_ = 1;
		if (image_config_parse(texts[i], strlen(texts[i]), image, &chain, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal(image->user, "");
		assert_string_equal(image->working_dir, "");
		assert_string_equal(image->stop_signal, "");
		assert_string_equal(image->architecture, "");
		assert_string_equal(image->os, "");
		assert_string_equal(image->created, "");
		assert_int_equal(image->env.count + image->command.count + image->entrypoint.count,
				 0);
		assert_null(chain);
		image_unref(image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
