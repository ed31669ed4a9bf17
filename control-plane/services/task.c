/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/task.h"

#include <stdlib.h>
#include <string.h>

const char *task_state_name(enum task_state state)
{
	static const char *const names[] = {
		[TASK_PROVISIONING] = "PROVISIONING",     [TASK_PENDING] = "PENDING",
		[TASK_ACTIVATING] = "ACTIVATING",         [TASK_RUNNING] = "RUNNING",
		[TASK_DEACTIVATING] = "DEACTIVATING",     [TASK_STOPPING] = "STOPPING",
		[TASK_DEPROVISIONING] = "DEPROVISIONING", [TASK_STOPPED] = "STOPPED",
	};

	return names[state];
}

const char *task_stop_code_name(enum task_stop_code code)
{
	static const char *const names[] = {
		[TASK_STOP_NONE] = NULL,
		[TASK_STOP_FAILED_TO_START] = "TaskFailedToStart",
		[TASK_STOP_ESSENTIAL_EXITED] = "EssentialContainerExited",
		[TASK_STOP_USER_INITIATED] = "UserInitiated",
		[TASK_STOP_SERVICE_SCHEDULER] = "ServiceSchedulerInitiated",
		[TASK_STOP_TERMINATION_NOTICE] = "TerminationNotice",
	};

	return names[code];
}

const char *container_state_name(enum container_state state)
{
	static const char *const names[] = {
		[CONTAINER_PENDING] = "PENDING",
		[CONTAINER_RUNNING] = "RUNNING",
		[CONTAINER_STOPPED] = "STOPPED",
	};

	return names[state];
}

const char *attachment_state_name(enum attachment_state state)
{
	static const char *const names[] = {
		[ATTACHMENT_PRECREATED] = "PRECREATED", [ATTACHMENT_CREATED] = "CREATED",
		[ATTACHMENT_ATTACHING] = "ATTACHING",   [ATTACHMENT_ATTACHED] = "ATTACHED",
		[ATTACHMENT_DETACHING] = "DETACHING",   [ATTACHMENT_DETACHED] = "DETACHED",
		[ATTACHMENT_DELETED] = "DELETED",       [ATTACHMENT_FAILED] = "FAILED",
	};

	return names[state];
}

struct task_container *task_find_container(struct task *task, const char *name)
{
	for (size_t i = 0; i < task->container_count; i++)
		if (strcmp(task->containers[i].name, name) == 0)
			return &task->containers[i];
	return NULL;
}

void task_bindings_free(struct task_binding *bindings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(bindings[i].bind_ip);
		free(bindings[i].protocol);
		free(bindings[i].container_port_range);
		free(bindings[i].host_port_range);
	}
	free(bindings);
}

static void container_clear(struct task_container *container)
{
	free(container->name);
	free(container->arn);
	free(container->image);
	free(container->cpu);
	free(container->memory);
	free(container->memory_reservation);
	free(container->runtime_id);
	free(container->image_digest);
	free(container->reason);
	task_bindings_free(container->bindings, container->binding_count);
}

static void eni_free(struct task_eni *eni)
{
	if (!eni)
		return;
	free(eni->id);
	free(eni->arn);
	free(eni->subnet_id);
	free(eni->eni_id);
	free(eni->mac);
	free(eni->private_ip);
	free(eni->ipv6);
	free(eni->private_dns_name);
	free(eni->gateway);
	free(eni->ipv6_gateway);
	free(eni->dns_server);
	for (size_t i = 0; i < eni->security_group_count; i++)
		free(eni->security_groups[i]);
	free(eni->security_groups);
	free(eni);
}

void task_free(struct task *task)
{
	if (!task)
		return;
	for (size_t i = 0; i < task->container_count; i++)
		container_clear(&task->containers[i]);
	free(task->containers);
	eni_free(task->eni);
	free(task->ports.tcp);
	free(task->ports.udp);
	free(task->role.role_arn);
	free(task->role.credentials_id);
	free(task->execution_role.role_arn);
	free(task->execution_role.credentials_id);
	free(task->id);
	free(task->arn);
	free(task->cluster_arn);
	free(task->cluster_name);
	free(task->instance_arn);
	free(task->definition_arn);
	free(task->family);
	free(task->network_mode);
	free(task->group);
	free(task->started_by);
	free(task->launch_type);
	free(task->zone);
	free(task->cpu_architecture);
	free(task->overrides);
	free(task->cpu);
	free(task->memory);
	free(task->stopped_reason);
	free(task);
}
