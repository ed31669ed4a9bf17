/* SPDX-License-Identifier: Apache-2.0 */
/* What tasks hold: of an instance, of a cluster, and as the scheduler sees it. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/number.h"
#include "base/str.h"
#include "control-plane/services/private.h"
#include "control-plane/store/attributes.h"
#include "control-plane/store/container_instances.h"

#define ENIS_UNLIMITED INT32_MAX

static void count_task(struct services_usage *usage, const struct task *task)
{
	usage->live_tasks++;
	usage->cpu += task->cpu_units;
	usage->memory += task->memory_mib;
	usage->enis += task->eni != NULL;
	if (task->desired != TASK_RUNNING)
		return;
	if (task->state == TASK_RUNNING)
		usage->running_tasks++;
	else
		usage->pending_tasks++;
}

static void add_ports(uint16_t **ports, size_t *count, const uint16_t *more, size_t more_count)
{
	if (more_count == 0)
		return;
	*ports = xreallocarray(*ports, *count + more_count, sizeof(**ports));
	memcpy(*ports + *count, more, more_count * sizeof(**ports));
	*count += more_count;
}

static int compare_ports(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void sort_ports(uint16_t *ports, size_t *count)
{
	size_t kept = 0;

	if (*count == 0)
		return;
	qsort(ports, *count, sizeof(*ports), compare_ports);
	for (size_t i = 0; i < *count; i++)
		if (kept == 0 || ports[kept - 1] != ports[i])
			ports[kept++] = ports[i];
	*count = kept;
}

/* Dynamic host ports that the agent has reported; static ones are in task->ports already. */
static void add_bindings(struct services_usage *usage, const struct task *task)
{
	for (size_t i = 0; i < task->container_count; i++) {
		const struct task_container *container = &task->containers[i];

		for (size_t k = 0; k < container->binding_count; k++) {
			uint16_t port = (uint16_t)container->bindings[k].host_port;

			if (port == 0)
				continue;
			if (str_eq(container->bindings[k].protocol, "udp"))
				add_ports(&usage->udp, &usage->udp_count, &port, 1);
			else
				add_ports(&usage->tcp, &usage->tcp_count, &port, 1);
		}
	}
}

void services_instance_usage(const struct services *services, const char *instance_arn,
			     struct services_usage *ret_usage)
{
	struct services_usage usage = { 0 };

	for (size_t i = 0; i < services->task_count; i++) {
		const struct task *task = services->tasks[i];

		if (task->state == TASK_STOPPED || !str_eq(task->instance_arn, instance_arn))
			continue;
		count_task(&usage, task);
		add_ports(&usage.tcp, &usage.tcp_count, task->ports.tcp, task->ports.tcp_count);
		add_ports(&usage.udp, &usage.udp_count, task->ports.udp, task->ports.udp_count);
		add_bindings(&usage, task);
	}
	sort_ports(usage.tcp, &usage.tcp_count);
	sort_ports(usage.udp, &usage.udp_count);
	*ret_usage = usage;
}

void services_cluster_usage(const struct services *services, const char *cluster_arn,
			    struct services_usage *ret_usage)
{
	struct services_usage usage = { 0 };

	for (size_t i = 0; i < services->task_count; i++) {
		const struct task *task = services->tasks[i];

		if (task->state != TASK_STOPPED && str_eq(task->cluster_arn, cluster_arn))
			count_task(&usage, task);
	}
	*ret_usage = usage;
}

void services_usage_free(struct services_usage *usage)
{
	free(usage->tcp);
	free(usage->udp);
	*usage = (struct services_usage){ 0 };
}

/* Takes what the agent registered: totals, and the ports that it keeps to itself. */
static int read_resources(const char *text, struct scheduler_instance *instance,
			  struct services_usage *usage, struct error *err)
{
	_cleanup_json_ json_t *list = NULL;
	const json_t *item, *port;
	size_t i, k;
	int r = json_parse(text, strlen(text), NULL, &list, err);

	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));
		int64_t value = json_integer_value(json_object_get(item, "integerValue"));
		bool udp = str_eq(name, "PORTS_UDP");

		if (str_eq(name, "CPU"))
			instance->cpu_total = value;
		if (str_eq(name, "MEMORY"))
			instance->memory_total = value;
		if (!udp && !str_eq(name, "PORTS"))
			continue;
		json_array_foreach (json_object_get(item, "stringSetValue"), k, port) {
			uint64_t number;
			uint16_t reserved;

			if (number_parse_u64(json_string_value(port) ? json_string_value(port) : "",
					     1, UINT16_MAX, &number, NULL) < 0)
				continue;
			reserved = (uint16_t)number;
			if (udp)
				add_ports(&usage->udp, &usage->udp_count, &reserved, 1);
			else
				add_ports(&usage->tcp, &usage->tcp_count, &reserved, 1);
		}
	}
	return 0;
}

static int fill_attributes(struct services *services, struct arena *arena,
			   const struct container_instance_row *row,
			   struct scheduler_instance *instance, struct error *err)
{
	struct attribute_list list = { 0 };
	struct scheduler_attribute *attributes;
	int r = attribute_of_instance(services->store, row->cluster, row->id, &list, err);

