/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/endpoints/document_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/endpoints/document.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

bool document_has(const struct container_state *container)
{
	return container->known >= CONTAINER_STATUS_CREATED &&
	       (container->created_at_ms > 0 || container->start_intended);
}

char *document_pause_id(const struct task_state *task)
{
	return task->network.created_at_ms > 0 ? xasprintf("%s-pause", task->spec->id) : NULL;
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

void write_time(struct writer *writer, const char *key, int64_t wall_ms)
{
	char text[CLOCK_ISO8601_SIZE];

	if (wall_ms > 0)
		write_text(writer, key, format_iso8601_ns(wall_ms * 1000000, text));
}

static int by_name(const void *a, const void *b)
{
	const struct text_pair *const *left = a, *const *right = b;
	int order = strcmp((*left)->name, (*right)->name);

	/* The same name: as they stood, in the one array that both are in. */
	return order ? order : *left < *right ? -1 : 1;
}

void write_map(struct writer *writer, const char *key, const struct text_pair *pairs, size_t count)
{
	_cleanup_free_ const struct text_pair **sorted = xcalloc(count + 1, sizeof(*sorted));

	for (size_t i = 0; i < count; i++)
		sorted[i] = &pairs[i];
	qsort(sorted, count, sizeof(*sorted), by_name);
	write_object(writer, key);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !str_eq(sorted[i]->name, sorted[i - 1]->name))
			write_text(writer, sorted[i]->name, sorted[i]->value);
	}
	write_object_end(writer);
}

void write_addresses(struct writer *writer, const char *key, const struct eni_address *addresses,
		     size_t count)
{
	if (count == 0)
		return;
	write_list(writer, key);
	for (size_t i = 0; i < count; i++)
		write_text(writer, NULL, addresses[i].address);
	write_list_end(writer);
}

void write_volumes(struct writer *writer, const struct task_spec *task,
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

static void write_port(struct writer *writer, const struct port_binding *binding, int nth,
		       const char *host_ip)
{
	write_object(writer, NULL);
	write_i64(writer, "ContainerPort", binding->container_port + nth);
	write_text(writer, "Protocol", transport_protocol_name(binding->protocol));
	write_i64(writer, "HostPort", binding->host_port + nth);
	if (host_ip)
		write_text(writer, "HostIp", host_ip);
	write_object_end(writer);
}

void write_bindings(struct writer *writer, const struct connection_state *connection, bool host_ip)
{
	/* On all addresses of the host of each family that the container has. */
	const char *bound = connection->address ? "0.0.0.0" : "::";
	bool both = host_ip && connection->address && connection->ipv6_address;

	if (connection->binding_count == 0)
		return;
	write_list(writer, "Ports");
	for (size_t i = 0; i < connection->binding_count; i++) {
		for (int j = 0; j < connection->bindings[i].count; j++) {
			write_port(writer, &connection->bindings[i], j, host_ip ? bound : NULL);
			if (both)
				write_port(writer, &connection->bindings[i], j, "::");
		}
	}
	write_list_end(writer);
}

void write_restarts(struct writer *writer, const struct container_state *container)
{
	if (container->spec->restart_policy.enabled)
		write_i64(writer, "RestartCount", (int64_t)container->attempt - 1);
}
