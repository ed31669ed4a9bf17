/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_IP_COMPATIBILITY_H
#define BERTH_AGENT_ECS_IP_COMPATIBILITY_H

#include <stdbool.h>

#include "agent/config/config.h"

/*
 * Whether others reach this host by IPv6 and by nothing else: as ECS_INSTANCE_IP_COMPATIBILITY
 * says, or else when there is a default route of IPv6 that leads through a gateway, and none of
 * IPv4. What cannot be found out is a host of IPv4.
 */
bool ip_compatibility_is_ipv6_only(const struct agent_config *config);

#endif
