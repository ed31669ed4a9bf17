/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent finds out of the host's network, in networks of the test's own. */
#include "agent/ecs/host.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_ipv6_only(char *setting)
{
	char *environment[] = { "AWS_REGION=us-west-2", setting, NULL };
	struct agent_config *config = NULL;
	struct host_resources host = { 0 };

	assert_int_equal(config_load(environment, NULL, &config, NULL, NULL), 0);
	assert_int_equal(host_resources_read(config, &host, NULL), 0);
	host_resources_free(&host);
	config_free(config);
	return host.ipv6_only;
}

#define DETECTED "A=b"

/* Two ends, over which both families reach a gateway. */
static int set_up(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	return system("ip link add way1 type veth peer name way2 && "
		      "ip link set way1 up && ip link set way2 up && "
		      "ip addr add 10.99.1.9/24 dev way1 && ip addr add 10.99.2.9/24 dev way2 && "
		      "ip addr add fd99:1::9/64 dev way1 nodad && "
		      "ip addr add fd99:2::9/64 dev way2 nodad");
}

static void a_host_of_ipv6_alone_is_told_by_its_default_routes(void **state)
{
	assert_false(is_ipv6_only(DETECTED));
	assert_int_equal(system("ip -6 route add default via fd99:1::1"), 0);
	assert_true(is_ipv6_only(DETECTED));
	assert_false(is_ipv6_only("ECS_INSTANCE_IP_COMPATIBILITY=ipv4"));
	/* Nothing that leads out: no gateway. */
	assert_int_equal(system("ip route add default dev way1"), 0);
	assert_true(is_ipv6_only(DETECTED));
	assert_int_equal(system("ip route replace default via 10.99.1.1"), 0);
	assert_false(is_ipv6_only(DETECTED));
	assert_true(is_ipv6_only("ECS_INSTANCE_IP_COMPATIBILITY=ipv6"));
}

static void a_default_route_that_leads_several_ways_is_one(void **state)
{
	assert_int_equal(system("ip -6 route add default nexthop via fd99:1::1 dev way1 "
				"nexthop via fd99:2::1 dev way2"),
			 0);
	assert_true(is_ipv6_only(DETECTED));
	assert_int_equal(system("ip route add default nexthop via 10.99.1.1 dev way1 "
				"nexthop via 10.99.2.1 dev way2"),
			 0);
	assert_false(is_ipv6_only(DETECTED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_host_of_ipv6_alone_is_told_by_its_default_routes, set_up),
		cmocka_unit_test_setup(a_default_route_that_leads_several_ways_is_one, set_up),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: it needs root, and a network of its own\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
