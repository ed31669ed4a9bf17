/* SPDX-License-Identifier: Apache-2.0 */
/* Subnets as a state that changes, and what is told of the network. */
#include "control-plane/services/networks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "control-plane/services/network_view.h"
#include "control-plane/services/private.h"
#include "control-plane/services/subnet.h"
#include "control-plane/store/attributes.h"
#include "control-plane/store/security_groups.h"
#include "control-plane/store/vpcs.h"
#include "fixture.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static void add_subnet(struct fixture *fixture, const char *id, const char *vpc, const char *cidr)
{
	const struct vpc_subnet_row row = { .id = TEXT(id), .vpc = TEXT(vpc), .cidr = TEXT(cidr) };
	struct error err = ERROR_INIT;

	fixture_must(vpc_subnet_add(fixture->store, &row, &err), &err);
	fixture_must(networks_changed(fixture->services, &err), &err);
}

static void add_vpc(struct fixture *fixture, const char *id, const char *group)
{
	const struct vpc_row vpc = { .id = TEXT(id), .cidrs = TEXT("10.0.0.0/16") };
	const struct security_group_row row = { TEXT(group), TEXT(id), TEXT("default"), TEXT("d") };
	struct error err = ERROR_INIT;

	fixture_must(vpc_add(fixture->store, &vpc, &err), &err);
	fixture_must(security_group_add(fixture->store, &row, &err), &err);
}

static void the_configured_subnets_are_one_vpc(void **state)
{
	struct fixture *fixture = *state;
	struct vpc_list vpcs = { 0 };
	struct security_group_list groups = { 0 };

	assert_int_equal(vpc_find(fixture->store, NULL, &vpcs, NULL), 0);
	assert_int_equal(vpcs.count, 1);
	assert_string_equal(vpcs.items[0].id, NETWORKS_VPC);
	assert_string_equal(vpcs.items[0].cidrs, "10.1.0.0/16 10.2.0.0/16");
	assert_int_equal(security_group_find(fixture->store, NETWORKS_GROUP, &groups, NULL), 0);
	assert_string_equal(groups.items[0].name, "default");
	assert_int_equal(networks_free_count(fixture->services, "subnet-a"), 11);
	vpc_list_clear(&vpcs);
	security_group_list_clear(&groups);
}

static void what_is_configured_follows_the_options(void **state)
{
	static const struct services_subnet other = { .id = "subnet-b", .cidr = "10.3.0.0/24" };
	struct fixture *fixture = *state;

	add_subnet(fixture, "subnet-made", NETWORKS_VPC, "10.1.1.0/24");
	fixture->config.subnets = &other;
	fixture->config.subnet_count = 1;
	fixture_restart(fixture);
	assert_int_equal(networks_free_count(fixture->services, "subnet-a"), 0);
	assert_int_equal(networks_free_count(fixture->services, "subnet-b"), 251);
	assert_int_equal(networks_free_count(fixture->services, "subnet-made"), 251);
}

static void subnets_that_cannot_be_configured(void **state)
{
	static const struct {
		struct services_subnet subnet;
		const char *error;
	} cases[] = {
		{ { .id = "subnet-made", .cidr = "10.9.0.0/24" },
		  "subnet subnet-made was made by CreateSubnet: give the one of --subnet another "
		  "id" },
		{ { .id = "subnet-b", .cidr = "10.1.1.128/25" },
		  "subnet subnet-b (10.1.1.128/25) overlaps subnet subnet-made (10.1.1.0/24)" },
		{ { .id = "subnet-b", .cidr = "10.1.1.0" },
		  "subnet subnet-b: '10.1.1.0' is not an IPv4 subnet such as 10.0.0.0/24, with a "
		  "prefix of 16 to 28" },
	};
	struct fixture *fixture = *state;

	add_subnet(fixture, "subnet-made", NETWORKS_VPC, "10.1.1.0/24");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct services_config config = fixture->config;
		struct services *services = NULL;
		struct error err = ERROR_INIT;

		config.subnets = &cases[i].subnet;
		config.subnet_count = 1;
		assert_true(services_new(fixture->loop, fixture->store, &config, &services, &err) <
			    0);
		assert_string_equal(err.text, cases[i].error);
	}
}

