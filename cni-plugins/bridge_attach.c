/* SPDX-License-Identifier: Apache-2.0 */
/* The veth pair between a task and its bridge. */
#include "cni-plugins/bridge.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/str.h"
#include "cni-plugins/host_end.h"
#include "netns/bridge.h"
#include "netns/namespace.h"
#include "netns/neigh.h"
#include "netns/sysctl.h"

struct mac_address bridge_task_mac(const struct cni_request *request,
				   const struct bridge_config *config)
{
	for (size_t i = 0; i < config->task.address_count; i++) {
		const struct ip_address *ip = &config->task.addresses[i].address;

		if (ip->family == AF_INET)
			return (struct mac_address){ { 0x0a, 0x58, ip->bytes[0], ip->bytes[1],
						       ip->bytes[2], ip->bytes[3] } };
	}
	return host_end_peer_mac(request);
}

static int create(struct netlink *netlink, const struct cni_request *request,
		  const struct bridge_config *config, const struct link *bridge, struct link *ret,
		  struct error *err)
{
	const struct veth_spec pair = {
		.peer_mac = bridge_task_mac(request, config),
		.mtu = config->task.mtu,
		.master_index = bridge->index,
	};
	int r = host_end_create(netlink, request, &pair, ret, err);

	if (r == -EXFULL)
		error_say(err, EXFULL,
			  "bridge %s has 1023 ports already, and holds no more: stop tasks, or use "
			  "another bridge",
			  bridge->name);
	return r;
}

/* What a hairpin sends back would look like a neighbour with the same address. */
static int detect_no_duplicates(void *data, struct error *err)
{
	int r = sysctl_set_link("ipv6", "conf", data, "accept_dad", "0", err);

	return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
}

static void keep_link_local_away(struct netlink_batch *batch, const struct link *link)
{
	link_set_no_link_local(batch, link->index, link->name);
	netlink_tolerate(batch, EAFNOSUPPORT);
	netlink_tolerate(batch, EOPNOTSUPP);
}

static int set_task_end_up(struct task_setup *task, const struct cni_request *request,
			   const struct bridge_config *config, struct error *err)
{
	struct netlink_batch *batch;
	int r = 0;

	if (config->has_hairpin && task_config_has(&config->task, AF_INET6))
		r = netns_run(request->netns_fd, detect_no_duplicates, task->link.name, err);
	if (r < 0)
		return r;
	batch = netlink_batch_new();
	/* A task without an IPv6 address has none on this link. */
	if (!task_config_has(&config->task, AF_INET6))
		keep_link_local_away(batch, &task->link);
	link_set_up(batch, task->link.index, task->link.name);
	return netlink_finish(task->netlink, batch, err);
}

static int set_host_end_up(struct netlink *netlink, const struct cni_request *request,
			   const struct bridge_config *config, const struct link *host,
			   struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();

	keep_link_local_away(batch, host);
	if (bridge_is_closed(config)) {
		const struct mac_address mac = bridge_task_mac(request, config);

		bridge_port_isolate(batch, host->index, host->name);
		bridge_port_bind(batch, host->index, host->name, &mac);
	}
	if (config->has_hairpin)
		bridge_port_set_hairpin(batch, host->index, host->name);
	link_set_up(batch, host->index, host->name);
	return netlink_finish(netlink, batch, err);
}

/* An ADD that has answered is one that works: what is sent to a link that does not run yet is
 * lost. */
static int wait_ready(struct netlink *netlink, struct task_setup *task,
		      const struct bridge_config *config, const struct link *bridge,
		      const struct link *host, struct error *err)
{
	int r = link_wait_running(task->netlink, task->link.name, TASK_READY_TIMEOUT_MS, err);

	if (r == 0)
		r = link_wait_forwarding(netlink, host->name, TASK_READY_TIMEOUT_MS, err);
	/* With its first port the bridge itself begins to run: what the host sends passes by it. */
	if (r == 0)
		r = link_wait_running(netlink, bridge->name, TASK_READY_TIMEOUT_MS, err);
	return r == 0 ? task_setup_wait_ready(task, &config->task, err) : r;
}

static int configure(struct netlink *netlink, struct task_setup *task,
		     const struct cni_request *request, const struct bridge_config *config,
		     const struct link *bridge, const struct link *host, struct error *err)
{
	int r = link_by_name(task->netlink, request->ifname, &task->link, err);

	if (r == 0)
		r = set_task_end_up(task, request, config, err);
	if (r == 0)
		r = set_host_end_up(netlink, request, config, host, err);
	if (r == 0)
		r = bridge_host_setup(netlink, config, bridge, &task->link.mac, err);
	if (r == 0)
		r = task_setup_configure(task, &config->task, err);
	return r == 0 ? wait_ready(netlink, task, config, bridge, host, err) : r;
}

static int plug(struct netlink *netlink, struct task_setup *task, const struct cni_request *request,
		const struct bridge_config *config, struct link *ret_bridge, struct link *ret_host,
		struct error *err)
{
	int r = task_setup_check_host(&config->task, err);

