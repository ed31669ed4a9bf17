/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ROUTE_TEXT_SIZE 192

static const char *describe(const struct route *route, char out[ROUTE_TEXT_SIZE])
{
	char destination[IP_TEXT_SIZE], gateway[IP_TEXT_SIZE];

	snprintf(out, ROUTE_TEXT_SIZE, "%s%s%s%s",
		 route->type == ROUTE_BLACKHOLE ? "blackhole " : "",
		 route->destination.length == 0
			 ? "default"
			 : ip_prefix_format(&route->destination, destination),
		 route->gateway.family ? " via " : "",
		 route->gateway.family ? ip_format(&route->gateway, gateway) : "");
	return out;
}

static void put_gateway(struct nlmsghdr *header, const struct route *route)
{
	const struct ip_address *gateway = &route->gateway;
	struct {
		__kernel_sa_family_t family;
		unsigned char address[sizeof(gateway->bytes)];
	} via = { .family = (__kernel_sa_family_t)gateway->family };

	if (gateway->family == route->destination.address.family) {
		mnl_attr_put(header, RTA_GATEWAY, ip_size(gateway), gateway->bytes);
	} else if (gateway->family) {
		memcpy(via.address, gateway->bytes, ip_size(gateway));
		mnl_attr_put(header, RTA_VIA, offsetof(struct rtvia, rtvia_addr) + ip_size(gateway),
			     &via);
	}
}

static void put_route(struct nlmsghdr *header, const struct route *route)
{
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	const struct ip_prefix destination = ip_prefix_network(&route->destination);
	const struct ip_address *to = &destination.address;

	message->rtm_family = (uint8_t)to->family;
	message->rtm_dst_len = (uint8_t)destination.length;
	message->rtm_table = route->table ? RT_TABLE_UNSPEC : RT_TABLE_MAIN;
	message->rtm_protocol = route->protocol ? route->protocol : RTPROT_STATIC;
	message->rtm_type = route->type == ROUTE_BLACKHOLE ? RTN_BLACKHOLE : RTN_UNICAST;
	message->rtm_scope = RT_SCOPE_UNIVERSE;
	if (to->family == AF_INET && route->type == ROUTE_UNICAST && route->gateway.family == 0)
		message->rtm_scope = RT_SCOPE_LINK;
	if (route->onlink)
		message->rtm_flags = RTNH_F_ONLINK;
	if (route->table)
		mnl_attr_put_u32(header, RTA_TABLE, route->table);
	if (destination.length > 0)
		mnl_attr_put(header, RTA_DST, ip_size(to), to->bytes);
	put_gateway(header, route);
	if (route->link_index > 0)
		mnl_attr_put_u32(header, RTA_OIF, (uint32_t)route->link_index);
	if (route->priority)
		mnl_attr_put_u32(header, RTA_PRIORITY, route->priority);
}

void route_add(struct netlink_batch *batch, const struct route *route)
{
	char text[ROUTE_TEXT_SIZE];

	put_route(netlink_request(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "add route %s",
				  describe(route, text)),
		  route);
}

void route_replace(struct netlink_batch *batch, const struct route *route)
{
	char text[ROUTE_TEXT_SIZE];

	put_route(netlink_request(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "set route %s",
				  describe(route, text)),
		  route);
}

void route_delete(struct netlink_batch *batch, const struct route *route)
{
	char text[ROUTE_TEXT_SIZE];
	struct nlmsghdr *header =
		netlink_request(batch, RTM_DELROUTE, 0, "remove route %s", describe(route, text));
	struct rtmsg *message;

	put_route(header, route);
	/* Any protocol, any scope: what leads there on this link goes. */
	message = mnl_nlmsg_get_payload(header);
	message->rtm_protocol = RTPROT_UNSPEC;
	message->rtm_scope = RT_SCOPE_NOWHERE;
	netlink_tolerate(batch, ESRCH);
	netlink_tolerate(batch, ENODEV);
}

