/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/bridge.h"

#include <string.h>
#include <sys/socket.h>

#include "base/ip.h"
#include "base/str.h"
#include "cni-plugins/config.h"
#include "cni-plugins/delegate.h"

#define DEFAULT_MTU 1500

static int read_bridge(const struct json_at *at, bool must, const char **ret, struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (json_get_string(at, "bridge", JSON_NULLABLE, &text, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	if (must && str_is_empty(text))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"missing required parameter in config named: 'bridge'");
	if (must && !ifname_is_valid(text))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"bridge: \"%.64s\" is not an interface name: 1 to 15 bytes without "
				"\"/\", \":\" and white space",
				text);
	*ret = text;
	return 0;
}

static int read_connected(const struct json_at *at, struct bridge_config *ret,
			  struct cni_error *err)
{
	static const char *const names[2] = { "connectedSubnetMaskSizeIPv4",
					      "connectedSubnetMaskSizeIPv6" };
	static const double limits[2] = { 32, 128 };
	struct json_at ipam;
	struct error why;

	if (json_get_object(at, "ipam", JSON_NULLABLE, &ipam, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	for (size_t i = 0; json_present(&ipam) && i < 2; i++) {
		double length = 0;

		/* It may have travelled through a generic map: 2.2e+01. */
		if (json_get_double(&ipam, names[i], JSON_NULLABLE, 0, limits[i], &length, &why) <
		    0)
			return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
		ret->connected_length[i] = (unsigned int)length;
		if (length != (double)ret->connected_length[i])
			return cni_fail(err, CNI_INVALID_CONFIG, "ipam.%s: must be a whole number",
					names[i]);
	}
	return 0;
}

int bridge_config_read(const struct cni_request *request, struct bridge_config *ret,
		       struct cni_error *err)
{
	const struct json_at *at = &request->config;
	bool whole = cni_wants_whole(request) || request->command == CNI_COMMAND_STATUS;
	struct task_config *task = &ret->task;

	*ret = (struct bridge_config){ 0 };
	if (read_bridge(at, whole, &ret->bridge, err) < 0 ||
	    cni_ipam_type(request, &ret->ipam_type, err) < 0 || read_connected(at, ret, err) < 0 ||
	    cni_config_prefixes(at, "loopback-addresses", task->loopback, TASK_MAX_ADDRESSES,
				&task->loopback_count, err) < 0 ||
	    cni_config_mtu(at, &task->mtu, err) < 0 ||
	    cni_config_flag(at, "blockInstanceMetadata", &task->block_metadata, err) < 0 ||
	    cni_config_flag(at, "isGateway", &ret->is_gateway, err) < 0 ||
	    cni_config_flag(at, "isDefaultGateway", &task->has_default_route, err) < 0 ||
	    cni_config_flag(at, "ipMasq", &ret->masquerades, err) < 0 ||
	    cni_config_flag(at, "hairpinMode", &ret->has_hairpin, err) < 0 ||
	    cni_config_leave_to_netns(at, &ret->leave_to_netns, err) < 0)
		return -1;
	ret->is_gateway |= task->has_default_route;
	if (task->mtu == 0)
		task->mtu = DEFAULT_MTU;
	if (whole && !ret->ipam_type)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"missing required parameter in config named: 'ipam'");
	return 0;
}

static void add_on_link(struct task_config *task, const struct ip_prefix *prefix)
{
	task->on_link[task->on_link_count++] = *prefix;
}

static int complete_address(struct bridge_config *config, size_t number, struct cni_error *err)
{
	struct task_config *task = &config->task;
	struct ip_prefix connected = task->addresses[number];
	int family = connected.address.family;
	const struct ip_address *gateway = &task->gateways[family == AF_INET6];
	const struct ip_prefix alone = ip_host_prefix(gateway);
	char text[IP_TEXT_SIZE];

	if (!gateway->family)
		return cni_fail(err, CNI_PLUGIN_FAILED,
				"IPAM plugin %s gave no gateway for address %s", config->ipam_type,
				ip_prefix_format(&connected, text));
	if (!config->is_gateway)
		add_on_link(task, &alone);
	connected.length = config->connected_length[family == AF_INET6];
	if (connected.length > 0) {
		connected = ip_prefix_network(&connected);
		add_on_link(task, &connected);
	}
	return 0;
}

int bridge_config_complete(struct bridge_config *config, struct cni_error *err)
{
	struct task_config *task = &config->task;

	if (task->address_count > 2 ||
	    (task->address_count == 2 &&
	     task->addresses[0].address.family == task->addresses[1].address.family))
		return cni_fail(err, CNI_PLUGIN_FAILED,
				"IPAM plugin %s gave %zu addresses: ecs-bridge takes one of each "
				"family",
				config->ipam_type, task->address_count);
	task->no_prefix_routes = !config->is_gateway;
	for (size_t i = 0; i < task->address_count; i++)
		if (complete_address(config, i, err) < 0)
			return -1;
	for (size_t i = 0; i < task->route_count; i++) {
		struct cni_route *route = &task->routes[i];

		if (!route->gateway.family)
			route->gateway =
				task->gateways[route->destination.address.family == AF_INET6];
	}
	return 0;
}

struct ip_prefix bridge_address(const struct bridge_config *config, size_t number)
{
	const struct ip_prefix *address = &config->task.addresses[number];
	bool v6 = address->address.family == AF_INET6;
	struct ip_prefix result = { .address = config->task.gateways[v6],
				    .length = address->length };

	/* An address that was given alone says nothing of the subnet: 169.254.172.0/22 is the one
	 * of the agent's tasks. */
	if (result.length == ip_bits(&result.address) && config->connected_length[v6])
		result.length = config->connected_length[v6];
	else if (result.length == ip_bits(&result.address) &&
		 (v6 || result.address.bytes[0] == 169))
		result.length = v6 ? 64 : 22;
	return result;
}

bool bridge_is_closed(const struct bridge_config *config)
{
	return !config->is_gateway && config->connected_length[0] == 0 &&
	       config->connected_length[1] == 0;
}
