/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_BRANCH_H
#define BERTH_CNI_PLUGINS_BRANCH_H

#include "cni-plugins/task_setup.h"
#include "netns/stacked_link.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * ecs-branch-eni: a branch of a trunk interface for a namespace: what of the trunk has one tag of
 * 802.1Q. It stands for vpc-branch-eni, by that plugin's keys:
 *
 * - "trunkName" or "trunkMACAddress": the trunk, a link of the host
 * - "branchVlanID": the tag, "1" to "4094"
 * - "branchMACAddress": the branch's MAC
 * - "ipAddresses": ["10.0.1.37/24", ...]; "gatewayIPAddresses": ["10.0.1.1", ...]: at most one of
 *   each family. Both for the type vlan: of the others who has the tap sets them
 * - "blockInstanceMetadata": blackholes to 169.254.169.254 and fd00:ec2::254
 * - "interfaceType": what CNI_IFNAME is. "vlan": the branch itself; "tap" (default): a tap on a
 *   bridge with the branch, for a virtual machine; "macvtap": the same without a bridge
 * - "uid", "gid": who may open the tap: "1000"
 *
 * CNI_ARGS: BranchVlanID, BranchMACAddress, IPAddresses and GatewayIPAddresses (lists with commas)
 * go before the keys of these names; others are ignored.
 *
 * And of ours: "mtu" of a branch of the type vlan, "loopback-addresses", "dns" (see eni.h).
 *
 * The branch appears in the namespace in one step, and is nowhere before: what was begun is found
 * by its name, and goes with the namespace. All links have the alias of their attachment: another
 * one in the same namespace neither takes nor deletes them.
 */
extern const struct cni_plugin branch_plugin;

enum branch_type {
	BRANCH_VLAN,
	BRANCH_TAP,
	BRANCH_MACVTAP,
};

struct branch_config {
	json_t *values;         /* what the following borrows from */
	const char *trunk_name; /* NULL: by its MAC */
	struct mac_address trunk_mac;
	enum branch_type type;
	uint16_t vlan_id;
	struct mac_address mac;
	uid_t uid;
	gid_t gid;
	struct task_config task;
};

/* Reads and checks the configuration and CNI_ARGS. On DEL nothing is demanded, and what cannot be
 * used counts as missing. The caller frees, also on failure. */
int branch_config_read(const struct cni_request *request, struct branch_config *ret,
		       struct cni_error *err);
void branch_config_free(struct branch_config *config);

/* How a branch is made and known: tests have another way where the kernel has no 802.1Q. */
struct branch_maker {
	const char *kind; /* of the link, as the kernel calls it */
	int (*create)(struct netlink *netlink, const struct stacked_link *spec, uint16_t vlan_id,
		      struct error *err);
	uint32_t (*vlan_id)(const struct link *link);
};
extern const struct branch_maker branch_vlan_maker;

int branch_add(const struct branch_maker *maker, const struct cni_request *request,
	       struct cni_result *ret, struct cni_error *err);
int branch_del(const struct branch_maker *maker, const struct cni_request *request,
	       struct cni_error *err);
int branch_check(const struct branch_maker *maker, const struct cni_request *request,
		 struct cni_error *err);

/* ---- within the namespace ---- */

/* An attachment that is being made or looked at. */
struct branch_place {
	const struct branch_maker *maker;
	const struct cni_request *request;
	const struct branch_config *config;
	struct netlink *host;
	struct link trunk;
	struct task_setup task; /* its link: CNI_IFNAME */
	bool made;              /* the branch: its name and CNI_IFNAME were free */
	bool bridged;           /* the bridge's name was, too */
};

/* Makes the links, up to CNI_IFNAME, which is down yet for the type vlan. */
int branch_links_create(struct branch_place *place, struct error *err);
/* Undoes that, also where it has failed: nothing but what it made. */
void branch_links_undo(struct branch_place *place);
/* Deletes what there is of them, and is this attachment's; nothing is an error that is not there.
 */
int branch_links_delete(struct branch_place *place, struct error *err);
int branch_links_check(struct branch_place *place, struct error *err);

#endif
