/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/architecture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/utsname.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void machines_have_the_names_that_agents_send(void **state)
{
	static const struct {
		const char *machine, *name;
	} cases[] = {
		{ "x86_64", "x86_64" },   { "i386", "i386" },       { "i686", "i386" },
		{ "aarch64", "arm64" },   { "armv7l", "arm" },      { "armv6l", "arm" },
		{ "riscv64", "riscv64" }, { "ppc64le", "ppc64le" }, { "s390x", "s390x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(ecs_architecture(cases[i].machine), cases[i].name);
}

static void the_host_is_asked(void **state)
{
	_cleanup_free_ char *name = ecs_architecture_of_host();
	struct utsname host;

	assert_int_equal(uname(&host), 0);
	assert_string_equal(name, ecs_architecture(host.machine));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machines_have_the_names_that_agents_send),
		cmocka_unit_test(the_host_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