	if (r == 0)
		r = task_setup_look(task, &config->task, err);
	if (r == 0)
		r = bridge_ensure(netlink, config->bridge, config->task.mtu, ret_bridge, err);
	if (r == 0)
		r = create(netlink, request, config, ret_bridge, ret_host, err);
	if (r < 0)
		return r;
	r = configure(netlink, task, request, config, ret_bridge, ret_host, err);
	if (r < 0) {
		task_setup_undo(task, &config->task);
		(void)neighbours_forget(netlink, ret_bridge->index, &task->link.mac, NULL);
		(void)host_end_delete(netlink, ret_host, NULL);
	}
	return r;
}

int bridge_attach(const struct cni_request *request, const struct bridge_config *config,
		  struct cni_result *ret, struct cni_error *err)
{
	const struct mac_address task_mac = bridge_task_mac(request, config);
	struct netlink *netlink = NULL;
	struct task_setup task = { 0 };
	struct link bridge = { 0 }, host = { 0 };
	struct error why;
	char mac[MAC_TEXT_SIZE];
	int r = task_setup_open(&task, request, &netlink, &why);

	if (r == 0)
		r = plug(netlink, &task, request, config, &bridge, &host, &why);
	task_setup_close(&task, netlink);
	if (r < 0)
		return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);

	cni_result_add_interface(ret, bridge.name, mac_format(&bridge.mac, mac), NULL, bridge.mtu);
	cni_result_add_interface(ret, host.name, mac_format(&host.mac, mac), NULL, host.mtu);
	task_setup_result(&task, &config->task,
			  cni_result_add_interface(ret, request->ifname, mac_format(&task_mac, mac),
						   request->netns, task.link.mtu),
			  ret);
	return 0;
}

static int disable_port(struct netlink *netlink, const struct link *host, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();

	bridge_port_disable(batch, host->index, host->name);
	return netlink_finish(netlink, batch, err);
}

/* What the host knows of the task beside its port. When the namespace is gone it is left to whoever
 * gets the address next. */
static void forget_task(struct netlink *netlink, const struct cni_request *request,
			const struct link *host)
{
	struct netlink *inside = NULL;
	struct link link;

	if (request->netns_fd < 0 || host->master_index == 0)
		return;
	if (netlink_open_in(request->netns_fd, &inside, NULL) == 0 &&
	    link_by_name(inside, request->ifname, &link, NULL) == 0)
		(void)neighbours_forget(netlink, host->master_index, &link.mac, NULL);
	netlink_close(inside);
}

static int unplug(const struct cni_request *request, const struct bridge_config *config,
		  struct error *err)
{
	struct netlink *netlink = NULL;
	struct link host = { 0 };
	int r = netlink_open(&netlink, err);

	if (r < 0)
		return r;
	r = host_end_find(netlink, request, &host, err);
	if (r == 0)
		forget_task(netlink, request, &host);
	/* Its address may be another's before the namespace is gone. */
	if (r == 0 && config->leave_to_netns && host.is_bridge_port)
		r = disable_port(netlink, &host, err);
	else if (r == 0)
		r = host_end_delete(netlink, &host, err);
	else if (r == -ENODEV)
		r = 0;
	netlink_close(netlink);
	return r;
}

int bridge_detach(const struct cni_request *request, const struct bridge_config *config,
		  struct cni_error *err)
{
	struct error why;
	int r = unplug(request, config, &why);

	if (r == 0 && !config->leave_to_netns && request->netns_fd >= 0)
		r = task_setup_undo_in(request->netns_fd, &config->task, &why);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

static int check_host(struct netlink *netlink, const struct cni_request *request,
		      const struct bridge_config *config, struct link *ret_host, struct error *err)
{
	struct link bridge = { 0 };
	int r = link_by_name(netlink, config->bridge, &bridge, err);

	if (r == 0)
		r = host_end_find(netlink, request, ret_host, err);
	if (r < 0)
		return r;
	if (!str_eq(bridge.kind, "bridge"))
		return error_say(err, EINVAL, "link %s is not a bridge", bridge.name);
	if (!bridge.is_up || !ret_host->is_up)
		return error_say(err, ENETDOWN, "link %s is down",
				 bridge.is_up ? ret_host->name : bridge.name);
	if (ret_host->master_index != bridge.index)
		return error_say(err, ENOENT, "link %s is not a port of bridge %s any more",
				 ret_host->name, bridge.name);
	if (config->has_hairpin && !ret_host->has_hairpin)
		return error_say(err, EINVAL, "port %s of bridge %s has hairpin off",
				 ret_host->name, bridge.name);
	return bridge_host_check(netlink, config, &bridge, err);
}

int bridge_check(const struct cni_request *request, const struct bridge_config *config,
		 struct cni_error *err)
{
	const struct mac_address mac = bridge_task_mac(request, config);
	struct netlink *netlink = NULL;
	struct task_setup task = { 0 };
	struct link host = { 0 };
	struct error why;
	int r = task_setup_open(&task, request, &netlink, &why);

	if (r == 0)
		r = check_host(netlink, request, config, &host, &why);
	if (r == 0)
		r = link_by_name(task.netlink, request->ifname, &task.link, &why);
	if (r == 0)
		r = host_end_check_peer(&host, &task.link, &mac, &why);
	if (r == 0)
		r = task_setup_check(&task, &config->task, &why);
	task_setup_close(&task, netlink);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}
