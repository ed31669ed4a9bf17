/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "control-plane/store/security_groups.h"
#include "control-plane/store/vpcs.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static int open_memory(void **state)
{
	const struct store_config config = { ":memory:", "us-west-2", "123456789012" };

	return store_open(&config, (struct store **)state, NULL);
}

static int close_memory(void **state)
{
	store_close(*state);
	return 0;
}

static void add_vpc(struct store *store, const char *id)
{
	const struct vpc_row row = { .id = TEXT(id), .cidrs = TEXT("10.0.0.0/16") };

	assert_int_equal(vpc_add(store, &row, NULL), 0);
}

static void add_group(struct store *store, const char *id, const char *name)
{
	const struct security_group_row row = { TEXT(id), TEXT("vpc-a"), TEXT(name), TEXT("d") };

	assert_int_equal(security_group_add(store, &row, NULL), 0);
}

static void ids_have_seventeen_digits(void **state)
{
	_cleanup_free_ char *one = vpc_resource_id("sg");
	_cleanup_free_ char *two = vpc_resource_id("sg");

	assert_int_equal(strlen(one), strlen("sg-") + 17);
	assert_int_equal(strspn(one + 3, "0123456789abcdef"), 17);
	assert_string_not_equal(one, two);
}

static void each_vpc_has_a_number_of_its_own(void **state)
{
	struct store *store = *state;
	struct vpc_list vpcs = { 0 };

	add_vpc(store, "vpc-a");
	add_vpc(store, "vpc-b");
	assert_int_equal(vpc_find(store, NULL, &vpcs, NULL), 0);
	assert_int_equal(vpcs.count, 2);
	assert_int_equal(vpcs.items[0].vni, 1);
	assert_int_equal(vpcs.items[1].vni, 2);
	vpc_list_clear(&vpcs);
	assert_int_equal(vpc_delete(store, "vpc-b", NULL), 0);
	add_vpc(store, "vpc-c");
	assert_int_equal(vpc_find(store, "vpc-c", &vpcs, NULL), 0);
	assert_int_equal(vpcs.items[0].vni, 3);
	vpc_list_clear(&vpcs);
}

static void the_built_in_subnets_come_first(void **state)
{
	struct store *store = *state;
	struct vpc_subnet_list subnets = { 0 };

	add_vpc(store, "vpc-a");
	for (int i = 0; i < 2; i++) {
		const struct vpc_subnet_row row = { .id = TEXT(i ? "subnet-own" : "subnet-made"),
						    .vpc = TEXT("vpc-a"),
						    .cidr = TEXT("10.0.0.0/24"),
						    .zone = i ? NULL : TEXT("z"),
						    .built_in = i };

		assert_int_equal(vpc_subnet_add(store, &row, NULL), 0);
	}
	assert_int_equal(vpc_subnet_find(store, NULL, &subnets, NULL), 0);
	assert_string_equal(subnets.items[0].id, "subnet-own");
	assert_null(subnets.items[0].zone);
	assert_string_equal(subnets.items[1].zone, "z");
	vpc_subnet_list_clear(&subnets);
}

static void a_group_begins_with_the_rules_of_its_kind(void **state)
{
	struct store *store = *state;
	struct security_rule_list rules = { 0 };
	_cleanup_free_ char *id = NULL;

	add_vpc(store, "vpc-a");
	assert_int_equal(security_group_default(store, "vpc-a", &id, NULL), -ENOENT);
	add_group(store, "sg-default", "default");
	add_group(store, "sg-web", "web");
	assert_int_equal(security_rule_find(store, "sg-web", &rules, NULL), 0);
	assert_int_equal(rules.count, 1);
	assert_true(rules.items[0].egress);
	assert_string_equal(rules.items[0].target, "0.0.0.0/0");
	security_rule_list_clear(&rules);
	assert_int_equal(security_rule_find(store, "sg-default", &rules, NULL), 0);
	assert_int_equal(rules.count, 2);
	assert_false(rules.items[1].egress);
	assert_string_equal(rules.items[1].target, "sg-default");
	security_rule_list_clear(&rules);
	assert_int_equal(security_group_default(store, "vpc-a", &id, NULL), 0);
	assert_string_equal(id, "sg-default");
}

static void nothing_is_there_twice(void **state)
{
	struct store *store = *state;
	const struct security_group_row group = { TEXT("sg-2"), TEXT("vpc-a"), TEXT("web"),
						  TEXT("d") };
	struct security_rule_row rule = { .id = TEXT("sgr-1"),
					  .group = TEXT("sg-1"),
					  .protocol = TEXT("tcp"),
					  .from_port = 80,
					  .to_port = 80,
					  .target = TEXT("10.0.0.0/8") };

	add_vpc(store, "vpc-a");
	add_group(store, "sg-1", "web");
	assert_int_equal(security_group_add(store, &group, NULL), -EEXIST);
	assert_int_equal(security_rule_add(store, &rule, NULL), 0);
	rule.id = TEXT("sgr-2");
	assert_int_equal(security_rule_add(store, &rule, NULL), -EEXIST);
	rule.egress = true;
	assert_int_equal(security_rule_add(store, &rule, NULL), 0);
}

static void rules_go_with_their_group(void **state)
{
	struct store *store = *state;
	struct security_rule_list rules = { 0 };

	add_vpc(store, "vpc-a");
	add_group(store, "sg-1", "web");
	assert_int_equal(security_group_delete(store, "sg-1", NULL), 0);
	assert_int_equal(security_rule_find(store, NULL, &rules, NULL), 0);
	assert_int_equal(rules.count, 0);
	security_rule_list_clear(&rules);
	assert_int_equal(vpc_delete(store, "vpc-a", NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_memory, close_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ids_have_seventeen_digits),
		TEST(each_vpc_has_a_number_of_its_own),
		TEST(the_built_in_subnets_come_first),
		TEST(a_group_begins_with_the_rules_of_its_kind),
		TEST(nothing_is_there_twice),
		TEST(rules_go_with_their_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
