/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks and containers, as version 4 of the metadata endpoint shows them. */
#include "agent/endpoints/document.h"

#include <stdlib.h>

#include "agent/endpoints/document_network.h"
#include "agent/endpoints/document_parts.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

#define PAUSE_NAME   "~internal~ecs~pause"
#define LEAST_CPU    2 /* shares, as the kernel has it */
#define AGENT_LABELS 5

/* The agent's labels, then the container's own: of the same name the agent's wins. */
static void write_labels(struct writer *writer, const struct document_context *context,
			 const struct task_state *task, const char *name,
			 const struct text_map *own)
{
	const struct task_spec *spec = task->spec;
	size_t own_count = own ? own->count : 0;
	_cleanup_free_ struct text_pair *labels =
		xcalloc(AGENT_LABELS + own_count, sizeof(*labels));
	const char *cluster = context->identity->cluster;

	labels[0] = (struct text_pair){ "com.amazonaws.ecs.cluster", cluster ? cluster : "" };
	labels[1] = (struct text_pair){ "com.amazonaws.ecs.container-name", name };
	labels[2] = (struct text_pair){ "com.amazonaws.ecs.task-arn", spec->arn };
	labels[3] = (struct text_pair){ "com.amazonaws.ecs.task-definition-family",
					spec->family ? spec->family : "" };
	labels[4] = (struct text_pair){ "com.amazonaws.ecs.task-definition-version",
					spec->version ? spec->version : "" };
	for (size_t i = 0; i < own_count; i++)
		labels[AGENT_LABELS + i] = own->items[i];
	write_map(writer, "Labels", labels, AGENT_LABELS + own_count);
}

static void write_limits(struct writer *writer, int64_t cpu, int64_t memory_mib)
{
	write_object(writer, "Limits");
	write_i64(writer, "CPU", cpu < LEAST_CPU ? LEAST_CPU : cpu);
	write_i64(writer, "Memory", memory_mib);
	write_object_end(writer);
}

static void write_health(struct writer *writer, const struct container_state *container)
{
	bool healthy = container->health == CONTAINER_HEALTH_HEALTHY;

	write_object(writer, "Health");
	if (healthy || container->health == CONTAINER_HEALTH_UNHEALTHY) {
		write_text(writer, "status", healthy ? "HEALTHY" : "UNHEALTHY");
		write_time(writer, "statusSince", container->health_since_ms);
		if (container->health_exit_code != 0)
			write_i64(writer, "exitCode", container->health_exit_code);
		if (!str_is_empty(container->health_output))
			write_text(writer, "output", container->health_output);
	}
	write_object_end(writer);
}

/* One that only has its image so far is shown without what the runtime would know of it. */
static void write_container(struct writer *writer, const struct document_context *context,
			    const struct task_state *task, const struct container_state *container)
{
	const struct container_spec *spec = container->spec;
	bool created = document_has(container);
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	if (created)
		document_runtime_name(task, container, &name);
	write_object(writer, NULL);
	write_text(writer, "DockerId", created ? container->runtime_id : "");
	write_text(writer, "Name", spec->name);
	write_text(writer, "DockerName", strbuf_text(&name));
	write_text(writer, "Image", spec->image ? spec->image : "");
	write_text(writer, "ImageID", container->image_id ? container->image_id : "");
	if (created)
		write_bindings(writer, &container->connection, true);
	if (created)
		write_labels(writer, context, task, spec->name, &spec->docker.labels);
	write_text(writer, "DesiredStatus", container_status_name(container->desired));
	write_text(writer, "KnownStatus", container_status_name(container->known));
	if (container->has_exit_code)
		write_i64(writer, "ExitCode", container->exit_code);
	write_limits(writer, spec->cpu, spec->memory_mib);
	write_time(writer, "CreatedAt", container->created_at_ms);
	write_time(writer, "StartedAt", container->started_at_ms);
	write_time(writer, "FinishedAt", container->finished_at_ms);
	write_text(writer, "Type", "NORMAL");
	if (spec->health_check_docker)
		write_health(writer, container);
	if (created)
		write_volumes(writer, task->spec, spec);
	if (!str_is_empty(spec->docker.log_driver))
		write_text(writer, "LogDriver", spec->docker.log_driver);
	if (spec->docker.log_options.count > 0)
		write_map(writer, "LogOptions", spec->docker.log_options.items,
			  spec->docker.log_options.count);
	if (!str_is_empty(spec->arn))
		write_text(writer, "ContainerARN", spec->arn);
	if (created)
		write_networks(writer, task->spec, &container->connection);
	write_restarts(writer, container);
	write_object_end(writer);
}

static const char *pause_known(const struct network_state *network)
{
	if (network->status == NETWORK_GONE || network->finished_at_ms > 0)
		return "STOPPED";
	return network->status < NETWORK_READY ? "RUNNING" : "RESOURCES_PROVISIONED";
}

