/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/api/operations.h"

#include "base/str.h"

static const struct api_operation *const tables[] = {
	api_cluster_operations,           api_task_definition_operations,
	api_delete_definition_operations, api_container_instance_operations,
	api_attribute_operations,         api_tag_operations,
	api_poll_endpoint_operations,     api_task_run_operations,
	api_task_query_operations,        api_task_submit_operations,
};

const struct api_operation *api_operation_find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct api_operation *operation = tables[i]; operation->name;
		     operation++)
			if (str_eq(operation->name, name))
				return operation;
	return NULL;
}
