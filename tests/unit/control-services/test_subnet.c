/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/subnet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct subnet *make(const char *cidr, const char *gateway)
{
	const struct subnet_config config = { .id = "subnet-t", .cidr = cidr, .gateway = gateway };
	struct subnet *subnet = NULL;
	struct error err = ERROR_INIT;

	if (subnet_new(&config, &subnet, &err) < 0)
		fail_msg("%s", err.text);
	return subnet;
}

static void five_addresses_are_never_given_out(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = make("10.0.0.16/28", NULL);
	struct subnet_addresses got;

	assert_int_equal(subnet_free_count(subnet), 11);
	assert_string_equal(subnet_gateway(subnet), "10.0.0.17/28");
	assert_string_equal(subnet_dns_server(subnet), "10.0.0.18");
	assert_true(subnet_take(subnet, &got));
	assert_string_equal(got.ipv4, "10.0.0.20");
	for (int i = 1; i < 11; i++)
		assert_true(subnet_take(subnet, &got));
	assert_string_equal(got.ipv4, "10.0.0.30");
	assert_false(subnet_take(subnet, &got));
	assert_int_equal(subnet_free_count(subnet), 0);
}

static void a_gateway_of_ones_own_is_not_given_out_either(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = make("10.0.0.0/28", "10.0.0.4");
	struct subnet_addresses got;

	assert_string_equal(subnet_gateway(subnet), "10.0.0.4/28");
	assert_int_equal(subnet_free_count(subnet), 10);
	assert_true(subnet_take(subnet, &got));
	assert_string_equal(got.ipv4, "10.0.0.5");
}

static void an_address_given_back_comes_last(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = make("10.0.0.0/28", NULL);
	struct subnet_addresses got;

	assert_true(subnet_take(subnet, &got));
	assert_string_equal(got.ipv4, "10.0.0.4");
	subnet_give_back(subnet, "10.0.0.4", NULL);
	subnet_give_back(subnet, "10.0.0.4", NULL);
	assert_int_equal(subnet_free_count(subnet), 11);
	for (int i = 0; i < 10; i++) {
		assert_true(subnet_take(subnet, &got));
		assert_string_not_equal(got.ipv4, "10.0.0.4");
	}
	assert_true(subnet_take(subnet, &got));
	assert_string_equal(got.ipv4, "10.0.0.4");
}

static void marked_addresses_are_taken(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = make("10.0.0.0/28", NULL);
	struct subnet_addresses got;

	assert_true(subnet_mark(subnet, "10.0.0.5", NULL));
	assert_false(subnet_mark(subnet, "10.0.0.5", NULL));
	assert_false(subnet_mark(subnet, "10.0.0.1", NULL));
	assert_false(subnet_mark(subnet, "10.9.0.5", NULL));
	assert_false(subnet_mark(subnet, "nonsense", NULL));
	for (int i = 0; i < 10; i++) {
		assert_true(subnet_take(subnet, &got));
		assert_string_not_equal(got.ipv4, "10.0.0.5");
	}
	assert_false(subnet_take(subnet, &got));
	subnet_reset(subnet);
	assert_int_equal(subnet_free_count(subnet), 11);
}

