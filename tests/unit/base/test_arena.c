/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	unsigned char *blocks[200];

	for (size_t i = 0; i < 200; i++) {
		size_t size = i * 37 % 500 + 1;

		arena_strndup(arena, "odd", i % 4);
		blocks[i] = arena_calloc(arena, 1, size);
		assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
		for (size_t at = 0; at < size; at++)
			assert_int_equal(blocks[i][at], 0);
		memset(blocks[i], (int)(i % 255 + 1), size);
	}
	for (size_t i = 0; i < 200; i++) {
		for (size_t at = 0; at < i * 37 % 500 + 1; at++)
			assert_int_equal(blocks[i][at], i % 255 + 1);
	}
}

static void larger_than_any_block(void **state)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	char *small = arena_strdup(arena, "before");
	unsigned char *large = arena_calloc(arena, 1000, 1000);
	char *after = arena_strdup(arena, "after");

	assert_int_equal(large[999999], 0);
	memset(large, 0xff, 1000000);
	assert_string_equal(small, "before");
	assert_string_equal(after, "after");
}

static void copies_of_text_end(void **state)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();

	assert_string_equal(arena_strndup(arena, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(arena, "ab", 30), "ab");
	assert_string_equal(arena_strdup(arena, ""), "");
	assert_non_null(arena_calloc(arena, 0, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(larger_than_any_block),
		cmocka_unit_test(copies_of_text_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
