/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* From the list of its authors. */
static void known_texts_have_their_known_numbers(void **state)
{
	assert_true(hash64_text(HASH64_START, "") == UINT64_C(0xcbf29ce484222325));
	assert_true(hash64_text(HASH64_START, "a") == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(hash64_text(HASH64_START, "foobar") == UINT64_C(0x85944171f73967e8));
	assert_int_equal(hash32_text(HASH32_START, ""), 0x811c9dc5);
	assert_int_equal(hash32_text(HASH32_START, "a"), 0xe40c292c);
	assert_int_equal(hash32_text(HASH32_START, "foobar"), 0xbf9cf968);
}

static void parts_count_as_the_whole(void **state)
{
	static const char zeros[] = { 'a', 0, 'b' };

	assert_true(hash64_text(hash64_text(HASH64_START, "foo"), "bar") ==
		    hash64_text(HASH64_START, "foobar"));
	assert_int_equal(hash32_text(hash32_text(HASH32_START, "foo"), "bar"),
			 hash32_text(HASH32_START, "foobar"));
	assert_true(hash64(HASH64_START, zeros, 3) != hash64(HASH64_START, zeros, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_have_their_known_numbers),
		cmocka_unit_test(parts_count_as_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
