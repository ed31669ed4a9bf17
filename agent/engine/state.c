/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/engine/state.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

struct task_state *task_state_new(struct task_spec *spec)
{
	struct task_state *task = xcalloc(1, sizeof(*task));

	task->spec = task_spec_ref(spec);
	task->container_count = spec->container_count;
	task->containers = xcalloc(spec->container_count, sizeof(*task->containers));
	for (size_t i = 0; i < spec->container_count; i++) {
		task->containers[i].spec = &spec->containers[i];
		task->containers[i].attempt = 1;
	}
	return task;
}

void task_state_free(struct task_state *task)
{
	if (!task)
		return;
	for (size_t i = 0; i < task->container_count; i++) {
		struct container_state *container = &task->containers[i];

		free(container->runtime_id);
		free(container->image_digest);
		free(container->image_id);
		free(container->reason);
		free(container->pull_error);
		free(container->health_output);
		free(container->connection.address);
		free(container->connection.ipv6_address);
		free(container->connection.bindings);
	}
	free(task->containers);
	free(task->reason);
	free(task->network.netns_path);
	free(task->network.interface);
	free(task->network.address);
	free(task->network.details);
	task_spec_unref(task->spec);
	free(task);
}

struct container_state *task_state_container(const struct task_state *task, const char *name)
{
	for (size_t i = 0; i < task->container_count; i++)
		if (str_eq(task->containers[i].spec->name, name))
			return &task->containers[i];
	return NULL;
}

void connection_set_bindings(struct connection_state *connection,
			     const struct port_binding *bindings, size_t count)
{
	struct port_binding *copy = xcalloc(count + 1, sizeof(*copy));

	for (size_t i = 0; i < count; i++)
		copy[i] = bindings[i];
	free(connection->bindings);
	connection->bindings = copy;
	connection->binding_count = count;
}

bool task_has_interfaces(const struct task_spec *spec)
{
	return task_has_own_network(spec) || task_connects_containers(spec);
}

bool task_connects_containers(const struct task_spec *spec)
{
	return spec->network_mode == NETWORK_MODE_BRIDGE;
}

bool task_has_own_network(const struct task_spec *spec)
{
	return spec->network_mode == NETWORK_MODE_AWSVPC;
}
