/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/acs_network.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "quoted.h"

#define TEXTS(...)                                                                                 \
	{                                                                                          \
		(const char *const[]){ __VA_ARGS__ },                                              \
			sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)        \
	}

static const struct acs_permission ingress[] = {
	{ "tcp", 80, 81, TEXTS("0.0.0.0/0", "::/0"), { NULL, 0 } },
	{ "-1", -1, -1, { NULL, 0 }, TEXTS("sg-b") },
	{ "icmp", 8, -1, TEXTS("10.0.0.0/8"), { NULL, 0 } },
	{ "50", -1, -1, TEXTS("10.0.0.0/8"), { NULL, 0 } },
};
static const struct acs_permission egress[] = {
	{ "-1", -1, -1, TEXTS("0.0.0.0/0"), { NULL, 0 } },
};
static const struct acs_security_group groups[] = {
	{ "sg-a", "vpc-1", ingress, 4, egress, 1, TEXTS("10.0.0.5", "fd00::5") },
	{ "sg-b", "vpc-1", NULL, 0, NULL, 0, TEXTS("10.0.0.6") },
};
static const struct acs_network_interface interfaces[] = {
	{ "0a:00:00:00:00:01", "subnet-1", TEXTS("sg-a"), TEXTS("10.0.0.5") },
};
static const struct acs_network_peer peers[] = {
	{ "10.0.0.6", 7, "192.0.2.2" },
	{ "10.0.0.7", 7, NULL },
};
static const struct acs_network_subnet subnets[] = {
	{ "subnet-1", 7, TEXTS("10.0.0.0/24", "fd00::/64") },
};
static const struct acs_network network = {
	.message_id = "m",
	.cluster_arn = "c",
	.container_instance_arn = "i",
	.generated_at_ms = 1,
	.version = 3,
	.groups = groups,
	.group_count = 2,
	.interfaces = interfaces,
	.interface_count = 1,
	.subnets = subnets,
	.subnet_count = 1,
	.peers = peers,
	.peer_count = 2,
};

static void the_message_is_written_as_agents_read_it(void **state)
{
	_cleanup_free_ char *text = acs_encode_network(&network);
	_cleanup_free_ char *expected =
		quoted("{'type':'BerthNetworkMessage','message':{'clusterArn':'c',"
		       "'containerInstanceArn':'i','generatedAt':1,'interfaces':[{'addresses':["
		       "'10.0.0.5'],'groups':['sg-a'],'macAddress':'0a:00:00:00:00:01','subnetId':"
		       "'subnet-1'}],'messageId':'m','peers':[{'address':'10.0.0.6','host':"
		       "'192.0.2.2','vni':7},{'address':'10.0.0.7','vni':7}],'securityGroups':[{'"
		       "egress':[{'cidrs':['0.0.0.0/0'],"
		       "'fromPort':-1,'groups':[],'protocol':'-1','toPort':-1}],'groupId':'sg-a',"
		       "'ingress':[{'cidrs':['0.0.0.0/0','::/0'],'fromPort':80,'groups':[],"
		       "'protocol':'tcp','toPort':81},{'cidrs':[],'fromPort':-1,'groups':['sg-b'],"
		       "'protocol':'-1','toPort':-1},{'cidrs':['10.0.0.0/8'],'fromPort':8,"
		       "'groups':[],'protocol':'icmp','toPort':-1},{'cidrs':['10.0.0.0/8'],"
		       "'fromPort':-1,'groups':[],'protocol':'50','toPort':-1}],'members':["
		       "'10.0.0.5','fd00::5'],'vpcId':'vpc-1'},{'egress':[],'groupId':'sg-b',"
		       "'ingress':[],'members':['10.0.0.6'],'vpcId':'vpc-1'}],'subnets':[{"
		       "'cidrs':['10.0.0.0/24','fd00::/64'],'subnetId':'subnet-1','vni':7}],"
		       "'version':3}}");

	assert_string_equal(text, expected);
}