/* A gateway of the other family. */
static void read_via(const struct nlattr *attr, struct ip_address *ret)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	struct ip_address address = { .family = AF_INET6 };

	if (mnl_attr_get_payload_len(attr) !=
		    offsetof(struct rtvia, rtvia_addr) + ip_size(&address) ||
	    via->rtvia_family != AF_INET6)
		return;
	memcpy(address.bytes, via->rtvia_addr, ip_size(&address));
	*ret = address;
}

static int read_attribute(const struct nlattr *attr, void *data)
{
	struct route *route = data;
	size_t size = mnl_attr_get_payload_len(attr);
	size_t address_size = ip_size(&route->destination.address);

	switch (mnl_attr_get_type(attr)) {
	case RTA_DST:
		if (size == address_size)
			memcpy(route->destination.address.bytes, mnl_attr_get_payload(attr), size);
		break;
	case RTA_GATEWAY:
		if (size == address_size) {
			route->gateway.family = route->destination.address.family;
			memcpy(route->gateway.bytes, mnl_attr_get_payload(attr), size);
		}
		break;
	case RTA_VIA:
		read_via(attr, &route->gateway);
		break;
	case RTA_OIF:
		if (size == sizeof(uint32_t))
			route->link_index = (int)mnl_attr_get_u32(attr);
		break;
	case RTA_PRIORITY:
		if (size == sizeof(uint32_t))
			route->priority = mnl_attr_get_u32(attr);
		break;
	case RTA_TABLE:
		if (size == sizeof(uint32_t))
			route->table = mnl_attr_get_u32(attr);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

struct listing {
	struct route_list list;
	int family;
	bool all_tables;
};

static void add_route(struct route_list *list, const struct route *route)
{
	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = *route;
}

/* What a route of several next hops says of each is not among its own attributes. */
static void add_hops(struct route_list *list, const struct route *route, const struct nlattr *hops)
{
	const char *at = mnl_attr_get_payload(hops);
	size_t left = mnl_attr_get_payload_len(hops);
	struct rtnexthop hop;

	while (left >= sizeof(hop)) {
		struct route one = *route;
		size_t size;

		memcpy(&hop, at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left)
			break;
		one.link_index = hop.rtnh_ifindex;
		one.onlink = (hop.rtnh_flags & RTNH_F_ONLINK) != 0;
		mnl_attr_parse_payload(at + sizeof(hop), hop.rtnh_len - sizeof(hop), read_attribute,
				       &one);
		add_route(list, &one);
		size = (size_t)MNL_ALIGN(hop.rtnh_len);
		if (size > left)
			break;
		at += size;
		left -= size;
	}
}

static int find_hops(const struct nlattr *attr, void *data)
{
	const struct nlattr **hops = data;

	if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
		*hops = attr;
	return MNL_CB_OK;
}

static int gather_route(const struct nlmsghdr *header, void *data)
{
	struct listing *listing = data;
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *hops = NULL;
	struct route found = { .table = message->rtm_table };

	if (header->nlmsg_type != RTM_NEWROUTE || (message->rtm_flags & RTM_F_CLONED) ||
	    message->rtm_family != listing->family)
		return 0;
	if (message->rtm_type == RTN_BLACKHOLE)
		found.type = ROUTE_BLACKHOLE;
	else if (message->rtm_type != RTN_UNICAST)
		return 0;
	found.destination.address.family = message->rtm_family;
	found.destination.length = message->rtm_dst_len;
	found.protocol = message->rtm_protocol;
	found.onlink = (message->rtm_flags & RTNH_F_ONLINK) != 0;
	mnl_attr_parse(header, sizeof(*message), read_attribute, &found);
	if (found.table == RT_TABLE_LOCAL || (found.table != RT_TABLE_MAIN && !listing->all_tables))
		return 0;
	if (found.table == RT_TABLE_MAIN)
		found.table = 0;
	/* An IPv6 blackhole is shown with lo as its device. */
	if (found.type == ROUTE_BLACKHOLE)
		found.link_index = 0;
	mnl_attr_parse(header, sizeof(*message), find_hops, &hops);
	if (hops)
		add_hops(&listing->list, &found, hops);
	else
		add_route(&listing->list, &found);
	return 0;
}

static void forget_routes(void *data)
{
	struct listing *listing = data;

	route_list_free(&listing->list);
}

static int list_family(struct netlink *netlink, int family, bool all_tables, struct route_list *ret,
		       struct error *err)
{
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETROUTE, NLM_F_DUMP, "list routes");
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	struct listing listing = { .family = family, .all_tables = all_tables };
	const struct route_list *list = &listing.list;
	int r;

	message->rtm_family = (uint8_t)family;
	r = netlink_query(netlink, query, gather_route, forget_routes, &listing, err);
	netlink_batch_free(query);
	if (r == 0 && list->count > 0) {
		ret->items =
			xreallocarray(ret->items, ret->count + list->count, sizeof(*ret->items));
		memcpy(ret->items + ret->count, list->items, list->count * sizeof(*list->items));
		ret->count += list->count;
	}
	route_list_free(&listing.list);
	return r;
}

static int list_routes(struct netlink *netlink, int family, bool all_tables, struct route_list *ret,
		       struct error *err)
{
	struct route_list list = { 0 };
	int r = 0;

	if (family == 0 || family == AF_INET)
		r = list_family(netlink, AF_INET, all_tables, &list, err);
	if (r == 0 && (family == 0 || family == AF_INET6)) {
		r = list_family(netlink, AF_INET6, all_tables, &list, err);
		/* A kernel without IPv6 has no IPv6 routes. */
		if (family == 0 && (r == -EAFNOSUPPORT || r == -EOPNOTSUPP))
			r = 0;
	}
	if (r < 0) {
		route_list_free(&list);
		return r;
	}
	*ret = list;
	return 0;
}

int route_list(struct netlink *netlink, int family, struct route_list *ret, struct error *err)
{
	return list_routes(netlink, family, false, ret, err);
}

int route_list_all(struct netlink *netlink, struct route_list *ret, struct error *err)
{
	return list_routes(netlink, 0, true, ret, err);
}

void route_list_free(struct route_list *list)
{
	free(list->items);
	*list = (struct route_list){ 0 };
}

static int read_target(const struct nlmsghdr *header, void *data)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	struct route_target *target = data;
	struct route found = { .destination.address.family = message->rtm_family };

	if (header->nlmsg_type != RTM_NEWROUTE)
		return 0;
	mnl_attr_parse(header, sizeof(*message), read_attribute, &found);
	*target = (struct route_target){
		.is_local = message->rtm_type == RTN_LOCAL,
		.link_index = found.link_index,
	};
	return 0;
}

