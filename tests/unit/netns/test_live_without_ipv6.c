/* SPDX-License-Identifier: Apache-2.0 */
/* A network with IPv4 and IPv6 on a host that has none of the latter: net-T73. */
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "live.h"
#include "netns/route.h"
#include "netns/sysctl.h"
#include "vxlan_place.h"

#define OFF "net.ipv6.conf.all.disable_ipv6"
#define NEW "net.ipv6.conf.default.disable_ipv6"

/* It has number 4, and of no task a link; 2 and 3 are on the others. */
static struct place_host *const host = &place_hosts[2];

static struct place_map map_of_all(void)
{
	struct place_map map;

	for (int i = 0; i < PLACE_TASKS; i++)
		map.host_of[i] = -1;
	map.host_of[2] = 0;
	map.host_of[3] = 1;
	map.host_of[4] = 2;
	map.rules = NULL;
	return map;
}

struct setting {
	const char *name, *value;
};

static void set_here(void *data)
{
	const struct setting *setting = data;

	assert_int_equal(sysctl_set(setting->name, setting->value, NULL), 0);
}

static void set(const char *name, const char *value)
{
	struct setting setting = { name, value };

	place_host_run(host, set_here, &setting);
}

static void tell(void)
{
	const struct place_map map = map_of_all();
	int r = place_tell(host, &map);

	if (r != 0)
		print_message("%s\n", host->err.text);
	assert_int_equal(r, 0);
}

static bool shows(const char *line)
{
	_cleanup_free_ char *listing = place_host_listing(host);

	return strstr(listing, line) != NULL;
}

static int end(void **state)
{
	struct place_map map = map_of_all();
	_cleanup_free_ char *listing = NULL;

	set(OFF, "0");
	set(NEW, "0");
	map.host_of[4] = -1;
	assert_int_equal(place_tell(host, &map), 0);
	listing = place_host_listing(host);
	assert_string_equal(listing, "");
	return 0;
}

static void assert_half(void)
{
	assert_true(shows("10.0.1.2/32 via 192.0.2.1\n"));
	assert_true(shows("10.0.1.3/32 via 192.0.2.2\n"));
	assert_true(shows("neighbour 192.0.2.1\n"));
	assert_true(shows("drop 10.0.1.0/24\n"));
	assert_false(shows("fd00:1::"));
	assert_false(shows("neighbour fe80:"));
}

static void the_half_of_ipv4_is_there(void **state)
{
	set(OFF, "1");
	tell();
	assert_half();
	/* Again, from what is there. */
	place_host_reset(host);
	tell();
	assert_half();
}

static void the_other_half_comes_and_goes(void **state)
{
	tell();
	assert_true(shows("fd00:1::2/128 via fe80:"));
	set(OFF, "1");
	tell();
	assert_half();
	set(OFF, "0");
	tell();
	assert_true(shows("fd00:1::2/128 via fe80:"));
	assert_true(shows("drop fd00:1::/64\n"));
}

static void new_links_may_be_without(void **state)
{
	set(NEW, "1");
	tell();
	assert_true(shows("fd00:1::3/128 via fe80:"));
}

/* A link that was there before has its addresses' routes in the table, of IPv4. */
static void tell_links(void *data)
{
	const struct ip_address addresses[] = { { AF_INET, { 10, 0, 1, 5 } },
						{ AF_INET6, { 0xfd, 0, 0, 1, [15] = 5 } } };
	const struct vpc_link link = { "lo", PLACE_VNI, addresses, 2 };
	const struct route expected = { .destination = ip_host_prefix(&addresses[0]),
					.link_index = 1,
					.table = vpc_table(PLACE_VNI) };
	struct vpc_rules *rules = vpc_rules_new("another");
	struct netlink *netlink = NULL;
	struct route_list routes = { 0 };
	struct error err = ERROR_INIT;
	int r = vpc_rules_apply(rules, &link, 1, &err);

	if (r != 0)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(route_list_all(netlink, &routes, NULL), 0);
	assert_true(route_list_contains(&routes, &expected));
	route_list_free(&routes);
	netlink_close(netlink);
	assert_int_equal(vpc_rules_apply(rules, NULL, 0, NULL), 0);
	vpc_rules_free(rules);
}

static void links_of_before_are_routed(void **state)
{
	set(OFF, "1");
	place_host_run(host, tell_links, NULL);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_half_of_ipv4_is_there),
		TEST(the_other_half_comes_and_goes),
		TEST(new_links_may_be_without),
		TEST(links_of_before_are_routed),
	};
	int failed;

	place_hosts_enter();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	place_hosts_leave();
	return failed;
}
