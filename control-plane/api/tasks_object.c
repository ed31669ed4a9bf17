/* SPDX-License-Identifier: Apache-2.0 */
/* A task as DescribeTasks shows it. */
#include <errno.h>

#include "base/json.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/tasks.h"
#include "control-plane/services/services.h"

static bool interface_exists(const struct task *task)
{
	return task->eni && task->eni->state != ATTACHMENT_PRECREATED && task->eni->eni_id;
}

static void add_detail(json_t *details, const char *name, const char *value)
{
	if (value)
		json_array_append_new(details,
				      json_pack("{s:s, s:s}", "name", name, "value", value));
}

static json_t *attachments(const struct task *task)
{
	json_t *list = json_array();
	json_t *details;

	if (!task->eni)
		return list;
	details = json_array();
	add_detail(details, "subnetId", task->eni->subnet_id);
	if (interface_exists(task)) {
		add_detail(details, "networkInterfaceId", task->eni->eni_id);
		add_detail(details, "macAddress", task->eni->mac);
		add_detail(details, "privateDnsName", task->eni->private_dns_name);
		add_detail(details, "privateIPv4Address", task->eni->private_ip);
		add_detail(details, "ipv6Address", task->eni->ipv6);
	}
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "id", task->eni->id, "type",
					      "ElasticNetworkInterface", "status",
					      attachment_state_name(task->eni->state), "details",
					      details));
	return list;
}

static json_t *network_interfaces(const struct task *task)
{
	json_t *list = json_array();
	json_t *interface;

	if (!interface_exists(task))
		return list;
	interface = json_pack("{s:s}", "attachmentId", task->eni->id);
	api_set_string(interface, "privateIpv4Address", task->eni->private_ip);
	api_set_string(interface, "ipv6Address", task->eni->ipv6);
	json_array_append_new(list, interface);
	return list;
}

static json_t *network_bindings(const struct task_container *container)
{
	json_t *list = json_array();

	for (size_t i = 0; i < container->binding_count; i++) {
		const struct task_binding *binding = &container->bindings[i];
		json_t *object = json_object();

		api_set_string(object, "bindIP", binding->bind_ip);
		if (binding->container_port_range) {
			api_set_string(object, "containerPortRange", binding->container_port_range);
			api_set_string(object, "hostPortRange", binding->host_port_range);
		} else {
			json_object_set_new(object, "containerPort",
					    json_integer(binding->container_port));
			json_object_set_new(object, "hostPort", json_integer(binding->host_port));
		}
		api_set_string(object, "protocol", binding->protocol);
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *container_json(const struct task *task, const struct task_container *container)
{
	json_t *object = json_object();

	api_set_string(object, "containerArn", container->arn);
	api_set_string(object, "taskArn", task->arn);
	api_set_string(object, "name", container->name);
	api_set_string(object, "image", container->image);
	api_set_string(object, "imageDigest", container->image_digest);
	api_set_string(object, "runtimeId", container->runtime_id);
	api_set_string(object, "lastStatus", container_state_name(container->state));
	if (container->has_exit_code)
		json_object_set_new(object, "exitCode", json_integer(container->exit_code));
	api_set_string(object, "reason", container->reason);
	json_object_set_new(object, "networkInterfaces", network_interfaces(task));
	json_object_set_new(object, "networkBindings", network_bindings(container));
	/* The answer of RunTask does not have it yet. */
	if (task->version > 1)
		api_set_string(object, "healthStatus", health_status_name(container->health));
	api_set_string(object, "cpu", container->cpu);
	api_set_string(object, "memory", container->memory);
	api_set_string(object, "memoryReservation", container->memory_reservation);
	return object;
}

static json_t *override_of(const json_t *given, const char *container)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(given, "containerOverrides"), i, item)
		if (str_eq(member_string(item, "name"), container))
			return json_incref(item);
	return json_pack("{s:s}", "name", container);
}

