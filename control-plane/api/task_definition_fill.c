/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AWS adds to a definition, and not a member more: clients such as Terraform compare what
 * comes back with what they sent, and see a change in everything else.
 */
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

static void fill(json_t *object, const char *name, json_t *value)
{
	if (member_has(object, name))
		json_decref(value);
	else
		json_object_set_new(object, name, value);
}

static void fill_mapping(const char *mode, json_t *mapping)
{
	int64_t container_port = member_integer(mapping, "containerPort", 0);

	fill(mapping, "protocol", json_string("tcp"));
	if (member_has(mapping, "containerPortRange"))
		return;
	if (str_eq(mode, "bridge"))
		fill(mapping, "hostPort", json_integer(0));
	else
		json_object_set_new(mapping, "hostPort", json_integer(container_port));
}

static void fill_container(const char *mode, json_t *container)
{
	static const char *const lists[] = { "portMappings", "environment", "mountPoints",
					     "volumesFrom", "systemControls" };
	json_t *health = json_object_get(container, "healthCheck");
	size_t i;
	json_t *mapping;

	fill(container, "cpu", json_integer(0));
	fill(container, "essential", json_true());
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		fill(container, lists[i], json_array());
	json_array_foreach (member_list(container, "portMappings"), i, mapping)
		fill_mapping(mode, mapping);
	if (health) {
		fill(health, "interval", json_integer(30));
		fill(health, "timeout", json_integer(5));
		fill(health, "retries", json_integer(3));
	}
}

static void fill_volume(json_t *volume)
{
	json_t *efs = json_object_get(volume, "efsVolumeConfiguration");

	if (efs)
		fill(efs, "rootDirectory", json_string("/"));
	if (!efs && !member_has(volume, "dockerVolumeConfiguration") &&
	    !member_has(volume, "fsxWindowsFileServerVolumeConfiguration") &&
	    !member_bool(volume, "configuredAtLaunch", false))
		fill(volume, "host", json_object());
}

void task_definition_fill(json_t *definition)
{
	const char *mode = definition_network_mode(definition);
	size_t i;
	json_t *item;

	json_array_foreach (member_list(definition, "containerDefinitions"), i, item)
		fill_container(mode, item);
	fill(definition, "volumes", json_array());
	json_array_foreach (member_list(definition, "volumes"), i, item)
		fill_volume(item);
	fill(definition, "placementConstraints", json_array());
	json_object_set_new(definition, "compatibilities", compatibilities_of(definition));
	json_object_set_new(definition, "requiresAttributes", required_attributes_of(definition));
}