/* The pause container has no entry in the definition. */
static void write_pause(struct writer *writer, const struct document_context *context,
			const struct task_state *task, const char *id)
{
	const struct network_state *network = &task->network;

	write_object(writer, NULL);
	write_text(writer, "DockerId", id);
	write_text(writer, "Name", PAUSE_NAME);
	write_text(writer, "DockerName", id);
	write_text(writer, "Image", "berth-pause");
	write_text(writer, "ImageID", "");
	write_labels(writer, context, task, PAUSE_NAME, NULL);
	write_text(writer, "DesiredStatus",
		   task->desired == TASK_STATUS_STOPPED ? "STOPPED" : "RESOURCES_PROVISIONED");
	write_text(writer, "KnownStatus", pause_known(network));
	if (network->has_exit_code)
		write_i64(writer, "ExitCode", network->exit_code);
	write_limits(writer, 0, 0);
	write_time(writer, "CreatedAt", network->created_at_ms);
	write_time(writer, "StartedAt", network->started_at_ms);
	write_time(writer, "FinishedAt", network->finished_at_ms);
	write_text(writer, "Type", "CNI_PAUSE");
	write_networks(writer, task->spec, NULL);
	write_object_end(writer);
}

void document_container(const struct document_context *context, const struct task_state *task,
			const struct container_state *container, struct strbuf *out)
{
	struct writer writer = writer_to(out);

	write_container(&writer, context, task, container);
}

/* Those that are there, the pause container, then those that have their image. Left out when there
 * are none. */
static void write_containers(struct writer *writer, const struct document_context *context,
			     const struct task_state *task)
{
	_cleanup_free_ char *pause = document_pause_id(task);
	_cleanup_strbuf_ struct strbuf list = STRBUF_INIT;
	struct writer inner = writer_to(&list);

	write_list(&inner, NULL);
	for (size_t i = 0; i < task->container_count; i++) {
		if (document_has(&task->containers[i]))
			write_container(&inner, context, task, &task->containers[i]);
	}
	if (pause)
		write_pause(&inner, context, task, pause);
	for (size_t i = 0; i < task->container_count; i++) {
		if (task->containers[i].known == CONTAINER_STATUS_PULLED)
			write_container(&inner, context, task, &task->containers[i]);
	}
	write_list_end(&inner);
	if (list.length > 2)
		write_raw(writer, "Containers", strbuf_text(&list));
}

/* PULLED is the engine's own: it has no name here. */
static const char *status_shown(enum task_status status)
{
	return task_status_name(status == TASK_STATUS_PULLED ? TASK_STATUS_NONE : status);
}

void document_task(const struct document_context *context, const struct task_state *task,
		   struct strbuf *out)
{
	const struct task_spec *spec = task->spec;
	struct writer writer = writer_to(out);

	write_object(&writer, NULL);
	write_text(&writer, "Cluster",
		   context->identity->cluster ? context->identity->cluster : "");
	write_text(&writer, "TaskARN", spec->arn);
	write_text(&writer, "Family", spec->family ? spec->family : "");
	write_text(&writer, "Revision", spec->version ? spec->version : "");
	write_text(&writer, "DesiredStatus", status_shown(task->desired));
	write_text(&writer, "KnownStatus", status_shown(task->known));
	if (spec->cpu > 0 || spec->memory_mib > 0) {
		write_object(&writer, "Limits");
		if (spec->cpu > 0)
			write_double(&writer, "CPU", spec->cpu);
		if (spec->memory_mib > 0)
			write_i64(&writer, "Memory", spec->memory_mib);
		write_object_end(&writer);
	}
	write_time(&writer, "PullStartedAt", task->pull_started_at_ms);
	write_time(&writer, "PullStoppedAt", task->pull_stopped_at_ms);
	write_time(&writer, "ExecutionStoppedAt", task->execution_stopped_at_ms);
	if (!context->without_zone && !str_is_empty(context->identity->availability_zone))
		write_text(&writer, "AvailabilityZone", context->identity->availability_zone);
	if (!str_is_empty(spec->launch_type))
		write_text(&writer, "LaunchType", spec->launch_type);
	write_containers(&writer, context, task);
	if (!str_is_empty(context->identity->vpc_id))
		write_text(&writer, "VPCID", context->identity->vpc_id);
	if (!str_is_empty(spec->service_name))
		write_text(&writer, "ServiceName", spec->service_name);
	write_bool(&writer, "FaultInjectionEnabled", spec->enable_fault_injection);
	if (!context->without_zone && !str_is_empty(context->identity->availability_zone_id))
		write_text(&writer, "AvailabilityZoneID", context->identity->availability_zone_id);
	write_object_end(&writer);
}
