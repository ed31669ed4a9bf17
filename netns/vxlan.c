/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/vxlan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "netns/ipv6.h"
#include "netns/link.h"
#include "netns/neigh.h"
#include "netns/netlink.h"
#include "netns/route.h"
#include "netns/vpc_rules.h"
#include "netns/vxlan_link.h"

#define ALIAS_PREFIX "berth-vxlan"
#define OWNER_MAX    150 /* of an alias, which may have 255 in all */

/* Behind the routes to tasks of this host: 0, of IPv6 1024. */
#define METRIC_PEER 3781
/* And behind everything but the default route; each owner has one of his own. */
#define METRIC_DROP       15490048
#define METRIC_DROP_COUNT 1024
#define PROTOCOL          236

struct device {
	uint32_t vni;
	int index;
	char name[IFNAMSIZ];
	bool is_new; /* nothing goes over it yet, whatever was written of its network */
};

struct vxlan {
	char *owner;
	uint32_t drop_metric;
	struct tunnel *applied; /* NULL: what is there is not known */
	struct device *devices;
	size_t device_count;
	uint32_t mtu;
};

struct vxlan *vxlan_new(const char *owner)
{
	struct vxlan *vxlan = xcalloc(1, sizeof(*vxlan));
	size_t size = strlen(owner);

	vxlan->owner = xstrdup(size > OWNER_MAX ? owner + size - OWNER_MAX : owner);
	vxlan->drop_metric =
		METRIC_DROP + hash32_text(HASH32_START, vxlan->owner) % METRIC_DROP_COUNT;
	return vxlan;
}

void vxlan_free(struct vxlan *vxlan)
{
	if (!vxlan)
		return;
	tunnel_free(vxlan->applied);
	free(vxlan->devices);
	free(vxlan->owner);
	free(vxlan);
}

/* One call of vxlan_apply(). */
struct writer {
	struct vxlan *vxlan;
	struct netlink *netlink;
	struct netlink_batch *batch;
	const struct tunnel *wanted;
	uint32_t mtu;
	int result; /* of what failed first */
	struct error *err;
};

static void fail(struct writer *writer, int result, const struct error *why)
{
	if (writer->result < 0)
		return;
	writer->result = result;
	if (writer->err)
		*writer->err = *why;
}

static void flush(struct writer *writer)
{
	struct error why = ERROR_INIT;
	int r = netlink_run(writer->netlink, writer->batch, &why);

	if (r < 0)
		fail(writer, r, &why);
}

/* --- devices */

static const struct device *device_of(const struct vxlan *vxlan, uint32_t vni)
{
	for (size_t i = 0; i < vxlan->device_count; i++)
		if (vxlan->devices[i].vni == vni)
			return &vxlan->devices[i];
	return NULL;
}

static void note_device(struct vxlan *vxlan, uint32_t vni, const struct link *link)
{
	struct device *device;

	vxlan->devices = xreallocarray(vxlan->devices, vxlan->device_count + 1, sizeof(*device));
	device = &vxlan->devices[vxlan->device_count++];
	*device = (struct device){ .vni = vni, .index = link->index, .is_new = true };
	memcpy(device->name, link->name, sizeof(device->name));
}

/* Whose the device is, and all that cannot be changed of it. */
static char *alias_of(const struct writer *writer, uint32_t vni)
{
	char text[IP_TEXT_SIZE];

	return xasprintf(ALIAS_PREFIX " %s %" PRIu32 " %s %u", writer->vxlan->owner, vni,
			 ip_format(&writer->wanted->local, text), writer->wanted->port);
}

static bool is_ours(const struct vxlan *vxlan, const struct link *link)
{
	_cleanup_free_ char *prefix = xasprintf(ALIAS_PREFIX " %s ", vxlan->owner);

	if (!str_eq(link->kind, "vxlan") || vxlan_name_vni(link->name) == 0)
		return false;
	/* Without an alias it was left half made. */
	return link->alias[0] == '\0' || str_starts_with(link->alias, prefix);
}

static void create_devices(struct writer *writer)
{
	const struct tunnel *wanted = writer->wanted;

	for (size_t i = 0; i < wanted->network_count; i++) {
		uint32_t vni = wanted->networks[i].vni;
		_cleanup_free_ char *alias = alias_of(writer, vni);
		const struct vxlan_spec spec = { vni, wanted->local, wanted->port, writer->mtu,
						 alias };
		struct error why = ERROR_INIT;
		struct link link;
		int r;

		if (device_of(writer->vxlan, vni))
			continue;
		r = vxlan_create(writer->netlink, &spec, &link, &why);
		if (r < 0)
			fail(writer, r, &why);
		else
			note_device(writer->vxlan, vni, &link);
	}
}