static void pools_keep_what_they_gave_when_others_come(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc", VPC);
	fixture_task(fixture, "vpc", "subnet-a", NULL);
	add_vpc(fixture, "vpc-2", "sg-2");
	add_subnet(fixture, "subnet-2", "vpc-2", "10.1.0.0/28"); /* the same addresses elsewhere */
	assert_int_equal(networks_free_count(fixture->services, "subnet-a"), 10);
	assert_int_equal(networks_free_count(fixture->services, "subnet-2"), 11);
	assert_string_equal(fixture_task(fixture, "vpc", "subnet-2", NULL)->eni->private_ip,
			    "10.1.0.4");
	fixture_must(vpc_subnet_delete(fixture->store, "subnet-2", &err), &err);
	fixture_must(networks_changed(fixture->services, &err), &err);
	assert_int_equal(networks_free_count(fixture->services, "subnet-2"), 0);
	assert_int_equal(networks_free_count(fixture->services, "subnet-a"), 10);
}

static void a_rollback_takes_a_subnet_back(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;

	services_begin(fixture->services);
	fixture_must(store_begin(fixture->store, &err), &err);
	add_subnet(fixture, "subnet-made", NETWORKS_VPC, "10.1.1.0/24");
	assert_int_equal(networks_free_count(fixture->services, "subnet-made"), 251);
	store_rollback(fixture->store);
	services_rolled_back(fixture->services);
	assert_int_equal(networks_free_count(fixture->services, "subnet-made"), 0);
	assert_int_equal(networks_free_count(fixture->services, "subnet-a"), 11);
}

static void overlaps_are_seen(void **state)
{
	assert_true(subnet_cidrs_overlap("10.0.0.0/24", "10.0.0.128/25"));
	assert_true(subnet_cidrs_overlap("10.0.0.128/25", "10.0.0.0/24"));
	assert_true(subnet_cidrs_overlap("10.0.0.0/24", "10.0.0.0/24"));
	assert_false(subnet_cidrs_overlap("10.0.0.0/25", "10.0.0.128/25"));
	assert_false(subnet_cidrs_overlap("10.0.0.0/16", "10.1.0.0/16"));
	assert_false(subnet_cidrs_overlap("10.0.0.0/16", "nonsense"));
}

/* --- the view */

static void a_task_without_groups_is_in_the_default_one(void **state)
{
	struct fixture *fixture = *state;
	struct task *task;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc", VPC);
	task = fixture_task(fixture, "vpc", "subnet-a", NULL);
	assert_int_equal(task->eni->security_group_count, 1);
	assert_string_equal(task->eni->security_groups[0], NETWORKS_GROUP);
}

static void each_instance_is_told_its_part(void **state)
{
	struct fixture *fixture = *state;
	const char *one = fixture_instance(fixture, ID1), *two = fixture_instance(fixture, ID2);
	struct network_view *view = NULL;
	struct acs_network network;
	struct error err = ERROR_INIT;
	const struct task *tasks[2];
	const struct task *here;
	size_t mine;

	fixture_must(attribute_put(fixture->store, "c", ID2, ACS_NETWORK_ADDRESS, "192.0.2.2",
				   false, &err),
		     &err);
	fixture_definition(fixture, "vpc", VPC);
	tasks[0] = fixture_task(fixture, "vpc", "subnet-a", NULL);
	tasks[1] = fixture_task(fixture, "vpc", "subnet-a", NULL);
	/* Spread over both. */
	mine = strcmp(tasks[0]->instance_arn, one) == 0 ? 0 : 1;
	here = tasks[mine];
	fixture_must(network_view_new(fixture->services, &view, &err), &err);
	network_view_of(view, one, &network);
	assert_int_equal(network.interface_count, 1);
	assert_string_equal(network.interfaces[0].mac_address, here->eni->mac);
	assert_string_equal(network.interfaces[0].groups.items[0], NETWORKS_GROUP);
	assert_int_equal(network.peer_count, 1);
	assert_string_equal(network.peers[0].address, tasks[!mine]->eni->private_ip);
	assert_string_equal(network.peers[0].host, "192.0.2.2");
	assert_int_equal(network.peers[0].vni, 1);
	assert_true(network.subnet_count > 0);
	assert_string_equal(network.subnets[0].id, "subnet-a");
	assert_int_equal(network.subnets[0].vni, 1);
	assert_int_equal(network.subnets[0].cidrs.count, 1);
	assert_int_equal(network.group_count, 1);
	assert_int_equal(network.groups[0].members.count, 2);
	assert_int_equal(network.groups[0].ingress_count, 1);
	assert_int_equal(network.groups[0].egress_count, 1);
	network_view_of(view, two, &network);
	assert_int_equal(network.interface_count, 1);
	assert_string_equal(network.peers[0].address, here->eni->private_ip);
	assert_null(network.peers[0].host);
	network_view_of(view, CLUSTER_ARN, &network);
	assert_int_equal(network.interface_count + network.peer_count + network.group_count +
				 network.subnet_count,
			 0);
	network_view_free(view);
}

