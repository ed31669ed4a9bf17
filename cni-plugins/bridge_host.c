/* SPDX-License-Identifier: Apache-2.0 */
/* What of a bridge is the host's, and stays when the last task has gone. */
#include "cni-plugins/bridge.h"

#include <errno.h>
#include <string.h>

#include <sys/socket.h>

#include "netns/addr.h"
#include "netns/bridge_guard.h"
#include "netns/forwarding.h"
#include "netns/link.h"
#include "netns/masquerade.h"
#include "netns/neigh.h"

#define READY_TIMEOUT_MS 2000

static bool is_link_local_ipv6(const struct ip_address *address)
{
	return address->family == AF_INET6 && address->bytes[0] == 0xfe &&
	       (address->bytes[1] & 0xc0) == 0x80;
}

/* 1: it has the address. 0: it has none of this family. -EADDRINUSE: it has another. */
static int compare(const struct address_list *list, const struct ip_prefix *wanted,
		   const char *bridge, struct error *err)
{
	const struct ip_prefix *other = NULL;
	char text[2][IP_TEXT_SIZE];

	for (size_t i = 0; i < list->count; i++) {
		const struct ip_prefix *item = &list->items[i];

		if (ip_prefix_equal(item, wanted))
			return 1;
		if (item->address.family == wanted->address.family &&
		    (!is_link_local_ipv6(&item->address) || is_link_local_ipv6(&wanted->address)))
			other = item;
	}
	if (!other)
		return 0;
	return error_say(err, EADDRINUSE,
			 "mismatch in bridge %s address for family %d: it has %s, and the gateway "
			 "is %s: give the network a bridge of its own",
			 bridge, wanted->address.family == AF_INET6 ? 6 : 4,
			 ip_prefix_format(other, text[0]), ip_prefix_format(wanted, text[1]));
}

static int has_address(struct netlink *netlink, const struct link *bridge,
		       const struct ip_prefix *wanted, struct error *err)
{
	struct address_list list = { 0 };
	int r = address_list(netlink, bridge->index, &list, err);

	if (r == 0)
		r = compare(&list, wanted, bridge->name, err);
	address_list_free(&list);
	return r;
}

static int give_address(struct netlink *netlink, const struct link *bridge,
			const struct ip_prefix *wanted, struct error *err)
{
	int r = has_address(netlink, bridge, wanted, err);
	struct netlink_batch *batch;

	if (r != 0)
		return r < 0 ? r : 0;
	batch = netlink_batch_new();
	address_add(batch, bridge->index, bridge->name, wanted);
	/* Another task's ADD may have been faster. */
	netlink_tolerate(batch, EEXIST);
	return netlink_finish(netlink, batch, err);
}

/* The way to a task's address is known, not asked for: no other task can answer for it. */
static int bind_address(struct netlink *netlink, const struct link *bridge,
			const struct ip_address *address, const struct mac_address *mac,
			struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();

	neighbour_set(batch, bridge->index, bridge->name, address, mac);
	return netlink_finish(netlink, batch, err);
}

/* A bridge that somebody else has made may have got another MAC with its new port. */
static int close_bridge(struct netlink *netlink, const struct link *bridge, int family,
			struct error *err)
{
	struct link now = { 0 };
	int r = link_by_index(netlink, bridge->index, &now, err);

	return r == 0 ? bridge_guard_ensure(&now, family, err) : r;
}

int bridge_host_setup(struct netlink *netlink, const struct bridge_config *config,
		      const struct link *bridge, const struct mac_address *task_mac,
		      struct error *err)
{
	/* It may have been closed by another configuration. */
	int r = bridge_is_closed(config) ? 0 : bridge_guard_remove(bridge->name, err);

	for (size_t i = 0; r == 0 && i < config->task.address_count; i++) {
		const struct ip_prefix gateway = bridge_address(config, i);

		r = give_address(netlink, bridge, &gateway, err);
		if (r == 0 && bridge_is_closed(config))
			r = bind_address(netlink, bridge, &config->task.addresses[i].address,
					 task_mac, err);
		if (r == 0 && bridge_is_closed(config))
			r = close_bridge(netlink, bridge, gateway.address.family, err);
		if (r == 0 && config->is_gateway)
			r = forwarding_enable(netlink, gateway.address.family, err);
		if (r == 0 && config->masquerades)
			r = masquerade_ensure(bridge->name, &gateway, err);
		if (r == 0)
			r = address_wait_ready(netlink, &gateway.address, bridge->index,
					       READY_TIMEOUT_MS, err);
	}
	return r;
}

int bridge_host_check(struct netlink *netlink, const struct bridge_config *config,
		      const struct link *bridge, struct error *err)
{
	char text[IP_TEXT_SIZE];
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->task.address_count; i++) {
		const struct ip_prefix gateway = bridge_address(config, i);

		r = has_address(netlink, bridge, &gateway, err);
		if (r == 0)
			r = error_say(err, ENOENT, "%s is not on bridge %s any more",
				      ip_prefix_format(&gateway, text), bridge->name);
		else if (r > 0)
			r = config->masquerades ? masquerade_check(bridge->name, &gateway, err) : 0;
		if (r == 0 && bridge_is_closed(config))
			r = bridge_guard_check(bridge, gateway.address.family, err);
	}
	return r;
}
