/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_awsvpc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static const char *const ipv4[] = { "10.0.1.37", "10.0.1.38" };
static const char *const ipv6[] = { "fd00:1::37" };
static const char *const servers[] = { "10.0.0.2" };
static const char *const domains[] = { "example.internal" };

static const struct awsvpc_options options = {
	.driver = "veth",
	.endpoint = "169.254.170.2",
	.block_instance_metadata = true,
	.mtu = 9001,
	.routing_table = 3959422983,
};

static struct awsvpc_eni interface(void)
{
	return (struct awsvpc_eni){
		.id = "eni-0123456789abcdef0",
		.mac = "02:1f:00:a0:b1:c2",
		.ipv4_addresses = ipv4,
		.ipv4_count = 2,
		.ipv4_gateway = "10.0.1.1/24",
		.name_servers = servers,
		.name_server_count = 1,
		.search_domains = domains,
		.search_domain_count = 1,
	};
}

static json_t *plugin_by(const struct awsvpc_options *how, const struct awsvpc_eni *eni,
			 json_t **ret_list)
{
	char *text = NULL;

	assert_int_equal(awsvpc_conflist(eni, how, &text, NULL), 0);
	*ret_list = json_loads(text, 0, NULL);
	free(text);
	assert_int_equal(json_array_size(json_object_get(*ret_list, "plugins")), 1);
	return json_array_get(json_object_get(*ret_list, "plugins"), 0);
}

static json_t *plugin_of(const struct awsvpc_eni *eni, json_t **ret_list)
{
	return plugin_by(&options, eni, ret_list);
}