/* One peer for each address, one interface with both, and both are members. */
static void both_families_are_told(void **state)
{
	const struct vpc_subnet_row subnets[] = {
		{ .id = TEXT("subnet-both"),
		  .vpc = TEXT(NETWORKS_VPC),
		  .cidr = TEXT("10.1.1.0/24"),
		  .ipv6_cidr = TEXT("fd00:1:2:301::/64") },
		{ .id = TEXT("subnet-six"),
		  .vpc = TEXT(NETWORKS_VPC),
		  .ipv6_cidr = TEXT("fd00:1:2:302::/64") },
	};
	struct fixture *fixture = *state;
	static const char *const ids[] = { ID1, ID2 };
	struct network_view *view = NULL;
	struct acs_network network;
	struct error err = ERROR_INIT;
	const struct task *here, *there, *six;
	size_t of_there = 0;

	for (size_t i = 0; i < 2; i++) {
		fixture_instance(fixture, ids[i]);
		fixture_must(attribute_put(fixture->store, "c", ids[i],
					   "ecs.capability.task-eni.ipv6", NULL, false, &err),
			     &err);
		fixture_must(vpc_subnet_add(fixture->store, &subnets[i], &err), &err);
	}
	fixture_must(networks_changed(fixture->services, &err), &err);
	fixture_definition(fixture, "vpc", VPC);
	/* Spread over both. */
	here = fixture_task(fixture, "vpc", "subnet-both", NULL);
	there = fixture_task(fixture, "vpc", "subnet-both", NULL);
	six = fixture_task(fixture, "vpc", "subnet-six", NULL);
	assert_string_not_equal(here->instance_arn, there->instance_arn);
	assert_string_equal(here->eni->private_ip, "10.1.1.4");
	assert_null(six->eni->private_ip);
	assert_null(six->eni->gateway);
	assert_string_equal(six->eni->ipv6_gateway, "fd00:1:2:302::1/64");
	fixture_must(network_view_new(fixture->services, &view, &err), &err);
	network_view_of(view, here->instance_arn, &network);
	assert_string_equal(network.interfaces[0].mac_address, here->eni->mac);
	assert_int_equal(network.interfaces[0].addresses.count, 2);
	assert_string_equal(network.interfaces[0].addresses.items[0], here->eni->private_ip);
	assert_string_equal(network.interfaces[0].addresses.items[1], here->eni->ipv6);
	assert_int_equal(network.groups[0].members.count, 5);
	for (size_t i = 0; i < network.peer_count; i++)
		of_there += strcmp(network.peers[i].address, there->eni->private_ip) == 0 ||
			    strcmp(network.peers[i].address, there->eni->ipv6) == 0;
	assert_int_equal(of_there, 2);
	network_view_free(view);

	/* After a restart the addresses are still theirs. */
	fixture_restart(fixture);
	assert_int_equal(networks_free_count(fixture->services, "subnet-both"), 249);
	assert_int_equal(networks_free_count(fixture->services, "subnet-six"), 0);
}

/* What is no address is told to nobody: their decoder would refuse the whole message. */
static void an_address_that_is_none_is_left_out(void **state)
{
	struct fixture *fixture = *state;
	const char *one = fixture_instance(fixture, ID1);
	struct network_view *view = NULL;
	struct acs_network network;
	struct error err = ERROR_INIT;

	fixture_instance(fixture, ID2);
	fixture_must(attribute_put(fixture->store, "c", ID2, ACS_NETWORK_ADDRESS, "host.example",
				   false, &err),
		     &err);
	fixture_definition(fixture, "vpc", VPC);
	fixture_task(fixture, "vpc", "subnet-a", NULL);
	fixture_task(fixture, "vpc", "subnet-a", NULL);
	fixture_must(network_view_new(fixture->services, &view, &err), &err);
	network_view_of(view, one, &network);
	assert_int_equal(network.peer_count, 1);
	assert_null(network.peers[0].host);
	network_view_free(view);
}

/* Of a file from before groups meant anything. */
static void a_task_that_was_kept_without_groups_gets_the_default_one(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;
	struct task *task;
	size_t cursor = 0;

	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc", VPC);
	task = fixture_task(fixture, "vpc", "subnet-a", NULL);
	free(task->eni->security_groups[0]);
	task->eni->security_group_count = 0;
	fixture_must(services_write_task(fixture->services, task, &err), &err);
	fixture_restart(fixture);
	task = services_next_task(fixture->services, &cursor);
	assert_int_equal(task->eni->security_group_count, 1);
	assert_string_equal(task->eni->security_groups[0], NETWORKS_GROUP);
}

