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

/* What is known of a bridge task's network when one of its containers is connected. */
struct mesh_bridge {
	bool has_ipv6;                          /* beside IPv4 */
	const char *relay_address, *relay_ipv6; /* for all but the relay itself; NULL: none */
};

/* The same for one container of a bridge task: the relay of Service Connect takes what the others
 * send it by a route. */
int mesh_extend_bridge(const struct task_spec *task, size_t index, const struct mesh_bridge *bridge,
		       char **conflist, struct error *err);

#endif
