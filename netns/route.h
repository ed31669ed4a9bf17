/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_ROUTE_H
#define BERTH_NETNS_ROUTE_H

#include "netns/ip.h"
#include "netns/netlink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum route_type {
	ROUTE_UNICAST,
	ROUTE_BLACKHOLE, /* connect() fails at once with EINVAL */
};

struct route {
	enum route_type type;
	struct ip_prefix destination; /* length 0: the default route */
	/* Family 0: none, the destination is on the link. Of an IPv4 route it may be an IPv6 one
	 * (from Linux 5.2 on). */
	struct ip_address gateway;
	bool onlink;       /* the gateway is reachable on the link though no address says so */
	int link_index;    /* 0 for a blackhole */
	uint32_t priority; /* 0: the kernel's default */
	uint8_t protocol;  /* who made it, RTPROT_*; 0: RTPROT_STATIC */
	uint32_t table;    /* 0: the main table */
};

/* -EEXIST is an error, tolerate it with netlink_tolerate() where it is none.
 */
void route_add(struct netlink_batch *batch, const struct route *route);
/* As route_add(), in place of whatever leads to this destination. */
void route_replace(struct netlink_batch *batch, const struct route *route);
/* One that is gone already is no error. */
void route_delete(struct netlink_batch *batch, const struct route *route);

struct route_list {
	struct route *items;
	size_t count;
};

/* The main table's unicast and blackhole routes of a family (0 = both); one that leads several ways
 * at once (multipath) is listed once for each. The caller frees. */
int route_list(struct netlink *netlink, int family, struct route_list *ret, struct error *err);
/* The same of all tables but that of the host's own addresses. */
int route_list_all(struct netlink *netlink, struct route_list *ret, struct error *err);
void route_list_free(struct route_list *list);

/* Where what is sent to an address goes. */
struct route_target {
	bool is_local; /* an address of this host */
	int link_index;
};

/* `link_index` 0: by any link. -ENETUNREACH or -EHOSTUNREACH when no route leads there. */
int route_lookup(struct netlink *netlink, const struct ip_address *address, int link_index,
		 struct route_target *ret, struct error *err);

/* Whether the list holds a route with this type, table, destination, gateway and link (index 0:
 * any). */
bool route_list_contains(const struct route_list *list, const struct route *route);

#endif
