/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_TPROXY_ROUTE_H
#define BERTH_NETNS_TPROXY_ROUTE_H

#include "base/error.h"
#include "netns/ip.h"
#include "netns/netlink.h"

/*
 * Packets with the mark are delivered here, whatever their destination: what a transparent proxy
 * needs behind its rules. As `ip rule add fwmark 1 lookup 100` and `ip route add local default dev
 * lo table 100` do.
 */
#define TPROXY_MARK  1
#define TPROXY_TABLE 100

/* `family`: AF_INET, AF_INET6. One that is there already, or is gone already, is no error. */
void tproxy_route_add(struct netlink_batch *batch, int family);
void tproxy_route_remove(struct netlink_batch *batch, int family);
/* Whether what is marked, and sent to `to`, is delivered here: -ENOENT with a sentence. */
int tproxy_route_check(struct netlink *netlink, const struct ip_address *to, struct error *err);

#endif
