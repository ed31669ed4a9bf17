/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_VXLAN_LINK_H
#define BERTH_NETNS_VXLAN_LINK_H

#include "netns/ip.h"
#include "netns/link.h"
#include "netns/netlink.h"

#include <stdint.h>

/* The VXLAN device of one network: it learns nothing and floods nothing. */
struct vxlan_spec {
	uint32_t vni;
	struct ip_address local;
	uint16_t port;
	uint32_t mtu;
	const char *alias; /* whose it is */
};

/* "vx7": the name of the device of network 7. */
const char *vxlan_name(uint32_t vni, char name[IFNAMSIZ]);
/* 0: it is no such name. */
uint32_t vxlan_name_vni(const char *name);

/* In the calling thread's namespace, in the group LINK_GROUP_TUNNEL, up. -EEXIST: a link has its
 * name, or its VNI on this port. One that could not be set up is removed again. */
int vxlan_create(struct netlink *netlink, const struct vxlan_spec *spec, struct link *ret,
		 struct error *err);

/* The MAC of the devices of the host with this address: every host can tell it. */
struct mac_address vxlan_mac(const struct ip_address *host);

/* By which gateway addresses of `family` on that host are reached: its own, or one of IPv6 that
 * stands for its MAC. */
struct ip_address vxlan_gateway(int family, const struct ip_address *host);

/* What is left for a packet on the link that has this host's address, once it is packed.
 * -EADDRNOTAVAIL: none has it. */
int vxlan_mtu(struct netlink *netlink, const struct ip_address *local, uint32_t *ret,
	      struct error *err);

#endif