static void set_mtu(struct writer *writer)
{
	const struct vxlan *vxlan = writer->vxlan;

	if (writer->mtu == 0 || writer->mtu == vxlan->mtu)
		return;
	for (size_t i = 0; i < vxlan->device_count; i++)
		link_set_mtu(writer->batch, vxlan->devices[i].index, vxlan->devices[i].name,
			     writer->mtu);
}

/* Their routes and neighbours go with them. */
static void delete_devices(struct writer *writer)
{
	struct vxlan *vxlan = writer->vxlan;
	size_t kept = 0;

	for (size_t i = 0; i < vxlan->device_count; i++) {
		const struct device device = vxlan->devices[i];

		if (tunnel_find_network(writer->wanted, device.vni))
			vxlan->devices[kept++] = device;
		else
			link_delete(writer->batch, device.index, device.name);
	}
	vxlan->device_count = kept;
}

/* --- addresses and hosts */

static struct route peer_route(const struct device *device, const struct tunnel_peer *peer)
{
	return (struct route){
		.destination = ip_host_prefix(&peer->address),
		.gateway = vxlan_gateway(peer->address.family, &peer->host),
		.onlink = true,
		.link_index = device->index,
		.priority = METRIC_PEER,
		.protocol = PROTOCOL,
		.table = vpc_table(peer->vni),
	};
}

static struct route drop_route(const struct vxlan *vxlan, const struct ip_prefix *prefix)
{
	return (struct route){
		.type = ROUTE_BLACKHOLE,
		.destination = ip_prefix_network(prefix),
		.priority = vxlan->drop_metric,
		.protocol = PROTOCOL,
	};
}

/* What `of` has and the `other` has not. */
static void change_prefixes(struct writer *writer, const struct tunnel *of,
			    const struct tunnel *other, bool add)
{
	for (size_t i = 0; i < of->network_count; i++)
		for (size_t j = 0; j < of->networks[i].prefix_count; j++) {
			const struct ip_prefix *prefix = &of->networks[i].prefixes[j];
			const struct route route = drop_route(writer->vxlan, prefix);

			if (other && tunnel_has_prefix(other, prefix))
				continue;
			if (add)
				route_replace(writer->batch, &route);
			else
				route_delete(writer->batch, &route);
		}
}

/* Where a host is, and which MAC it has: before the routes that lead there. */
static void add_links(struct writer *writer, const struct tunnel *old)
{
	const struct tunnel *wanted = writer->wanted;

	for (size_t i = 0; i < wanted->link_count; i++) {
		const struct tunnel_peer *link = &wanted->links[i];
		const struct device *device = device_of(writer->vxlan, link->vni);
		const struct mac_address mac = vxlan_mac(&link->host);
		int family = link->address.family;
		const struct ip_address gateway = vxlan_gateway(family, &link->host);

		if (!device || (old && !device->is_new &&
				tunnel_has_link(old, link->vni, family, &link->host)))
			continue;
		fdb_set(writer->batch, device->index, device->name, &mac, &link->host);
		neighbour_set(writer->batch, device->index, device->name, &gateway, &mac);
	}
}

static void add_peers(struct writer *writer, const struct tunnel *old)
{
	const struct tunnel *wanted = writer->wanted;

	for (size_t i = 0; i < wanted->peer_count; i++) {
		const struct tunnel_peer *peer = &wanted->peers[i];
		const struct tunnel_peer *was =
			old ? tunnel_find_peer(old, peer->vni, &peer->address) : NULL;
		const struct device *device = device_of(writer->vxlan, peer->vni);
		struct route route;

		if (!device || (was && !device->is_new && tunnel_peer_equal(was, peer)))
			continue;
		route = peer_route(device, peer);
		route_replace(writer->batch, &route);
	}
}

static void delete_peers(struct writer *writer, const struct tunnel *old)
{
	for (size_t i = 0; i < old->peer_count; i++) {
		const struct tunnel_peer *peer = &old->peers[i];
		const struct device *device = device_of(writer->vxlan, peer->vni);
		struct route route;

		/* One that has moved was replaced. */
		if (!device || tunnel_find_peer(writer->wanted, peer->vni, &peer->address))
			continue;
		route = peer_route(device, peer);
		route_delete(writer->batch, &route);
	}
}

static bool is_host_wanted(const struct tunnel *wanted, uint32_t vni, const struct ip_address *host)
{
	return tunnel_has_link(wanted, vni, AF_INET, host) ||
	       tunnel_has_link(wanted, vni, AF_INET6, host);
}