static void what_is_no_subnet_is_refused(void **state)
{
	static const struct {
		const char *cidr, *gateway, *dns, *part;
	} table[] = {
		{ "10.0.0.0", NULL, NULL, "is not an IPv4 subnet" },
		{ "10.0.0.0/", NULL, NULL, "is not an IPv4 subnet" },
		{ "10.0.0.0/29", NULL, NULL, "is not an IPv4 subnet" },
		{ "10.0.0.0/8", NULL, NULL, "is not an IPv4 subnet" },
		{ "10.0.0/24", NULL, NULL, "is not an IPv4 subnet" },
		{ "fd00::/24", NULL, NULL, "is not an IPv4 subnet" },
		{ "10.0.0.1/24", NULL, NULL, "host bits" },
		{ "10.0.0.0/24", "10.0.1.1", NULL, "not an address inside" },
		{ "10.0.0.0/24", "10.0.0.0", NULL, "not an address inside" },
		{ "10.0.0.0/24", "10.0.0.255", NULL, "not an address inside" },
		{ "10.0.0.0/24", NULL, "dns", "is not an IP address" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct subnet_config config = { .id = "subnet-t",
						      .cidr = table[i].cidr,
						      .gateway = table[i].gateway,
						      .dns_server = table[i].dns };
		struct subnet *subnet = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(subnet_new(&config, &subnet, &err), -EINVAL);
		if (!strstr(err.text, table[i].part) || !strstr(err.text, "subnet-t"))
			fail_msg("%s: %s", table[i].cidr, err.text);
	}
}

static struct subnet *make_of(const char *ipv4, const char *ipv6, const char *dns)
{
	const struct subnet_config config = {
		.id = "subnet-t", .cidr = ipv4, .ipv6_cidr = ipv6, .dns_server = dns
	};
	struct subnet *subnet = NULL;
	struct error err = ERROR_INIT;

	if (subnet_new(&config, &subnet, &err) < 0)
		fail_msg("%s", err.text);
	return subnet;
}

static void a_dual_stack_subnet_gives_both_families(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet =
		make_of("10.0.0.0/28", "fd00:1:2:3::/64", NULL);
	struct subnet_addresses got, other;

	assert_string_equal(subnet_gateway(subnet), "10.0.0.1/28");
	assert_string_equal(subnet_ipv6_gateway(subnet), "fd00:1:2:3::1/64");
	assert_string_equal(subnet_dns_server(subnet), "10.0.0.2");
	assert_true(subnet_take(subnet, &got) && subnet_take(subnet, &other));
	assert_string_equal(got.ipv4, "10.0.0.4");
	assert_int_equal(strncmp(got.ipv6, "fd00:1:2:3:", 11), 0);
	assert_string_not_equal(got.ipv6, other.ipv6);
	assert_int_equal(subnet_free_count(subnet), 9);
	subnet_give_back(subnet, got.ipv4, got.ipv6);
	assert_int_equal(subnet_free_count(subnet), 10);
	/* Each is taken once; and one without the other does not hold a task. */
	assert_true(subnet_mark(subnet, got.ipv4, got.ipv6));
	assert_false(subnet_mark(subnet, "10.0.0.9", got.ipv6));
	assert_false(subnet_mark(subnet, NULL, NULL));
}

static void a_subnet_of_ipv6_alone_has_room_for_all(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet =
		make_of(NULL, "2001:db8:0:1::/64", NULL);
	struct subnet_addresses got;

	assert_null(subnet_gateway(subnet));
	assert_string_equal(subnet_cidr(subnet), "2001:db8:0:1::/64");
	assert_string_equal(subnet_dns_server(subnet), "2001:db8:0:1::2");
	assert_int_equal(subnet_free_ipv4_count(subnet), 0);
	for (int i = 0; i < 1000; i++) {
		assert_true(subnet_take(subnet, &got));
		assert_string_equal(got.ipv4, "");
		assert_int_equal(strncmp(got.ipv6, "2001:db8:0:1:", 13), 0);
	}
	assert_false(subnet_mark(subnet, "10.0.0.4", NULL));
	assert_false(subnet_mark(subnet, NULL, got.ipv6));
	subnet_reset(subnet);
	assert_true(subnet_mark(subnet, NULL, got.ipv6));
}

static void reserved_ipv6_addresses_are_no_tasks(void **state)
{
	static const char *const reserved[] = { "fd00::",        "fd00::1",
						"fd00::3",       "fd00::ffff:ffff:ffff:ffff",
						"fd00:0:0:1::4", "10.0.0.4",
						"nonsense" };
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = make_of(NULL, "fd00::/64", NULL);

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		assert_false(subnet_mark(subnet, NULL, reserved[i]));
	assert_true(subnet_mark(subnet, NULL, "fd00::4"));
	/* However it is written. */
	assert_false(subnet_mark(subnet, NULL, "fd00:0:0:0:0:0:0:4"));
}

static void the_ipv6_block_of_a_subnet_can_change(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet =
		make_of("10.0.0.0/28", NULL, "fd00::53");
	struct subnet_addresses got;
	struct error err = ERROR_INIT;

	assert_null(subnet_ipv6_gateway(subnet));
	assert_string_equal(subnet_dns_server(subnet), "fd00::53");
	assert_int_equal(subnet_set_ipv6(subnet, "fd00:5:6:7::/64", &err), 0);
	assert_true(subnet_take(subnet, &got));
	assert_int_equal(strncmp(got.ipv6, "fd00:5:6:7:", 11), 0);
	/* The same again forgets nothing. */
	assert_int_equal(subnet_set_ipv6(subnet, "fd00:5:6:7::/64", &err), 0);
	assert_false(subnet_mark(subnet, NULL, got.ipv6));
	assert_int_equal(subnet_set_ipv6(subnet, NULL, &err), 0);
	assert_true(subnet_take(subnet, &got));
	assert_string_equal(got.ipv6, "");
	assert_int_equal(subnet_set_ipv6(subnet, "fd00::/48", &err), -EINVAL);
}

static void what_is_no_ipv6_subnet_is_refused(void **state)
{
	static const struct {
		struct subnet_config config;
		const char *part;
	} table[] = {
		{ { .ipv6_cidr = "fd00::/48" }, "is not an IPv6 subnet" },
		{ { .ipv6_cidr = "fd00::" }, "is not an IPv6 subnet" },
		{ { .ipv6_cidr = "10.0.0.0/24" }, "is not an IPv6 subnet" },
		{ { .ipv6_cidr = "fd00::1/64" }, "host bits" },
		{ { .ipv6_cidr = "fd00::/64", .gateway = "fd00::9" }, "is for IPv4 only" },
		{ { .ipv6_cidr = NULL }, "neither an IPv4 nor an IPv6" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct subnet_config config = table[i].config;
		struct subnet *subnet = NULL;
		struct error err = ERROR_INIT;

		config.id = "subnet-t";
		assert_int_equal(subnet_new(&config, &subnet, &err), -EINVAL);
		if (!strstr(err.text, table[i].part) || !strstr(err.text, "subnet-t"))
			fail_msg("%s", err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_addresses_are_never_given_out),
		cmocka_unit_test(a_gateway_of_ones_own_is_not_given_out_either),
		cmocka_unit_test(an_address_given_back_comes_last),
		cmocka_unit_test(marked_addresses_are_taken),
		cmocka_unit_test(what_is_no_subnet_is_refused),
		cmocka_unit_test(a_dual_stack_subnet_gives_both_families),
		cmocka_unit_test(a_subnet_of_ipv6_alone_has_room_for_all),
		cmocka_unit_test(reserved_ipv6_addresses_are_no_tasks),
		cmocka_unit_test(the_ipv6_block_of_a_subnet_can_change),
		cmocka_unit_test(what_is_no_ipv6_subnet_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
