/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_bridge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"

static void ports_go_to_whoever_can_publish_them(void **state)
{
	static const struct port_binding bindings[] = {
		{ .container_port = 80, .host_port = 49153, .count = 1 },
		{ .container_port = 53, .host_port = 5000, .count = 2, .protocol = TRANSPORT_UDP },
	};
	_cleanup_free_ char *plain = bridge_conflist(&(struct bridge_request){
		.bridge = "berth0",
		.subnet = "172.29.0.0/16",
		.container_id = "t-app-1",
		.endpoint = "169.254.170.2",
	});
	_cleanup_free_ char *text = bridge_conflist_publish(plain, bindings, 2);
	_cleanup_free_ char *unpublished = bridge_conflist_publish(plain, NULL, 0);
	_cleanup_json_ json_t *list = json_loads(text, 0, NULL);
	json_t *plugins = json_object_get(list, "plugins");
	json_t *bridge = json_array_get(plugins, 0), *portmap = json_array_get(plugins, 1);
	_cleanup_free_ char *mappings =
		json_dump_compact(json_object_get(portmap, "runtimeConfig"));

	assert_string_equal(json_string_value(json_object_get(bridge, "bridge")), "berth0");
	assert_null(json_object_get(bridge, "runtimeConfig"));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(bridge, "loopback-addresses"), 0)),
		"169.254.170.2/32");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(bridge, "ipam"), "id")),
		"t-app-1");
	assert_string_equal(mappings,
			    "{\"portMappings\":["
			    "{\"hostPort\":49153,\"containerPort\":80,\"protocol\":\"tcp\"},"
			    "{\"hostPort\":5000,\"containerPort\":53,\"protocol\":\"udp\"},"
			    "{\"hostPort\":5001,\"containerPort\":54,\"protocol\":\"udp\"}]}");
	assert_string_equal(unpublished, plain);
}

static void ipv6_is_asked_for_where_it_is_configured(void **state)
{
	static const char *const subnets[] = { NULL, "", "fd00:172:29::/64" };

	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *text = bridge_conflist(&(struct bridge_request){
			.bridge = "berth0",
			.subnet = "172.29.0.0/16",
			.ipv6_subnet = subnets[i],
			.container_id = "t-app-1",
			.endpoint = "169.254.170.2",
		});
		_cleanup_json_ json_t *list = json_loads(text, 0, NULL);
		json_t *bridge = json_array_get(json_object_get(list, "plugins"), 0);
		json_t *ipam = json_object_get(bridge, "ipam");

		assert_string_equal(json_string_value(json_object_get(ipam, "ipv4-subnet")),
				    "172.29.0.0/16");
		if (i < 2)
			assert_null(json_object_get(ipam, "ipv6-subnet"));
		else
			assert_string_equal(json_string_value(json_object_get(ipam, "ipv6-subnet")),
					    subnets[i]);
	}
}

static void what_is_no_configuration_stays_none(void **state)
{
	assert_null(bridge_conflist_publish("{", NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_go_to_whoever_can_publish_them),
		cmocka_unit_test(ipv6_is_asked_for_where_it_is_configured),
		cmocka_unit_test(what_is_no_configuration_stays_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