static void what_is_written_is_read_back(void **state)
{
	_cleanup_free_ char *text = acs_encode_network(&network);
	_cleanup_free_ char *again = NULL;
	struct acs_message *message = NULL;
	struct error err = ERROR_INIT;

	if (acs_decode(text, strlen(text), &message, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(message->type, ACS_NETWORK);
	again = acs_encode_network(&message->network);
	assert_string_equal(again, text);
	acs_message_free(message);
}

#define HEAD     "'messageId':'m','clusterArn':'c','containerInstanceArn':'i','version':1"
#define GROUP    "'groupId':'sg-a','vpcId':'vpc-1'"
#define IN(rule) HEAD ",'securityGroups':[{" GROUP ",'ingress':[{" rule "}]}]"
#define INTERFACE(members)                                                                         \
	HEAD ",'securityGroups':[{" GROUP "}],'interfaces':[{'subnetId':'s'," members "}]"
#define PEER(members)   HEAD ",'peers':[{" members "}]"
#define SUBNET(members) HEAD ",'subnets':[{" members "}]"
#define MAC             "'macAddress':'0a:00:00:00:00:01'"

static void protocols_that_have_a_name_are_called_by_it(void **state)
{
	struct acs_message *message = NULL;
	_cleanup_free_ char *text = xasprintf(
		"{'type':'BerthNetworkMessage','message':{%s}}",
		IN("'protocol':'6','fromPort':1,'toPort':2},{'protocol':'58'},{'protocol':'47'"));

	assert_int_equal(decode_acs(text, &message, NULL), 0);
	assert_string_equal(message->network.groups[0].ingress[0].protocol, "tcp");
	assert_string_equal(message->network.groups[0].ingress[1].protocol, "icmpv6");
	assert_int_equal(message->network.groups[0].ingress[1].from_port, -1);
	assert_string_equal(message->network.groups[0].ingress[2].protocol, "47");
	acs_message_free(message);
}

static void what_cannot_be_enforced_is_refused_with_field_and_reason(void **state)
{
	static const char *const refusals[][2] = {
		{ "'clusterArn':'c','containerInstanceArn':'i','version':1",
		  "messageId is missing or empty" },
		{ "'messageId':'m','containerInstanceArn':'i','version':1",
		  "clusterArn is missing or empty" },
		{ "'messageId':'m','clusterArn':'c','version':1",
		  "containerInstanceArn is missing or empty" },
		{ "'messageId':'m','clusterArn':'c','containerInstanceArn':'i'",
		  "version must be at least 1" },
		{ HEAD ",'securityGroups':[{'vpcId':'v'}]",
		  "securityGroups[0]: groupId is missing or empty" },
		{ HEAD ",'securityGroups':[{'groupId':'sg-a'}]",
		  "securityGroups[0]: vpcId is missing or empty" },
		{ HEAD ",'securityGroups':[{" GROUP "},{" GROUP "}]",
		  "securityGroups[1]: groupId: sg-a is there twice" },
		{ HEAD ",'securityGroups':[{" GROUP ",'members':['10.0.0.300']}]",
		  "securityGroups[0]: members[0]: '10.0.0.300' is not an IP address" },
		{ IN("'fromPort':1"),
		  "securityGroups[0].ingress[0]: protocol is missing or empty" },
		{ IN("'protocol':'sctp'"), "securityGroups[0].ingress[0]: protocol: 'sctp' is none "
					   "of tcp, udp, icmp, icmpv6, -1 and 0 to 255" },
		{ IN("'protocol':'256'"), "securityGroups[0].ingress[0]: protocol: '256' is none "
					  "of tcp, udp, icmp, icmpv6, -1 and 0 to 255" },
		{ IN("'protocol':'tcp','fromPort':2,'toPort':1"),
		  "securityGroups[0].ingress[0]: fromPort 2 and toPort 1 are no range of ports" },
		{ IN("'protocol':'udp'"),
		  "securityGroups[0].ingress[0]: fromPort -1 and toPort -1 are no range of ports" },
		{ IN("'protocol':'icmp','fromPort':256,'toPort':0"),
		  "securityGroups[0].ingress[0]: fromPort 256 and toPort 0 are no type and code" },
		{ IN("'protocol':'icmp','fromPort':-1,'toPort':0"),
		  "securityGroups[0].ingress[0]: fromPort -1 and toPort 0 are no type and code" },
		{ IN("'protocol':'-1','fromPort':80"),
		  "securityGroups[0].ingress[0]: protocol -1 has no ports" },
		{ IN("'protocol':'-1','cidrs':['10.0.0.0']"),
		  "securityGroups[0].ingress[0]: cidrs[0]: '10.0.0.0' is not an address with a "
		  "prefix length, as in 10.0.1.37/24" },
		{ IN("'protocol':'-1','groups':['sg-x']"),
		  "securityGroups[0].ingress[0]: groups[0]: 'sg-x' is not among securityGroups" },
		{ INTERFACE("'groups':[]"), "interfaces[0]: macAddress is missing" },
		{ INTERFACE(MAC), "interfaces[0]: addresses is missing or empty" },
		{ INTERFACE(MAC ",'groups':['sg-x']"),
		  "interfaces[0]: groups[0]: 'sg-x' is not among securityGroups" },
		{ INTERFACE(MAC ",'addresses':['x']"),
		  "interfaces[0]: addresses[0]: 'x' is not an IP address" },
		{ HEAD ",'interfaces':[{" MAC "}]", "interfaces[0]: subnetId is missing or empty" },
		{ SUBNET("'vni':1"), "subnets[0]: subnetId is missing or empty" },
		{ SUBNET("'subnetId':'s'"), "subnets[0]: vni must be 1 to 16777215" },
		{ SUBNET("'subnetId':'s','vni':1,'cidrs':['10.0.0.0']"),
		  "subnets[0]: cidrs[0]: '10.0.0.0' is not an address with a prefix length, as in "
		  "10.0.1.37/24" },
		{ PEER("'vni':1"), "peers[0]: address is missing or empty" },
		{ PEER("'address':'10.0.0.0/8'"),
		  "peers[0]: address: '10.0.0.0/8' is not an IP address" },
		{ PEER("'address':'10.0.0.1'"), "peers[0]: vni must be 1 to 16777215" },
		{ PEER("'address':'10.0.0.1','vni':16777216"),
		  "peers[0]: vni must be 1 to 16777215" },
		{ PEER("'address':'10.0.0.1','vni':1,'host':'h'"),
		  "peers[0]: host: 'h' is not an IP address" },
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		_cleanup_free_ char *text =
			xasprintf("{'type':'BerthNetworkMessage','message':{%s}}", refusals[i][0]);
		_cleanup_free_ char *expected_text =
			xasprintf("BerthNetworkMessage: %s", refusals[i][1]);
		_cleanup_free_ char *expected = quoted(expected_text);
		struct acs_message *message = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(decode_acs(text, &message, &err), -EINVAL);
		assert_null(message);
		assert_string_equal(err.text, expected);
	}
}

static void members_of_a_wrong_type_are_no_message(void **state)
{
	static const char *const cases[] = {
		HEAD ",'securityGroups':{}",
		HEAD ",'securityGroups':[1]",
		HEAD ",'interfaces':[null]",
		HEAD ",'peers':'x'",
		HEAD ",'subnets':[null]",
		IN("'protocol':6"),
		IN("'protocol':'tcp','fromPort':65536"),
		IN("'protocol':'tcp','fromPort':'80'"),
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text =
			xasprintf("{'type':'BerthNetworkMessage','message':{%s}}", cases[i]);
		struct acs_message *message = NULL;

		assert_int_equal(decode_acs(text, &message, NULL), -EBADMSG);
		assert_null(message);
	}
}

static void more_than_can_be_held_is_refused(void **state)
{
	struct acs_network many = network;
	_cleanup_free_ struct acs_security_group *items =
		xcalloc(ACS_NETWORK_GROUPS_MAX + 1, sizeof(*items));
	_cleanup_free_ char *text = NULL;
	struct acs_message *message = NULL;
	struct error err = ERROR_INIT;

	many.groups = items;
	many.group_count = ACS_NETWORK_GROUPS_MAX + 1;
	text = acs_encode_network(&many);
	assert_int_equal(acs_decode(text, strlen(text), &message, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "securityGroups"));
}

/* As many interfaces as there may be have an address of each family. */
static void an_interface_has_two_addresses(void **state)
{
	size_t most = 2 * (size_t)ACS_NETWORK_INTERFACES_MAX;
	_cleanup_free_ struct acs_network_peer *items = xcalloc(most + 1, sizeof(*items));

	for (size_t i = 0; i <= most; i++)
		items[i] = peers[0];
	for (size_t more = 0; more < 2; more++) {
		struct acs_network many = network;
		_cleanup_free_ char *text = NULL;
		struct acs_message *message = NULL;

		many.peers = items;
		many.peer_count = most + more;
		text = acs_encode_network(&many);
		assert_int_equal(acs_decode(text, strlen(text), &message, NULL),
				 more ? -EBADMSG : 0);
		acs_message_free(message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_message_is_written_as_agents_read_it),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(protocols_that_have_a_name_are_called_by_it),
		cmocka_unit_test(what_cannot_be_enforced_is_refused_with_field_and_reason),
		cmocka_unit_test(members_of_a_wrong_type_are_no_message),
		cmocka_unit_test(more_than_can_be_held_is_refused),
		cmocka_unit_test(an_interface_has_two_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
