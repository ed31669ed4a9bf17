/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_awsvpc.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cni-plugins/host_end.h"
#include "netns/ip.h"

#define NETWORK_NAME "awsvpc"
#define CNI_VERSION  "1.0.0"
/* A device may be on its way back from the task that had it before. */
#define DEVICE_WAIT_MS 5000
/* The one that all of Amazon's plugins speak. */
#define AMAZON_VERSION "0.3.0"
/* Of an IPv6 address beside an IPv4 one, whatever the gateway says: so it has always been. */
#define DUAL_STACK_PREFIX 64

/* What a plugin calls what it is given. */
struct plugin_keys {
	const char *type, *mac, *addresses, *gateways, *block_metadata;
};

static const struct plugin_keys eni_keys[2] = {
	{ "ecs-eni", "mac", "ip-addresses", "gateway-ip-addresses", "block-instance-metadata" },
	{ "vpc-eni", "eniMACAddress", "eniIPAddresses", "gatewayIPAddresses",
	  "blockInstanceMetadata" },
};

static const struct plugin_keys branch_keys[2] = {
	{ "ecs-branch-eni", "branchMACAddress", "ipAddresses", "gatewayIPAddresses",
	  "blockInstanceMetadata" },
	{ "vpc-branch-eni", "branchMACAddress", "ipAddresses", "gatewayIPAddresses",
	  "blockInstanceMetadata" },
};

/* "10.0.1.1/24": the gateway, and the length of every address of its family. */
static int read_gateway(const char *text, int family, const char *field, struct ip_prefix *ret,
			struct error *err)
{
	int r = ip_prefix_parse(text, ret, err);

	if (r == 0 && ret->address.family != family)
		r = error_say(err, EINVAL, "\"%.64s\" is of the other family", text);
	if (r < 0)
		error_prefix(err, "%s", field);
	return r;
}

static int add_addresses(json_t *list, const char *const *addresses, size_t count, int family,
			 unsigned int length, const char *field, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct ip_prefix prefix = { .length = length };
		char text[IP_TEXT_SIZE];
		int r = ip_parse(addresses[i], &prefix.address, err);

		if (r == 0 && prefix.address.family != family)
			r = error_say(err, EINVAL, "\"%.64s\" is of the other family",
				      addresses[i]);
		if (r < 0) {
			error_prefix(err, "%s[%zu].privateAddress", field, i);
			return r;
		}
		json_array_append_new(list, json_string(ip_prefix_format(&prefix, text)));
	}
	return 0;
}

static int fill_addresses(json_t *plugin, const struct plugin_keys *keys,
			  const struct awsvpc_eni *eni, struct error *err)
{
	json_t *addresses = json_array(), *gateways = json_array();
	bool v6_only = eni->ipv4_count == 0;
	unsigned int v6_length = DUAL_STACK_PREFIX;
	struct ip_prefix gateway;
	char text[IP_TEXT_SIZE];
	int r;

	json_object_set_new(plugin, keys->addresses, addresses);
	json_object_set_new(plugin, keys->gateways, gateways);
	if (v6_only && eni->ipv6_count == 0)
		return error_say(err, EINVAL, "the interface has no address");
	if (v6_only && str_is_empty(eni->ipv6_gateway))
		return error_say(err, EINVAL,
				 "subnetGatewayIpv6Address: an IPv6-only interface needs it");
	if (!v6_only && str_is_empty(eni->ipv4_gateway))
		return error_say(err, EINVAL, "subnetGatewayIpv4Address: it is missing");

	/* Exactly one gateway: a task with both families learns the other way out by itself. */
	if (v6_only)
		r = read_gateway(eni->ipv6_gateway, AF_INET6, "subnetGatewayIpv6Address", &gateway,
				 err);
	else
		r = read_gateway(eni->ipv4_gateway, AF_INET, "subnetGatewayIpv4Address", &gateway,
				 err);
	if (r < 0)
		return r;
	json_array_append_new(gateways, json_string(ip_format(&gateway.address, text)));
	if (v6_only)
		v6_length = gateway.length;
	r = add_addresses(addresses, eni->ipv4_addresses, eni->ipv4_count, AF_INET, gateway.length,
			  "ipv4Addresses", err);
	if (r == 0)
		r = add_addresses(addresses, eni->ipv6_addresses, eni->ipv6_count, AF_INET6,
				  v6_length, "ipv6Addresses", err);
	return r;
}

static json_t *string_array(const char *const *items, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(items[i]));
	return array;
}

static json_t *dns_object(const struct awsvpc_eni *eni)
{
	json_t *dns = json_object();

	if (eni->name_server_count > 0)
		json_object_set_new(dns, "nameservers",
				    string_array(eni->name_servers, eni->name_server_count));
	if (eni->search_domain_count > 0)
		json_object_set_new(dns, "search",
				    string_array(eni->search_domains, eni->search_domain_count));
	return dns;
}

/* Which of the host's networks the task reaches by its pair. */
static json_t *route_array(const struct awsvpc_options *options)
{
	json_t *routes = json_array();

	for (size_t i = 0; i < options->local_route_count; i++)
		json_array_append_new(routes, json_pack("{s:s}", "dst", options->local_routes[i]));
	return routes;
}

