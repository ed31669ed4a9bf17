/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_ADDR_H
#define BERTH_NETNS_ADDR_H

#include "netns/ip.h"
#include "netns/netlink.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Adds an address. An IPv6 address is added without duplicate detection (which would keep it
 * unusable for a second): the addresses that we give are ours. On lo the scope is the host's: such
 * an address is never the source of what leaves.
 */
void address_add(struct netlink_batch *batch, int link_index, const char *link_name,
		 const struct ip_prefix *address);

/* The address queued last does not bring a route to its prefix. */
void address_set_no_prefix_route(struct netlink_batch *batch);

/* One that is gone already is no error. */
void address_delete(struct netlink_batch *batch, int link_index, const char *link_name,
		    const struct ip_prefix *address);

/*
 * Waits until the kernel takes packets for an address that was added. IPv4: at once. IPv6: it hands
 * the address to a worker, also without duplicate detection, and until that has run (2 ms, more on
 * a busy host) drops what comes for it. -ETIMEDOUT.
 */
int address_wait_ready(struct netlink *netlink, const struct ip_address *address, int link_index,
		       int64_t timeout_ms, struct error *err);

struct address_list {
	struct ip_prefix *items;
	size_t count;
};

/* The addresses of one link, both families, IPv6 link-local ones included. The caller frees. */
int address_list(struct netlink *netlink, int link_index, struct address_list *ret,
		 struct error *err);
/* Which link has an address. -EADDRNOTAVAIL: none. */
int address_find(struct netlink *netlink, const struct ip_address *address, int *ret_index,
		 struct error *err);
void address_list_free(struct address_list *list);

#endif
