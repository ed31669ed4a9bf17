/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void holds_what_was_set(void **state)
{
	struct map *map = map_new();
	int one = 1, two = 2;

	assert_null(map_get(map, "a"));
	assert_null(map_set(map, "a", &one));
	assert_ptr_equal(map_set(map, "a", &two), &one);
	assert_ptr_equal(map_get(map, "a"), &two);
	assert_int_equal(map_count(map), 1);
	assert_ptr_equal(map_remove(map, "a"), &two);
	assert_null(map_remove(map, "a"));
	assert_int_equal(map_count(map), 0);
	map_free(map);
}

/* Growth and removal in the middle of probe runs lose nothing: compared with a plain array. */
static void behaves_like_an_array(void **state)
{
	enum { KEYS = 300 };
	static int values[KEYS];
	bool there[KEYS] = { false };
	struct map *map = map_new();
	size_t count = 0;

	srand(7);
	for (int step = 0; step < 20000; step++) {
		int i = rand() % KEYS;
		char key[16];

		snprintf(key, sizeof(key), "key-%d", i);
		if (rand() % 2) {
			assert_ptr_equal(map_set(map, key, &values[i]),
					 there[i] ? &values[i] : NULL);
			count += there[i] ? 0 : 1;
			there[i] = true;
		} else {
			assert_ptr_equal(map_remove(map, key), there[i] ? &values[i] : NULL);
			count -= there[i] ? 1 : 0;
			there[i] = false;
		}
		assert_int_equal(map_count(map), count);
	}
	for (int i = 0; i < KEYS; i++) {
		char key[16];

		snprintf(key, sizeof(key), "key-%d", i);
		assert_ptr_equal(map_get(map, key), there[i] ? &values[i] : NULL);
	}
	map_free(map);
}

static void goes_through_each_value_once(void **state)
{
	struct map *map = map_new();
	int values[40], seen = 0;
	size_t cursor = 0;
	const char *key;
	int *value;

	for (int i = 0; i < 40; i++) {
		char name[16];

		values[i] = 0;
		snprintf(name, sizeof(name), "%d", i);
		map_set(map, name, &values[i]);
	}
	while ((value = map_next(map, &cursor, &key))) {
		assert_int_equal(*value, 0);
		assert_ptr_equal(value, &values[atoi(key)]);
		*value = 1;
		seen++;
	}
	assert_int_equal(seen, 40);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_was_set),
		cmocka_unit_test(behaves_like_an_array),
		cmocka_unit_test(goes_through_each_value_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
