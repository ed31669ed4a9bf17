/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_CONNTRACK_H
#define BERTH_NETNS_CONNTRACK_H

#include "netns/netlink.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Has the kernel forget the UDP flows to these ports of this host (the calling thread's namespace).
 * A flow goes on to where it was once translated, though the translation has changed, as long as
 * its packets keep coming. Flows to the same ports elsewhere, questions to a name server, stay.
 */
int conntrack_forget_udp(struct netlink *netlink, int family, const uint16_t *ports, size_t count,
			 struct error *err);

#endif