static void delete_links(struct writer *writer, const struct tunnel *old)
{
	for (size_t i = 0; i < old->link_count; i++) {
		const struct tunnel_peer *link = &old->links[i];
		const struct device *device = device_of(writer->vxlan, link->vni);
		const struct mac_address mac = vxlan_mac(&link->host);
		int family = link->address.family;
		const struct ip_address gateway = vxlan_gateway(family, &link->host);

		if (!device || tunnel_has_link(writer->wanted, link->vni, family, &link->host))
			continue;
		neighbour_delete(writer->batch, device->index, device->name, &gateway);
		if (!is_host_wanted(writer->wanted, link->vni, &link->host))
			fdb_delete(writer->batch, device->index, device->name, &mac, &link->host);
	}
}

/* --- from what is known to be there */

static void write_change(struct writer *writer)
{
	const struct tunnel *old = writer->vxlan->applied;

	set_mtu(writer);
	create_devices(writer);
	change_prefixes(writer, writer->wanted, old, true);
	add_links(writer, old);
	add_peers(writer, old);
	delete_peers(writer, old);
	delete_links(writer, old);
	change_prefixes(writer, old, writer->wanted, false);
	delete_devices(writer);
	flush(writer);
}

/* --- from whatever is there */

/* Devices that are as they are wanted stay, with what goes over them. */
static void adopt_devices(struct writer *writer)
{
	struct vxlan *vxlan = writer->vxlan;
	struct link_list links = { 0 };
	struct error why = ERROR_INIT;
	int r = link_list(writer->netlink, LINK_GROUP_TUNNEL, &links, &why);

	if (r < 0)
		fail(writer, r, &why);
	vxlan->device_count = 0;
	for (size_t i = 0; i < links.count; i++) {
		const struct link *link = &links.items[i];
		uint32_t vni = vxlan_name_vni(link->name);
		_cleanup_free_ char *alias = alias_of(writer, vni);

		if (!is_ours(vxlan, link))
			continue;
		if (tunnel_find_network(writer->wanted, vni) && str_eq(link->alias, alias) &&
		    link->is_up)
			note_device(vxlan, vni, link);
		else
			link_delete(writer->batch, link->index, link->name);
	}
	link_list_free(&links);
	flush(writer);
}

struct sweep {
	struct writer *writer;
	const struct device *device;
};

static bool is_gateway_wanted(const struct sweep *sweep, const struct ip_address *address)
{
	const struct tunnel *wanted = sweep->writer->wanted;

	for (size_t i = 0; i < wanted->link_count; i++) {
		const struct tunnel_peer *link = &wanted->links[i];
		const struct ip_address gateway = vxlan_gateway(link->address.family, &link->host);

		if (link->vni == sweep->device->vni && ip_equal(&gateway, address))
			return true;
	}
	return false;
}

static void sweep_neighbour(void *data, const struct ip_address *address)
{
	const struct sweep *sweep = data;

	if (!is_gateway_wanted(sweep, address))
		neighbour_delete(sweep->writer->batch, sweep->device->index, sweep->device->name,
				 address);
}

static void sweep_host(void *data, const struct mac_address *mac, const struct ip_address *host)
{
	const struct sweep *sweep = data;
	const struct mac_address expected = vxlan_mac(host);

	if (!mac_equal(mac, &expected) ||
	    !is_host_wanted(sweep->writer->wanted, sweep->device->vni, host))
		fdb_delete(sweep->writer->batch, sweep->device->index, sweep->device->name, mac,
			   host);
}

static void sweep_devices(struct writer *writer)
{
	for (size_t i = 0; i < writer->vxlan->device_count; i++) {
		struct sweep sweep = { writer, &writer->vxlan->devices[i] };
		struct error why = ERROR_INIT;
		int r = neighbour_list(writer->netlink, sweep.device->index, sweep_neighbour,
				       &sweep, &why);

		if (r == 0)
			r = fdb_list(writer->netlink, sweep.device->index, sweep_host, &sweep,
				     &why);
		if (r < 0)
			fail(writer, r, &why);
		flush(writer);
	}
}

static bool is_route_stale(const struct writer *writer, const struct route *route)
{
	const struct vxlan *vxlan = writer->vxlan;

	if (route->type == ROUTE_BLACKHOLE)
		return route->protocol == PROTOCOL && route->priority == vxlan->drop_metric &&
		       !tunnel_has_prefix(writer->wanted, &route->destination);
	for (size_t i = 0; i < vxlan->device_count; i++)
		if (vxlan->devices[i].index == route->link_index)
			return route->table != vpc_table(vxlan->devices[i].vni) ||
			       !tunnel_find_peer(writer->wanted, vxlan->devices[i].vni,
						 &route->destination.address);
	return false;
}

