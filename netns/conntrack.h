/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_CONNTRACK_H
#define BERTH_NETNS_CONNTRACK_H

#include "netns/ip.h"
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

/* An address, where flows of its are tracked in the zone. */
struct conntrack_end {
	uint16_t zone; /* 0: the common one */
	struct ip_address address;
};

/*
 * Has the kernel forget the flows that one of these began, or is the other end of: who has the
 * address next is not reached by them. Zones of the same address stand together. Blocking: the
 * kernel looks through all flows, twice for each of a few addresses, or once for all of many.
 */
int conntrack_forget_ends(const struct conntrack_end *ends, size_t count, struct error *err);

#endif
