/* SPDX-License-Identifier: Apache-2.0 */
#include "init/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *nothing(const char *name)
{
	return NULL;
}

static const char *maybe(const char *name)
{
	return strcmp(name, "ECS_SKIP_LOCALHOST_TRAFFIC_FILTER") == 0 ? "maybe" : NULL;
}

static const char *yes(const char *name)
{
	return strncmp(name, "ECS_SKIP", 8) == 0 || strncmp(name, "ECS_ALLOW", 9) == 0 ? "true"
										       : "";
}

static const char *no_port(const char *name)
{
	return strcmp(name, "BERTH_METADATA_PORT") == 0 ? "70000" : NULL;
}

static void defaults(void **state)
{
	struct init_settings settings;

	assert_int_equal(init_settings_read(nothing, &settings, NULL), 0);
	assert_int_equal(settings.metadata_port, 51679);
	assert_int_equal(settings.introspection_port, 51678);
	assert_false(settings.skip_localhost_filter);
	assert_string_equal(settings.run_dir, "/run/berth");
}

/* cfg-I3: an unparsable flag counts as false. */
static void flags(void **state)
{
	struct init_settings settings;

	assert_int_equal(init_settings_read(maybe, &settings, NULL), 0);
	assert_false(settings.skip_localhost_filter);
	assert_int_equal(init_settings_read(yes, &settings, NULL), 0);
	assert_true(settings.skip_localhost_filter);
	assert_true(settings.allow_offhost_introspection);
}

static void a_wrong_port_is_named(void **state)
{
	struct init_settings settings;
	struct error err;

	assert_int_equal(init_settings_read(no_port, &settings, &err), -EINVAL);
	assert_string_equal(err.text,
			    "BERTH_METADATA_PORT must be a port from 1 to 65535, not \"70000\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(flags),
		cmocka_unit_test(a_wrong_port_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
