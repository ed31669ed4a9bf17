/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_mesh.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "wire/task.h"

#define TASK(more)                                                                                 \
	"{\"arn\":\"arn:aws:ecs:r:1:task/c/t1\",\"desiredStatus\":\"RUNNING\",\"networkMode\":"    \
	"\"awsvpc\",\"containers\":[{\"name\":\"envoy\",\"image\":\"i\"}]" more "}"

static struct task_spec *task_of(const char *text)
{
	struct task_spec *task = NULL;
	struct error err = ERROR_INIT;

	if (task_spec_decode_text(text, strlen(text), &task, &err) < 0)
		fail_msg("%s", err.text);
	return task;
}

/* The plugins behind the first one, as text. */
static char *added(const struct task_spec *task)
{
	char *conflist = xstrdup("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":"
				 "\"ecs-eni\"}]}");
	_cleanup_json_ json_t *list = NULL;
	json_t *plugins;
	char *text;

	assert_int_equal(mesh_extend_conflist(task, &conflist, NULL), 0);
	list = json_loads(conflist, 0, NULL);
	free(conflist);
	plugins = json_object_get(list, "plugins");
	assert_string_equal(json_string_value(json_object_get(json_array_get(plugins, 0), "type")),
			    "ecs-eni");
	json_array_remove(plugins, 0);
	text = json_dump_sorted(plugins);
	return text;
}

static void expect_added(const char *more, const char *expected)
{
	_cleanup_free_ char *text =
		xasprintf("{\"arn\":\"arn:aws:ecs:r:1:task/c/t1\",\"desiredStatus\":\"RUNNING\","
			  "\"networkMode\":\"awsvpc\",\"containers\":[{\"name\":\"envoy\","
			  "\"image\":\"i\"}]%s}",
			  more);
	struct task_spec *task = task_of(text);
	_cleanup_free_ char *found = added(task);

	assert_string_equal(found, expected);
	task_spec_unref(task);
}

#define PROXY(properties)                                                                          \
	",\"proxyConfiguration\":{\"type\":\"APPMESH\",\"containerName\":\"envoy\","               \
	"\"properties\":{" properties "}}"

static void a_task_without_a_proxy_has_no_more_plugins(void **state)
{
	expect_added("", "[]");
}

static void lists_are_split_and_the_endpoints_are_never_proxied(void **state)
{
	expect_added(
		PROXY("\"IgnoredUID\":\"1337\",\"IgnoredGID\":\"\",\"ProxyIngressPort\":\"15000\","
		      "\"ProxyEgressPort\":\"15001\",\"AppPorts\":\"80, 8080,,\","
		      "\"EgressIgnoredPorts\":\"22\",\"EgressIgnoredIPs\":\" 10.0.0.0/8 ,"
		      "169.254.170.2 \",\"Other\":\"x\""),
		"[{\"appPorts\":[\"80\",\"8080\"],\"capabilities\":{\"leaveToNetns\":true},"
		"\"egressIgnoredIPs\":[\"10.0.0.0/8\","
		"\"169.254.170.2\",\"169.254.169.254\"],\"egressIgnoredPorts\":[\"22\"],"
		"\"ignoredUID\":\"1337\",\"proxyEgressPort\":\"15001\",\"proxyIngressPort\":"
		"\"15000\",\"type\":\"aws-appmesh\"}]");
}

static void what_is_missing_is_left_to_the_plugin_to_judge(void **state)
{
	expect_added(PROXY(""),
		     "[{\"appPorts\":[],\"capabilities\":{\"leaveToNetns\":true},"
		     "\"egressIgnoredIPs\":[\"169.254.170.2\","
		     "\"169.254.169.254\"],\"egressIgnoredPorts\":[],\"type\":\"aws-appmesh\"}]");
}

static void an_operators_list_must_be_one(void **state)
{
	struct task_spec *task = task_of(TASK(PROXY("")));
	char *conflist = xstrdup("{\"type\":\"ecs-eni\"}");
	struct error err = ERROR_INIT;

	assert_int_equal(mesh_extend_conflist(task, &conflist, &err), -EINVAL);
	assert_string_equal(err.text, "the CNI configuration has no list of plugins");
	free(conflist);
	task_spec_unref(task);
}

