/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_HOST_END_H
#define BERTH_CNI_PLUGINS_HOST_END_H

#include "cni-plugins/cni.h"
#include "netns/link.h"

/*
 * The host's end of an attachment's veth pair: in the group of Berth's links, with an alias that
 * tells whose it is. So DEL finds it without the namespace, and a sweep finds what was forgotten.
 */

/* Its name: "ve" and 8 hex digits; `attempt` counts up past a name that another has. */
void host_end_name(const struct cni_request *request, unsigned int attempt, char name[16]);

/* Its alias: "ecs:<container>:<ifname>:<network>". */
char *host_end_alias(const struct cni_request *request);
/* -ENAMETOOLONG: the kernel keeps no alias of this length. */
int host_end_check_alias(const char *alias, struct error *err);
/* Whose alias it is: the container id, which the caller frees. NULL: it is none of ours. */
char *host_end_alias_container(const char *alias);

/* The pair of this attachment. -ENODEV when there is none. */
int host_end_find(struct netlink *netlink, const struct cni_request *request, struct link *ret,
		  struct error *err);

/* Makes the pair, the peer in the task's namespace under CNI_IFNAME, both ends down. `wanted`: the
 * peer's MAC, the MTU, the master; the rest is filled here. */
int host_end_create(struct netlink *netlink, const struct cni_request *request,
		    const struct veth_spec *wanted, struct link *ret, struct error *err);

/* A MAC for the peer where its address gives none: the same each time for one attachment. */
struct mac_address host_end_peer_mac(const struct cni_request *request);

/* Whether `task` is the other end of `host`, and has this MAC. */
int host_end_check_peer(const struct link *host, const struct link *task,
			const struct mac_address *mac, struct error *err);

/* Takes the pair away, both ends of it. */
int host_end_delete(struct netlink *netlink, const struct link *host, struct error *err);

/* GC: deletes the pairs of this network whose attachments are not listed as valid. */
int host_end_collect(const struct cni_request *request, struct cni_error *err);

#endif
