/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_BRIDGE_H
#define BERTH_NETNS_BRIDGE_H

#include "netns/link.h"

/*
 * The bridge of this name, up, in the namespace of the calling thread and the socket. It is made
 * when there is none, with a random MAC that is its own: a bridge without one takes the lowest MAC
 * of its ports, which changes as they come and go, and cuts off whoever remembers the old one.
 * Another process that makes it at the same time is no error. -EEXIST when the name is another kind
 * of link's.
 */
int bridge_ensure(struct netlink *netlink, const char *name, uint32_t mtu, struct link *ret,
		  struct error *err);

/* A port sends back by itself what came in by it, so that who is behind it reaches itself by the
 * host's address. */
void bridge_port_set_hairpin(struct netlink_batch *batch, int index, const char *name);

/* What comes in by this port leaves by no other that is isolated, but to the bridge itself. */
void bridge_port_isolate(struct netlink_batch *batch, int index, const char *name);

/* What comes in by this port has this MAC, or is dropped (from Linux 5.18 on), and what is sent to
 * this MAC leaves by this port: nobody else can take it over. */
void bridge_port_bind(struct netlink_batch *batch, int index, const char *name,
		      const struct mac_address *mac);

/* Nothing passes by this port any more, and its MACs are forgotten. Where deleting it would wait
 * for the kernel. */
void bridge_port_disable(struct netlink_batch *batch, int index, const char *name);

#endif
