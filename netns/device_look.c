/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/device_look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "netns/link.h"
#include "netns/route.h"

static bool has_address(const struct link *link)
{
	static const struct mac_address none;

	return link->has_mac && !mac_equal(&link->mac, &none);
}

static const struct link *link_of_index(const struct link_list *links, int index)
{
	for (size_t i = 0; i < links->count; i++)
		if (links->items[i].index == index)
			return &links->items[i];
	return NULL;
}

bool device_is_primary(const struct device_primary *primary, const struct mac_address *mac)
{
	for (size_t i = 0; i < primary->count; i++)
		if (mac_equal(&primary->macs[i], mac))
			return true;
	return false;
}

static void add_primary(struct device_primary *primary, const struct mac_address *mac)
{
	primary->macs = xreallocarray(primary->macs, primary->count + 1, sizeof(*primary->macs));
	primary->macs[primary->count++] = *mac;
}

struct device_primary device_primary_copy(const struct device_primary *primary)
{
	struct device_primary copy = { 0 };

	for (size_t i = 0; i < primary->count; i++)
		add_primary(&copy, &primary->macs[i]);
	memcpy(copy.has, primary->has, sizeof(copy.has));
	return copy;
}

void device_primary_free(struct device_primary *primary)
{
	free(primary->macs);
	*primary = (struct device_primary){ 0 };
}

static bool is_default(const struct route *route)
{
	return route->type == ROUTE_UNICAST && route->destination.length == 0;
}

/* Of several default routes those that are used, which is more than one where it is multipath. */
static int find_primary(struct netlink *netlink, const struct link_list *links, int family,
			struct device_primary *primary, bool *ret_has, struct error *err)
{
	uint32_t best = UINT32_MAX;
	struct route_list routes;
	int r = route_list(netlink, family, &routes, err);

	/* Without IPv6 there is no such device. */
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < routes.count; i++)
		if (is_default(&routes.items[i]) && routes.items[i].priority < best)
			best = routes.items[i].priority;
	for (size_t i = 0; i < routes.count; i++) {
		const struct route *route = &routes.items[i];
		const struct link *link = link_of_index(links, route->link_index);

		if (is_default(route) && route->priority == best && link && has_address(link)) {
			add_primary(primary, &link->mac);
			*ret_has = true;
		}
	}
	route_list_free(&routes);
	return 0;
}

static bool is_device(const struct device_look *look, const struct link *link)
{
	return !link->is_loopback && has_address(link) &&
	       (!link->kind[0] || str_list_has(&look->kinds, link->kind)) &&
	       !device_is_primary(&look->primary, &link->mac);
}

static int look_at_all(struct device_look *look)
{
	static const int families[2] = { AF_INET, AF_INET6 };
	struct netlink *netlink = NULL;
	struct link_list links = { 0 };
	int r = netlink_open(&netlink, &look->err);

	if (r == 0)
		r = link_list(netlink, 0, &links, &look->err);
	for (int i = 0; i < 2 && r == 0; i++)
		if (!look->primary.has[i])
			r = find_primary(netlink, &links, families[i], &look->primary,
					 &look->primary.has[i], &look->err);
	if (r == 0) {
		look->macs = xcalloc(links.count + 1, sizeof(*look->macs));
		for (size_t i = 0; i < links.count; i++)
			if (is_device(look, &links.items[i]))
				look->macs[look->count++] = links.items[i].mac;
	}
	link_list_free(&links);
	netlink_close(netlink);
	return r;
}

void device_look(struct device_look *look)
{
	look->result = look_at_all(look);
}

void device_look_free(struct device_look *look)
{
	str_list_free(&look->kinds);
	device_primary_free(&look->primary);
	free(look->macs);
	look->macs = NULL;
}

void device_look_at(struct device_name_look *look)
{
	struct netlink *netlink = NULL;
	struct link link;

	look->result = netlink_open(&netlink, &look->err);
	if (look->result == 0)
		look->result = link_by_name(netlink, look->name, &link, &look->err);
	if (look->result == 0 && !has_address(&link))
		look->result = error_say(&look->err, EAGAIN, "it has no MAC address yet");
	if (look->result == 0)
		look->mac = link.mac;
	netlink_close(netlink);
}