/* One entry for each container, the rest as it was given. */
static json_t *overrides_json(const struct task *task)
{
	_cleanup_json_ json_t *given =
		task->overrides ? json_loads(task->overrides, 0, NULL) : NULL;
	json_t *object = json_object();
	json_t *containers = json_array();

	if (given)
		json_object_update(object, given);
	for (size_t i = 0; i < task->container_count; i++)
		json_array_append_new(containers, override_of(given, task->containers[i].name));
	json_object_set_new(object, "containerOverrides", containers);
	if (!member_has(object, "inferenceAcceleratorOverrides"))
		json_object_set_new(object, "inferenceAcceleratorOverrides", json_array());
	return object;
}

static void set_times(json_t *object, const struct task *task)
{
	api_set_time(object, "createdAt", task->created_ms);
	api_set_time(object, "pullStartedAt", task->pull_started_ms);
	api_set_time(object, "pullStoppedAt", task->pull_stopped_ms);
	api_set_time(object, "startedAt", task->started_ms);
	api_set_time(object, "stoppingAt", task->stopping_ms);
	api_set_time(object, "stoppedAt", task->stopped_ms);
	/* While the task runs an agent may have told it already; clients see it with the end. */
	if (task->state >= TASK_DEPROVISIONING)
		api_set_time(object, "executionStoppedAt", task->execution_stopped_ms);
}

static void set_stop(json_t *object, const struct task *task)
{
	api_set_string(object, "stopCode", task_stop_code_name(task->stop_code));
	api_set_string(object, "stoppedReason", task->stopped_reason);
}

int api_task_json(struct api_call *call, const struct task *task, bool with_tags,
		  json_t **ret_object)
{
	_cleanup_json_ json_t *object = json_object();
	json_t *containers = json_array();
	json_t *tags = NULL;
	int r;

	api_set_string(object, "taskArn", task->arn);
	api_set_string(object, "clusterArn", task->cluster_arn);
	api_set_string(object, "taskDefinitionArn", task->definition_arn);
	api_set_string(object, "containerInstanceArn", task->instance_arn);
	json_object_set_new(object, "overrides", overrides_json(task));
	api_set_string(object, "lastStatus", task_state_name(task->state));
	api_set_string(object, "desiredStatus", task_state_name(task->desired));
	api_set_string(object, "healthStatus", health_status_name(task->health));
	api_set_string(object, "cpu", task->cpu);
	api_set_string(object, "memory", task->memory);
	for (size_t i = 0; i < task->container_count; i++)
		json_array_append_new(containers, container_json(task, &task->containers[i]));
	json_object_set_new(object, "containers", containers);
	json_object_set_new(object, "version", json_integer(task->version));
	api_set_string(object, "group", task->group);
	api_set_string(object, "launchType", task->launch_type);
	api_set_string(object, "startedBy", task->started_by);
	api_set_string(object, "availabilityZone", task->zone);
	json_object_set_new(object, "attachments", attachments(task));
	json_object_set_new(object, "attributes",
			    json_pack("[{s:s, s:s}]", "name", "ecs.cpu-architecture", "value",
				      task->cpu_architecture));
	json_object_set_new(object, "enableExecuteCommand",
			    json_boolean(task->enable_execute_command));
	if (task->connectivity_ms != 0) {
		api_set_string(object, "connectivity",
			       task->connected ? "CONNECTED" : "DISCONNECTED");
		api_set_time(object, "connectivityAt", task->connectivity_ms);
	}
	set_times(object, task);
	set_stop(object, task);
	if (with_tags) {
		r = api_tags_read(call, task->arn, &tags);
		if (r < 0)
			return r;
	}
	json_object_set_new(object, "tags", tags ? tags : json_array());
	*ret_object = json_incref(object);
	return 0;
}

int api_task(struct api_call *call, const char *cluster, const char *reference,
	     struct task **ret_task)
{
	_cleanup_free_ char *id = NULL;
	_cleanup_free_ char *arn = NULL;
	struct task *task;
	int r = api_object_id(call, ARN_TASK, cluster, reference, "taskId", &id);

	if (r < 0)
		return r;
	arn = arn_task(store_scope(call->store), cluster, id);
	task = services_find_task(call->api->services, arn);
	if (!task)
		return -ENOENT;
	*ret_task = task;
	return 0;
}
