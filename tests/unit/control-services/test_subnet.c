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
	char address[SUBNET_ADDRESS_SIZE];

	assert_int_equal(subnet_free_count(subnet), 11);
	assert_string_equal(subnet_gateway(subnet), "10.0.0.17/28");
	assert_string_equal(subnet_dns_server(subnet), "10.0.0.18");
	assert_true(subnet_take(subnet, address));
	assert_string_equal(address, "10.0.0.20");
	for (int i = 1; i < 11; i++)
		assert_true(subnet_take(subnet, address));
	assert_string_equal(address, "10.0.0.30");
	assert_false(subnet_take(subnet, address));
	assert_int_equal(subnet_free_count(subnet), 0);
}

static void a_gateway_of_ones_own_is_not_given_out_either(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = make("10.0.0.0/28", "10.0.0.4");
	char address[SUBNET_ADDRESS_SIZE];

	assert_string_equal(subnet_gateway(subnet), "10.0.0.4/28");
	assert_int_equal(subnet_free_count(subnet), 10);
	assert_true(subnet_take(subnet, address));
	assert_string_equal(address, "10.0.0.5");
}

static void an_address_given_back_comes_last(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = make("10.0.0.0/28", NULL);
	char address[SUBNET_ADDRESS_SIZE];

	assert_true(subnet_take(subnet, address));
	assert_string_equal(address, "10.0.0.4");
	subnet_give_back(subnet, "10.0.0.4");
	subnet_give_back(subnet, "10.0.0.4");
	assert_int_equal(subnet_free_count(subnet), 11);
	for (int i = 0; i < 10; i++) {
		assert_true(subnet_take(subnet, address));
		assert_string_not_equal(address, "10.0.0.4");
	}
	assert_true(subnet_take(subnet, address));
	assert_string_equal(address, "10.0.0.4");
}

static void marked_addresses_are_taken(void **state)
{
	_cleanup_(subnet_free_cleanup) struct subnet *subnet = make("10.0.0.0/28", NULL);
	char address[SUBNET_ADDRESS_SIZE];

	assert_true(subnet_mark(subnet, "10.0.0.5"));
	assert_false(subnet_mark(subnet, "10.0.0.5"));
	assert_false(subnet_mark(subnet, "10.0.0.1"));
	assert_false(subnet_mark(subnet, "10.9.0.5"));
	assert_false(subnet_mark(subnet, "nonsense"));
	for (int i = 0; i < 10; i++) {
		assert_true(subnet_take(subnet, address));
		assert_string_not_equal(address, "10.0.0.5");
	}
	assert_false(subnet_take(subnet, address));
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
		{ "10.0.0.0/24", NULL, "dns", "is not an IPv4 address" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_addresses_are_never_given_out),
		cmocka_unit_test(a_gateway_of_ones_own_is_not_given_out_either),
		cmocka_unit_test(an_address_given_back_comes_last),
		cmocka_unit_test(marked_addresses_are_taken),
		cmocka_unit_test(what_is_no_subnet_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
