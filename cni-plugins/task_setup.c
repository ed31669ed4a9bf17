/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/task_setup.h"

#include <errno.h>
#include <sys/socket.h>

#include "netns/addr.h"
#include "netns/ipv6.h"
#include "netns/neigh.h"
#include "netns/route.h"

#define LOOPBACK_INDEX 1

const struct ip_prefix task_link_local_gateway = {
	.address = { AF_INET6, { 0xfe, 0x80, [15] = 1 } }, .length = 64
};

/* 169.254.169.254 and fd00:ec2::254: where instance metadata is found on EC2. */
static const struct route blackholes[2] = {
	{ .type = ROUTE_BLACKHOLE, .destination = { { AF_INET, { 169, 254, 169, 254 } }, 32 } },
	{ .type = ROUTE_BLACKHOLE,
	  .destination = { { AF_INET6, { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 } },
			   128 } },
};

static struct ip_prefix address_of(const struct task_setup *task, const struct ip_prefix *address)
{
	/* Neighbours of a routed pair are found by ARP, which the host answers for all; it does not
	 * for IPv6. */
	if (task->routed && address->address.family == AF_INET6)
		return ip_host_prefix(&address->address);
	return *address;
}

static bool holds(const struct address_list *list, const struct ip_prefix *address)
{
	for (size_t i = 0; i < list->count; i++)
		if (ip_prefix_equal(&list->items[i], address))
			return true;
	return false;
}

int task_setup_open(struct task_setup *task, const struct cni_request *request,
		    struct netlink **ret_host, struct error *err)
{
	int r = ret_host ? netlink_open(ret_host, err) : 0;

	return r == 0 ? netlink_open_in(request->netns_fd, &task->netlink, err) : r;
}

void task_setup_close(struct task_setup *task, struct netlink *host)
{
	netlink_close(task->netlink);
	netlink_close(host);
}

int task_setup_expect_free(struct netlink *netlink, const struct cni_request *request,
			   const char *name, struct error *err)
{
	struct link taken;
	int r = link_by_name(netlink, name, &taken, err);

	if (r == 0)
		return error_say(err, EEXIST, "interface %s exists already in the namespace %s",
				 name, request->netns);
	return r == -ENODEV ? 0 : r;
}

int task_setup_check_host(const struct task_config *config, struct error *err)
{
	char text[IP_TEXT_SIZE];

	for (size_t i = 0; i < config->address_count; i++) {
		const struct ip_prefix *address = &config->addresses[i];
		int r = address->address.family == AF_INET6 ? ipv6_check(err) : 0;

		if (r < 0) {
			error_prefix(err, "the address %s cannot be used",
				     ip_prefix_format(address, text));
			return r;
		}
	}
	return 0;
}

int task_setup_look(struct task_setup *task, const struct task_config *config, struct error *err)
{
	struct address_list addresses = { 0 };
	struct route_list routes = { 0 };
	int r;

	if (config->loopback_count > 0) {
		r = address_list(task->netlink, LOOPBACK_INDEX, &addresses, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < config->loopback_count; i++)
			task->had_loopback[i] = holds(&addresses, &config->loopback[i]);
		address_list_free(&addresses);
	}
	if (config->block_metadata) {
		r = route_list(task->netlink, 0, &routes, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < 2; i++)
			task->had_block[i] = route_list_contains(&routes, &blackholes[i]);
		route_list_free(&routes);
	}
	return 0;
}

/* The way out of a family, as a default route; false when it has none. */
static bool way_out(const struct task_setup *task, const struct task_config *config, int family,
		    struct route *ret)
{
	const struct ip_address *gateway = &config->gateways[family == AF_INET6];

	*ret = (struct route){ .destination = ip_default_route(family),
			       .link_index = task->link.index };
	if (!task_config_has(config, family))
		return false;
	if (task->routed && family == AF_INET6) {
		ret->gateway = task_link_local_gateway.address;
		return true;
	}
	if (!gateway->family)
		return false;
	ret->gateway = *gateway;
	/* The host end answers for any gateway, also for one outside of the address's own prefix.
	 */
	ret->onlink = task->routed;
	return true;
}

