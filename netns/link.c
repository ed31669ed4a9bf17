/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

static int read_port(const struct nlattr *attr, void *data)
{
	struct link *link = data;

	if (mnl_attr_get_payload_len(attr) != sizeof(uint8_t))
		return MNL_CB_OK;
	if (mnl_attr_get_type(attr) == IFLA_BRPORT_STATE)
		link->is_forwarding = mnl_attr_get_u8(attr) == BR_STATE_FORWARDING;
	else if (mnl_attr_get_type(attr) == IFLA_BRPORT_MODE)
		link->has_hairpin = mnl_attr_get_u8(attr) == BRIDGE_MODE_HAIRPIN;
	return MNL_CB_OK;
}

static int read_vlan(const struct nlattr *attr, void *data)
{
	struct link *link = data;

	if (mnl_attr_get_type(attr) == IFLA_VLAN_ID &&
	    mnl_attr_get_payload_len(attr) == sizeof(uint16_t))
		link->vlan_id = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

/* The kind comes before the data. */
static int read_info(const struct nlattr *attr, void *data)
{
	struct link *link = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		snprintf(link->kind, sizeof(link->kind), "%.*s",
			 (int)mnl_attr_get_payload_len(attr),
			 (const char *)mnl_attr_get_payload(attr));
	else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && str_eq(link->kind, "vlan"))
		mnl_attr_parse_nested(attr, read_vlan, link);
	else if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_KIND)
		link->is_bridge_port = strncmp(mnl_attr_get_payload(attr), "bridge",
					       mnl_attr_get_payload_len(attr)) == 0;
	else if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_DATA && link->is_bridge_port)
		mnl_attr_parse_nested(attr, read_port, link);
	return MNL_CB_OK;
}

static int read_attribute(const struct nlattr *attr, void *data)
{
	struct link *link = data;
	uint16_t size = mnl_attr_get_payload_len(attr);
	const char *payload = mnl_attr_get_payload(attr);

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		snprintf(link->name, sizeof(link->name), "%.*s", size, payload);
		break;
	case IFLA_IFALIAS:
		snprintf(link->alias, sizeof(link->alias), "%.*s", size, payload);
		break;
	case IFLA_ADDRESS:
		if (size == MAC_SIZE) {
			memcpy(link->mac.bytes, payload, MAC_SIZE);
			link->has_mac = true;
		}
		break;
	case IFLA_MTU:
		if (size == sizeof(uint32_t))
			link->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_GROUP:
		if (size == sizeof(uint32_t))
			link->group = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		if (size == sizeof(uint32_t))
			link->master_index = (int)mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK:
		if (size == sizeof(uint32_t))
			link->peer_index = (int)mnl_attr_get_u32(attr);
		break;
	case IFLA_OPERSTATE:
		if (size == sizeof(uint8_t))
			link->is_running = mnl_attr_get_u8(attr) == IF_OPER_UP;
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, read_info, link);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static bool read_link(const struct nlmsghdr *header, struct link *ret)
{
	const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
	struct link link = { 0 };

	if (header->nlmsg_type != RTM_NEWLINK)
		return false;
	link.index = message->ifi_index;
	link.is_up = (message->ifi_flags & IFF_UP) != 0;
	link.is_loopback = (message->ifi_flags & IFF_LOOPBACK) != 0;
	mnl_attr_parse(header, sizeof(*message), read_attribute, &link);
	*ret = link;
	return true;
}

static int one_link(const struct nlmsghdr *header, void *data)
{
	read_link(header, data);
	return 0;
}

/* By index, or with `name` by that. */
static int find_link(struct netlink *netlink, struct netlink_batch *query, struct nlmsghdr *header,
		     int index, const char *name, struct link *ret, struct error *err)
{
	struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	struct link link = { 0 };
	int r;

	message->ifi_index = index;
	mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (name)
		mnl_attr_put_strz(header, IFLA_IFNAME, name);
	r = netlink_query(netlink, query, one_link, NULL, &link, err);
	netlink_batch_free(query);
	if (r < 0)
		return r;
	*ret = link;
	return 0;
}

int link_by_name(struct netlink *netlink, const char *name, struct link *ret, struct error *err)
{
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETLINK, 0, "find link %s", name);

	return find_link(netlink, query, header, 0, name, ret, err);
}

int link_by_index(struct netlink *netlink, int index, struct link *ret, struct error *err)
{
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETLINK, 0, "find link %d", index);

	return find_link(netlink, query, header, index, NULL, ret, err);
}

struct listing {
	struct link_list list;
	uint32_t group; /* 0: any */
};

