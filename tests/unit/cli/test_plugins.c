/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plugins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const *given;

static const char *get(const char *name)
{
	for (size_t i = 0; given[i]; i += 2)
		if (str_eq(given[i], name))
			return given[i + 1];
	return NULL;
}

static void assert_needed(const char *const *settings, const char *expected)
{
	struct cli_settings read;
	struct str_list needed = STR_LIST_INIT;
	char *text;

	given = settings;
	assert_int_equal(cli_settings_read(get, NULL, &read, NULL), 0);
	plugins_needed(&read, &needed);
	text = str_list_join(&needed, " ");
	assert_string_equal(text, expected);
	free(text);
	str_list_free(&needed);
	cli_settings_free(&read);
}

#define NEEDED(expected, ...) assert_needed((const char *const[]){ __VA_ARGS__, NULL }, expected)

#define BRIDGE "ecs-bridge ecs-ipam ecs-portmap"
#define MESHES "aws-appmesh ecs-serviceconnect"

static void those_are_needed_that_the_settings_ask_for(void **state)
{
	NEEDED("ecs-eni " BRIDGE " " MESHES, "OTHER", "x");
	NEEDED(BRIDGE " ecs-serviceconnect", "ECS_ENABLE_TASK_ENI", "false");
	NEEDED("ecs-eni ecs-branch-eni " BRIDGE " " MESHES, "BERTH_ENI_DRIVER", "eni");
	NEEDED("ecs-eni " BRIDGE " " MESHES, "BERTH_ENI_DRIVER", "eni",
	       "ECS_ENABLE_HIGH_DENSITY_ENI", "0");
	NEEDED("vpc-eni " BRIDGE " " MESHES, "BERTH_TASK_NETWORK_SHAPE", "ec2");
	NEEDED("vpc-eni vpc-branch-eni " BRIDGE " " MESHES, "BERTH_TASK_NETWORK_SHAPE", "ec2",
	       "BERTH_ENI_DRIVER", "eni");
	/* What an operator's lists name is the operator's to know. */
	NEEDED(MESHES, "BERTH_CNI_CONFIG_DIR", "/etc/cni/net.d");
	NEEDED("ecs-bridge ecs-ipam " MESHES, "BERTH_CNI_CONFIG_DIR", "/etc/cni/net.d",
	       "BERTH_TASK_NETWORK_SHAPE", "ec2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_are_needed_that_the_settings_ask_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
