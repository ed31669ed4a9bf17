/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a branch is made of within its namespace. Type vlan: the branch, as CNI_IFNAME. The others:
 * "branch<id>", and on it, or beside it on the bridge "tapbr<id>", CNI_IFNAME.
 */
#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "cni-plugins/branch.h"
#include "cni-plugins/own_link.h"
#include "cni-plugins/tap_bridge.h"

#define MACVTAP_KIND "macvtap"

static uint32_t vlan_id_of(const struct link *link)
{
	return link->vlan_id;
}

const struct branch_maker branch_vlan_maker = { .kind = "vlan",
						.create = vlan_create,
						.vlan_id = vlan_id_of };

static void branch_name(const struct branch_config *config, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, "branch%u", config->vlan_id);
}

static void bridge_name(const struct branch_config *config, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, "tapbr%u", config->vlan_id);
}

/* The branch itself, in the namespace. */
static int create_branch(struct branch_place *place, const char *name,
			 const struct mac_address *mac, struct link *ret, struct error *err)
{
	const struct branch_config *config = place->config;
	const struct stacked_link spec = {
		.name = name,
		.below = place->trunk.index,
		.netns_fd = place->request->netns_fd,
		.mac = mac,
		.mtu = config->task.mtu,
	};
	int r = place->maker->create(place->host, &spec, config->vlan_id, err);

	if (r == -EEXIST)
		return error_say(err, EEXIST,
				 "VLAN %u of trunk %s is in use already, in this namespace or "
				 "another",
				 config->vlan_id, place->trunk.name);
	place->made = r == 0;
	if (r == 0)
		r = link_by_name(place->task.netlink, name, ret, err);
	return r == 0 ? own_link_mark(place->task.netlink, place->request, ret, err) : r;
}

/* ---- vlan ---- */

/* By another name first: before Linux 6.14 a new link's name must be free on the host, too, and
 * CNI_IFNAME is often not. */
static int create_vlan(struct branch_place *place, struct error *err)
{
	const char *ifname = place->request->ifname;
	struct netlink *netlink = place->task.netlink;
	struct netlink_batch *batch;
	struct link branch = { 0 };
	char name[IFNAMSIZ];
	int r;

	branch_name(place->config, name);
	r = create_branch(place, name, &place->config->mac, &branch, err);
	if (r == 0 && !str_eq(name, ifname)) {
		batch = netlink_batch_new();
		link_rename(batch, branch.index, name, ifname);
		r = netlink_finish(netlink, batch, err);
	}
	return r == 0 ? link_by_name(netlink, ifname, &place->task.link, err) : r;
}

/* ---- macvtap ---- */

static int create_macvtap(struct branch_place *place, struct error *err)
{
	struct netlink *netlink = place->task.netlink;
	struct netlink_batch *batch;
	struct stacked_link spec = { .name = place->request->ifname,
				     .netns_fd = -1,
				     .mac = &place->config->mac };
	struct link branch = { 0 };
	char name[IFNAMSIZ];
	int r;

	branch_name(place->config, name);
	r = create_branch(place, name, &place->config->mac, &branch, err);
	if (r < 0)
		return r;
	spec.below = branch.index;
	r = macvtap_create(netlink, &spec, err);
	if (r == 0)
		r = link_by_name(netlink, spec.name, &place->task.link, err);
	if (r == 0)
		r = own_link_mark(netlink, place->request, &place->task.link, err);
	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_set_no_link_local(batch, place->task.link.index, spec.name);
	netlink_tolerate(batch, EAFNOSUPPORT);
	netlink_tolerate(batch, EOPNOTSUPP);
	link_set_up(batch, branch.index, name);
	return netlink_finish(netlink, batch, err);
}

/* ---- tap ---- */

static struct tap_bridge tap_bridge_of(const struct branch_place *place, char bridge[IFNAMSIZ])
{
	bridge_name(place->config, bridge);
	return (struct tap_bridge){
		.netlink = place->task.netlink,
		.request = place->request,
		.bridge = bridge,
		.uid = place->config->uid,
		.gid = place->config->gid,
	};
}

