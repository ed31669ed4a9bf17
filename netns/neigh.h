/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_NEIGH_H
#define BERTH_NETNS_NEIGH_H

#include "netns/ip.h"
#include "netns/netlink.h"

/* A permanent neighbour: `address` is at `mac` on the link, without ARP or neighbour discovery.
 * Replaces another. */
void neighbour_set(struct netlink_batch *batch, int link_index, const char *link_name,
		   const struct ip_address *address, const struct mac_address *mac);

/* One that is gone already is no error. */
void neighbour_delete(struct netlink_batch *batch, int link_index, const char *link_name,
		      const struct ip_address *address);

/* Removes the permanent neighbours that were set to this MAC on the link. */
int neighbours_forget(struct netlink *netlink, int link_index, const struct mac_address *mac,
		      struct error *err);

/* The addresses that permanent neighbours on the link have, of both families, one call each. */
int neighbour_list(struct netlink *netlink, int link_index,
		   void (*each)(void *data, const struct ip_address *address), void *data,
		   struct error *err);

/*
 * What a VXLAN device knows: frames for `mac` go to `host`. Replaces another.
 */
void fdb_set(struct netlink_batch *batch, int link_index, const char *link_name,
	     const struct mac_address *mac, const struct ip_address *host);
/* One that is gone already is no error. */
void fdb_delete(struct netlink_batch *batch, int link_index, const char *link_name,
		const struct mac_address *mac, const struct ip_address *host);
int fdb_list(struct netlink *netlink, int link_index,
	     void (*each)(void *data, const struct mac_address *mac, const struct ip_address *host),
	     void *data, struct error *err);

#endif
