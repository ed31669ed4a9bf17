/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_bridge.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#define CNI_VERSION "1.0.0"
#define CAPABILITY  "portMappings"

char *bridge_conflist(const struct bridge_request *request)
{
	/* Like Docker's default network: out by the host's address, to each other and to oneself.
	 */
	_cleanup_json_ json_t *list = json_pack(
		"{s:s, s:s, s:[{s:s, s:s, s:b, s:b, s:b, s:[s+], s:{s:b}, s:{s:s, s:s, s:s, s:s*}},"
		" {s:s, s:{s:b}}]}",
		"cniVersion", CNI_VERSION, "name", BRIDGE_NETWORK, "plugins", "type", "ecs-bridge",
		"bridge", request->bridge, "isDefaultGateway", 1, "ipMasq", 1, "hairpinMode", 1,
		"loopback-addresses", request->endpoint, "/32", "capabilities", "leaveToNetns", 1,
		"ipam", "type", "ecs-ipam", "id", request->container_id, "ipv4-subnet",
		request->subnet, "ipv6-subnet",
		str_is_empty(request->ipv6_subnet) ? NULL : request->ipv6_subnet, "type",
		"ecs-portmap", "capabilities", CAPABILITY, 1);

	return list ? json_dump_compact(list) : NULL;
}

static json_t *mappings_of(const struct port_binding *bindings, size_t count)
{
	json_t *mappings = json_array();

	for (size_t i = 0; i < count; i++) {
		for (int j = 0; j < bindings[i].count; j++)
			json_array_append_new(
				mappings, json_pack("{s:i, s:i, s:s}", "hostPort",
						    bindings[i].host_port + j, "containerPort",
						    bindings[i].container_port + j, "protocol",
						    transport_protocol_name(bindings[i].protocol)));
	}
	return mappings;
}

char *bridge_conflist_publish(const char *conflist, const struct port_binding *bindings,
			      size_t count)
{
	_cleanup_json_ json_t *list = json_loads(conflist, 0, NULL);
	_cleanup_json_ json_t *mappings = mappings_of(bindings, count);
	json_t *plugin;
	size_t i;

	if (!list)
		return NULL;
	json_array_foreach (json_object_get(list, "plugins"), i, plugin) {
		if (count > 0 && json_is_true(json_object_get(
					 json_object_get(plugin, "capabilities"), CAPABILITY)))
			json_object_set_new(plugin, "runtimeConfig",
					    json_pack("{s:O}", CAPABILITY, mappings));
	}
	return json_dump_compact(list);
}
