/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_PORTS_H
#define BERTH_AGENT_EXECUTOR_PORTS_H

#include "agent/engine/state.h"
#include "base/error.h"

/*
 * Ports of this host for containers of bridge tasks. Each is bound for as long as a container has
 * it, so that neither another program nor the kernel, when it chooses one itself, takes it: packets
 * to it never come as far as the socket, because they are redirected into the container.
 */
struct ports;

/* From which range dynamic ones are chosen; 0, 0: the kernel's own (ip_local_port_range). */
struct ports *ports_new(uint16_t first, uint16_t last);
/* Ports that are no dynamic ones from now on, besides those that were reserved before. */
void ports_reserve(struct ports *ports, enum transport_protocol protocol, const uint16_t *reserved,
		   size_t count);
void ports_free(struct ports *ports);

/* Those of one container. Zeroed, it holds none. */
struct held_ports {
	int *fds;
	size_t count;
};

/* Of one container: each is a descriptor of the agent. */
#define PORTS_MAX 1000

/*
 * Takes what the container publishes: *ret_bindings (the caller frees it), in the order of its
 * mappings. -EADDRINUSE: a port is another program's; -EBUSY: no dynamic one is free; -E2BIG: more
 * than PORTS_MAX. Nothing is held then.
 */
int ports_take(struct ports *ports, const struct container_spec *container, struct held_ports *held,
	       struct port_binding **ret_bindings, size_t *ret_count, struct error *err);
/* The same again, after a restart of the agent. */
int ports_take_again(const struct connection_state *connection, struct held_ports *held,
		     struct error *err);
void ports_release(struct held_ports *held);

#endif
