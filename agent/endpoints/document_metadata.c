/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/endpoints/document.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/version.h"
#include "wire/writer.h"

#define PAUSE_NAME "~internal~ecs~pause"

bool document_has(const struct container_state *container)
{
	return container->known >= CONTAINER_STATUS_CREATED && (container->created_at_ms > 0 || container->start_intended);
}

static void write_time(struct writer *writer, const char *key, int64_t wall_ms)
{
	char text[CLOCK_ISO8601_SIZE];

	if (wall_ms > 0)
		write_text(writer, key, format_iso8601_ns(wall_ms * 1000000, text));
}

void document_runtime_name(const struct task_state *task, const struct container_state *container,
			   struct strbuf *out)
{
	const char *hex = container->endpoint_id;

	strbuf_appendf(out, "ecs-%s-%s-", task->spec->family ? task->spec->family : "",
		       task->spec->version ? task->spec->version : "");
	for (const char *c = container->spec->name; *c; c++) {
		if (isalnum((unsigned char)*c) || *c == '-')
			strbuf_append_char(out, *c);
	}
	strbuf_append_char(out, '-');
	for (int n = 0; *hex && n < 20; hex++) {
		if (*hex != '-') {
			strbuf_append_char(out, *hex);
			n++;
		}
	}
}

static void write_labels(struct writer *writer, const struct document_context *context,
			 const struct task_state *task, const char *name,
			 const struct text_map *own)
{
	const struct text_pair agent[] = {
		{ "com.amazonaws.ecs.cluster",
		  context->identity->cluster ? context->identity->cluster : "" },
		{ "com.amazonaws.ecs.container-name", name },
		{ "com.amazonaws.ecs.task-arn", task->spec->arn },
		{ "com.amazonaws.ecs.task-definition-family",
		  task->spec->family ? task->spec->family : "" },
		{ "com.amazonaws.ecs.task-definition-version",
		  task->spec->version ? task->spec->version : "" },
	};

	write_object(writer, "Labels");
	for (size_t i = 0; i < sizeof(agent) / sizeof(agent[0]); i++)
		write_text(writer, agent[i].name, agent[i].value);
	for (size_t i = 0; own && i < own->count; i++) {
		bool ours = false;

		for (size_t j = 0; j < sizeof(agent) / sizeof(agent[0]); j++)
			ours |= str_eq(agent[j].name, own->items[i].name);
		if (!ours)
			write_text(writer, own->items[i].name, own->items[i].value);
	}
	write_object_end(writer);
}

/* "10.31.4.1/24" -> "10.31.4.0/24"; false when it does not parse. */
static bool network_of(int family, const char *address, unsigned prefix, char *text, size_t size)
{
	unsigned char bytes[16];
	char host[INET6_ADDRSTRLEN];
	unsigned bits = family == AF_INET ? 32 : 128;

	if (!address || prefix > bits || inet_pton(family, address, bytes) != 1)
		return false;
	for (unsigned bit = prefix; bit < bits; bit++)
		bytes[bit / 8] = (unsigned char)(bytes[bit / 8] & ~(0x80u >> (bit % 8)));
	inet_ntop(family, bytes, host, sizeof(host));
	snprintf(text, size, "%s/%u", host, prefix);
	return true;
}

static void write_addresses(struct writer *writer, const char *key,
			    const struct eni_address *addresses, size_t count)
{
	if (count == 0)
		return;
	write_list(writer, key);
	for (size_t i = 0; i < count; i++)
		write_text(writer, NULL, addresses[i].address);
	write_list_end(writer);
}

static void write_list_of(struct writer *writer, const char *key, const struct text_list *list)
{
	if (list->count > 0)
		write_texts(writer, key, list->items, list->count);
}