int route_lookup(struct netlink *netlink, const struct ip_address *address, int link_index,
		 struct route_target *ret, struct error *err)
{
	char text[IP_TEXT_SIZE];
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETROUTE, 0, "look up the route to %s",
						  ip_format(address, text));
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	struct route_target target = { 0 };
	int r;

	message->rtm_family = (uint8_t)address->family;
	message->rtm_dst_len = (uint8_t)ip_bits(address);
	mnl_attr_put(header, RTA_DST, ip_size(address), address->bytes);
	/* As if it came in by the link: a link-local address is local on its own link only. */
	if (link_index)
		mnl_attr_put_u32(header, RTA_OIF, (uint32_t)link_index);
	r = netlink_query(netlink, query, read_target, NULL, &target, err);
	netlink_batch_free(query);
	if (r == 0)
		*ret = target;
	return r;
}

bool route_list_contains(const struct route_list *list, const struct route *route)
{
	const struct ip_prefix destination = ip_prefix_network(&route->destination);

	for (size_t i = 0; i < list->count; i++) {
		const struct route *other = &list->items[i];

		if (other->type == route->type && other->table == route->table &&
		    ip_prefix_equal(&other->destination, &destination) &&
		    ip_equal(&other->gateway, &route->gateway) &&
		    (route->link_index == 0 || other->link_index == route->link_index))
			return true;
	}
	return false;
}
