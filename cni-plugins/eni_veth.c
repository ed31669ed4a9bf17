/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routed pair: the task's end looks like an ENI (its MAC, its address, its subnet's gateway),
 * the host's end has no IPv4 address, and the host routes each address to its pair. No bridge, no
 * flooding, no limit of ports.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cni-plugins/eni.h"
#include "cni-plugins/host_end.h"
#include "netns/addr.h"
#include "netns/forwarding.h"
#include "netns/namespace.h"
#include "netns/neigh.h"
#include "netns/route.h"
#include "netns/sysctl.h"

static struct route host_route(const struct link *host, const struct ip_prefix *address)
{
	return (struct route){ .destination = ip_host_prefix(&address->address),
			       .link_index = host->index };
}

static int ignore_absent(int r)
{
	return r == -ENOENT ? 0 : r;
}

static int set_host_sysctls(const char *name, bool v6, struct error *err)
{
	/* Proxy ARP waits up to 0.8 s by default. */
	int r = sysctl_set_link("ipv4", "neigh", name, "proxy_delay", "0", err);

	if (r == 0 && !v6)
		return ignore_absent(
			sysctl_set_link("ipv6", "conf", name, "disable_ipv6", "1", NULL));
	if (r == 0)
		r = sysctl_set_link("ipv6", "conf", name, "disable_ipv6", "0", err);
	if (r == 0)
		r = sysctl_set_link("ipv6", "conf", name, "accept_ra", "0", err);
	if (r == 0)
		r = sysctl_set_link("ipv6", "conf", name, "forwarding", "1", err);
	return r;
}

/* An address that is routed elsewhere is another task's: to take it over would cut that one off. */
static void say_who_has_it(struct netlink *netlink, const struct link *host,
			   const struct eni_config *config, struct error *err)
{
	struct route_list routes = { 0 };
	char text[IP_TEXT_SIZE];

	if (route_list_all(netlink, &routes, NULL) < 0)
		return;
	for (size_t i = 0; i < routes.count; i++) {
		const struct route *route = &routes.items[i];

		for (size_t j = 0; j < config->task.address_count; j++) {
			const struct route ours = host_route(host, &config->task.addresses[j]);

			if (route->table == config->routing_table &&
			    route->link_index != host->index &&
			    ip_prefix_equal(&route->destination, &ours.destination))
				error_say(err, EEXIST,
					  "the host's route to %s leads to another link already: "
					  "the address is another task's",
					  ip_prefix_format(&route->destination, text));
		}
	}
	route_list_free(&routes);
}

static int configure_host(struct netlink *netlink, const struct link *host,
			  const struct eni_config *config, struct error *err)
{
	struct netlink_batch *batch;
	bool v6 = task_config_has(&config->task, AF_INET6);
	/* No link forwards IPv6 by itself before Linux 6.17, and answers from elsewhere come by a
	 * link that is not ours. */
	int r = v6 ? forwarding_enable(netlink, AF_INET6, err) : 0;

	if (r == 0)
		r = set_host_sysctls(host->name, v6, err);
	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_set_routed_ipv4(batch, host->index, host->name);
	if (v6)
		link_set_no_link_local(batch, host->index, host->name);
	link_set_up(batch, host->index, host->name);
	if (v6)
		address_add(batch, host->index, host->name, &task_link_local_gateway);
	for (size_t i = 0; i < config->task.address_count; i++) {
		struct route route = host_route(host, &config->task.addresses[i]);

		route_add(batch, &route);
		if (config->routing_table) {
			/* For the host, and who comes by it, the first one counts. */
			netlink_tolerate(batch, EEXIST);
			route.table = config->routing_table;
			route_add(batch, &route);
		}
		neighbour_set(batch, host->index, host->name, &config->task.addresses[i].address,
			      &config->mac);
	}
	r = netlink_finish(netlink, batch, err);
	if (r == -EEXIST)
		say_who_has_it(netlink, host, config, err);
	return r;
}

static int set_task_end_up(struct task_setup *task, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();

	link_set_up(batch, task->link.index, task->link.name);
	return netlink_finish(task->netlink, batch, err);
}