static void assert_items(const json_t *plugin, const char *name, const char *expected)
{
	char *text = json_dumps(json_object_get(plugin, name), JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
}

static void an_ipv4_interface_takes_its_gateways_length(void **state)
{
	struct awsvpc_eni eni = interface();
	json_t *list, *plugin = plugin_of(&eni, &list);

	assert_string_equal(json_string_value(json_object_get(plugin, "type")), "ecs-eni");
	assert_string_equal(json_string_value(json_object_get(plugin, "driver")), "veth");
	assert_string_equal(json_string_value(json_object_get(plugin, "eni")), eni.id);
	assert_string_equal(json_string_value(json_object_get(plugin, "mac")), eni.mac);
	assert_items(plugin, "ip-addresses", "[\"10.0.1.37/24\",\"10.0.1.38/24\"]");
	assert_items(plugin, "gateway-ip-addresses", "[\"10.0.1.1\"]");
	assert_items(plugin, "loopback-addresses", "[\"169.254.170.2/32\"]");
	assert_items(plugin, "dns",
		     "{\"nameservers\":[\"10.0.0.2\"],\"search\":[\"example.internal\"]}");
	assert_true(json_is_true(json_object_get(plugin, "block-instance-metadata")));
	assert_int_equal(json_integer_value(json_object_get(plugin, "mtu")), 9001);
	assert_int_equal(json_integer_value(json_object_get(plugin, "routing-table")), 3959422983);
	json_decref(list);
}

/* One gateway, and 64 for IPv6 whatever its own gateway says. */
static void a_dual_stack_interface_has_one_gateway(void **state)
{
	struct awsvpc_eni eni = interface();
	json_t *list, *plugin;

	eni.ipv6_addresses = ipv6;
	eni.ipv6_count = 1;
	eni.ipv6_gateway = "fd00:1::1/80";
	plugin = plugin_of(&eni, &list);
	assert_items(plugin, "ip-addresses",
		     "[\"10.0.1.37/24\",\"10.0.1.38/24\",\"fd00:1::37/64\"]");
	assert_items(plugin, "gateway-ip-addresses", "[\"10.0.1.1\"]");
	json_decref(list);
}

static void an_ipv6_interface_takes_its_own_gateway(void **state)
{
	struct awsvpc_eni eni = interface();
	json_t *list, *plugin;

	eni.ipv4_count = 0;
	eni.ipv4_gateway = NULL;
	eni.ipv6_addresses = ipv6;
	eni.ipv6_count = 1;
	eni.ipv6_gateway = "fd00:1::1/80";
	plugin = plugin_of(&eni, &list);
	assert_items(plugin, "ip-addresses", "[\"fd00:1::37/80\"]");
	assert_items(plugin, "gateway-ip-addresses", "[\"fd00:1::1\"]");
	json_decref(list);
}

static void expect_refusal(const struct awsvpc_eni *eni, const char *text)
{
	struct error err = ERROR_INIT;
	char *json = NULL;

	assert_int_equal(awsvpc_conflist(eni, &options, &json, &err), -EINVAL);
	assert_null(json);
	if (!strstr(err.text, text))
		print_message("unexpected: %s\n", err.text);
	assert_non_null(strstr(err.text, text));
}

static void an_interface_that_cannot_be_is_refused_by_its_field(void **state)
{
	static const char *const bad_address[] = { "10.0.1.x" };
	struct awsvpc_eni eni = interface();

	eni.id = "";
	expect_refusal(&eni, "ec2Id");
	eni = interface();
	eni.mac = NULL;
	expect_refusal(&eni, "macAddress");
	eni.mac = "02:1f";
	expect_refusal(&eni, "macAddress");
	eni = interface();
	eni.ipv4_gateway = NULL;
	expect_refusal(&eni, "subnetGatewayIpv4Address");
	eni.ipv4_gateway = "10.0.1.1";
	expect_refusal(&eni, "subnetGatewayIpv4Address");
	eni.ipv4_gateway = "fd00::1/64";
	expect_refusal(&eni, "subnetGatewayIpv4Address");
	eni = interface();
	eni.ipv4_addresses = bad_address;
	eni.ipv4_count = 1;
	expect_refusal(&eni, "ipv4Addresses[0]");
	eni.ipv4_count = 0;
	expect_refusal(&eni, "no address");
	eni.ipv6_addresses = ipv6;
	eni.ipv6_count = 1;
	expect_refusal(&eni, "subnetGatewayIpv6Address");
}

static const char *const routes[] = { "10.44.0.0/16" };

static void assert_plugin(const json_t *plugin, const char *expected)
{
	json_t *wanted = json_loads(expected, 0, NULL);
	char *text = json_dumps(plugin, JSON_COMPACT);

	assert_non_null(wanted);
	if (!json_equal(wanted, plugin))
		print_message("it is: %s\n", text);
	assert_true(json_equal(wanted, plugin));
	free(text);
	json_decref(wanted);
}

static struct awsvpc_eni branch(void)
{
	struct awsvpc_eni eni = interface();

	eni.vlan_id = "101";
	eni.trunk_mac = "02:1f:00:a0:b1:00";
	return eni;
}

/* What leads to the host's networks is for whoever has IPv4, and a pair. */
static void local_routes_lead_through_the_pair(void **state)
{
	struct awsvpc_options how = options;
	struct awsvpc_eni eni = interface();
	json_t *list;

	how.local_routes = routes;
	how.local_route_count = 1;
	assert_items(plugin_by(&how, &eni, &list), "routes", "[{\"dst\":\"10.44.0.0/16\"}]");
	json_decref(list);
	how.driver = "eni";
	assert_null(json_object_get(plugin_by(&how, &eni, &list), "routes"));
	json_decref(list);
}

static void a_branch_of_a_trunk_has_a_plugin_of_its_own(void **state)
{
	struct awsvpc_eni eni = branch();
	json_t *list;

	assert_plugin(plugin_of(&eni, &list),
		      "{\"type\":\"ecs-branch-eni\",\"interfaceType\":\"vlan\","
		      "\"branchVlanID\":\"101\",\"trunkMACAddress\":\"02:1f:00:a0:b1:00\","
		      "\"branchMACAddress\":\"02:1f:00:a0:b1:c2\",\"ipAddresses\":"
		      "[\"10.0.1.37/24\",\"10.0.1.38/24\"],\"gatewayIPAddresses\":[\"10.0.1.1\"],"
		      "\"blockInstanceMetadata\":true,\"mtu\":9001,\"loopback-addresses\":"
		      "[\"169.254.170.2/32\"],\"dns\":{\"nameservers\":[\"10.0.0.2\"],\"search\":"
		      "[\"example.internal\"]}}");
	json_decref(list);
	eni.trunk_mac = NULL;
	expect_refusal(&eni, "trunkInterfaceMacAddress");
}

/* Key by key, as Amazon's agent has it; and how long a device is waited for. */
static void by_amazons_names_the_keys_are_amazons(void **state)
{
	const struct awsvpc_options how = {
		.driver = "eni",
		.block_instance_metadata = true,
		.local_routes = routes,
		.local_route_count = 1,
		.amazon_names = true,
	};
	struct awsvpc_eni eni = interface();
	json_t *list, *plugin;

	eni.name_server_count = eni.search_domain_count = 0;
	plugin = plugin_by(&how, &eni, &list);
	assert_plugin(
		plugin,
		"{\"type\":\"vpc-eni\",\"dns\":{},\"eniName\":\"\",\"eniMACAddress\":"
		"\"02:1f:00:a0:b1:c2\",\"eniIPAddresses\":[\"10.0.1.37/24\",\"10.0.1.38/24\"],"
		"\"gatewayIPAddresses\":[\"10.0.1.1\"],\"useExistingNetwork\":false,"
		"\"blockInstanceMetadata\":true,\"device-wait-ms\":5000}");
	assert_string_equal(json_string_value(json_object_get(list, "cniVersion")), "0.3.0");
	json_decref(list);
	eni = branch();
	eni.name_server_count = eni.search_domain_count = 0;
	plugin = plugin_by(&how, &eni, &list);
	assert_plugin(plugin,
		      "{\"type\":\"vpc-branch-eni\",\"dns\":{},\"interfaceType\":\"vlan\","
		      "\"branchVlanID\":\"101\",\"trunkMACAddress\":\"02:1f:00:a0:b1:00\","
		      "\"branchMACAddress\":\"02:1f:00:a0:b1:c2\",\"ipAddresses\":"
		      "[\"10.0.1.37/24\",\"10.0.1.38/24\"],\"gatewayIPAddresses\":[\"10.0.1.1\"],"
		      "\"blockInstanceMetadata\":true}");
	json_decref(list);
}

static void interfaces_are_named_by_their_place(void **state)
{
	char name[16];

	assert_string_equal(awsvpc_ifname(0, name), "eth0");
	assert_string_equal(awsvpc_ifname(12, name), "eth12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_interface_takes_its_gateways_length),
		cmocka_unit_test(a_dual_stack_interface_has_one_gateway),
		cmocka_unit_test(an_ipv6_interface_takes_its_own_gateway),
		cmocka_unit_test(an_interface_that_cannot_be_is_refused_by_its_field),
		cmocka_unit_test(local_routes_lead_through_the_pair),
		cmocka_unit_test(a_branch_of_a_trunk_has_a_plugin_of_its_own),
		cmocka_unit_test(by_amazons_names_the_keys_are_amazons),
		cmocka_unit_test(interfaces_are_named_by_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