static void write_eni(struct writer *writer, const struct eni_spec *eni)
{
	char text[INET6_ADDRSTRLEN + 5];

	write_object(writer, NULL);
	write_text(writer, "NetworkMode", "awsvpc");
	write_addresses(writer, "IPv4Addresses", eni->ipv4, eni->ipv4_count);
	write_addresses(writer, "IPv6Addresses", eni->ipv6, eni->ipv6_count);
	write_i64(writer, "AttachmentIndex", 0);
	write_text(writer, "MACAddress", eni->mac_address);
	if (network_of(AF_INET, eni->gateway_ipv4.address, eni->gateway_ipv4.prefix, text,
		       sizeof(text)))
		write_text(writer, "IPv4SubnetCIDRBlock", text);
	if (eni->ipv6_count > 0 &&
	    network_of(AF_INET6, eni->ipv6[0].address,
		       eni->ipv4_count > 0 ? 64 : eni->gateway_ipv6.prefix, text, sizeof(text)))
		write_text(writer, "IPv6SubnetCIDRBlock", text);
	write_list_of(writer, "DomainNameServers", &eni->dns_servers);
	write_list_of(writer, "DomainNameSearchList", &eni->dns_search);
	if (!str_is_empty(eni->private_dns_name))
		write_text(writer, "PrivateDNSName", eni->private_dns_name);
	if (eni->gateway_ipv4.address) {
		snprintf(text, sizeof(text), "%s/%u", eni->gateway_ipv4.address,
			 eni->gateway_ipv4.prefix);
		write_text(writer, "SubnetGatewayIpv4Address", text);
	}
	if (eni->ipv4_count == 0 && eni->gateway_ipv6.address) {
		snprintf(text, sizeof(text), "%s/%u", eni->gateway_ipv6.address,
			 eni->gateway_ipv6.prefix);
		write_text(writer, "SubnetGatewayIpv6Address", text);
	}
	write_object_end(writer);
}

static void write_networks(struct writer *writer, const struct task_spec *spec)
{
	write_list(writer, "Networks");
	if (spec->network_mode == NETWORK_MODE_AWSVPC && spec->eni_count > 0) {
		for (size_t i = 0; i < spec->eni_count; i++)
			write_eni(writer, &spec->enis[i]);
	} else {
		write_object(writer, NULL);
		write_text(writer, "NetworkMode", spec->network_mode_name);
		write_list(writer, "IPv4Addresses");
		write_text(writer, NULL, "");
		write_list_end(writer);
		write_object_end(writer);
	}
	write_list_end(writer);
}

static void write_health(struct writer *writer, const struct container_state *container)
{
	bool known = container->health == CONTAINER_HEALTH_HEALTHY ||
		     container->health == CONTAINER_HEALTH_UNHEALTHY;

	write_object(writer, "Health");
	if (known) {
		write_text(writer, "status",
			   container->health == CONTAINER_HEALTH_HEALTHY ? "HEALTHY" : "UNHEALTHY");
		write_time(writer, "statusSince", container->health_since_ms);
		if (container->health_exit_code != 0)
			write_i64(writer, "exitCode", container->health_exit_code);
		if (!str_is_empty(container->health_output))
			write_text(writer, "output", container->health_output);
	}
	write_object_end(writer);
}

static void write_volumes(struct writer *writer, const struct task_spec *task,
			  const struct container_spec *container)
{
	if (container->mount_point_count == 0)
		return;
	write_list(writer, "Volumes");
	for (size_t i = 0; i < container->mount_point_count; i++) {
		const struct mount_point *point = &container->mount_points[i];
		const struct volume_spec *volume =
			point->source_volume ? task_spec_volume(task, point->source_volume) : NULL;

		write_object(writer, NULL);
		if (volume && str_is_empty(volume->source_path))
			write_text(writer, "DockerName", volume->name);
		write_text(writer, "Source",
			   volume && volume->source_path ? volume->source_path : "");
		write_text(writer, "Destination", point->container_path);
		write_object_end(writer);
	}
	write_list_end(writer);
}