static void rules_of_the_same_traffic_are_one_permission(void **state)
{
	struct fixture *fixture = *state;
	const char *one = fixture_instance(fixture, ID1);
	struct network_view *view = NULL;
	struct acs_network network;
	struct error err = ERROR_INIT;
	const char *const targets[] = { "10.0.0.0/8", "::/0", NETWORKS_GROUP, "11.0.0.0/8" };

	fixture_definition(fixture, "vpc", VPC);
	fixture_task(fixture, "vpc", "subnet-a", NULL);
	for (size_t i = 0; i < 4; i++) {
		_cleanup_free_ char *id = vpc_resource_id("sgr");
		const struct security_rule_row rule = { .id = id,
							.group = TEXT(NETWORKS_GROUP),
							.protocol = TEXT("tcp"),
							.from_port = 80,
							.to_port = i == 3 ? 81 : 80,
							.target = TEXT(targets[i]) };

		fixture_must(security_rule_add(fixture->store, &rule, &err), &err);
	}
	fixture_must(network_view_new(fixture->services, &view, &err), &err);
	network_view_of(view, one, &network);
	assert_int_equal(network.groups[0].ingress_count, 3); /* and what it began with */
	assert_int_equal(network.groups[0].ingress[1].cidrs.count, 2);
	assert_int_equal(network.groups[0].ingress[1].groups.count, 1);
	assert_int_equal(network.groups[0].ingress[2].to_port, 81);
	network_view_free(view);
}

static void who_announced_nothing_is_known(void **state)
{
	struct fixture *fixture = *state;
	const char *one = fixture_instance(fixture, ID1);
	struct error err = ERROR_INIT;
	bool announced = true;

	fixture_must(network_is_announced(fixture->services, one, &announced, &err), &err);
	assert_false(announced);
	fixture_must(
		attribute_put(fixture->store, "c", ID1, ACS_NETWORK_CAPABILITY, NULL, false, &err),
		&err);
	fixture_must(network_is_announced(fixture->services, one, &announced, &err), &err);
	assert_true(announced);
}

/* --- when it is told */

struct told {
	int networks;
	int tasks_before; /* task_changed before any network_changed */
};

static void told_network(void *data)
{
	((struct told *)data)->networks++;
}

static void told_task(void *data, struct task *task)
{
	struct told *told = data;

	told->tasks_before += told->networks == 0;
}

static void changes_of_one_turn_are_told_once_and_first(void **state)
{
	static const struct services_outlet outlet = { .task_changed = told_task,
						       .network_changed = told_network };
	struct fixture *fixture = *state;
	struct told told = { 0 };
	struct task *task;

	services_set_outlet(fixture->services, &outlet, &told);
	fixture_instance(fixture, ID1);
	fixture_definition(fixture, "vpc", VPC);
	fixture_definition(fixture, "web", WEB);
	task = fixture_task(fixture, "vpc", "subnet-a", NULL);
	fixture_task(fixture, "vpc", "subnet-a", NULL);
	add_subnet(fixture, "subnet-made", NETWORKS_VPC, "10.1.1.0/24");
	assert_int_equal(told.networks, 0);
	fixture_turn(fixture);
	assert_int_equal(told.networks, 1);
	assert_int_equal(told.tasks_before, 0);
	fixture_turn(fixture);
	fixture_task(fixture, "web", NULL, NULL); /* has no interface */
	fixture_turn(fixture);
	assert_int_equal(told.networks, 1);
	fixture_submit_state(fixture, task, "STOPPED");
	fixture_turn(fixture);
	assert_int_equal(told.networks, 2);
	services_set_outlet(fixture->services, NULL, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_configured_subnets_are_one_vpc),
		TEST(what_is_configured_follows_the_options),
		TEST(subnets_that_cannot_be_configured),
		TEST(pools_keep_what_they_gave_when_others_come),
		TEST(a_rollback_takes_a_subnet_back),
		TEST(overlaps_are_seen),
		TEST(a_task_without_groups_is_in_the_default_one),
		TEST(each_instance_is_told_its_part),
		TEST(both_families_are_told),
		TEST(an_address_that_is_none_is_left_out),
		TEST(a_task_that_was_kept_without_groups_gets_the_default_one),
		TEST(rules_of_the_same_traffic_are_one_permission),
		TEST(who_announced_nothing_is_known),
		TEST(changes_of_one_turn_are_told_once_and_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
