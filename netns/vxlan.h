/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_VXLAN_H
#define BERTH_NETNS_VXLAN_H

#include "netns/tunnel.h"

/*
 * The way to tasks of other hosts, in the calling thread's namespace. Of each network there is a
 * VXLAN device "vx<VNI>"; each address of another host has a route over it, in the network's own
 * table (netns/vpc_rules.h), by the gateway that stands for that host, whose MAC and place are
 * written down, too. Nothing is learned, asked for or
 * flooded: what is for an address of the network that nobody has is dropped.
 *
 * The routes stand behind those to tasks of this host (their metric is higher), and what drops the
 * rest behind everything else. A change costs a message for each address, in whatever order tasks
 * come and go: the new way is there before the old one goes. Blocking; one call at a time.
 */
struct vxlan;

/* Nothing is done yet. Devices that an earlier program of the same `owner` (any text) left stay
 * until the first vxlan_apply(). */
struct vxlan *vxlan_new(const char *owner);
/* What is in force stays. */
void vxlan_free(struct vxlan *vxlan);
DEFINE_CLEANUP(struct vxlan, vxlan_free);

/*
 * Takes away the devices of networks that are wanted no more, or not so: before the rules that
 * guard them go. The rest of it goes with vxlan_apply().
 */
int vxlan_withdraw(struct vxlan *vxlan, const struct tunnel *wanted, struct error *err);

/*
 * Makes it so. Takes `wanted`. On a host without IPv6, the half that is of IPv4. *ret_mtu: the MTU
 * that tasks must have (0: there is no way to other hosts). < 0: what could be done is done, and
 * all of it is looked at the next time.
 */
int vxlan_apply(struct vxlan *vxlan, struct tunnel *wanted, uint32_t *ret_mtu, struct error *err);

#endif