	if (r < 0)
		return r;
	attributes = arena_calloc(arena, list.count + 1, sizeof(*attributes));
	for (size_t i = 0; i < list.count; i++) {
		attributes[i].name = arena_strdup(arena, list.items[i].name);
		attributes[i].value =
			list.items[i].value ? arena_strdup(arena, list.items[i].value) : NULL;
		if (str_eq(attributes[i].name, "ecs.availability-zone"))
			instance->zone = attributes[i].value;
	}
	instance->attributes = attributes;
	instance->attribute_count = list.count;
	attribute_list_clear(&list);
	return 0;
}

static const char *agent_version(struct arena *arena, const char *version_info)
{
	_cleanup_json_ json_t *info = NULL;
	const char *version;

	if (!version_info || json_parse(version_info, strlen(version_info), NULL, &info, NULL) < 0)
		return NULL;
	version = json_string_value(json_object_get(info, "agentVersion"));
	return version ? arena_strdup(arena, version) : NULL;
}

static void fill_groups(struct services *services, struct arena *arena,
			struct scheduler_instance *instance, int64_t live_tasks)
{
	const char **groups = arena_calloc(arena, (size_t)live_tasks + 1, sizeof(*groups));

	for (size_t i = 0; i < services->task_count; i++) {
		const struct task *task = services->tasks[i];

		if (task->state != TASK_STOPPED && str_eq(task->instance_arn, instance->arn))
			groups[instance->task_count++] = arena_strdup(arena, task->group);
	}
	instance->task_groups = groups;
}

static struct scheduler_ports copy_ports(struct arena *arena, const uint16_t *ports, size_t count)
{
	uint16_t *copy = arena_calloc(arena, count, sizeof(*copy));

	if (count > 0)
		memcpy(copy, ports, count * sizeof(*copy));
	return (struct scheduler_ports){ .items = copy, .count = count };
}

static int fill_instance(struct services *services, struct arena *arena,
			 const struct container_instance_row *row,
			 struct scheduler_instance *instance, struct error *err)
{
	_cleanup_free_ char *arn =
		arn_container_instance(store_scope(services->store), row->cluster, row->id);
	struct services_usage usage;
	int r;

	*instance = (struct scheduler_instance){
		.arn = arena_strdup(arena, arn),
		.ec2_instance_id =
			row->ec2_instance_id ? arena_strdup(arena, row->ec2_instance_id) : NULL,
		.agent_version = agent_version(arena, row->version_info),
		.registered_at_ms = row->registered_at_ms,
		.gpus_remaining = 0, /* no device is handed out by this control plane */
		.active = str_eq(row->status, CONTAINER_INSTANCE_ACTIVE),
		.inactive = str_eq(row->status, CONTAINER_INSTANCE_INACTIVE),
		.agent_connected = services_agent_connected(services, arn),
	};
	services_instance_usage(services, arn, &usage);
	r = read_resources(row->resources, instance, &usage, err);
	if (r == 0)
		r = fill_attributes(services, arena, row, instance, err);
	if (r == 0) {
		instance->cpu_remaining = instance->cpu_total - usage.cpu;
		instance->memory_remaining = instance->memory_total - usage.memory;
		instance->enis_remaining = services->enis_per_instance > 0
						   ? services->enis_per_instance - usage.enis
						   : ENIS_UNLIMITED;
		instance->tcp_used = copy_ports(arena, usage.tcp, usage.tcp_count);
		instance->udp_used = copy_ports(arena, usage.udp, usage.udp_count);
		instance->running_tasks = usage.running_tasks;
		fill_groups(services, arena, instance, usage.live_tasks);
	} else {
		error_prefix(err, "read container instance %s", row->id);
	}
	services_usage_free(&usage);
	return r;
}

int services_view_all(struct services *services, const char *cluster_arn, bool inactive,
		      struct services_view *ret_view, struct error *err)
{
	struct container_instance_list lists[2] = { 0 };
	struct arena *arena = arena_new();
	struct scheduler_instance *instances;
	struct arn arn = { 0 };
	size_t count = 0;
	int r = arn_parse(cluster_arn, &arn, err);

	if (r == 0)
		r = container_instance_find(services->store, arn.id, NULL, NULL, -1, &lists[0],
					    err);
	if (r == 0 && inactive)
		r = container_instance_find(services->store, arn.id, CONTAINER_INSTANCE_INACTIVE,
					    NULL, -1, &lists[1], err);
	instances = arena_calloc(arena, lists[0].count + lists[1].count + 1, sizeof(*instances));
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; r == 0 && i < lists[k].count; i++)
			r = fill_instance(services, arena, &lists[k].items[i], &instances[count++],
					  err);
	if (r == 0) {
		ret_view->instances = instances;
		ret_view->count = count;
		ret_view->memory = TAKE(arena);
	}
	arena_free(arena);
	container_instance_list_clear(&lists[0]);
	container_instance_list_clear(&lists[1]);
	arn_clear(&arn);
	return r;
}

int services_view(struct services *services, const char *cluster_arn,
		  struct services_view *ret_view, struct error *err)
{
	return services_view_all(services, cluster_arn, false, ret_view, err);
}

void services_view_free(struct services_view *view)
{
	arena_free(view->memory);
	*view = (struct services_view){ 0 };
}
