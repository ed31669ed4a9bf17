/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/portmap.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "netns/conntrack.h"
#include "netns/link.h"
#include "netns/nft_batch.h"
#include "netns/route.h"
#include "netns/sysctl.h"

/* The first address of each family that is of a container's end. */
static void find_containers(const struct cni_result *previous, struct ip_address ret[2])
{
	ret[0] = ret[1] = (struct ip_address){ 0 };
	for (size_t i = 0; i < previous->ip_count; i++) {
		const struct cni_ip *ip = &previous->ips[i];
		bool v6 = ip->address.address.family == AF_INET6;
		bool known =
			ip->interface >= 0 && (size_t)ip->interface < previous->interface_count;

		if (!ret[v6].family && (!known || previous->interfaces[ip->interface].sandbox))
			ret[v6] = ip->address.address;
	}
}

static int read_config(const struct cni_request *request, struct ip_address containers[2],
		       struct portmap_config *ret, struct cni_error *err)
{
	*ret = (struct portmap_config){ 0 };
	if (!request->previous)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"prevResult is missing: ecs-portmap stands behind a plugin that "
				"gives addresses");
	find_containers(request->previous, containers);
	if (portmap_config_read(request, containers, ret, err) < 0)
		return -1;
	if (ret->count > 0 || containers[0].family || containers[1].family)
		return 0;
	/* Nothing to map to: an error only where there is something to map. */
	portmap_config_free(ret);
	if (portmap_config_read(request, NULL, ret, err) < 0)
		return -1;
	return ret->count > 0 ? cni_fail(err, CNI_INVALID_CONFIG,
					 "prevResult has no address to map ports to")
			      : 0;
}

static int find_link(struct netlink *netlink, const struct ip_address *container, struct link *ret,
		     struct error *err)
{
	struct route_target target;
	int r = route_lookup(netlink, container, 0, &target, err);

	return r == 0 ? link_by_index(netlink, target.link_index, ret, err) : r;
}

static int is_open(const char *link, struct error *err)
{
	_cleanup_free_ char *name = sysctl_link_name("ipv4", "conf", link, "route_localnet");
	_cleanup_free_ char *value = NULL;
	int r = sysctl_get(name, &value, err);

	return r < 0 ? r : str_eq(value, "1");
}

