/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_STACKED_LINK_H
#define BERTH_NETNS_STACKED_LINK_H

#include "netns/link.h"

#include <sys/types.h>

/* Links that stand on another one, and taps. All are made down. */

struct stacked_link {
	const char *name;
	int below;    /* index of the link that it stands on, in the socket's namespace */
	int netns_fd; /* where it appears; < 0: beside the one below */
	const struct mac_address *mac; /* NULL: the kernel chooses */
	uint32_t mtu;                  /* 0: as the one below */
};

/* What of the link below has this tag of 802.1Q. -EEXIST: the name is taken, or the tag of that
 * link is, in whatever namespace; -EOPNOTSUPP: the kernel has no such links. */
int vlan_create(struct netlink *netlink, const struct stacked_link *spec, uint16_t vlan_id,
		struct error *err);

/* A character device that gives and takes all frames of the link below. */
int macvtap_create(struct netlink *netlink, const struct stacked_link *spec, struct error *err);

/*
 * A tap of one queue with a virtio-net header that stays without anybody who has it open, and that
 * this user and group may open, in the namespace of the calling thread.
 */
int tap_create(const char *name, uid_t uid, gid_t gid, struct error *err);

#endif
