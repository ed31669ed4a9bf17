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

static char *added_to_bridge(const struct task_spec *task, size_t index, const char *relay)
{
	const struct mesh_bridge bridge = { .relay_address = relay };
	char *conflist = xstrdup("{\"plugins\":[]}");

	assert_int_equal(mesh_extend_bridge(task, index, &bridge, &conflist, NULL), 0);
	return conflist;
}

static void containers_of_a_bridge_task_have_a_route_to_the_relay(void **state)
{
	struct task_spec *task =
		task_of(SERVICE("bridge", "sc", "{" INGRESS "," EGRESS(VIP4) "}") "}");
	_cleanup_free_ char *app = added_to_bridge(task, 0, "172.29.0.2");
	_cleanup_free_ char *relay = added_to_bridge(task, 1, NULL);
	const struct mesh_bridge unknown = { 0 };
	struct error err = ERROR_INIT;

	assert_string_equal(app, "{\"plugins\":[{\"type\":\"ecs-serviceconnect\",\"capabilities\":{"
				 "\"leaveToNetns\":true},\"enableIPv4\":"
				 "true,\"enableIPv6\":false,\"egressConfig\":{\"redirectIP\":{"
				 "\"ipv4\":\"172.29.0.2\"},\"redirectMode\":\"tproxy\",\"vip\":{"
				 "\"ipv4Cidr\":\"10.255.0.0/16\"}}}]}");
	assert_string_equal(relay, "{\"plugins\":[{\"type\":\"ecs-serviceconnect\","
				   "\"capabilities\":{\"leaveToNetns\":true},"
				   "\"enableIPv4\":true,\"enableIPv6\":false,\"ingressConfig\":[{"
				   "\"listenerPort\":15000,\"interceptPort\":8080},{"
				   "\"listenerPort\":15010}],\"egressConfig\":{\"listenerPort\":"
				   "15001,\"redirectMode\":\"tproxy\",\"vip\":{\"ipv4Cidr\":"
				   "\"10.255.0.0/16\"}}}]}");
	free(app);
	app = xstrdup("{\"plugins\":[]}");
	assert_int_equal(mesh_extend_bridge(task, 0, &unknown, &app, &err), -EINVAL);
	assert_string_equal(err.text, "the relay of Service Connect has no address of the family "
				      "of its virtual addresses");
	task_spec_unref(task);
	/* Without an egress there is nothing for the others. */
	task = task_of(SERVICE("bridge", "sc", "{" INGRESS "}") "}");
	free(app);
	app = added_to_bridge(task, 0, NULL);
	assert_string_equal(app, "{\"plugins\":[]}");
	task_spec_unref(task);
	task = task_of(SERVICE("bridge", "sc", "{" EGRESS(VIP6) "}") "}");
	assert_int_equal(mesh_extend_bridge(task, 1, &unknown, &app, &err), -EINVAL);
	task_spec_unref(task);
}

static void a_bridge_with_ipv6_leads_both_families(void **state)
{
	const struct mesh_bridge both = { .has_ipv6 = true,
					  .relay_address = "172.29.0.2",
					  .relay_ipv6 = "fd00:29::2" };
	const struct mesh_bridge own = { .has_ipv6 = true };
	struct task_spec *task =
		task_of(SERVICE("bridge", "sc", "{" EGRESS(VIP4 "," VIP6) "}") "}");
	char *app = xstrdup("{\"plugins\":[]}"), *relay = xstrdup(app);

	assert_int_equal(mesh_extend_bridge(task, 0, &both, &app, NULL), 0);
	assert_int_equal(mesh_extend_bridge(task, 1, &own, &relay, NULL), 0);
	assert_non_null(strstr(app, "\"enableIPv4\":true,\"enableIPv6\":true"));
	assert_non_null(strstr(app, "\"redirectIP\":{\"ipv4\":\"172.29.0.2\",\"ipv6\":"
				    "\"fd00:29::2\"}"));
	assert_non_null(strstr(relay, "\"enableIPv4\":true,\"enableIPv6\":true"));
	free(app);
	free(relay);
	task_spec_unref(task);
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
		cmocka_unit_test(a_bridge_with_ipv6_leads_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
