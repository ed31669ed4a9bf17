/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/create.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/str.h"
#include "control-plane/services/definition.h"
#include "wire/architecture.h"

static char *new_uuid(void)
{
	char uuid[UUID_SIZE];

	uuid4(uuid);
	return xstrdup(uuid);
}

static char *number_text(const json_t *container, const json_t *override, const char *name)
{
	int64_t number;

	if (!definition_container_number(container, override, name, &number))
		return NULL;
	return xasprintf("%" PRId64, number);
}

static void fill_container(struct services *services, const struct task *task,
			   const json_t *definition, const json_t *override,
			   struct task_container *container)
{
	const json_t *essential = json_object_get(definition, "essential");
	_cleanup_free_ char *uuid = new_uuid();

	container->name = xstrdup(definition_text(definition, "name"));
	container->arn =
		arn_container(store_scope(services->store), task->cluster_name, task->id, uuid);
	container->image = xstrdup(definition_text(definition, "image"));
	container->cpu = number_text(definition, override, "cpu");
	if (!container->cpu)
		container->cpu = xstrdup("0");
	container->memory = number_text(definition, override, "memory");
	container->memory_reservation = number_text(definition, override, "memoryReservation");
	container->essential = !json_is_false(essential);
	container->has_health_check = definition_has(definition, "healthCheck");
	container->state = CONTAINER_PENDING;
	container->health = HEALTH_STATUS_UNKNOWN;
}

/* A bare name stands for the role of that name in this account. */
static void fill_role(struct services *services, struct task_role *role, const char *name)
{
	if (str_is_empty(name))
		return;
	role->role_arn = arn_looks_like(name)
				 ? xstrdup(name)
				 : xasprintf("arn:aws:iam::%s:role/%s", services->account, name);
	role->credentials_id = new_uuid();
}

static const char *role_name(const struct run_request *request, const char *member)
{
	const char *name = definition_text(request->overrides, member);

	return str_is_empty(name) ? definition_text(request->definition, member) : name;
}

static void fill_eni(struct services *services, const struct run_request *request,
		     struct task *task, const struct subnet *subnet, const char *default_group)
{
	struct task_eni *eni = xcalloc(1, sizeof(*eni));

	eni->id = new_uuid();
	eni->arn = arn_attachment(store_scope(services->store), task->cluster_name, eni->id);
	eni->state = ATTACHMENT_PRECREATED;
	eni->subnet_id = xstrdup(subnet_id(subnet));
	eni->security_groups =
		xcalloc(request->security_group_count + 2, sizeof(*eni->security_groups));
	for (size_t i = 0; i < request->security_group_count; i++)
		eni->security_groups[eni->security_group_count++] =
			xstrdup(request->security_groups[i]);
	if (default_group)
		eni->security_groups[eni->security_group_count++] = xstrdup(default_group);
	task->eni = eni;
}

static uint16_t *copy_ports(const uint16_t *ports, size_t count)
{
	return xmemdup(ports ? ports : (const uint16_t[]){ 0 }, count * sizeof(*ports));
}

static const char *instance_attribute(const struct scheduler_instance *instance, const char *name)
{
	for (size_t i = 0; i < instance->attribute_count; i++)
		if (str_eq(instance->attributes[i].name, name))
			return instance->attributes[i].value;
	return NULL;
}

struct task *create_task(struct services *services, const struct run_request *request,
			 const struct run_needs *needs, const struct scheduler_instance *instance,
			 struct subnet *subnet, const char *default_group)
{
	const struct arn_scope *scope = store_scope(services->store);
	const json_t *containers = definition_containers(request->definition);
	const char *architecture = instance_attribute(instance, "ecs.cpu-architecture");
	struct task *task = xcalloc(1, sizeof(*task));
	char id[33];