#define SERVICE(mode, container, config)                                                           \
	"{\"arn\":\"arn:aws:ecs:r:1:task/c/t1\",\"desiredStatus\":\"RUNNING\",\"networkMode\":"    \
	"\"" mode "\",\"containers\":[{\"name\":\"app\",\"image\":\"i\"},{\"name\":\"sc\","        \
	"\"image\":\"i\"}],\"attachments\":[{\"attachmentType\":\"serviceconnectdetail\","         \
	"\"attachmentProperties\":[{\"name\":\"ContainerName\",\"value\":\"" container             \
	"\"},{\"name\":\"ServiceConnectConfig\",\"value\":\"" config "\"}]}]"

#define ENI(addresses)                                                                             \
	",\"elasticNetworkInterfaces\":[{\"ec2Id\":\"eni-1\",\"macAddress\":"                      \
	"\"0a:00:00:00:00:01\",\"subnetGatewayIpv4Address\":\"10.0.0.1/24\"," addresses "}]}"
#define IPV4 "\"ipv4Addresses\":[{\"primary\":true,\"privateAddress\":\"10.0.0.5\"}]"
#define IPV6 "\"ipv6Addresses\":[{\"address\":\"fd00::5\"}]"

#define INGRESS                                                                                    \
	"\\\"ingressConfig\\\":[{\\\"listenerName\\\":\\\"i\\\",\\\"listenerPort\\\":15000,"       \
	"\\\"interceptPort\\\":8080},{\\\"listenerName\\\":\\\"j\\\",\\\"listenerPort\\\":15010}]"
#define EGRESS(vip)                                                                                \
	"\\\"egressConfig\\\":{\\\"listenerName\\\":\\\"e\\\",\\\"listenerPort\\\":15001,"         \
	"\\\"vip\\\":{" vip "}}"
#define VIP4 "\\\"ipv4Cidr\\\":\\\"10.255.0.0/16\\\""
#define VIP6 "\\\"ipv6Cidr\\\":\\\"fd00:ec2::/64\\\""

static void the_relay_of_an_awsvpc_task_is_met_by_nat(void **state)
{
	struct task_spec *task = task_of(
		SERVICE("awsvpc", "sc", "{" INGRESS "," EGRESS(VIP4 "," VIP6) "}") ENI(IPV4));
	_cleanup_free_ char *found = added(task);

	assert_string_equal(found,
			    "[{\"capabilities\":{\"leaveToNetns\":true},\"egressConfig\":{"
			    "\"listenerPort\":15001,\"redirectMode\":\"nat\","
			    "\"vip\":{\"ipv4Cidr\":\"10.255.0.0/16\",\"ipv6Cidr\":"
			    "\"fd00:ec2::/64\"}},\"enableIPv4\":true,\"enableIPv6\":false,"
			    "\"ingressConfig\":[{\"interceptPort\":8080,\"listenerPort\":15000},"
			    "{\"listenerPort\":15010}],\"type\":\"ecs-serviceconnect\"}]");
	task_spec_unref(task);
}

static void families_are_those_of_the_task_and_of_its_virtual_addresses(void **state)
{
	struct task_spec *task =
		task_of(SERVICE("awsvpc", "sc", "{" EGRESS(VIP6) "}") ENI(IPV4 "," IPV6));
	char *found = added(task), *conflist = xstrdup("{\"plugins\":[]}");
	struct error err = ERROR_INIT;

	assert_non_null(strstr(found, "\"enableIPv4\":false,\"enableIPv6\":true"));
	free(found);
	task_spec_unref(task);
	task = task_of(SERVICE("awsvpc", "sc", "{" INGRESS "}") ENI(IPV4 "," IPV6));
	found = added(task);
	assert_non_null(strstr(found, "\"enableIPv4\":true,\"enableIPv6\":true"));
	free(found);
	task_spec_unref(task);
	task = task_of(SERVICE("awsvpc", "sc", "{" EGRESS(VIP6) "}") ENI(IPV4));
	assert_int_equal(mesh_extend_conflist(task, &conflist, &err), -EINVAL);
	assert_non_null(strstr(err.text, "of a family that the task's interface has not"));
	free(conflist);
	task_spec_unref(task);
}

#define BRIDGE_LIST(plugin)                                                                        \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"service-connect\",\"plugins\":[{\"type\":"           \
	"\"ecs-serviceconnect\",\"capabilities\":{\"leaveToNetns\":true}," plugin "}]}"

static char *bridge_list(const struct task_spec *task, size_t index,
			 const struct mesh_bridge *bridge)
{
	char *conflist = NULL;

	assert_int_equal(mesh_bridge_conflist(task, index, bridge, &conflist, NULL), 0);
	return conflist;
}

