/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_ECS_BRIDGE_H
#define BERTH_AGENT_EXECUTOR_CNI_ECS_BRIDGE_H

#include <stddef.h>

/*
 * The second interface of an awsvpc task in the shape that it has on EC2: its way to the agent, and
 * its address there, one of CONFIG_EC2_SUBNET, tells the agent who asks.
 */
#define ECS_BRIDGE_IFNAME "ecs-eth0"

struct ecs_bridge_request {
	const char *id;            /* by which the address is kept: the MAC of the last ENI */
	const char *const *routes; /* IPv4 prefixes that the host leads to */
	size_t route_count;
};

/*
 * The configurations of an interface, which the caller frees: to make it; to take it away and keep
 * its address, which nobody else may have while it may be taken for the task's; to give that back.
 */
char *ecs_bridge_conflist(const struct ecs_bridge_request *request);
char *ecs_bridge_conflist_detach(void);
char *ecs_bridge_conflist_release(const char *id);

#endif
