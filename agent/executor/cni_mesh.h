/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_MESH_H
#define BERTH_AGENT_EXECUTOR_CNI_MESH_H

#include "base/error.h"
#include "wire/task.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What stands behind the first interface of an awsvpc task, whoever makes that: the plugin
 * aws-appmesh for a proxyConfiguration, ecs-serviceconnect for Service Connect.
 *
 * *conflist is replaced (and freed) when there is something to add to its plugins. -EINVAL: it is
 * no conflist; -EBUSY: no port is left for a listener.
 */
int mesh_extend_conflist(const struct task_spec *task, char **conflist, struct error *err);

/* The addresses in a bridge task's network, which has the families that they are of. NULL: none. */
struct mesh_bridge {
	const char *address, *ipv6_address;     /* the container's own */
	const char *relay_address, *relay_ipv6; /* for all but the relay itself */
};

/* By this name a container of a bridge task is attached to its relay; no interface has it. */
#define MESH_IFNAME "ecs-sc"

/*
 * The configuration that follows when a container of a bridge task has been given its addresses:
 * the relay of Service Connect takes what the others send it by a route. *ret NULL: it needs none.
 * The caller frees.
 */
int mesh_bridge_conflist(const struct task_spec *task, size_t index,
			 const struct mesh_bridge *bridge, char **ret, struct error *err);

#endif