static int open_loopback(const char *link, struct error *err)
{
	int r = is_open(link, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return sysctl_set_link("ipv4", "conf", link, "route_localnet", "1", err);
}

static int forget_flows(struct netlink *netlink, const struct portmap_entry *entries, size_t count,
			struct error *err)
{
	_cleanup_free_ uint16_t *ports = xcalloc(count, sizeof(*ports));
	static const int families[] = { AF_INET, AF_INET6 };
	int r = 0;

	for (size_t f = 0; r == 0 && f < 2; f++) {
		size_t found = 0;

		for (size_t i = 0; i < count; i++)
			if (entries[i].protocol == IPPROTO_UDP &&
			    entries[i].container.family == families[f])
				ports[found++] = entries[i].host_port;
		r = conntrack_forget_udp(netlink, families[f], ports, found, err);
	}
	return r;
}

static int map_ports(struct netlink *netlink, const struct portmap_config *config,
		     const struct ip_address containers[2], const char *owner, struct error *err)
{
	struct link link = { 0 };
	struct portmap_loopback loopback;
	struct portmap_list removed;
	int r = 0;

	if (config->has_loopback)
		r = find_link(netlink, &containers[0], &link, err);
	if (r < 0)
		return r;
	loopback = (struct portmap_loopback){ .link = link.name,
					      .is_shared = str_eq(link.kind, "bridge") };
	/* The guard of 127.0.0.0/8 stands before the door is opened. */
	r = portmap_table_add(config->entries, config->count, owner,
			      config->has_loopback ? &loopback : NULL, err);
	if (r < 0)
		return r;
	if (config->has_loopback)
		r = open_loopback(link.name, err);
	if (r == 0)
		r = forget_flows(netlink, config->entries, config->count, err);
	if (r < 0 &&
	    portmap_table_remove(config->entries, config->count, owner, &removed, NULL) == 0)
		portmap_list_free(&removed);
	return r;
}

static int portmap_add(const struct cni_request *request, struct cni_result *ret,
		       struct cni_error *err)
{
	_cleanup_free_ char *owner = cni_owner(request);
	struct ip_address containers[2];
	struct portmap_config config;
	struct netlink *netlink = NULL;
	struct error why;
	int r = read_config(request, containers, &config, err);

	(void)ret; /* It is the previous one, as it was. */
	if (r == 0 && config.count > 0) {
		r = netlink_open(&netlink, &why);
		if (r == 0)
			r = map_ports(netlink, &config, containers, owner, &why);
		if (r < 0)
			cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	}
	netlink_close(netlink);
	portmap_config_free(&config);
	return r < 0 ? -1 : 0;
}

/* The ports are known as a rule, and found without reading what all others have. Where none is
 * found so, all are read: the DEL of a caller that does not say the ports, or a second one. */
static int unmap_ports(const struct portmap_config *config, const char *owner,
		       struct portmap_list *ret_removed, struct error *err)
{
	int r = portmap_table_remove(config->entries, config->count, owner, ret_removed, err);

	if (r < 0 || ret_removed->count > 0)
		return r;
	portmap_list_free(ret_removed);
	return portmap_table_remove_all(owner, ret_removed, err);
}

static int finish_removal(struct portmap_list *removed, struct error *err)
{
	struct netlink *netlink = NULL;
	int r = netlink_open(&netlink, err);

	if (r == 0)
		r = forget_flows(netlink, removed->items, removed->count, err);
	netlink_close(netlink);
	portmap_list_free(removed);
	return r;
}

static int portmap_del(const struct cni_request *request, struct cni_error *err)
{
	_cleanup_free_ char *owner = cni_owner(request);
	struct portmap_config config;
	struct portmap_list removed = { 0 };
	struct error why;
	int r;

	/* What cannot be read cannot have been mapped so: the maps are. */
	if (portmap_config_read(request, NULL, &config, NULL) < 0)
		config.count = 0;
	r = unmap_ports(&config, owner, &removed, &why);
	if (r == 0)
		r = finish_removal(&removed, &why);
	portmap_config_free(&config);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

static int check_loopback(const struct ip_address *container, struct error *err)
{
	struct netlink *netlink = NULL;
	struct link link = { 0 };
	int r = netlink_open(&netlink, err);

	if (r == 0)
		r = find_link(netlink, container, &link, err);
	netlink_close(netlink);
	if (r == 0)
		r = is_open(link.name, err);
	if (r == 0)
		return error_say(err, ENOENT,
				 "ports are not reached by 127.0.0.1 any more: "
				 "net.ipv4.conf.%s.route_localnet was set to 0",
				 link.name);
	return r < 0 ? r : 0;
}

static int portmap_check(const struct cni_request *request, struct cni_error *err)
{
	_cleanup_free_ char *owner = cni_owner(request);
	struct ip_address containers[2];
	struct portmap_config config;
	struct error why;
	int r = read_config(request, containers, &config, err);

	if (r == 0) {
		r = portmap_table_check(config.entries, config.count, owner, &why);
		if (r == 0 && config.has_loopback)
			r = check_loopback(&containers[0], &why);
		if (r < 0)
			cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	}
	portmap_config_free(&config);
	return r < 0 ? -1 : 0;
}

/* Those of other networks stay, like those of attachments that are listed. */
static bool is_valid(void *data, const char *owner)
{
	const struct cni_request *request = data;
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;

	str_list_split(&parts, owner, ':', true);
	if (parts.count != 3 || !str_eq(parts.items[2], request->network))
		return true;
	return cni_is_valid_attachment(request, parts.items[0], parts.items[1]);
}

static int portmap_gc(const struct cni_request *request, struct cni_error *err)
{
	struct portmap_list removed = { 0 };
	struct error why;
	int r = portmap_table_collect(is_valid, (void *)request, &removed, &why);

	if (r == 0)
		r = finish_removal(&removed, &why);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

static int portmap_status(const struct cni_request *request, struct cni_error *err)
{
	struct error why;

	(void)request;
	return nft_probe(&why) < 0 ? cni_fail_with(err, CNI_NOT_AVAILABLE, &why) : 0;
}

static const char *const capabilities[] = { NULL };

const struct cni_plugin portmap_plugin = {
	.name = "ecs-portmap",
	.about = "leads ports of the host to ports of a container",
	.capabilities = capabilities,
	.wants_netns = false,
	.add = portmap_add,
	.del = portmap_del,
	.check = portmap_check,
	.gc = portmap_gc,
	.status = portmap_status,
};
