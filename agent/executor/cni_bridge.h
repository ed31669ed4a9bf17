/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_BRIDGE_H
#define BERTH_AGENT_EXECUTOR_CNI_BRIDGE_H

#include "agent/engine/state.h"

#include <stddef.h>

#define BRIDGE_NETWORK "bridge"
#define BRIDGE_IFNAME  "eth0"

/* What the CNI configuration of one container of a bridge task is made of. */
struct bridge_request {
	const char *bridge;       /* name of the host's bridge */
	const char *subnet;       /* from which it gets its address: "172.29.0.0/16" */
	const char *ipv6_subnet;  /* likewise; NULL or "": none */
	const char *container_id; /* by which the address is kept */
	const char *endpoint;     /* put on lo: where the agent answers */
};

/* The configuration of Berth's own plugins; the caller frees. */
char *bridge_conflist(const struct bridge_request *request);

/*
 * The same configuration, with the published ports given to each plugin that declares the
 * capability "portMappings". NULL: it is no configuration. The caller frees.
 */
char *bridge_conflist_publish(const char *conflist, const struct port_binding *bindings,
			      size_t count);

#endif