static bool default_route(const struct task_setup *task, const struct task_config *config,
			  int family, struct route *ret)
{
	return config->has_default_route && way_out(task, config, family, ret);
}

static struct route on_link_route(const struct task_setup *task, const struct ip_prefix *prefix)
{
	return (struct route){ .destination = *prefix, .link_index = task->link.index };
}

static struct route extra_route(const struct task_setup *task, const struct task_config *config,
				const struct cni_route *route)
{
	int family = route->destination.address.family;
	struct route result = { .destination = route->destination,
				.gateway = route->gateway,
				.link_index = task->link.index };
	struct route out;

	/* A route without a gateway takes the family's. */
	if (!result.gateway.family && way_out(task, config, family, &out))
		result.gateway = out.gateway;
	result.onlink = task->routed && result.gateway.family == AF_INET;
	return result;
}

static void queue_routes(struct task_setup *task, const struct task_config *config,
			 struct netlink_batch *batch)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const char *name = task->link.name;

	/* First: gateways are reached by them. */
	for (size_t i = 0; i < config->on_link_count; i++) {
		const struct route route = on_link_route(task, &config->on_link[i]);

		route_add(batch, &route);
		netlink_tolerate(batch, EEXIST);
	}
	for (size_t i = 0; i < 2; i++) {
		struct route route;

		if (!default_route(task, config, families[i], &route))
			continue;
		if (task->gateway_mac)
			neighbour_set(batch, task->link.index, name, &route.gateway,
				      task->gateway_mac);
		route_add(batch, &route);
		netlink_tolerate(batch, EEXIST);
	}
	for (size_t i = 0; i < config->route_count; i++) {
		struct route route = extra_route(task, config, &config->routes[i]);

		route_add(batch, &route);
		netlink_tolerate(batch, EEXIST);
	}
}

static void queue_blackholes(struct netlink_batch *batch, const struct task_config *config)
{
	for (size_t i = 0; i < 2; i++) {
		route_add(batch, &blackholes[i]);
		netlink_tolerate(batch, EEXIST);
		if (i == 1 && !task_config_has(config, AF_INET6)) {
			/* A host without IPv6 has nothing to block there. */
			netlink_tolerate(batch, EAFNOSUPPORT);
			netlink_tolerate(batch, EOPNOTSUPP);
		}
	}
}

int task_setup_configure(struct task_setup *task, const struct task_config *config,
			 struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	const char *name = task->link.name;

	link_set_up(batch, LOOPBACK_INDEX, "lo");
	for (size_t i = 0; i < config->loopback_count; i++) {
		address_add(batch, LOOPBACK_INDEX, "lo", &config->loopback[i]);
		netlink_tolerate(batch, EEXIST);
	}
	link_set_up(batch, task->link.index, name);
	for (size_t i = 0; i < config->address_count; i++) {
		const struct ip_prefix address = address_of(task, &config->addresses[i]);

		address_add(batch, task->link.index, name, &address);
		if (config->no_prefix_routes)
			address_set_no_prefix_route(batch);
	}
	queue_routes(task, config, batch);
	/* Last, so that a failure here does not leave the task without the rest unnoticed. */
	if (config->block_metadata)
		queue_blackholes(batch, config);
	return netlink_finish(task->netlink, batch, err);
}

int task_setup_wait_ready(struct task_setup *task, const struct task_config *config,
			  struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->address_count; i++)
		r = address_wait_ready(task->netlink, &config->addresses[i].address,
				       task->link.index, TASK_READY_TIMEOUT_MS, err);
	return r;
}

void task_setup_undo(struct task_setup *task, const struct task_config *config)
{
	struct netlink_batch *batch = netlink_batch_new();

	for (size_t i = 0; i < config->loopback_count; i++)
		if (!task->had_loopback[i])
			address_delete(batch, LOOPBACK_INDEX, "lo", &config->loopback[i]);
	for (size_t i = 0; config->block_metadata && i < 2; i++)
		if (!task->had_block[i])
			route_delete(batch, &blackholes[i]);
	(void)netlink_finish(task->netlink, batch, NULL);
}

