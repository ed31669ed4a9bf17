/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_TASK_TUNNEL_H
#define BERTH_CNI_PLUGINS_TASK_TUNNEL_H

#include "cni-plugins/task_setup.h"
#include "netns/geneve.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * ecs-tunnel: one end of a geneve tunnel for a namespace. It stands for vpc-tunnel, by that
 * plugin's keys:
 *
 * - "destinationIPAddress": the other end's host; "destinationPort": "6081"
 * - "vni": which tunnel, in hexadecimal: "1a2b3c"
 * - "interfaceType": what CNI_IFNAME is. "geneve": the tunnel itself; "tap" (default): a tap on a
 *   bridge with the tunnel, for a virtual machine
 * - "primary": the namespace's way out. For the type geneve: it has "ipAddresses"
 *   (["169.254.175.252/31", ...]) and the default route by "gatewayIPAddress", which must be given
 *   in any case. Nothing answers there: whatever is sent to it goes to the other end
 * - "uid", "gid": who may open the tap: "1000"
 *
 * CNI_ARGS: DestinationIPAddress, VNI, DestinationPort, Primary, IPAddresses (a list with commas)
 * and GatewayIPAddress go before the keys of these names; others are ignored.
 *
 * And of ours: "dns" (see eni.h).
 *
 * The tunnel is also called "gnv<vni><port>": of the type geneve as another name of CNI_IFNAME. Its
 * packets are sent by the namespace that the plugin runs in. The type tap takes over a tunnel that
 * is in the namespace already: from then on it is this attachment's, whose DEL takes it away. All
 * links have the alias of their attachment, and a DEL leaves those of others alone.
 */
extern const struct cni_plugin task_tunnel_plugin;

#define TASK_TUNNEL_MTU 9001

enum task_tunnel_type {
	TASK_TUNNEL_GENEVE,
	TASK_TUNNEL_TAP,
};

struct task_tunnel_config {
	json_t *values; /* what the following borrows from */
	enum task_tunnel_type type;
	struct geneve_spec tunnel; /* port 0: none that can be used (DEL) */
	bool primary;
	/* What the configuration has; `task` is what of it this type sets. */
	struct ip_prefix addresses[TASK_MAX_ADDRESSES];
	size_t address_count;
	struct ip_address gateway;
	uid_t uid;
	gid_t gid;
	struct task_config task;
};

/* Reads and checks the configuration and CNI_ARGS. On DEL nothing is demanded, and what cannot be
 * used counts as missing. The caller frees, also on failure. */
int task_tunnel_config_read(const struct cni_request *request, struct task_tunnel_config *ret,
			    struct cni_error *err);
void task_tunnel_config_free(struct task_tunnel_config *config);

/* How a tunnel is made and found: tests have another way where the kernel has no geneve. */
struct task_tunnel_maker {
	const char *kind; /* of the link, as the kernel calls it */
	int (*create)(struct netlink *netlink, const char *name, int netns_fd, uint32_t mtu,
		      const struct geneve_spec *spec, struct error *err);
	int (*find)(struct netlink *netlink, const struct geneve_spec *spec, struct link *ret,
		    struct error *err);
};
extern const struct task_tunnel_maker task_tunnel_geneve_maker;

int task_tunnel_add(const struct task_tunnel_maker *maker, const struct cni_request *request,
		    struct cni_result *ret, struct cni_error *err);
int task_tunnel_del(const struct task_tunnel_maker *maker, const struct cni_request *request,
		    struct cni_error *err);
int task_tunnel_check(const struct task_tunnel_maker *maker, const struct cni_request *request,
		      struct cni_error *err);

/* ---- within the namespace ---- */

/* An attachment that is being made or looked at. */
struct task_tunnel_place {
	const struct task_tunnel_maker *maker;
	const struct cni_request *request;
	const struct task_tunnel_config *config;
	struct netlink *host;   /* ADD */
	struct task_setup task; /* its link: CNI_IFNAME */
	bool made;              /* the tunnel: by us, or it was there */
	bool took;
	bool bridged;       /* the bridge's name was free */
	struct link tunnel; /* as it was before it became a bridge's port */
	/* Of a tunnel that was there: which of the configuration's addresses it had. */
	bool had_address[TASK_MAX_ADDRESSES];
};

/* Makes the links, up to CNI_IFNAME, which is down yet for the type geneve. */
int task_tunnel_links_create(struct task_tunnel_place *place, struct error *err);
/* Undoes that, also where it has failed: a tunnel that was there is as it was. */
void task_tunnel_links_undo(struct task_tunnel_place *place);
/* What a tunnel that was taken had for itself, and a port of a bridge has not. */
int task_tunnel_links_reset(struct task_tunnel_place *place, struct error *err);
/* Deletes what there is of them, and is this attachment's; nothing is an error that is not there.
 */
int task_tunnel_links_delete(struct task_tunnel_place *place, struct error *err);
int task_tunnel_links_check(struct task_tunnel_place *place, struct error *err);

/* Where frames to the gateway go. */
extern const struct mac_address task_tunnel_gateway_mac;

#endif