	random_hex(id, 16);
	task->id = xstrdup(id);
	task->arn = arn_task(scope, request->cluster, id);
	task->cluster_arn = arn_cluster(scope, request->cluster);
	task->cluster_name = xstrdup(request->cluster);
	task->instance_arn = xstrdup(instance->arn);
	task->definition_arn = arn_task_definition(scope, request->family, request->revision);
	task->family = xstrdup(request->family);
	task->revision = request->revision;
	task->network_mode = xstrdup(definition_mode(request->definition));
	task->group =
		request->group ? xstrdup(request->group) : xasprintf("family:%s", request->family);
	task->started_by = xstrdup_null(request->started_by);
	task->launch_type = xstrdup(request->launch_type);
	task->zone = xstrdup_null(instance->zone);
	task->cpu_architecture = architecture ? xstrdup(architecture) : ecs_architecture_of_host();
	task->overrides = request->overrides ? json_dump_compact(request->overrides) : NULL;
	task->cpu = xasprintf("%" PRId64, needs->cpu);
	task->memory = xasprintf("%" PRId64, needs->memory);
	task->enable_execute_command = request->enable_execute_command;
	task->cpu_units = needs->cpu;
	task->memory_mib = needs->memory;
	task->ports = (struct task_port_set){
		.tcp = copy_ports(needs->ports.tcp, needs->ports.tcp_count),
		.tcp_count = needs->ports.tcp_count,
		.udp = copy_ports(needs->ports.udp, needs->ports.udp_count),
		.udp_count = needs->ports.udp_count,
	};
	task->state = subnet ? TASK_PROVISIONING : TASK_PENDING;
	task->desired = TASK_RUNNING;
	task->version = 1;
	task->created_ms = clock_wall_ms();
	task->containers = xcalloc(json_array_size(containers) + 1, sizeof(*task->containers));
	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *definition = json_array_get(containers, i);

		fill_container(services, task, definition,
			       definition_override(request->overrides,
						   definition_text(definition, "name")),
			       &task->containers[task->container_count++]);
	}
	fill_role(services, &task->role, role_name(request, "taskRoleArn"));
	fill_role(services, &task->execution_role, role_name(request, "executionRoleArn"));
	if (subnet)
		fill_eni(services, request, task, subnet, default_group);
	return task;
}

/* "ip-10-0-0-5.ec2.internal", as a VPC names its hosts; without IPv4 the interface's id is the
 * first part. */
static char *dns_name_of(const struct services *services, const struct task_eni *eni)
{
	_cleanup_free_ char *host =
		eni->private_ip ? xasprintf("ip-%s", eni->private_ip) : xstrdup(eni->eni_id);

	for (char *c = host; *c; c++)
		if (*c == '.')
			*c = '-';
	return str_eq(services->region, "us-east-1")
		       ? xasprintf("%s.ec2.internal", host)
		       : xasprintf("%s.%s.compute.internal", host, services->region);
}

static char *text_unless_empty(const char *text)
{
	return str_is_empty(text) ? NULL : xstrdup(text);
}

bool create_eni(struct services *services, struct task *task, struct subnet *subnet)
{
	struct subnet_addresses addresses;
	unsigned char mac[5];
	char id[19];

	if (!subnet_take(subnet, &addresses))
		return false;
	random_bytes(mac, sizeof(mac));
	random_hex(id, 9);
	task->eni->eni_id = xasprintf("eni-%.17s", id);
	task->eni->mac =
		xasprintf("0a:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4]);
	task->eni->private_ip = text_unless_empty(addresses.ipv4);
	task->eni->ipv6 = text_unless_empty(addresses.ipv6);
	task->eni->private_dns_name = dns_name_of(services, task->eni);
	task->eni->gateway = xstrdup_null(subnet_gateway(subnet));
	task->eni->ipv6_gateway = xstrdup_null(subnet_ipv6_gateway(subnet));
	task->eni->dns_server = xstrdup(subnet_dns_server(subnet));
	return true;
}
