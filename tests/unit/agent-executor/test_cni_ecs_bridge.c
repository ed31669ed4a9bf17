/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_ecs_bridge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"

#define MAC "02:1f:00:a0:b1:c2"
#define BRIDGE                                                                                     \
	"{\"cniVersion\":\"0.3.0\",\"name\":\"awsvpc\",\"plugins\":[{\"type\":\"ecs-bridge\","     \
	"\"bridge\":\"ecs-bridge\",\"isGateway\":false,\"isDefaultGateway\":false,"                \
	"\"forceAddress\":false,\"ipMasq\":false,\"mtu\":0,\"hairpinMode\":false,"                 \
	"\"capabilities\":"                                                                        \
	"{\"leaveToNetns\":true},\"ipam\":"

static void assert_conflist(char *text, const char *expected)
{
	_cleanup_free_ char *owned = text;
	_cleanup_json_ json_t *is = json_loads(owned, 0, NULL);
	_cleanup_json_ json_t *wanted = json_loads(expected, 0, NULL);

	assert_non_null(wanted);
	if (!json_equal(is, wanted))
		print_message("it is: %s\n", owned);
	assert_true(json_equal(is, wanted));
}

/* Key by key, as Amazon's agent has it. */
static void it_is_made_with_a_way_to_the_agent_and_to_the_hosts_networks(void **state)
{
	static const char *const routes[] = { "10.44.0.0/16", "10.45.0.0/16" };

	assert_conflist(ecs_bridge_conflist(&(struct ecs_bridge_request){
				.id = MAC, .routes = routes, .route_count = 2 }),
			BRIDGE "{\"type\":\"ecs-ipam\",\"id\":\"" MAC
			       "\",\"ipv4-subnet\":\"169.254.172.0/22\",\"ipv4-routes\":"
			       "[{\"dst\":\"169.254.170.2/32\"},{\"dst\":\"10.44.0.0/16\"},"
			       "{\"dst\":\"10.45.0.0/16\"}]}}]}");
}

static void its_address_is_kept_when_it_goes_and_given_back_later(void **state)
{
	assert_conflist(ecs_bridge_conflist_detach(), BRIDGE "{}}]}");
	assert_conflist(ecs_bridge_conflist_release(MAC),
			"{\"cniVersion\":\"0.3.0\",\"name\":\"awsvpc\",\"plugins\":[{\"type\":"
			"\"ecs-ipam\",\"ipam\":{\"type\":\"ecs-ipam\",\"id\":\"" MAC
			"\",\"ipv4-subnet\":\"169.254.172.0/22\"}}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_made_with_a_way_to_the_agent_and_to_the_hosts_networks),
		cmocka_unit_test(its_address_is_kept_when_it_goes_and_given_back_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
