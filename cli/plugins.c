/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plugins.h"

static bool is_off(const char *text)
{
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (str_eq(text, no[i]))
			return true;
	return false;
}

static void add(struct str_list *list, bool needed, const char *name)
{
	if (needed && !str_list_has(list, name))
		str_list_add(list, name);
}

void plugins_needed(const struct cli_settings *settings, struct str_list *ret)
{
	bool own_lists = str_is_empty(settings->cni_config_dir);
	bool awsvpc = !is_off(settings->task_eni);
	bool is_ec2 = str_eq_nocase(settings->network_shape, "ec2");
	/* Branches are given to hosts that have devices. */
	bool branches = awsvpc && str_eq_nocase(settings->eni_driver, "eni") &&
			!is_off(settings->high_density_eni);

	add(ret, own_lists && awsvpc, is_ec2 ? "vpc-eni" : "ecs-eni");
	add(ret, own_lists && branches, is_ec2 ? "vpc-branch-eni" : "ecs-branch-eni");
	/* ecs-eth0, which also stands beside an operator's interfaces; and the mode bridge. */
	add(ret, own_lists || (awsvpc && is_ec2), "ecs-bridge");
	add(ret, own_lists || (awsvpc && is_ec2), "ecs-ipam");
	add(ret, own_lists, "ecs-portmap");
	add(ret, awsvpc, "aws-appmesh");
	add(ret, true, "ecs-serviceconnect");
}
