/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/log_options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int read_options(const char *size, const char *files, int64_t *ret_bytes,
			unsigned *ret_files, struct error *err)
{
	struct text_pair pairs[2];
	struct text_map map = { pairs, 0 };

	if (size)
		pairs[map.count++] = (struct text_pair){ "max-size", size };
	if (files)
		pairs[map.count++] = (struct text_pair){ "max-file", files };
	return log_options_read(&map, ret_bytes, ret_files, err);
}

static void sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = { { "100", 100 },
		      { "10k", 10240 },
		      { "10m", 10 * 1024 * 1024 },
		      { "2g", 2LL * 1024 * 1024 * 1024 },
		      { "64K", 64 * 1024 },
		      { "1mb", 1024 * 1024 } };
	int64_t bytes;
	unsigned files;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_options(cases[i].text, "3", &bytes, &files, NULL), 0);
		assert_int_equal(bytes, cases[i].bytes);
		assert_int_equal(files, 3);
	}
	assert_int_equal(read_options(NULL, NULL, &bytes, &files, NULL), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(files, 1);
}

static void nonsense_is_named(void **state)
{
	static const char *const sizes[] = {
		"", "m", "-1", "10x", "0", "1.5m", "99999999999999999999g"
	};
	struct error err;
	int64_t bytes;
	unsigned files;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(read_options(sizes[i], NULL, &bytes, &files, &err), -EINVAL);
		assert_non_null(strstr(err.text, "max-size"));
		assert_non_null(strstr(err.text, "10m"));
	}
	assert_int_equal(read_options("1m", "0", &bytes, &files, &err), -EINVAL);
	assert_non_null(strstr(err.text, "max-file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(nonsense_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