static void write_container(struct writer *writer, const struct document_context *context,
			    const struct task_state *task, const struct container_state *container)
{
	const struct container_spec *spec = container->spec;
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	document_runtime_name(task, container, &name);
	write_object(writer, NULL);
	write_text(writer, "DockerId", container->runtime_id);
	write_text(writer, "Name", spec->name);
	write_text(writer, "DockerName", strbuf_text(&name));
	write_text(writer, "Image", spec->image ? spec->image : "");
	write_text(writer, "ImageID", container->image_id ? container->image_id : "");
	write_labels(writer, context, task, spec->name, &spec->docker.labels);
	write_text(writer, "DesiredStatus", container_status_name(container->desired));
	write_text(writer, "KnownStatus", container_status_name(container->known));
	if (container->has_exit_code)
		write_i64(writer, "ExitCode", container->exit_code);
	write_object(writer, "Limits");
	write_i64(writer, "CPU", spec->cpu < 2 ? 2 : spec->cpu);
	write_i64(writer, "Memory", spec->memory_mib);
	write_object_end(writer);
	write_time(writer, "CreatedAt", container->created_at_ms);
	write_time(writer, "StartedAt", container->started_at_ms);
	write_time(writer, "FinishedAt", container->finished_at_ms);
	write_text(writer, "Type", "NORMAL");
	if (spec->health_check_docker)
		write_health(writer, container);
	write_volumes(writer, task->spec, spec);
	if (!str_is_empty(spec->docker.log_driver))
		write_text(writer, "LogDriver", spec->docker.log_driver);
	if (spec->docker.log_options.count > 0) {
		write_object(writer, "LogOptions");
		for (size_t i = 0; i < spec->docker.log_options.count; i++)
			write_text(writer, spec->docker.log_options.items[i].name,
				   spec->docker.log_options.items[i].value);
		write_object_end(writer);
	}
	if (!str_is_empty(spec->arn))
		write_text(writer, "ContainerARN", spec->arn);
	write_networks(writer, task->spec);
	write_object_end(writer);
}

/* The pause container has no entry in the definition. */
static void write_pause(struct writer *writer, const struct document_context *context,
			const struct task_state *task)
{
	const struct network_state *network = &task->network;
	bool running = network->status > NETWORK_OPENING && network->status < NETWORK_GONE;
	const char *known = network->status == NETWORK_GONE    ? "STOPPED"
			    : network->status == NETWORK_READY ? "RESOURCES_PROVISIONED"
			    : running                          ? "RUNNING"
							       : "NONE";
	_cleanup_free_ char *id = xasprintf("%s-pause", task->spec->id);

	write_object(writer, NULL);
	write_text(writer, "DockerId", id);
	write_text(writer, "Name", PAUSE_NAME);
	write_text(writer, "DockerName", id);
	write_text(writer, "Image", "berth-pause");
	write_text(writer, "ImageID", "");
	write_labels(writer, context, task, PAUSE_NAME, NULL);
	write_text(writer, "DesiredStatus",
		   task->desired == TASK_STATUS_STOPPED ? "STOPPED" : "RESOURCES_PROVISIONED");
	write_text(writer, "KnownStatus", known);
	if (network->has_exit_code)
		write_i64(writer, "ExitCode", network->exit_code);
	write_raw(writer, "Limits", "{\"CPU\":2,\"Memory\":0}");
	write_time(writer, "CreatedAt", network->created_at_ms);
	write_time(writer, "StartedAt", network->started_at_ms);
	write_time(writer, "FinishedAt", network->finished_at_ms);
	write_text(writer, "Type", "CNI_PAUSE");
	write_networks(writer, task->spec);
	write_object_end(writer);
}

void document_container(const struct document_context *context, const struct task_state *task,
			const struct container_state *container, struct strbuf *out)
{
	struct writer writer = writer_to(out);

	write_container(&writer, context, task, container);
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
	write_text(&writer, "DesiredStatus", task_status_name(task->desired));
	write_text(&writer, "KnownStatus", task_status_name(task->known));
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
	write_list(&writer, "Containers");
	for (size_t i = 0; i < task->container_count; i++) {
		if (document_has(&task->containers[i]))
			write_container(&writer, context, task, &task->containers[i]);
	}
	if (task->network.status != NETWORK_NONE)
		write_pause(&writer, context, task);
	write_list_end(&writer);
	if (!str_is_empty(spec->service_name))
		write_text(&writer, "ServiceName", spec->service_name);
	write_bool(&writer, "FaultInjectionEnabled", spec->enable_fault_injection);
	write_object_end(&writer);
}

