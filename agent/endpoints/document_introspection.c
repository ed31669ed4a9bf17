/* SPDX-License-Identifier: Apache-2.0 */
/* What the introspection API shows. */
#include <stdlib.h>

#include "agent/endpoints/document.h"
#include "agent/endpoints/document_parts.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/version.h"

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

/* Those of the definition, where there are no others: a task on its own network, or on the host's,
 * has no bindings. */
static void write_ports(struct writer *writer, const struct task_spec *task,
			const struct container_state *state)
{
	const struct container_spec *container = state->spec;

	if (state->connection.binding_count > 0) {
		write_bindings(writer, &state->connection, false);
		return;
	}
	if (container->port_mapping_count == 0)
		return;
	write_list(writer, "Ports");
	for (size_t i = 0; i < container->port_mapping_count; i++) {
		const struct port_mapping *port = &container->port_mappings[i];
		bool same = task_has_own_network(task) || port->host_port == 0;

		write_object(writer, NULL);
		write_i64(writer, "ContainerPort", port->container_port);
		write_text(writer, "Protocol", transport_protocol_name(port->protocol));
		write_i64(writer, "HostPort", same ? port->container_port : port->host_port);
		write_object_end(writer);
	}
	write_list_end(writer);
}

static void write_interface(struct writer *writer, const struct task_spec *task)
{
	if (task->network_mode != NETWORK_MODE_AWSVPC || task->eni_count == 0)
		return;
	write_list(writer, "Networks");
	write_object(writer, NULL);
	write_text(writer, "NetworkMode", "awsvpc");
	write_addresses(writer, "IPv4Addresses", task->enis[0].ipv4, task->enis[0].ipv4_count);
	write_addresses(writer, "IPv6Addresses", task->enis[0].ipv6, task->enis[0].ipv6_count);
	write_object_end(writer);
	write_list_end(writer);
}

static void write_container(struct writer *writer, const struct task_state *task,
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
	write_ports(writer, task->spec, container);
	write_interface(writer, task->spec);
	write_volumes(writer, task->spec, spec);
	write_restarts(writer, container);
	write_object_end(writer);
}

void document_introspected_task(const struct engine *engine, const struct task_state *task,
				struct strbuf *out)
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
	for (size_t i = 0; i < task->container_count; i++) {
		if (document_has(&task->containers[i]))
			write_container(&writer, task, &task->containers[i]);
	}
	write_list_end(&writer);
	if (task->known < TASK_STATUS_RUNNING)
		write_waits(&writer, engine, task, NULL);
	write_object_end(&writer);
}
