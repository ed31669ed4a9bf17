/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tunnel is made of within its namespace. Type geneve: the tunnel, as CNI_IFNAME. Type tap:
 * "gnv<vni><port>", beside CNI_IFNAME on a bridge.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cni-plugins/own_link.h"
#include "cni-plugins/tap_bridge.h"
#include "cni-plugins/task_tunnel.h"
#include "netns/addr.h"
#include "netns/neigh.h"
#include "netns/route.h"

const struct task_tunnel_maker task_tunnel_geneve_maker = { .kind = "geneve",
							    .create = geneve_create,
							    .find = geneve_find };

const struct mac_address task_tunnel_gateway_mac = { { 0x00, 0xaa, 0xbb, 0xcc, 0xdd, 0xee } };

/* 14 bytes at most. */
static void tunnel_name(const struct geneve_spec *tunnel, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, "gnv%" PRIx32 "%u", tunnel->vni & GENEVE_VNI_MAX, tunnel->port);
}

/* 15 bytes, as many as a name may have, which the port has room in as four digits only. */
static void bridge_name(const struct geneve_spec *tunnel, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, "gnvbr%06" PRIx32 "%04x", tunnel->vni & GENEVE_VNI_MAX,
		 tunnel->port);
}

static struct tap_bridge tap_bridge_of(const struct task_tunnel_place *place, char bridge[IFNAMSIZ])
{
	bridge_name(&place->config->tunnel, bridge);
	return (struct tap_bridge){
		.netlink = place->task.netlink,
		.request = place->request,
		.bridge = bridge,
		.uid = place->config->uid,
		.gid = place->config->gid,
	};
}

/* What the kernel has refused to make: `why` is -EEXIST or -EBUSY. */
static int take_tunnel(struct task_tunnel_place *place, const char *name, int why,
		       struct error *err)
{
	const struct geneve_spec *tunnel = &place->config->tunnel;
	char remote[IP_TEXT_SIZE];
	struct link found = { 0 };
	int r = place->maker->find(place->task.netlink, tunnel, &found, err);

	ip_format(&tunnel->remote, remote);
	if (r == -ENODEV && why == -EEXIST)
		return error_say(err, EEXIST,
				 "link %s exists already, on the host or in the namespace", name);
	if (r == -ENODEV)
		return error_say(err, EBUSY,
				 "the tunnel %" PRIx32 " to %s, port %u, is in use already, in "
				 "another namespace",
				 tunnel->vni, remote, tunnel->port);
	if (r < 0)
		return r;
	if (place->config->type == TASK_TUNNEL_GENEVE || found.master_index)
		return error_say(err, EEXIST,
				 "the tunnel %" PRIx32 " to %s, port %u, is in the namespace "
				 "already, as link %s%s",
				 tunnel->vni, remote, tunnel->port, found.name,
				 found.master_index ? " of a bridge" : "");
	place->tunnel = found;
	place->took = true;
	return own_link_mark(place->task.netlink, place->request, &found, err);
}

static int make_tunnel(struct task_tunnel_place *place, struct error *err)
{
	char name[IFNAMSIZ];
	int r;

	tunnel_name(&place->config->tunnel, name);
	/* By this name first: before Linux 6.14 a new link's name must be free on the host, too,
	 * and CNI_IFNAME is often not. */
	r = place->maker->create(place->host, name, place->request->netns_fd, TASK_TUNNEL_MTU,
				 &place->config->tunnel, err);
	if (r == -EEXIST || r == -EBUSY)
		return take_tunnel(place, name, r, err);
	place->made = r == 0;
	if (r == 0)
		r = link_by_name(place->task.netlink, name, &place->tunnel, err);
	return r == 0 ? own_link_mark(place->task.netlink, place->request, &place->tunnel, err) : r;
}

static int name_tunnel(struct task_tunnel_place *place, struct error *err)
{
	const char *ifname = place->request->ifname;
	struct netlink_batch *batch = netlink_batch_new();
	const struct link *tunnel = &place->tunnel;
	int r;

	if (!str_eq(tunnel->name, ifname)) {
		link_rename(batch, tunnel->index, tunnel->name, ifname);
		link_add_name(batch, tunnel->index, ifname, tunnel->name);
	}
	r = netlink_finish(place->task.netlink, batch, err);
	return r == 0 ? link_by_name(place->task.netlink, ifname, &place->task.link, err) : r;
}

int task_tunnel_links_create(struct task_tunnel_place *place, struct error *err)
{
	char bridge[IFNAMSIZ];
	struct tap_bridge tap = tap_bridge_of(place, bridge);
	int r = make_tunnel(place, err);

	if (r < 0)
		return r;
	if (place->config->type == TASK_TUNNEL_GENEVE)
		return name_tunnel(place, err);
	r = task_setup_expect_free(place->task.netlink, place->request, bridge, err);
	place->bridged = r == 0;
	return r == 0 ? tap_bridge_create(&tap, &place->tunnel, &place->task.link, err) : r;
}

static int look_at_addresses(struct task_tunnel_place *place, struct error *err)
{
	const struct task_tunnel_config *config = place->config;
	struct address_list list = { 0 };
	int r = address_list(place->task.netlink, place->tunnel.index, &list, err);

	for (size_t i = 0; r == 0 && i < config->address_count; i++)
		for (size_t n = 0; n < list.count; n++)
			place->had_address[i] |=
				ip_prefix_equal(&config->addresses[i], &list.items[n]);
	address_list_free(&list);
	return r;
}

