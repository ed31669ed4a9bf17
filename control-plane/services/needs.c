/* SPDX-License-Identifier: Apache-2.0 */
/* What one task takes of its instance. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"
#include "control-plane/services/definition.h"
#include "control-plane/services/run.h"

static void add_port(uint16_t **ports, size_t *count, int64_t port)
{
	for (size_t i = 0; i < *count; i++)
		if ((*ports)[i] == port)
			return;
	*ports = xreallocarray(*ports, *count + 1, sizeof(**ports));
	(*ports)[(*count)++] = (uint16_t)port;
}

/* Static host ports; with awsvpc the ports are those of the task's own interface. */
static void add_ports(const json_t *container, struct task_port_set *ports)
{
	const json_t *mapping;
	size_t i;

	json_array_foreach (json_object_get(container, "portMappings"), i, mapping) {
		int64_t port = definition_number(mapping, "hostPort");

		if (port < 1 || port > UINT16_MAX)
			continue;
		if (str_eq(definition_text(mapping, "protocol"), "udp"))
			add_port(&ports->udp, &ports->udp_count, port);
		else
			add_port(&ports->tcp, &ports->tcp_count, port);
	}
}

/* resourceRequirements of type GPU: of the override when it has some, else of the definition. */
static int64_t count_gpus(const json_t *container, const json_t *override)
{
	const json_t *list = json_object_get(override, "resourceRequirements");
	int64_t gpus = 0, number;
	const json_t *item;
	size_t i;

	if (json_array_size(list) == 0)
		list = json_object_get(container, "resourceRequirements");
	json_array_foreach (list, i, item)
		if (str_eq(definition_text(item, "type"), "GPU") &&
		    definition_text(item, "value") &&
		    number_parse_i64(definition_text(item, "value"), 0, 1000, &number, NULL) == 0)
			gpus += number;
	return gpus;
}

void run_needs(const json_t *definition, const json_t *overrides, struct run_needs *ret_needs)
{
	const char *mode = definition_mode(definition);
	bool host_ports = str_eq(mode, "bridge") || str_eq(mode, "host");
	struct run_needs needs = { 0 };
	int64_t cpu = 0, memory = 0, number;
	const json_t *container;
	size_t i;

	json_array_foreach (definition_containers(definition), i, container) {
		const json_t *override =
			definition_override(overrides, definition_text(container, "name"));

		if (definition_container_number(container, override, "cpu", &number))
			cpu += number;
		if (definition_container_number(container, override, "memoryReservation",
						&number) ||
		    definition_container_number(container, override, "memory", &number))
			memory += number;
		needs.gpus += count_gpus(container, override);
		if (host_ports)
			add_ports(container, &needs.ports);
	}
	needs.cpu = definition_task_cpu(definition, overrides, &number) ? number : cpu;
	needs.memory = definition_task_memory(definition, overrides, &number) ? number : memory;
	*ret_needs = needs;
}

void run_needs_clear(struct run_needs *needs)
{
	free(needs->ports.tcp);
	free(needs->ports.udp);
	*needs = (struct run_needs){ 0 };
}
