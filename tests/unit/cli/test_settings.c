/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

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

static const char *some(const char *name)
{
	return strcmp(name, "ECS_DATADIR") == 0                   ? "/from/environment"
	       : strcmp(name, "BERTH_INTROSPECTION_ADDRESS") == 0 ? "::"
								  : "";
}

static const char *no_port(const char *name)
{
	return strcmp(name, "BERTH_INTROSPECTION_PORT") == 0 ? "0" : NULL;
}

static void the_last_value_of_a_file_counts(void **state)
{
	static const char text[] = "# ECS_DATADIR=/comment\nECS_DATADIR=/first\n"
				   "  ECS_DATADIR = \"/second one\"  \r\nX=a=b\nOTHER\nQ='\nE=\n"
				   "LAST=end";
	static const struct {
		const char *name;
		const char *value;
	} cases[] = {
		{ "ECS_DATADIR", "/second one" },
		{ "X", "a=b" },
		{ "Q", "'" },
		{ "E", "" },
		{ "LAST", "end" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *value = env_file_value(text, cases[i].name);

		assert_string_equal(value, cases[i].value);
		free(value);
	}
	assert_null(env_file_value(text, "OTHER"));
	assert_null(env_file_value(text, "DATADIR"));
}

static void defaults(void **state)
{
	struct cli_settings settings;

	assert_int_equal(cli_settings_read(nothing, "/nowhere/ecs.config", &settings, NULL), 0);
	assert_string_equal(settings.url, "http://127.0.0.1:51678");
	assert_string_equal(settings.data_dir, "/var/lib/ecs/data");
	assert_string_equal(settings.libexec_dir, "/usr/libexec/berth");
	cli_settings_free(&settings);
}

static void environment_goes_before_the_file(void **state)
{
	char path[] = "/tmp/berth-cli-XXXXXX";
	int fd = mkstemp(path);
	struct cli_settings settings;

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "ECS_DATADIR=/from/file\nBERTH_RUNTIME=crun\n"
				"BERTH_INTROSPECTION_PORT=40000\n") > 0);
	assert_int_equal(cli_settings_read(some, path, &settings, NULL), 0);
	assert_string_equal(settings.data_dir, "/from/environment");
	assert_string_equal(settings.runtime, "crun");
	/* An agent that listens everywhere is asked on loopback. */
	assert_string_equal(settings.url, "http://[::1]:40000");
	cli_settings_free(&settings);
	close(fd);
	unlink(path);
}

static void a_wrong_port_is_named(void **state)
{
	struct cli_settings settings;
	struct error err;

	assert_int_equal(cli_settings_read(no_port, NULL, &settings, &err), -EINVAL);
	assert_string_equal(err.text,
			    "BERTH_INTROSPECTION_PORT must be a port from 1 to 65535, not \"0\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_value_of_a_file_counts),
		cmocka_unit_test(defaults),
		cmocka_unit_test(environment_goes_before_the_file),
		cmocka_unit_test(a_wrong_port_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
