/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/ip_compatibility.h"

#include <sys/socket.h>

#include "netns/route.h"

static bool detect(void)
{
	struct netlink *netlink = NULL;
	struct route_list routes = { 0 };
	bool leads_out[2] = { false, false };
	int r = netlink_open(&netlink, NULL);

	if (r == 0)
		r = route_list(netlink, 0, &routes, NULL);
	for (size_t i = 0; r == 0 && i < routes.count; i++) {
		const struct route *route = &routes.items[i];

		if (route->gateway.family && route->destination.length == 0)
			leads_out[route->gateway.family == AF_INET6] = true;
	}
	route_list_free(&routes);
	netlink_close(netlink);
	return leads_out[1] && !leads_out[0];
}

bool ip_compatibility_is_ipv6_only(const struct agent_config *config)
{
	return config->ip_compatibility == CONFIG_IP_DETECT
		       ? detect()
		       : config->ip_compatibility == CONFIG_IP_IPV6;
}
