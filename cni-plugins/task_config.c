/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "base/str.h"
#include "cni-plugins/delegate.h"
#include "cni-plugins/task_setup.h"

static int take_leased(struct task_config *config, const char *ipam_type,
		       const struct cni_result *leased, struct cni_error *err)
{
	for (size_t i = 0; i < leased->ip_count; i++) {
		const struct cni_ip *ip = &leased->ips[i];

		if (config->address_count == TASK_MAX_ADDRESSES)
			return cni_fail(err, CNI_PLUGIN_FAILED,
					"IPAM plugin %s gave more than %d addresses", ipam_type,
					TASK_MAX_ADDRESSES);
		config->addresses[config->address_count++] = ip->address;
		if (ip->gateway.family)
			config->gateways[ip->gateway.family == AF_INET6] = ip->gateway;
	}
	for (size_t i = 0; i < leased->route_count; i++) {
		if (leased->routes[i].destination.length == 0 && config->has_default_route)
			continue;
		if (config->route_count == TASK_MAX_ADDRESSES)
			return cni_fail(err, CNI_PLUGIN_FAILED,
					"IPAM plugin %s gave more than %d routes", ipam_type,
					TASK_MAX_ADDRESSES);
		config->routes[config->route_count++] = leased->routes[i];
	}
	return 0;
}

int task_config_lease(struct task_config *config, const struct cni_request *request,
		      const char *ipam_type,
		      int (*attach)(const struct cni_request *request, void *data,
				    struct cni_result *ret, struct cni_error *err),
		      void *data, struct cni_result *ret, struct cni_error *err)
{
	_cleanup_cni_result_ struct cni_result leased = CNI_RESULT_INIT;
	int r;

	if (cni_ipam_add(request, ipam_type, &leased, err) < 0)
		return -1;
	r = take_leased(config, ipam_type, &leased, err);
	if (r == 0)
		r = attach(request, data, ret, err);
	if (r < 0) {
		/* The lease would outlive an interface that never was. */
		(void)cni_ipam_call(request, ipam_type, "DEL", NULL);
		return -1;
	}
	cni_dns_take_if_none(&ret->dns, &leased.dns);
	return 0;
}

/* Those that lead through our gateways are ours. */
static void take_previous_routes(struct task_config *config, const struct cni_result *previous)
{
	for (size_t i = 0; i < previous->route_count; i++) {
		const struct cni_route *route = &previous->routes[i];
		bool v6 = route->destination.address.family == AF_INET6;

		if (route->gateway.family && ip_equal(&route->gateway, &config->gateways[v6]) &&
		    config->route_count < TASK_MAX_ADDRESSES)
			config->routes[config->route_count++] = *route;
	}
}

int task_config_take_previous(struct task_config *config, const struct cni_request *request,
			      struct cni_error *err)
{
	const struct cni_result *previous = request->previous;

	for (size_t i = 0; i < previous->ip_count; i++) {
		const struct cni_ip *ip = &previous->ips[i];
		bool ours = ip->interface >= 0 &&
			    (size_t)ip->interface < previous->interface_count &&
			    str_eq(previous->interfaces[ip->interface].name, request->ifname);

		if (!ours || config->address_count == TASK_MAX_ADDRESSES)
			continue;
		config->addresses[config->address_count++] = ip->address;
		if (ip->gateway.family)
			config->gateways[ip->gateway.family == AF_INET6] = ip->gateway;
	}
	take_previous_routes(config, previous);
	if (config->address_count == 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "prevResult has no address of %s",
				request->ifname);
	return 0;
}

bool task_config_has(const struct task_config *config, int family)
{
	for (size_t i = 0; i < config->address_count; i++)
		if (config->addresses[i].address.family == family)
			return true;
	return false;
}

int task_config_check_gateways(const struct task_config *config, const char *name,
			       struct cni_error *err)
{
	for (size_t i = 0; i < 2; i++)
		if (config->gateways[i].family &&
		    !task_config_has(config, config->gateways[i].family))
			return cni_fail(err, CNI_INVALID_CONFIG,
					"%s: there is a gateway for IPv%d, and no address", name,
					i == 0 ? 4 : 6);
	return 0;
}
