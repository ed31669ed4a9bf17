/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/network/wanted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool keep_all(void *data, const char *mac)
{
	return true;
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

	assert_int_equal(network_wanted_state(wanted, keep_all, NULL, &built, NULL, NULL), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions_are_a_rule_for_each_other_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
