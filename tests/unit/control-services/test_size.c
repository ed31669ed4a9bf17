/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/size.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void sizes_are_read_as_users_write_them(void **state)
{
	static const struct {
		const char *text;
		int64_t units; /* -1: refused */
	} cpu[] = {
		{ "256", 256 }, { "1 vCPU", 1024 }, { "0.5vcpu", 512 }, { ".25 VCPU", 256 },
		{ "", -1 },     { "vCPU", -1 },     { "-1", -1 },       { "0", -1 },
		{ "1 GB", -1 }, { "nan vCPU", -1 }, { "1e9 vCPU", -1 }, { "4  vCPU", 4096 },
	};
	int64_t units;

	for (size_t i = 0; i < sizeof(cpu) / sizeof(cpu[0]); i++) {
		int r = size_parse_cpu(cpu[i].text, &units);

		if ((r == 0) != (cpu[i].units >= 0) || (r == 0 && units != cpu[i].units))
			fail_msg("'%s'", cpu[i].text);
	}
	assert_int_equal(size_parse_memory("0.5 GB", &units), 0);
	assert_int_equal(units, 512);
	assert_int_equal(size_parse_memory("2GB", &units), 0);
	assert_int_equal(units, 2048);
	assert_int_equal(size_parse_memory("300", &units), 0);
	assert_int_equal(units, 300);
	assert_int_equal(size_parse_memory("1 vCPU", &units), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_as_users_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