int task_setup_undo_in(int netns_fd, const struct task_config *config, struct error *err)
{
	struct task_setup task = { 0 };
	int r = netlink_open_in(netns_fd, &task.netlink, err);

	if (r < 0)
		return r;
	task_setup_undo(&task, config);
	netlink_close(task.netlink);
	return 0;
}

static int missing(struct error *err, const char *what, const char *where)
{
	return error_say(err, ENOENT, "%s is not on %s any more", what, where);
}

static int check_addresses(struct netlink *netlink, int index, const char *name,
			   const struct ip_prefix *wanted, size_t count, struct error *err)
{
	struct address_list list = { 0 };
	char text[IP_TEXT_SIZE];
	int r = address_list(netlink, index, &list, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (!holds(&list, &wanted[i]))
			r = missing(err, ip_prefix_format(&wanted[i], text), name);
	address_list_free(&list);
	return r;
}

static int route_is_gone(const struct route *route, struct error *err)
{
	char text[IP_TEXT_SIZE];

	return error_say(err, ENOENT, "the route to %s is gone",
			 ip_prefix_format(&route->destination, text));
}

static int check_routes(struct task_setup *task, const struct task_config *config,
			struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct route_list list = { 0 };
	struct route route;
	char text[IP_TEXT_SIZE];
	int r = route_list(task->netlink, 0, &list, err);

	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (default_route(task, config, families[i], &route) &&
		    !route_list_contains(&list, &route))
			r = error_say(err, ENOENT, "the default route via %s is gone",
				      ip_format(&route.gateway, text));
		else if (config->block_metadata && (i == 0 || task_config_has(config, AF_INET6)) &&
			 !route_list_contains(&list, &blackholes[i]))
			r = error_say(err, ENOENT, "the blackhole for %s is gone",
				      ip_prefix_format(&blackholes[i].destination, text));
	}
	for (size_t i = 0; r == 0 && i < config->on_link_count; i++) {
		route = on_link_route(task, &config->on_link[i]);
		if (!route_list_contains(&list, &route))
			r = route_is_gone(&route, err);
	}
	for (size_t i = 0; r == 0 && i < config->route_count; i++) {
		route = extra_route(task, config, &config->routes[i]);
		if (!route_list_contains(&list, &route))
			r = route_is_gone(&route, err);
	}
	route_list_free(&list);
	return r;
}

int task_setup_check(struct task_setup *task, const struct task_config *config, struct error *err)
{
	struct ip_prefix wanted[TASK_MAX_ADDRESSES];
	int r;

	for (size_t i = 0; i < config->address_count; i++)
		wanted[i] = address_of(task, &config->addresses[i]);
	if (!task->link.is_up)
		return error_say(err, ENETDOWN, "link %s is down", task->link.name);
	if (config->mtu && task->link.mtu != config->mtu)
		return error_say(err, EINVAL, "link %s has MTU %u, not %u", task->link.name,
				 task->link.mtu, config->mtu);
	r = check_addresses(task->netlink, task->link.index, task->link.name, wanted,
			    config->address_count, err);
	if (r == 0)
		r = check_addresses(task->netlink, LOOPBACK_INDEX, "lo", config->loopback,
				    config->loopback_count, err);
	return r == 0 ? check_routes(task, config, err) : r;
}

void task_setup_result(const struct task_setup *task, const struct task_config *config,
		       int interface, struct cni_result *result)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct route ways_out[2];
	bool has[2];

	for (size_t i = 0; i < 2; i++)
		has[i] = way_out(task, config, families[i], &ways_out[i]);
	for (size_t i = 0; i < config->address_count; i++) {
		const struct ip_prefix address = address_of(task, &config->addresses[i]);
		bool v6 = address.address.family == AF_INET6;

		cni_result_add_ip(result, &address, has[v6] ? &ways_out[v6].gateway : NULL,
				  interface);
	}
	for (size_t i = 0; i < 2; i++)
		if (has[i] && config->has_default_route)
			cni_result_add_route(result, &ways_out[i].destination,
					     &ways_out[i].gateway);
	for (size_t i = 0; i < config->route_count; i++)
		cni_result_add_route(result, &config->routes[i].destination,
				     &config->routes[i].gateway);
}