/* A device, or the pair that stands for one. */
static void fill_eni(json_t *plugin, const struct awsvpc_eni *eni,
		     const struct awsvpc_options *options)
{
	bool is_pair = str_eq(options->driver, "veth");

	if (options->amazon_names) {
		json_object_set_new(plugin, "eniName", json_string(""));
		json_object_set_new(plugin, "useExistingNetwork", json_false());
	} else {
		json_object_set_new(plugin, "eni", json_string(eni->id));
	}
	if (is_pair || !options->amazon_names)
		json_object_set_new(plugin, "driver", json_string(options->driver));
	if (is_pair || !options->amazon_names)
		json_object_set_new(plugin, "capabilities",
				    json_pack("{s:b}", "leaveToNetns", true));
	if (is_pair && options->routing_table)
		json_object_set_new(plugin, "routing-table", json_integer(options->routing_table));
	/* A key of ours, which Amazon's plugin does not look at. */
	if (!is_pair)
		json_object_set_new(plugin, "device-wait-ms", json_integer(DEVICE_WAIT_MS));
	if (is_pair && options->local_route_count > 0 && eni->ipv4_count > 0)
		json_object_set_new(plugin, "routes", route_array(options));
}

static void fill_branch(json_t *plugin, const struct awsvpc_eni *eni)
{
	json_object_set_new(plugin, "interfaceType", json_string("vlan"));
	json_object_set_new(plugin, "branchVlanID", json_string(eni->vlan_id));
	json_object_set_new(plugin, "trunkMACAddress", json_string(eni->trunk_mac));
}

static int fill_endpoint(json_t *plugin, const char *text, struct error *err)
{
	struct ip_address endpoint;
	struct ip_prefix prefix;
	char out[IP_TEXT_SIZE];
	int r = ip_parse(text, &endpoint, err);

	if (r < 0) {
		error_prefix(err, "the agent's endpoint");
		return r;
	}
	prefix = ip_host_prefix(&endpoint);
	json_object_set_new(plugin, "loopback-addresses",
			    json_pack("[s]", ip_prefix_format(&prefix, out)));
	return 0;
}

static int fill(json_t *plugin, const struct awsvpc_eni *eni, const struct awsvpc_options *options,
		struct error *err)
{
	const struct plugin_keys *keys =
		&(eni->vlan_id ? branch_keys : eni_keys)[options->amazon_names];
	struct mac_address mac;
	int r;

	if (eni->vlan_id && str_is_empty(eni->trunk_mac))
		return error_say(err, EINVAL, "trunkInterfaceMacAddress: it is missing");
	json_object_set_new(plugin, "type", json_string(keys->type));
	json_object_set_new(plugin, keys->mac, json_string(eni->mac));
	json_object_set_new(plugin, keys->block_metadata,
			    json_boolean(options->block_instance_metadata));
	json_object_set_new(plugin, "dns", dns_object(eni));
	if (options->mtu)
		json_object_set_new(plugin, "mtu", json_integer(options->mtu));
	if (eni->vlan_id)
		fill_branch(plugin, eni);
	else
		fill_eni(plugin, eni, options);
	r = mac_parse(eni->mac, &mac, err);
	if (r < 0)
		error_prefix(err, "macAddress");
	if (r == 0)
		r = fill_addresses(plugin, keys, eni, err);
	if (r == 0 && options->endpoint)
		r = fill_endpoint(plugin, options->endpoint, err);
	return r;
}

int awsvpc_conflist(const struct awsvpc_eni *eni, const struct awsvpc_options *options, char **ret,
		    struct error *err)
{
	_cleanup_json_ json_t *list = json_object();
	json_t *plugins = json_array(), *plugin = json_object();
	int r;

	json_object_set_new(list, "cniVersion",
			    json_string(options->amazon_names ? AMAZON_VERSION : CNI_VERSION));
	json_object_set_new(list, "name", json_string(NETWORK_NAME));
	json_object_set_new(list, "plugins", plugins);
	json_array_append_new(plugins, plugin);
	if (str_is_empty(eni->id))
		return error_say(err, EINVAL, "network interface: ec2Id: it is missing");
	if (str_is_empty(eni->mac))
		return error_say(err, EINVAL, "network interface %s: macAddress: it is missing",
				 eni->id);
	r = fill(plugin, eni, options, err);
	if (r < 0) {
		error_prefix(err, "network interface %s", eni->id);
		return r;
	}
	*ret = json_dump_compact(list);
	return 0;
}

const char *awsvpc_ifname(size_t index, char name[16])
{
	snprintf(name, 16, "eth%u", (unsigned int)(index & 0xffff));
	return name;
}

void awsvpc_link_name(const char *task_id, size_t index, char name[16])
{
	char ifname[16];
	const struct cni_request request = { .container_id = task_id,
					     .ifname = awsvpc_ifname(index, ifname),
					     .network = NETWORK_NAME };

	host_end_name(&request, 0, name);
}