/* ---- introspection ---- */

void document_metadata(const struct endpoints_identity *identity, struct strbuf *out)
{
	struct writer writer = writer_to(out);
	_cleanup_free_ char *version =
		xasprintf("Amazon ECS Agent - v%s (%s)", berth_version(), berth_commit());

	write_object(&writer, NULL);
	write_text(&writer, "Cluster", identity->cluster ? identity->cluster : "");
	if (identity->container_instance_arn)
		write_text(&writer, "ContainerInstanceArn", identity->container_instance_arn);
	else
		write_raw(&writer, "ContainerInstanceArn", "null");
	write_text(&writer, "Version", version);
	write_object_end(&writer);
}

static void write_introspected_container(struct writer *writer, const struct task_state *task,
					 const struct container_state *container)
{
	const struct container_spec *spec = container->spec;
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	document_runtime_name(task, container, &name);
	write_object(writer, NULL);
	write_text(writer, "DockerId", container->runtime_id);
	write_text(writer, "DockerName", strbuf_text(&name));
	write_text(writer, "Name", spec->name);
	write_text(writer, "Image", spec->image ? spec->image : "");
	write_text(writer, "ImageID", container->image_id ? container->image_id : "");
	write_time(writer, "CreatedAt", container->created_at_ms);
	write_time(writer, "StartedAt", container->started_at_ms);
	if (spec->port_mapping_count > 0) {
		write_list(writer, "Ports");
		for (size_t i = 0; i < spec->port_mapping_count; i++) {
			const struct port_mapping *port = &spec->port_mappings[i];
			bool own = task_has_own_network(task->spec) || port->host_port == 0;

			write_object(writer, NULL);
			write_i64(writer, "ContainerPort", port->container_port);
			write_text(writer, "Protocol", transport_protocol_name(port->protocol));
			write_i64(writer, "HostPort", own ? port->container_port : port->host_port);
			write_object_end(writer);
		}
		write_list_end(writer);
	}
	if (task->spec->eni_count > 0) {
		write_list(writer, "Networks");
		for (size_t i = 0; i < task->spec->eni_count; i++) {
			const struct eni_spec *eni = &task->spec->enis[i];

			write_object(writer, NULL);
			write_text(writer, "NetworkMode", "awsvpc");
			write_addresses(writer, "IPv4Addresses", eni->ipv4, eni->ipv4_count);
			write_addresses(writer, "IPv6Addresses", eni->ipv6, eni->ipv6_count);
			write_object_end(writer);
		}
		write_list_end(writer);
	}
	write_volumes(writer, task->spec, spec);
	write_object_end(writer);
}

void document_introspected_task(const struct task_state *task, struct strbuf *out)
{
	struct writer writer = writer_to(out);
	const char *known = task_status_wire(task->known);
	const char *desired = task_status_wire(task->desired);
	bool contradicts =
		(task->known == TASK_STATUS_STOPPED && task->desired != TASK_STATUS_STOPPED) ||
		(str_eq(known, "RUNNING") && str_eq(desired, "PENDING"));

	write_object(&writer, NULL);
	write_text(&writer, "Arn", task->spec->arn);
	if (!contradicts)
		write_text(&writer, "DesiredStatus", desired);
	write_text(&writer, "KnownStatus", known);
	write_text(&writer, "Family", task->spec->family ? task->spec->family : "");
	write_text(&writer, "Version", task->spec->version ? task->spec->version : "");
	write_list(&writer, "Containers");
	for (size_t i = 0; i < task->container_count; i++)
		write_introspected_container(&writer, task, &task->containers[i]);
	write_list_end(&writer);
	write_object_end(&writer);
}