static void sweep_routes(struct writer *writer)
{
	struct route_list routes = { 0 };
	struct error why = ERROR_INIT;
	int r = route_list_all(writer->netlink, &routes, &why);

	if (r < 0)
		fail(writer, r, &why);
	for (size_t i = 0; i < routes.count; i++)
		if (is_route_stale(writer, &routes.items[i]))
			route_delete(writer->batch, &routes.items[i]);
	route_list_free(&routes);
	flush(writer);
}

static void write_all(struct writer *writer)
{
	adopt_devices(writer);
	writer->vxlan->mtu = 0;
	set_mtu(writer);
	create_devices(writer);
	change_prefixes(writer, writer->wanted, NULL, true);
	add_links(writer, NULL);
	add_peers(writer, NULL);
	flush(writer);
	sweep_routes(writer);
	sweep_devices(writer);
}

/* --- both */

static bool is_known(const struct vxlan *vxlan, const struct tunnel *wanted)
{
	return vxlan->applied && ip_equal(&vxlan->applied->local, &wanted->local) &&
	       vxlan->applied->port == wanted->port;
}

static void write_to(struct writer *writer, bool known)
{
	writer->result = 0;
	writer->batch = netlink_batch_new();
	if (known)
		write_change(writer);
	else
		write_all(writer);
	netlink_batch_free(writer->batch);
	tunnel_free(TAKE(writer->vxlan->applied));
	writer->vxlan->mtu = writer->mtu;
	for (size_t i = 0; i < writer->vxlan->device_count; i++)
		writer->vxlan->devices[i].is_new = false;
}

static bool has_unwanted(const struct vxlan *vxlan, const struct tunnel *wanted)
{
	for (size_t i = 0; i < vxlan->device_count; i++)
		if (!tunnel_find_network(wanted, vxlan->devices[i].vni))
			return true;
	return false;
}

int vxlan_withdraw(struct vxlan *vxlan, const struct tunnel *wanted, struct error *err)
{
	struct writer writer = { .vxlan = vxlan, .wanted = wanted, .err = err };
	bool known = is_known(vxlan, wanted);
	int r;

	if (known && !has_unwanted(vxlan, wanted))
		return 0;
	r = netlink_open(&writer.netlink, err);
	if (r < 0)
		return r;
	writer.batch = netlink_batch_new();
	if (known)
		delete_devices(&writer);
	else
		adopt_devices(&writer);
	flush(&writer);
	netlink_batch_free(writer.batch);
	netlink_close(writer.netlink);
	return writer.result;
}

static int apply(struct vxlan *vxlan, const struct tunnel *wanted, uint32_t *ret_mtu,
		 struct error *err)
{
	struct writer writer = { .vxlan = vxlan, .wanted = wanted, .err = err };
	bool known = is_known(vxlan, wanted);
	int r;

	if (known && vxlan->applied->network_count == 0 && wanted->network_count == 0)
		return 0;
	r = netlink_open(&writer.netlink, err);
	if (r == 0 && wanted->network_count > 0)
		r = vxlan_mtu(writer.netlink, &wanted->local, &writer.mtu, err);
	if (r == 0) {
		write_to(&writer, known);
		/* Somebody has changed something: it is looked at. */
		if (writer.result < 0 && known)
			write_to(&writer, false);
		r = writer.result;
	}
	netlink_close(writer.netlink);
	if (r == 0)
		*ret_mtu = writer.mtu;
	return r;
}

/* What goes by IPv6 has no end on a host without it. */
static struct tunnel *possible(struct tunnel *wanted)
{
	struct tunnel *half;

	if (ipv6_check(NULL) != -EAFNOSUPPORT)
		return wanted;
	half = tunnel_copy_family(wanted, AF_INET);
	tunnel_free(wanted);
	return half;
}

int vxlan_apply(struct vxlan *vxlan, struct tunnel *wanted, uint32_t *ret_mtu, struct error *err)
{
	uint32_t mtu = 0;
	int r;

	wanted = possible(wanted);
	r = apply(vxlan, wanted, &mtu, err);
	if (r < 0) {
		tunnel_free(wanted);
		return r;
	}
	tunnel_free(vxlan->applied);
	vxlan->applied = wanted;
	*ret_mtu = mtu;
	return 0;
}
