/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FORWARDING_H
#define BERTH_NETNS_FORWARDING_H

#include "netns/netlink.h"

/*
 * Has the host (the calling thread's namespace) forward packets of a family between its links. What
 * is set already is not written. Before IPv6 forwarding begins, links that learn their default
 * route from router advertisements are told to go on doing so: the kernel would have them stop, and
 * take the host's way out away.
 */
int forwarding_enable(struct netlink *netlink, int family, struct error *err);

#endif
