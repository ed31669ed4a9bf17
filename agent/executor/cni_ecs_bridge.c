/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_ecs_bridge.h"

#include <stdlib.h>

#include "agent/config/config.h"
#include "base/cleanup.h"
#include "base/json.h"

/* As Amazon's agent has it, key by key, so that Amazon's plugins of these names can be used. */
#define CNI_VERSION  "0.3.0"
#define NETWORK_NAME "awsvpc"
#define BRIDGE       "ecs-bridge"
#define ENDPOINT     "169.254.170.2/32"

static char *conflist(json_t *plugin)
{
	_cleanup_json_ json_t *list = json_pack("{s:s, s:s, s:[o]}", "cniVersion", CNI_VERSION,
						"name", NETWORK_NAME, "plugins", plugin);

	return list ? json_dump_compact(list) : NULL;
}

static char *bridge_with(json_t *ipam)
{
	return conflist(json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:i, s:b, s:{s:b}, s:o}", "type",
				  "ecs-bridge", "bridge", BRIDGE, "isGateway", 0,
				  "isDefaultGateway", 0, "forceAddress", 0, "ipMasq", 0, "mtu", 0,
				  "hairpinMode", 0, "capabilities", "leaveToNetns", 1, "ipam",
				  ipam));
}

static json_t *lease(const char *id)
{
	return json_pack("{s:s, s:s, s:s}", "type", "ecs-ipam", "id", id, "ipv4-subnet",
			 CONFIG_EC2_SUBNET);
}

char *ecs_bridge_conflist(const struct ecs_bridge_request *request)
{
	json_t *routes = json_pack("[{s:s}]", "dst", ENDPOINT), *ipam = lease(request->id);

	for (size_t i = 0; i < request->route_count; i++)
		json_array_append_new(routes, json_pack("{s:s}", "dst", request->routes[i]));
	json_object_set_new(ipam, "ipv4-routes", routes);
	return bridge_with(ipam);
}

char *ecs_bridge_conflist_detach(void)
{
	return bridge_with(json_object());
}

char *ecs_bridge_conflist_release(const char *id)
{
	return conflist(json_pack("{s:s, s:o}", "type", "ecs-ipam", "ipam", lease(id)));
}
