/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void addresses_and_prefixes_are_read_and_written(void **state)
{
	static const char *const good[] = { "10.0.1.37/24", "0.0.0.0/0",         "169.254.170.2/32",
					    "fd00::5/64",   "fd00:ec2::254/128", "::/0" };
	char text[IP_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct ip_prefix prefix;

		assert_int_equal(ip_prefix_parse(good[i], &prefix, NULL), 0);
		assert_string_equal(ip_prefix_format(&prefix, text), good[i]);
	}
}

static void what_is_no_prefix_is_refused_with_a_sentence(void **state)
{
	static const char *const bad[] = { "",
					   "10.0.1.37",
					   "10.0.1.37/",
					   "10.0.1.37/33",
					   "10.0.1/24",
					   "10.0.1.37/a",
					   "10.0.1.37/-1",
					   "fd00::/129",
					   "fd00:::1/64",
					   "10.0.1.37/24/1",
					   "/24",
					   " 10.0.1.37/24",
					   "10.0.1.37/24 " };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ip_prefix prefix = { .length = 99 };
		struct error err = ERROR_INIT;

		assert_int_equal(ip_prefix_parse(bad[i], &prefix, &err), -EINVAL);
		assert_int_equal(prefix.length, 99);
		assert_non_null(strstr(err.text, "is not an address with a prefix length"));
	}
}

static void a_mac_is_six_octets_of_one_device(void **state)
{
	static const char *const bad[] = { "",
					   "02:1f:00:a0:b1",
					   "02:1f:00:a0:b1:c2:d3",
					   "02-1f-00-a0-b1-c2",
					   "02:1f:00:a0:b1:cg",
					   "2:1f:00:a0:b1:c2",
					   "01:1f:00:a0:b1:c2",
					   "ff:ff:ff:ff:ff:ff",
					   "00:00:00:00:00:00" };
	struct mac_address mac;
	char text[MAC_TEXT_SIZE];

	assert_int_equal(mac_parse("02:1F:00:a0:b1:c2", &mac, NULL), 0);
	assert_string_equal(mac_format(&mac, text), "02:1f:00:a0:b1:c2");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(mac_parse(bad[i], &mac, &err), -EINVAL);
		assert_true(err.text[0] != '\0');
	}
}

static void a_links_name_is_what_linux_allows(void **state)
{
	static const char *const good[] = { "a", "berth0", "br.1", ".hidden", "fifteen-bytes-x" };
	static const char *const bad[] = { "",    ".",   "..",  "sixteen-bytes-xx",
					   "a/b", "a:b", "a b", "a\n" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(ifname_is_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ifname_is_valid(bad[i]));
}

static void a_prefix_contains_its_addresses(void **state)
{
	struct ip_prefix prefix, network;
	struct ip_address inside, outside, other_family;
	char text[IP_TEXT_SIZE];

	ip_prefix_parse("10.0.5.37/22", &prefix, NULL);
	ip_parse("10.0.7.255", &inside, NULL);
	ip_parse("10.0.8.0", &outside, NULL);
	ip_parse("fd00::1", &other_family, NULL);

	assert_true(ip_prefix_contains(&prefix, &inside));
	assert_false(ip_prefix_contains(&prefix, &outside));
	assert_false(ip_prefix_contains(&prefix, &other_family));
	network = ip_prefix_network(&prefix);
	assert_string_equal(ip_prefix_format(&network, text), "10.0.4.0/22");
}

static void what_many_have_or_nobody_is_not_unicast(void **state)
{
	static const char *const not_unicast[] = {
		"0.0.0.0", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "ff02::1"
	};
	static const char *const unicast[] = { "10.0.0.1", "169.254.170.2", "223.255.255.255",
					       "fe80::1", "fd00::" };
	struct ip_address address;

	for (size_t i = 0; i < sizeof(not_unicast) / sizeof(not_unicast[0]); i++) {
		ip_parse(not_unicast[i], &address, NULL);
		assert_false(ip_is_unicast(&address));
	}
	for (size_t i = 0; i < sizeof(unicast) / sizeof(unicast[0]); i++) {
		ip_parse(unicast[i], &address, NULL);
		assert_true(ip_is_unicast(&address));
	}
}

static void next_carries_over_and_wraps(void **state)
{
	static const char *const pairs[][2] = {
		{ "10.0.0.255", "10.0.1.0" },
		{ "9.255.255.255", "10.0.0.0" },
		{ "255.255.255.255", "0.0.0.0" },
		{ "fd00::ffff:ffff", "fd00::1:0:0" },
	};
	char text[IP_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct ip_address address;

		ip_parse(pairs[i][0], &address, NULL);
		address = ip_next(&address);
		assert_string_equal(ip_format(&address, text), pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_prefixes_are_read_and_written),
		cmocka_unit_test(what_is_no_prefix_is_refused_with_a_sentence),
		cmocka_unit_test(a_mac_is_six_octets_of_one_device),
		cmocka_unit_test(a_links_name_is_what_linux_allows),
		cmocka_unit_test(a_prefix_contains_its_addresses),
		cmocka_unit_test(what_many_have_or_nobody_is_not_unicast),
		cmocka_unit_test(next_carries_over_and_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
