/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/eni.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "quoted.h"

static int decode(const char *text, struct arena *arena, struct eni_spec *eni, struct error *err)
{
	_cleanup_free_ char *json = quoted(text);
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;

	assert_int_equal(json_parse(json, strlen(json), NULL, &value, err), 0);
	root = json_root(value);
	return eni_spec_decode(&root, arena, eni, err);
}

#define HEAD "{'ec2Id':'eni-1','macAddress':'0A:1B:2C:3D:4E:5F',"
#define V4                                                                                         \
	"'ipv4Addresses':[{'privateAddress':'10.0.0.5'},{'privateAddress':'10.0.0.6','primary':"   \
	"true}],"
#define GW "'subnetGatewayIpv4Address':'10.0.0.1/20'"

static void members_arrive(void **state)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	struct eni_spec eni;

	assert_int_equal(
		decode(HEAD V4 GW
		       ",'attachmentArn':'arn:a','index':2,'name':'eth1',"
		       "'domainNameServers':['10.0.0.2','fd00::2'],'domainName':['x.test'],"
		       "'privateDnsName':'ip-10-0-0-5','interfaceAssociationProtocol':'default'}",
		       arena, &eni, NULL),
		0);
	assert_string_equal(eni.ec2_id, "eni-1");
	assert_string_equal(eni.mac_address, "0a:1b:2c:3d:4e:5f");
	assert_string_equal(eni.attachment_arn, "arn:a");
	assert_int_equal(eni.index, 2);
	assert_int_equal(eni.ipv4_count, 2);
	assert_string_equal(eni_primary_ipv4(&eni), "10.0.0.6");
	assert_null(eni_primary_ipv6(&eni));
	assert_string_equal(eni.gateway_ipv4.address, "10.0.0.1");
	assert_int_equal(eni.gateway_ipv4.prefix, 20);
	assert_null(eni.gateway_ipv6.address);
	assert_string_equal(eni.dns_servers.items[1], "fd00::2");
	assert_string_equal(eni.dns_search.items[0], "x.test");
	assert_string_equal(eni.private_dns_name, "ip-10-0-0-5");
	assert_int_equal(eni.protocol, ENI_PROTOCOL_DEFAULT);
}

static void ipv6_alone_is_enough_with_its_gateway(void **state)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	struct eni_spec eni;

	assert_int_equal(decode(HEAD "'ipv6Addresses':[{'address':'fd00::5'}],'"
				     "subnetGatewayIpv6Address':'fd00::1/64'}",
				arena, &eni, NULL),
			 0);
	assert_string_equal(eni_primary_ipv6(&eni), "fd00::5");
	assert_int_equal(eni.gateway_ipv6.prefix, 64);
}

static void a_vlan_has_its_properties(void **state)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	struct eni_spec eni;

	assert_int_equal(decode(HEAD V4 GW
				",'interfaceAssociationProtocol':'vlan','interfaceVlanProperties':"
				"{'vlanId':'7','trunkInterfaceMacAddress':'0A:00:00:00:00:02'}}",
				arena, &eni, NULL),
			 0);
	assert_int_equal(eni.protocol, ENI_PROTOCOL_VLAN);
	assert_string_equal(eni.vlan_id, "7");
	assert_string_equal(eni.trunk_mac_address, "0a:00:00:00:00:02");
}

static void others_are_refused(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *error;
	} cases[] = {
		{ "[]", -EBADMSG, "must be an object, got an array" },
		{ "{'ec2Id':1}", -EBADMSG, "ec2Id: must be a string, got a number" },
		{ "{'macAddress':'0a:00:00:00:00:01'}", -EINVAL, "ec2Id is missing" },
		{ "{'ec2Id':'e'}", -EINVAL, "macAddress is missing" },
		{ "{'ec2Id':'e','macAddress':''}", -EINVAL, "macAddress is missing" },
		{ "{'ec2Id':'e','macAddress':'0a-00-00-00-00-01'}", -EINVAL,
		  "macAddress: '0a-00-00-00-00-01' is no MAC address, such as 0a:1b:2c:3d:4e:5f" },
		{ HEAD GW "}", -EINVAL, "ipv4Addresses is empty, and so is ipv6Addresses" },
		{ HEAD V4 "'x':1}", -EINVAL, "subnetGatewayIpv4Address is missing" },
		{ HEAD V4 "'subnetGatewayIpv4Address':'10.0.0.1'}", -EINVAL,
		  "subnetGatewayIpv4Address: '10.0.0.1' must be an address and a prefix length, "
		  "such as "
		  "10.0.0.1/24" },
		{ HEAD V4 "'subnetGatewayIpv4Address':'10.0.0.1/24/3'}", -EINVAL,
		  "subnetGatewayIpv4Address: '10.0.0.1/24/3' must be an address and a prefix "
		  "length, such as "
		  "10.0.0.1/24" },
		{ HEAD V4 "'subnetGatewayIpv4Address':'10.0.0.1/33'}", -EINVAL,
		  "subnetGatewayIpv4Address: '33' is no prefix length" },
		{ HEAD V4 "'subnetGatewayIpv4Address':'10.0.0/24'}", -EINVAL,
		  "subnetGatewayIpv4Address: '10.0.0' is no IPv4 address" },
		{ HEAD "'ipv4Addresses':[{'privateAddress':'10.0.0.5/24'}]}", -EINVAL,
		  "ipv4Addresses[0]: privateAddress: '10.0.0.5/24' is no IPv4 address" },
		{ HEAD "'ipv4Addresses':[{}]}", -EINVAL,
		  "ipv4Addresses[0]: privateAddress is missing" },
		{ HEAD "'ipv6Addresses':[{'address':'10.0.0.5'}]}", -EINVAL,
		  "ipv6Addresses[0]: address: '10.0.0.5' is no IPv6 address" },
		{ HEAD "'ipv6Addresses':[{'address':'fd00::5'}]}", -EINVAL,
		  "subnetGatewayIpv6Address is missing, and there is no IPv4 address" },
		{ HEAD V4 GW ",'domainNameServers':['dns']}", -EINVAL,
		  "domainNameServers[0]: 'dns' is no IP address" },
		{ HEAD V4 GW ",'interfaceAssociationProtocol':'tunnel'}", -EINVAL,
		  "interfaceAssociationProtocol: 'tunnel' is not supported; 'default' and 'vlan' "
		  "are" },
		{ HEAD V4 GW ",'interfaceAssociationProtocol':'vlan'}", -EINVAL,
		  "interfaceVlanProperties is missing" },
		{ HEAD V4 GW ",'interfaceAssociationProtocol':'vlan','interfaceVlanProperties':{'"
			     "vlanId':'7'}}",
		  -EINVAL, "interfaceVlanProperties: trunkInterfaceMacAddress is missing" },
		{ HEAD V4 GW ",'interfaceAssociationProtocol':'vlan','interfaceVlanProperties':{}}",
		  -EINVAL, "interfaceVlanProperties: vlanId is missing" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
		_cleanup_free_ char *expected = quoted(cases[i].error);
		struct error err = ERROR_INIT;
		struct eni_spec eni;

		assert_int_equal(decode(cases[i].text, arena, &eni, &err), cases[i].result);
		assert_string_equal(err.text, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_arrive),
		cmocka_unit_test(ipv6_alone_is_enough_with_its_gateway),
		cmocka_unit_test(a_vlan_has_its_properties),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