static int plug(struct netlink *netlink, struct task_setup *task, const struct cni_request *request,
		const struct eni_config *config, struct link *ret_host, struct error *err)
{
	const struct veth_spec pair = { .peer_mac = config->mac, .mtu = config->task.mtu };
	struct link host = { 0 };
	int r = task_setup_expect_free(task->netlink, request, request->ifname, err);

	if (r == 0)
		r = task_setup_check_host(&config->task, err);
	if (r == 0)
		r = task_setup_look(task, &config->task, err);
	if (r == 0)
		r = host_end_create(netlink, request, &pair, &host, err);
	if (r < 0)
		return r;
	r = link_by_name(task->netlink, request->ifname, &task->link, err);
	/* The task's end first: then the host's, which speaks first, runs as soon as it is up. */
	if (r == 0)
		r = set_task_end_up(task, err);
	if (r == 0)
		r = configure_host(netlink, &host, config, err);
	task->gateway_mac = &host.mac;
	if (r == 0)
		r = task_setup_configure(task, &config->task, err);
	task->gateway_mac = NULL;
	if (r == 0)
		r = link_wait_running(task->netlink, request->ifname, TASK_READY_TIMEOUT_MS, err);
	if (r == 0 && task_config_has(&config->task, AF_INET6))
		r = address_wait_ready(netlink, &task_link_local_gateway.address, host.index,
				       TASK_READY_TIMEOUT_MS, err);
	if (r == 0)
		r = task_setup_wait_ready(task, &config->task, err);
	if (r < 0) {
		task_setup_undo(task, &config->task);
		(void)host_end_delete(netlink, &host, NULL);
		return r;
	}
	*ret_host = host;
	return 0;
}

int eni_veth_add(const struct cni_request *request, const struct eni_config *config,
		 struct cni_result *ret, struct cni_error *err)
{
	struct netlink *netlink = NULL;
	struct task_setup task = { .routed = true };
	struct link host = { 0 };
	struct error why;
	char mac[MAC_TEXT_SIZE];
	int r = task_setup_open(&task, request, &netlink, &why);

	if (r == 0)
		r = plug(netlink, &task, request, config, &host, &why);
	task_setup_close(&task, netlink);
	if (r < 0)
		return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);

	cni_result_add_interface(ret, host.name, mac_format(&host.mac, mac), NULL, host.mtu);
	task_setup_result(&task, &config->task,
			  cni_result_add_interface(ret, request->ifname,
						   mac_format(&config->mac, mac), request->netns,
						   task.link.mtu),
			  ret);
	return 0;
}

/* All routes to the pair: the addresses are free for others from here on. */
static int remove_host_routes(struct netlink *netlink, const struct link *host, struct error *err)
{
	struct netlink_batch *batch;
	struct route_list routes = { 0 };
	int r = route_list_all(netlink, &routes, err);

	if (r < 0)
		return r;
	batch = netlink_batch_new();
	for (size_t i = 0; i < routes.count; i++)
		if (routes.items[i].link_index == host->index)
			route_delete(batch, &routes.items[i]);
	route_list_free(&routes);
	return netlink_finish(netlink, batch, err);
}

static int unplug(const struct cni_request *request, const struct eni_config *config,
		  struct error *err)
{
	struct netlink *netlink = NULL;
	struct link host = { 0 };
	int r = netlink_open(&netlink, err);

	if (r < 0)
		return r;
	r = host_end_find(netlink, request, &host, err);
	if (r == 0 && config->leave_to_netns)
		r = remove_host_routes(netlink, &host, err);
	else if (r == 0)
		r = host_end_delete(netlink, &host, err);
	else if (r == -ENODEV)
		r = 0;
	netlink_close(netlink);
	return r;
}

int eni_veth_del(const struct cni_request *request, const struct eni_config *config,
		 struct cni_error *err)
{
	struct error why;

	if (unplug(request, config, &why) < 0)
		return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	if (!config->leave_to_netns && request->netns_fd >= 0 &&
	    task_setup_undo_in(request->netns_fd, &config->task, &why) < 0)
		return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	return 0;
}

static int check(struct netlink *netlink, struct task_setup *task,
		 const struct cni_request *request, const struct eni_config *config,
		 struct error *err)
{
	struct route_list routes = { 0 };
	struct link host = { 0 };
	char text[IP_TEXT_SIZE];
	int r = host_end_find(netlink, request, &host, err);

	if (r < 0)
		return r;
	if (!host.is_up)
		return error_say(err, ENETDOWN, "link %s is down", host.name);
	r = route_list_all(netlink, &routes, err);
	for (size_t i = 0; r == 0 && i < config->task.address_count; i++) {
		struct route route = host_route(&host, &config->task.addresses[i]);

		route.table = config->routing_table;
		if (!route_list_contains(&routes, &route))
			r = error_say(err, ENOENT, "the host's route to %s is gone",
				      ip_prefix_format(&route.destination, text));
	}
	route_list_free(&routes);
	if (r == 0)
		r = link_by_name(task->netlink, request->ifname, &task->link, err);
	if (r < 0)
		return r;
	r = host_end_check_peer(&host, &task->link, &config->mac, err);
	return r == 0 ? task_setup_check(task, &config->task, err) : r;
}

int eni_veth_check(const struct cni_request *request, const struct eni_config *config,
		   struct cni_error *err)
{
	struct netlink *netlink = NULL;
	struct task_setup task = { .routed = true };
	struct error why;
	int r = task_setup_open(&task, request, &netlink, &why);

	if (r == 0)
		r = check(netlink, &task, request, config, &why);
	task_setup_close(&task, netlink);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}