static void containers_of_a_bridge_task_have_a_route_to_the_relay(void **state)
{
	const struct mesh_bridge of_app = { .address = "172.29.0.3",
					    .relay_address = "172.29.0.2" };
	const struct mesh_bridge of_relay = { .address = "172.29.0.2" };
	const struct mesh_bridge unknown = { .address = "172.29.0.3" };
	struct task_spec *task =
		task_of(SERVICE("bridge", "sc", "{" INGRESS "," EGRESS(VIP4) "}") "}");
	_cleanup_free_ char *app = bridge_list(task, 0, &of_app);
	_cleanup_free_ char *relay = bridge_list(task, 1, &of_relay);
	struct error err = ERROR_INIT;
	char *none;

	assert_string_equal(app, BRIDGE_LIST("\"enableIPv4\":"
					     "true,\"enableIPv6\":false,\"egressConfig\":{"
					     "\"redirectIP\":{\"ipv4\":\"172.29.0.2\"},"
					     "\"redirectMode\":\"tproxy\",\"vip\":{"
					     "\"ipv4Cidr\":\"10.255.0.0/16\"}}"));
	assert_string_equal(relay, BRIDGE_LIST("\"enableIPv4\":true,\"enableIPv6\":false,"
					       "\"ingressConfig\":[{"
					       "\"listenerPort\":15000,\"interceptPort\":8080},{"
					       "\"listenerPort\":15010}],\"egressConfig\":{"
					       "\"listenerPort\":15001,\"redirectMode\":"
					       "\"tproxy\",\"vip\":{\"ipv4Cidr\":"
					       "\"10.255.0.0/16\"}}"));
	assert_int_equal(mesh_bridge_conflist(task, 0, &unknown, &none, &err), -EINVAL);
	assert_string_equal(err.text, "the virtual addresses of Service Connect are of a family "
				      "that the task's network has not");
	task_spec_unref(task);
	/* Without an egress there is nothing for the others. */
	task = task_of(SERVICE("bridge", "sc", "{" INGRESS "}") "}");
	assert_null(bridge_list(task, 0, &unknown));
	task_spec_unref(task);
}

/* Whoever has made it. */
static void families_of_a_bridge_task_are_those_of_its_network(void **state)
{
	static const char *const v4 = "172.29.0.2", *const v6 = "fd00:29::2";
	static const struct {
		struct mesh_bridge of_app, of_relay;
		const char *enabled, *relay;
	} cases[] = {
		{ { v4, NULL, v4, NULL },
		  { v4, NULL, NULL, NULL },
		  "\"enableIPv4\":true,\"enableIPv6\":false",
		  "\"redirectIP\":{\"ipv4\":\"172.29.0.2\"}" },
		{ { v4, v6, v4, v6 },
		  { v4, v6, NULL, NULL },
		  "\"enableIPv4\":true,\"enableIPv6\":true",
		  "\"redirectIP\":{\"ipv4\":\"172.29.0.2\",\"ipv6\":\"fd00:29::2\"}" },
		{ { NULL, v6, NULL, v6 },
		  { NULL, v6, NULL, NULL },
		  "\"enableIPv4\":false,\"enableIPv6\":true",
		  "\"redirectIP\":{\"ipv6\":\"fd00:29::2\"}" },
	};
	struct task_spec *task =
		task_of(SERVICE("bridge", "sc", "{" EGRESS(VIP4 "," VIP6) "}") "}");
	struct task_spec *other = task_of(SERVICE("bridge", "sc", "{" EGRESS(VIP6) "}") "}");
	char *none;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *app = bridge_list(task, 0, &cases[i].of_app);
		_cleanup_free_ char *relay = bridge_list(task, 1, &cases[i].of_relay);

		assert_non_null(strstr(app, cases[i].enabled));
		assert_non_null(strstr(app, cases[i].relay));
		assert_non_null(strstr(relay, cases[i].enabled));
	}
	assert_int_equal(mesh_bridge_conflist(other, 1, &cases[0].of_relay, &none, NULL), -EINVAL);
	task_spec_unref(task);
	task_spec_unref(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_without_a_proxy_has_no_more_plugins),
		cmocka_unit_test(lists_are_split_and_the_endpoints_are_never_proxied),
		cmocka_unit_test(what_is_missing_is_left_to_the_plugin_to_judge),
		cmocka_unit_test(an_operators_list_must_be_one),
		cmocka_unit_test(the_relay_of_an_awsvpc_task_is_met_by_nat),
		cmocka_unit_test(families_are_those_of_the_task_and_of_its_virtual_addresses),
		cmocka_unit_test(containers_of_a_bridge_task_have_a_route_to_the_relay),
		cmocka_unit_test(families_of_a_bridge_task_are_those_of_its_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