static int create_tap(struct branch_place *place, struct error *err)
{
	struct link branch = { 0 };
	char name[IFNAMSIZ], bridge[IFNAMSIZ];
	struct tap_bridge tap = tap_bridge_of(place, bridge);
	int r;

	branch_name(place->config, name);
	r = create_branch(place, name, NULL, &branch, err);
	if (r == 0)
		r = task_setup_expect_free(place->task.netlink, place->request, bridge, err);
	place->bridged = r == 0;
	return r == 0 ? tap_bridge_create(&tap, &branch, &place->task.link, err) : r;
}

/* ---- all ---- */

int branch_links_create(struct branch_place *place, struct error *err)
{
	switch (place->config->type) {
	case BRANCH_VLAN:
		return create_vlan(place, err);
	case BRANCH_MACVTAP:
		return create_macvtap(place, err);
	case BRANCH_TAP:
		break;
	}
	return create_tap(place, err);
}

static int delete_links(struct branch_place *place, bool bridge, struct error *err)
{
	const struct cni_request *request = place->request;
	struct netlink *netlink = place->task.netlink;
	const char *const kinds[] = { place->maker->kind, TAP_BRIDGE_KIND, MACVTAP_KIND, NULL };
	char name[IFNAMSIZ];
	struct error second = ERROR_INIT;
	int r = own_link_delete(netlink, request, request->ifname, kinds, err), next;

	if (place->config->vlan_id == 0)
		return r;
	branch_name(place->config, name);
	next = own_link_delete(netlink, request, name, kinds, &second);
	if (next == 0 && bridge) {
		bridge_name(place->config, name);
		next = tap_bridge_delete(netlink, request, name, &second);
	}
	if (r == 0 && next < 0) {
		if (err)
			*err = second;
		r = next;
	}
	return r;
}

void branch_links_undo(struct branch_place *place)
{
	if (place->made)
		(void)delete_links(place, place->bridged, NULL);
}

/* Whatever its type: the configuration may have become another. */
int branch_links_delete(struct branch_place *place, struct error *err)
{
	return delete_links(place, true, err);
}

int branch_links_check(struct branch_place *place, struct error *err)
{
	const struct branch_config *config = place->config;
	struct link *link = &place->task.link, branch;
	char name[IFNAMSIZ], bridge[IFNAMSIZ];
	struct tap_bridge tap = tap_bridge_of(place, bridge);
	int r;

	r = link_expect(place->task.netlink, place->request->ifname,
			config->type == BRANCH_VLAN  ? place->maker->kind
			: config->type == BRANCH_TAP ? TAP_BRIDGE_KIND
						     : MACVTAP_KIND,
			link, err);
	if (r == 0 && config->type != BRANCH_TAP && !mac_equal(&link->mac, &config->mac))
		r = error_say(err, EINVAL, "link %s has another MAC address", link->name);
	branch = *link;
	branch_name(config, name);
	if (r == 0 && config->type != BRANCH_VLAN)
		r = link_expect(place->task.netlink, name, place->maker->kind, &branch, err);
	if (r == 0 && branch.peer_index != place->trunk.index)
		r = error_say(err, EINVAL, "link %s is not on trunk %s", branch.name,
			      place->trunk.name);
	if (r == 0 && place->maker->vlan_id(&branch) != config->vlan_id)
		r = error_say(err, EINVAL, "link %s has VLAN %u, not %u", branch.name,
			      place->maker->vlan_id(&branch), config->vlan_id);
	if (r == 0 && config->type == BRANCH_TAP)
		r = tap_bridge_check(&tap, &branch, link, err);
	if (r == 0 && config->type == BRANCH_MACVTAP && link->peer_index != branch.index)
		r = error_say(err, EINVAL, "link %s is not on %s", link->name, branch.name);
	return r;
}