int task_tunnel_links_reset(struct task_tunnel_place *place, struct error *err)
{
	const struct task_tunnel_config *config = place->config;
	const struct link *tunnel = &place->tunnel;
	struct route route = { .destination = ip_default_route(config->gateway.family),
			       .gateway = config->gateway,
			       .link_index = tunnel->index };
	struct netlink_batch *batch;
	int r;

	if (!place->took || !config->primary)
		return 0;
	r = look_at_addresses(place, err);
	if (r < 0)
		return r;
	batch = netlink_batch_new();
	neighbour_delete(batch, tunnel->index, tunnel->name, &config->gateway);
	route_delete(batch, &route);
	for (size_t i = 0; i < config->address_count; i++)
		address_delete(batch, tunnel->index, tunnel->name, &config->addresses[i]);
	return netlink_finish(place->task.netlink, batch, err);
}

/* What a reset that failed has taken. */
static void give_back(struct task_tunnel_place *place)
{
	const struct task_tunnel_config *config = place->config;
	struct task_config *task = xcalloc(1, sizeof(*task));

	for (size_t i = 0; i < config->address_count; i++)
		if (place->had_address[i])
			task->addresses[task->address_count++] = config->addresses[i];
	task->gateways[config->gateway.family == AF_INET6] = config->gateway;
	task->has_default_route = true;
	place->task.link = place->tunnel;
	if (task->address_count > 0)
		(void)task_setup_configure(&place->task, task, NULL);
	free(task);
}

void task_tunnel_links_undo(struct task_tunnel_place *place)
{
	const struct cni_request *request = place->request;
	const struct link *tunnel = &place->tunnel;
	const char *const kinds[] = { place->maker->kind, TAP_BRIDGE_KIND, NULL };
	struct netlink *netlink = place->task.netlink;
	struct netlink_batch *batch;
	char name[IFNAMSIZ];

	if (!place->made && !place->took)
		return;
	(void)own_link_delete(netlink, request, request->ifname, kinds, NULL);
	bridge_name(&place->config->tunnel, name);
	if (place->bridged)
		(void)tap_bridge_delete(netlink, request, name, NULL);
	if (place->made) {
		tunnel_name(&place->config->tunnel, name);
		(void)own_link_delete(netlink, request, name, kinds, NULL);
		return;
	}
	batch = netlink_batch_new();
	link_set_alias(batch, tunnel->index, tunnel->name, tunnel->alias);
	link_set_mac(batch, tunnel->index, tunnel->name, &tunnel->mac);
	if (!tunnel->is_up)
		link_set_down(batch, tunnel->index, tunnel->name);
	(void)netlink_finish(netlink, batch, NULL);
	give_back(place);
}

static int delete_tunnel(struct task_tunnel_place *place, struct error *err)
{
	struct netlink *netlink = place->task.netlink;
	struct netlink_batch *batch;
	struct link found = { 0 };
	int r = place->maker->find(netlink, &place->config->tunnel, &found, err);

	if (r < 0 || !own_link_is_ours(place->request, &found))
		return r == -ENODEV ? 0 : r;
	batch = netlink_batch_new();
	link_delete(batch, found.index, found.name);
	return netlink_finish(netlink, batch, err);
}

/* Whatever its type: the configuration may have become another. */
int task_tunnel_links_delete(struct task_tunnel_place *place, struct error *err)
{
	struct netlink *netlink = place->task.netlink;
	const char *const kinds[] = { place->maker->kind, TAP_BRIDGE_KIND, NULL };
	const struct cni_request *request = place->request;
	struct error second = ERROR_INIT;
	char bridge[IFNAMSIZ];
	int r = own_link_delete(netlink, request, request->ifname, kinds, err), next;

	if (place->config->tunnel.port == 0)
		return r;
	next = delete_tunnel(place, &second);
	if (next == 0) {
		bridge_name(&place->config->tunnel, bridge);
		next = tap_bridge_delete(netlink, request, bridge, &second);
	}
	if (r == 0 && next < 0) {
		if (err)
			*err = second;
		r = next;
	}
	return r;
}

int task_tunnel_links_check(struct task_tunnel_place *place, struct error *err)
{
	const bool is_tap = place->config->type == TASK_TUNNEL_TAP;
	struct link *link = &place->task.link;
	char bridge[IFNAMSIZ];
	struct tap_bridge tap = tap_bridge_of(place, bridge);
	int r = link_expect(place->task.netlink, place->request->ifname,
			    is_tap ? TAP_BRIDGE_KIND : place->maker->kind, link, err);

	if (r == 0)
		r = place->maker->find(place->task.netlink, &place->config->tunnel, &place->tunnel,
				       err);
	if (r < 0)
		return r;
	if (is_tap && !place->tunnel.is_up)
		return error_say(err, ENETDOWN, "link %s is down", place->tunnel.name);
	if (is_tap)
		return tap_bridge_check(&tap, &place->tunnel, link, err);
	return place->tunnel.index == link->index
		       ? 0
		       : error_say(err, EINVAL, "link %s is another tunnel", link->name);
}