static int gather_link(const struct nlmsghdr *header, void *data)
{
	struct listing *listing = data;
	struct link_list *list = &listing->list;
	struct link link;

	if (!read_link(header, &link) || (listing->group && link.group != listing->group))
		return 0;
	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = link;
	return 0;
}

static void forget_links(void *data)
{
	struct listing *listing = data;

	link_list_free(&listing->list);
}

int link_list(struct netlink *netlink, uint32_t group, struct link_list *ret, struct error *err)
{
	struct listing listing = { .group = group };
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETLINK, NLM_F_DUMP, "list links");
	int r;

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = netlink_query(netlink, query, gather_link, forget_links, &listing, err);
	netlink_batch_free(query);
	if (r < 0) {
		link_list_free(&listing.list);
		return r;
	}
	*ret = listing.list;
	return 0;
}

void link_list_free(struct link_list *list)
{
	free(list->items);
	*list = (struct link_list){ 0 };
}

int link_by_mac(struct netlink *netlink, const struct mac_address *mac, struct link *ret,
		struct error *err)
{
	struct link_list list = { 0 };
	const struct link *found = NULL;
	char text[MAC_TEXT_SIZE];
	int r = link_list(netlink, 0, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		const struct link *link = &list.items[i];

		if (link->is_loopback || !link->has_mac || !mac_equal(&link->mac, mac))
			continue;
		if (!found || strlen(link->name) < strlen(found->name))
			found = link;
	}
	if (found)
		*ret = *found;
	else
		r = error_say(err, ENODEV, "device with mac address %s not found",
			      mac_format(mac, text));
	link_list_free(&list);
	return r;
}

static struct ifinfomsg *put_link(struct nlmsghdr *header, int index)
{
	struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	message->ifi_index = index;
	return message;
}

static void put_veth_peer(struct nlmsghdr *header, const struct veth_spec *spec)
{
	struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	struct nlattr *data, *peer;

	mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
	/* Never with IFF_UP: the kernel answers ENOTCONN. */
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, spec->peer_name);
	mnl_attr_put(header, IFLA_ADDRESS, MAC_SIZE, spec->peer_mac.bytes);
	if (spec->mtu)
		mnl_attr_put_u32(header, IFLA_MTU, spec->mtu);
	mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)spec->peer_netns_fd);
	mnl_attr_nest_end(header, peer);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
}

/* A pair that was just made: its index may not be known. */
static void delete_by_name(struct netlink *netlink, struct netlink_batch *batch, const char *name)
{
	struct nlmsghdr *header = netlink_request(batch, RTM_DELLINK, 0, "delete link %s", name);

	put_link(header, 0);
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	(void)netlink_run(netlink, batch, NULL);
}

int veth_create(struct netlink *netlink, const struct veth_spec *spec, struct link *ret,
		struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
				"create veth %s with peer %s", spec->host_name, spec->peer_name);
	struct link link = { 0 };
	int r;

	put_link(header, 0);
	mnl_attr_put_strz(header, IFLA_IFNAME, spec->host_name);
	mnl_attr_put(header, IFLA_ADDRESS, MAC_SIZE, spec->host_mac.bytes);
	if (spec->mtu)
		mnl_attr_put_u32(header, IFLA_MTU, spec->mtu);
	if (spec->group)
		mnl_attr_put_u32(header, IFLA_GROUP, spec->group);
	if (spec->master_index)
		mnl_attr_put_u32(header, IFLA_MASTER, (uint32_t)spec->master_index);
	put_veth_peer(header, spec);
	r = netlink_run(netlink, batch, err);
	if (r == 0) {
		r = link_by_name(netlink, spec->host_name, &link, err);
		if (r == 0 && spec->alias) {
			link_set_alias(batch, link.index, link.name, spec->alias);
			r = netlink_run(netlink, batch, err);
		}
		if (r < 0)
			delete_by_name(netlink, batch, spec->host_name);
	}
	netlink_batch_free(batch);
	if (r < 0)
		return r;
	*ret = link;
	return 0;
}

static void set_flags(struct netlink_batch *batch, int index, const char *name, bool up)
{
	struct ifinfomsg *message = put_link(
		netlink_request(batch, RTM_NEWLINK, 0, "set link %s %s", name, up ? "up" : "down"),
		index);

	message->ifi_flags = up ? IFF_UP : 0;
	message->ifi_change = IFF_UP;
}

void link_set_up(struct netlink_batch *batch, int index, const char *name)
{
	set_flags(batch, index, name, true);
}

void link_set_down(struct netlink_batch *batch, int index, const char *name)
{
	set_flags(batch, index, name, false);
}

