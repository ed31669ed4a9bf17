/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_TAP_BRIDGE_H
#define BERTH_CNI_PLUGINS_TAP_BRIDGE_H

#include "cni-plugins/cni.h"
#include "netns/link.h"

#include <sys/types.h>

/*
 * A tap for a virtual machine, on a bridge with the link that the machine speaks by: what the type
 * "tap" of a plugin makes. The link's MAC is the machine's; the link itself takes the bridge's.
 */

#define TAP_BRIDGE_MTU  9001
#define TAP_BRIDGE_KIND "tun" /* of a tap, as the kernel calls it */

struct tap_bridge {
	struct netlink *netlink;           /* in the namespace, like all of it */
	const struct cni_request *request; /* its CNI_IFNAME: the tap */
	const char *bridge;
	uid_t uid; /* who may open the tap */
	gid_t gid;
};

/* What was made stays on failure. *ret_tap: up, as is the port. Bridge and tap are marked as the
 * attachment's (own_link.h). */
int tap_bridge_create(const struct tap_bridge *spec, const struct link *port, struct link *ret_tap,
		      struct error *err);
/* Deletes the bridge of this name, if it is this attachment's. */
int tap_bridge_delete(struct netlink *netlink, const struct cni_request *request, const char *name,
		      struct error *err);
/* Whether both are ports of the bridge. */
int tap_bridge_check(const struct tap_bridge *spec, const struct link *port, const struct link *tap,
		     struct error *err);

#endif
