/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/service_connect.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/service_connect.h"

#define FIRST_PORT 32768U
#define PORT_COUNT (61000U - FIRST_PORT)

struct taken {
	bool ports[UINT16_MAX + 1];
};

static void take_all(struct taken *taken, const struct task_spec *task)
{
	const struct service_connect_spec *spec = task->service_connect;

	for (size_t c = 0; c < task->container_count; c++) {
		const struct container_spec *container = &task->containers[c];

		for (size_t i = 0; i < container->port_mapping_count; i++) {
			const struct port_mapping *mapping = &container->port_mappings[i];
			unsigned last = mapping->range_end > 0 ? mapping->range_end
							       : mapping->container_port;

			for (unsigned port = mapping->container_port; port <= last; port++)
				taken->ports[port] = true;
		}
	}
	for (size_t i = 0; i < spec->ingress_count; i++) {
		taken->ports[spec->ingress[i].listener_port] = true;
		taken->ports[spec->ingress[i].intercept_port] = true;
	}
	taken->ports[spec->egress_port] = true;
}

/* The next free one from where the hash points, once around. */
static uint16_t choose(struct taken *taken, uint64_t hash)
{
	for (unsigned i = 0; i < PORT_COUNT; i++) {
		unsigned port = FIRST_PORT + (unsigned)((hash + i) % PORT_COUNT);

		if (taken->ports[port])
			continue;
		taken->ports[port] = true;
		return (uint16_t)port;
	}
	return 0;
}

int service_connect_ports(const struct task_spec *task, uint16_t **ret, struct error *err)
{
	const struct service_connect_spec *spec = task->service_connect;
	_cleanup_free_ struct taken *taken = xcalloc(1, sizeof(*taken));
	_cleanup_free_ uint16_t *ports = xcalloc(spec->ingress_count + 1, sizeof(*ports));
	uint64_t hash = hash64_text(HASH64_START, task->id);

	take_all(taken, task);
	for (size_t i = 0; i <= spec->ingress_count; i++) {
		bool is_egress = i == spec->ingress_count;
		uint16_t given = is_egress ? spec->egress_port : spec->ingress[i].listener_port;

		if (is_egress && !spec->egress_listener)
			continue;
		ports[i] = given ? given : choose(taken, hash);
		if (ports[i])
			continue;
		error_say(err, EBUSY,
			  "no port from %u on is left for a listener of Service Connect",
			  FIRST_PORT);
		return -EBUSY;
	}
	*ret = TAKE(ports);
	return 0;
}

char *service_connect_listeners(const struct task_spec *task)
{
	const struct service_connect_spec *spec = task->service_connect;
	_cleanup_free_ uint16_t *ports = NULL;
	_cleanup_json_ json_t *object = json_object();

	if (service_connect_ports(task, &ports, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < spec->ingress_count; i++)
		if (!spec->ingress[i].listener_port && spec->ingress[i].listener)
			json_object_set_new(object, spec->ingress[i].listener,
					    json_integer(ports[i]));
	if (spec->egress_listener && !spec->egress_port)
		json_object_set_new(object, spec->egress_listener,
				    json_integer(ports[spec->ingress_count]));
	return json_object_size(object) > 0 ? json_dump_sorted(object) : NULL;
}

int service_connect_publish(const struct task_spec *task, struct container_spec *relay,
			    struct port_mapping **ret_mappings, struct error *err)
{
	const struct service_connect_spec *spec = task->service_connect;
	size_t own = relay->port_mapping_count, count = own + spec->ingress_count;
	_cleanup_free_ uint16_t *ports = NULL;
	struct port_mapping *mappings;
	int r = service_connect_ports(task, &ports, err);

	if (r < 0)
		return r;
	mappings = xcalloc(count + 1, sizeof(*mappings));
	for (size_t i = 0; i < own; i++)
		mappings[i] = relay->port_mappings[i];
	for (size_t i = 0; i < spec->ingress_count; i++)
		mappings[own + i] = (struct port_mapping){
			.container_port = ports[i],
			.host_port = spec->ingress[i].host_port,
			.protocol = TRANSPORT_TCP,
		};
	relay->port_mappings = mappings;
	relay->port_mapping_count = count;
	*ret_mappings = mappings;
	return 0;
}

char *service_connect_addresses(const struct task_state *task)
{
	_cleanup_json_ json_t *object = json_object();

	for (size_t i = 0; i < task->container_count; i++)
		if (task->containers[i].connection.address)
			json_object_set_new(object, task->containers[i].spec->name,
					    json_string(task->containers[i].connection.address));
	return json_dump_sorted(object);
}

bool service_connect_is_relay(const struct task_spec *task, const struct container_spec *container)
{
	return task->service_connect && str_eq(task->service_connect->container, container->name);
}