void link_set_mtu(struct netlink_batch *batch, int index, const char *name, uint32_t mtu)
{
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, 0, "set the MTU of link %s to %u", name, mtu);

	put_link(header, index);
	mnl_attr_put_u32(header, IFLA_MTU, mtu);
}

void link_set_mac(struct netlink_batch *batch, int index, const char *name,
		  const struct mac_address *mac)
{
	char text[MAC_TEXT_SIZE];
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, 0, "set the MAC address of link %s to %s", name,
				mac_format(mac, text));

	put_link(header, index);
	mnl_attr_put(header, IFLA_ADDRESS, MAC_SIZE, mac->bytes);
}

void link_set_master(struct netlink_batch *batch, int index, const char *name, int master_index)
{
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, 0, "make link %s a port of a bridge", name);

	put_link(header, index);
	mnl_attr_put_u32(header, IFLA_MASTER, (uint32_t)master_index);
}

void link_rename(struct netlink_batch *batch, int index, const char *name, const char *new_name)
{
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, 0, "rename link %s to %s", name, new_name);

	put_link(header, index);
	mnl_attr_put_strz(header, IFLA_IFNAME, new_name);
}

void link_add_name(struct netlink_batch *batch, int index, const char *name, const char *other)
{
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND,
				"call link %s %s, too", name, other);
	struct nlattr *list;

	put_link(header, index);
	list = mnl_attr_nest_start(header, IFLA_PROP_LIST);
	mnl_attr_put_strz(header, IFLA_ALT_IFNAME, other);
	mnl_attr_nest_end(header, list);
}

void link_set_alias(struct netlink_batch *batch, int index, const char *name, const char *alias)
{
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, 0, "set the alias of link %s", name);

	put_link(header, index);
	mnl_attr_put(header, IFLA_IFALIAS, strnlen(alias, LINK_ALIAS_SIZE), alias);
}

void link_set_group(struct netlink_batch *batch, int index, const char *name, uint32_t group)
{
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, 0, "put link %s into group %u", name, group);

	put_link(header, index);
	mnl_attr_put_u32(header, IFLA_GROUP, group);
}

static void set_ipv4(struct netlink_batch *batch, int index, const char *name, bool proxy_arp)
{
	struct nlmsghdr *header = netlink_request(
		batch, RTM_NEWLINK, 0, "set forwarding, proxy ARP and rp_filter of link %s", name);
	struct nlattr *families, *family, *settings;

	put_link(header, index);
	families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(header, AF_INET);
	settings = mnl_attr_nest_start(header, IFLA_INET_CONF);
	mnl_attr_put_u32(header, IPV4_DEVCONF_FORWARDING, 1);
	mnl_attr_put_u32(header, IPV4_DEVCONF_PROXY_ARP, proxy_arp);
	mnl_attr_put_u32(header, IPV4_DEVCONF_RP_FILTER, 1);
	mnl_attr_nest_end(header, settings);
	mnl_attr_nest_end(header, family);
	mnl_attr_nest_end(header, families);
}

void link_set_routed_ipv4(struct netlink_batch *batch, int index, const char *name)
{
	set_ipv4(batch, index, name, true);
}

void link_set_tunnel_ipv4(struct netlink_batch *batch, int index, const char *name)
{
	set_ipv4(batch, index, name, false);
}

void link_set_no_link_local(struct netlink_batch *batch, int index, const char *name)
{
	struct nlmsghdr *header = netlink_request(
		batch, RTM_NEWLINK, 0, "keep the kernel from giving link %s an address", name);
	struct nlattr *families, *family;

	put_link(header, index);
	families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(header, AF_INET6);
	mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(header, family);
	mnl_attr_nest_end(header, families);
}

void link_move(struct netlink_batch *batch, int index, const char *name, int netns_fd,
	       const char *new_name)
{
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, 0, "move link %s into another namespace%s%s",
				name, new_name ? " as " : "", new_name ? new_name : "");

	put_link(header, index);
	mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	if (new_name)
		mnl_attr_put_strz(header, IFLA_IFNAME, new_name);
}

void link_delete(struct netlink_batch *batch, int index, const char *name)
{
	put_link(netlink_request(batch, RTM_DELLINK, 0, "delete link %s", name), index);
	netlink_tolerate(batch, ENODEV);
}

int link_expect(struct netlink *netlink, const char *name, const char *kind, struct link *ret,
		struct error *err)
{
	int r = link_by_name(netlink, name, ret, err);

	if (r < 0)
		return r;
	if (!str_eq(ret->kind, kind))
		return error_say(err, EINVAL, "link %s is a %s, not a %s", name,
				 ret->kind[0] ? ret->kind : "device", kind);
	return ret->is_up ? 0 : error_say(err, ENETDOWN, "link %s is down", name);
}
