/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/network/wanted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static bool keep_all(void *data, const char *mac)
{
	return true;
}

static const char *no_link(void *data, const char *mac)
{
	return NULL;
}

static void permissions_are_a_rule_for_each_other_end(void **state)
{
	static const char *const cidrs[] = { "10.0.0.0/8", "fd00::/8" };
	static const char *const groups[] = { "sg-b" };
	static const char *const members[] = { "10.0.0.2", "10.0.0.1", "10.0.0.2" };
	static const struct acs_permission ingress[] = {
		{ "tcp", 80, 81, { cidrs, 2 }, { groups, 1 } },
		{ "udp", 53, 53, { cidrs, 1 }, { NULL, 0 } },
		{ "icmp", 8, -1, { cidrs, 1 }, { NULL, 0 } },
		{ "icmpv6", -1, -1, { cidrs, 1 }, { NULL, 0 } },
		{ "-1", -1, -1, { cidrs, 1 }, { NULL, 0 } },
		{ "132", -1, -1, { cidrs, 1 }, { NULL, 0 } },
		{ "0", -1, -1, { cidrs, 1 }, { NULL, 0 } },
		{ "tcp", 1, 1, { NULL, 0 }, { NULL, 0 } },
	};
	static const int protocols[] = { 6, 6, 6, 17, 1, 58, FIREWALL_ANY, 132, 0 };
	const struct acs_security_group list[] = {
		{ .id = "sg-a",
		  .ingress = ingress,
		  .ingress_count = sizeof(ingress) / sizeof(ingress[0]),
		  .egress = &ingress[1],
		  .egress_count = 1,
		  .members = { members, 3 } },
		{ .id = "sg-b" },
	};
	const struct acs_network message = { .groups = list, .group_count = 2 };
	struct network_wanted *wanted = network_wanted_new(&message);
	const struct firewall_group *group;
	struct firewall_state *built;

	assert_int_equal(network_wanted_state(wanted, keep_all, no_link, NULL, &built, NULL, NULL),
			 0);
	network_wanted_free(wanted);
	group = firewall_state_group(built, "sg-a");
	assert_int_equal(group->in.count, sizeof(protocols) / sizeof(protocols[0]));
	for (size_t i = 0; i < group->in.count; i++)
		assert_int_equal(group->in.items[i].protocol, protocols[i]);
	assert_string_equal(group->in.items[0].group, "sg-b");
	assert_null(group->in.items[1].group);
	assert_int_equal(group->in.items[1].prefix.length, 8);
	assert_int_equal(group->in.items[2].to, 81);
	assert_int_equal(group->in.items[4].from, 8);
	assert_int_equal(group->in.items[4].to, FIREWALL_ANY);
	assert_int_equal(group->out.count, 1);
	assert_int_equal(group->out.items[0].from, 53);
	assert_int_equal(group->members.count, 2);
	firewall_state_free(built);
}

static bool keep_a(void *data, const char *mac)
{
	return strcmp(mac, data) == 0;
}

#define MAC_A "02:00:00:00:00:0a"
#define MAC_B "02:00:00:00:00:0b"

static void the_tunnel_is_of_the_vpcs_that_have_an_interface_here(void **state)
{
	static const char *const a[] = { "10.0.0.1" }, *const b[] = { "10.8.0.1" };
	static const char *const first[] = { "10.0.0.0/24", "fd00::/64" };
	static const char *const second[] = { "10.0.1.0/24" }, *const other[] = { "10.8.0.0/24" };
	const struct acs_network message = {
		.interfaces =
			(struct acs_network_interface[]){
				{ MAC_A, "subnet-a", .addresses = { a, 1 } },
				{ MAC_B, "subnet-b", .addresses = { b, 1 } },
			},
		.interface_count = 2,
		.subnets = (struct acs_network_subnet[]){ { "subnet-a", 7, { first, 2 } },
							  { "subnet-a2", 7, { second, 1 } },
							  { "subnet-b", 8, { other, 1 } } },
		.subnet_count = 3,
		.peers =
			(struct acs_network_peer[]){
				{ "10.0.0.9", 7, "192.0.2.2" },
				{ "10.0.1.9", 7, "192.0.2.3" },
				{ "fd00::9", 7, "192.0.2.2" },
				{ "10.8.0.9", 8, "192.0.2.2" },
				{ "10.0.0.8", 7, NULL },
				{ "10.0.0.1", 7, "192.0.2.2" },
			},
		.peer_count = 6,
	};
	const struct ip_address local = { AF_INET, { 192, 0, 2, 1 } };
	struct network_wanted *wanted = network_wanted_new(&message);
	struct firewall_state *built;
	struct error left_out = ERROR_INIT;
	struct tunnel *tunnel;

	assert_int_equal(network_wanted_state(wanted, keep_a, no_link, MAC_A, &built, NULL, NULL),
			 0);
	tunnel = network_wanted_tunnel(wanted, keep_a, MAC_A, built, &local, 4789, &left_out);
	assert_int_equal(left_out.code, 0);
	assert_int_equal(tunnel->network_count, 1);
	assert_int_equal(tunnel->networks[0].vni, 7);
	assert_int_equal(tunnel->networks[0].prefix_count, 3);
	/* Not one of another VPC, of a host that has not said its address, or that is here. */
	assert_int_equal(tunnel->peer_count, 3);
	assert_int_equal(tunnel->host_count, 2);
	assert_int_equal(tunnel->link_count, 3);
	tunnel_free(tunnel);
	firewall_state_free(built);
	network_wanted_free(wanted);
}

static void a_peer_that_cannot_be_reached_is_left_out(void **state)
{
	static const struct {
		const char *address, *host, *error;
	} cases[] = {
		{ "10.0.0.9", "192.0.2.1",
		  "task 10.0.0.9 is not reached: its host says the address 192.0.2.1, which is "
		  "this host's" },
		{ "10.0.0.9", "2001:db8::2",
		  "task 10.0.0.9 is not reached: its host's address 2001:db8::2 and this host's, "
		  "192.0.2.1, are not of one family" },
		{ "10.0.0.7", "192.0.2.3",
		  "task 10.0.0.7 of network 7 on host 192.0.2.3 is not reached: another one of "
		  "the network has its address" },
	};
	const struct ip_address local = { AF_INET, { 192, 0, 2, 1 } };
	const struct tunnel_peer there = { 7,
					   { AF_INET, { 10, 0, 0, 7 } },
					   { AF_INET, { 192, 0, 2, 2 } } };
	const struct tunnel_peer elsewhere = { 8, there.address, there.host };
	struct tunnel *tunnel = tunnel_new(&local, 4789);

	assert_int_equal(tunnel_add_peer(tunnel, &there, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tunnel_peer peer = { .vni = 7 };
		struct error err = ERROR_INIT;

		assert_int_equal(ip_parse(cases[i].address, &peer.address, NULL), 0);
		assert_int_equal(ip_parse(cases[i].host, &peer.host, NULL), 0);
		assert_true(tunnel_add_peer(tunnel, &peer, &err) < 0);
		assert_string_equal(err.text, cases[i].error);
	}
	/* In another network it is another one. */
	assert_int_equal(tunnel_add_peer(tunnel, &elsewhere, NULL), 0);
	assert_int_equal(tunnel->peer_count, 2);
	tunnel_free(tunnel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions_are_a_rule_for_each_other_end),
		cmocka_unit_test(the_tunnel_is_of_the_vpcs_that_have_an_interface_here),
		cmocka_unit_test(a_peer_that_cannot_be_reached_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
