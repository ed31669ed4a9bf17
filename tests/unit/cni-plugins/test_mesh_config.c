/* SPDX-License-Identifier: Apache-2.0 */
/* The configurations of aws-appmesh and ecs-serviceconnect: what is read, and each refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cni-plugins/appmesh.h"
#include "cni-plugins/serviceconnect.h"

static const char *no_environment(void *data, const char *name)
{
	return NULL;
}

static struct cni_request request_of(json_t *value)
{
	return (struct cni_request){ .command = CNI_COMMAND_ADD,
				     .netns_fd = -1,
				     .config = json_root(value) };
}

struct refusal {
	const char *config;
	const char *text;
};

static void expect_refusals(const struct refusal *all, size_t count,
			    int (*read)(const struct cni_request *request, struct cni_error *err))
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_json_ json_t *value = json_loads(all[i].config, 0, NULL);
		const struct cni_request request = request_of(value);
		struct cni_error err = { 0 };
		int r;

		assert_non_null(value);
		r = read(&request, &err);
		if (r == 0 || !strstr(err.text, all[i].text))
			print_message("%s\nsaid: %s\n", all[i].config, err.text);
		assert_int_equal(r, -1);
		assert_int_equal(err.code, CNI_INVALID_CONFIG);
		assert_non_null(strstr(err.text, all[i].text));
	}
}

static int read_appmesh(const struct cni_request *request, struct cni_error *err)
{
	struct appmesh_config config;
	int r = appmesh_config_read(request, &config, err);

	appmesh_config_free(&config);
	return r;
}

static int read_serviceconnect(const struct cni_request *request, struct cni_error *err)
{
	struct serviceconnect_config config;
	int r = serviceconnect_config_read(request, &config, err);

	serviceconnect_config_free(&config);
	return r;
}

#define GOOD "\"ignoredUID\":\"1337\",\"proxyEgressPort\":\"15001\""

static void appmesh_is_refused_with_a_reason(void **state)
{
	static const struct refusal all[] = {
		{ "{\"proxyEgressPort\":\"15001\"}", "ignoredUID or ignoredGID" },
		{ "{\"ignoredUID\":\"\",\"ignoredGID\":\"\",\"proxyEgressPort\":\"1\"}",
		  "ignoredUID or ignoredGID" },
		{ "{\"ignoredUID\":\"root\",\"proxyEgressPort\":\"1\"}", "ignoredUID: " },
		{ "{\"ignoredUID\":\"-1\",\"proxyEgressPort\":\"1\"}", "ignoredUID: " },
		{ "{\"ignoredUID\":4294967295,\"proxyEgressPort\":\"1\"}", "ignoredUID: " },
		{ "{\"ignoredGID\":1.5,\"proxyEgressPort\":\"1\"}",
		  "ignoredGID: must be a whole number" },
		{ "{\"ignoredGID\":[1],\"proxyEgressPort\":\"1\"}", "ignoredGID: " },
		{ "{\"ignoredUID\":\"1\"}", "proxyEgressPort: it is missing" },
		{ "{\"ignoredUID\":\"1\",\"proxyEgressPort\":\"\"}",
		  "proxyEgressPort: it is missing" },
		{ "{\"ignoredUID\":\"1\",\"proxyEgressPort\":\"0\"}", "proxyEgressPort: " },
		{ "{\"ignoredUID\":\"1\",\"proxyEgressPort\":65536}", "proxyEgressPort: " },
		{ "{\"ignoredUID\":\"1\",\"proxyEgressPort\":\"15001x\"}", "proxyEgressPort: " },
		{ "{" GOOD ",\"proxyIngressPort\":\"15000\"}", "appPorts: " },
		{ "{" GOOD ",\"proxyIngressPort\":\"15000\",\"appPorts\":[\"\"]}", "appPorts: " },
		{ "{" GOOD ",\"appPorts\":[\"80\"]}", "proxyIngressPort: " },
		{ "{" GOOD ",\"appPorts\":\"80\"}", "appPorts: must be an array" },
		{ "{" GOOD ",\"proxyIngressPort\":1,\"appPorts\":[\"80\",\"\"]}", "appPorts[1]: " },
		{ "{" GOOD ",\"egressIgnoredPorts\":[\"22\",\"http\"]}",
		  "egressIgnoredPorts[1]: " },
		{ "{" GOOD ",\"egressIgnoredPorts\":[0]}", "egressIgnoredPorts[0]: " },
		{ "{" GOOD ",\"egressIgnoredIPs\":[\"10.0.0.0/33\"]}", "egressIgnoredIPs[0]: " },
		{ "{" GOOD ",\"egressIgnoredIPs\":[\"10.0.0.1\",\"host\"]}",
		  "egressIgnoredIPs[1]: " },
		{ "{" GOOD ",\"egressIgnoredIPs\":[7]}", "egressIgnoredIPs[0]: must be a string" },
		{ "{" GOOD ",\"enableIPv6\":\"yes\"}", "enableIPv6: must be" },
	};

	expect_refusals(all, sizeof(all) / sizeof(all[0]), read_appmesh);
}

static void appmesh_takes_strings_and_numbers(void **state)
{
	_cleanup_json_ json_t *value = json_loads(
		"{\"ignoredUID\":\"0\",\"ignoredGID\":4294967294,\"proxyIngressPort\":1.5e+04,"
		"\"proxyEgressPort\":\"15001\",\"appPorts\":[\"80\",8.08e+03],"
		"\"egressIgnoredPorts\":[\"\"],\"egressIgnoredIPs\":[\" 10.1.2.3 \",\"fd00::/8\"],"
		"\"enableIPv6\":null,\"other\":{}}",
		0, NULL);
	const struct cni_request request = request_of(value);
	const struct proxy_redirect *redirect;
	struct appmesh_config config;

	assert_int_equal(appmesh_config_read(&request, &config, NULL), 0);
	redirect = &config.redirect;
	assert_true(redirect->has_uid && redirect->has_gid && !redirect->ipv6);
	assert_int_equal(redirect->uid, 0);
	assert_int_equal(redirect->gid, 4294967294);
	assert_int_equal(redirect->ingress_port, 15000);
	assert_int_equal(redirect->egress_port, 15001);
	assert_int_equal(redirect->app_port_count, 2);
	assert_int_equal(redirect->app_ports[1], 8080);
	assert_int_equal(redirect->ignored_port_count, 0);
	assert_int_equal(redirect->ignored_count, 2);
	assert_int_equal(redirect->ignored[0].length, 32);
	assert_int_equal(redirect->ignored[1].length, 8);
	assert_int_equal(redirect->ignored[1].address.family, AF_INET6);
	appmesh_config_free(&config);
}

#define V4      "\"enableIPv4\":true"
#define EGRESS  V4 ",\"egressConfig\":"
#define VIP     "\"vip\":{\"ipv4Cidr\":\"10.255.0.0/16\"}"
#define NAT     "\"redirectMode\":\"nat\",\"listenerPort\":1"
#define INGRESS V4 ",\"ingressConfig\":"

static void serviceconnect_is_refused_with_a_reason(void **state)
{
	static const struct refusal all[] = {
		{ "{}", "enableIPv4 or enableIPv6" },
		{ "{\"enableIPv4\":false,\"enableIPv6\":null}", "enableIPv4 or enableIPv6" },
		{ "{\"enableIPv4\":1}", "enableIPv4: must be" },
		{ "{" V4 "}", "ingressConfig or egressConfig" },
		{ "{" INGRESS "[]}", "ingressConfig or egressConfig" },
		{ "{" INGRESS "{}}", "ingressConfig: must be an array" },
		{ "{" INGRESS "[1]}", "ingressConfig[0]: must be an object" },
		{ "{" INGRESS "[{\"interceptPort\":80}]}",
		  "ingressConfig[0]: listenerPort: it is missing" },
		{ "{" INGRESS "[{\"listenerPort\":0}]}",
		  "ingressConfig[0]: listenerPort: it is missing" },
		{ "{" INGRESS "[{\"listenerPort\":65536}]}", "ingressConfig[0].listenerPort: " },
		{ "{" INGRESS "[{\"listenerPort\":1,\"interceptPort\":-1}]}",
		  "ingressConfig[0].interceptPort: " },
		{ "{" INGRESS "[{\"listenerPort\":1,\"interceptPort\":1.5}]}",
		  "ingressConfig[0].interceptPort: must be a whole number" },
		{ "{" INGRESS "[{\"listenerPort\":1,\"interceptPort\":80},{\"listenerPort\":2,"
		  "\"interceptPort\":80}]}",
		  "ingressConfig[1]: interceptPort: it is there twice" },
		{ "{" EGRESS "[]}", "egressConfig: must be an object" },
		{ "{" EGRESS "{" NAT "}}", "vip" },
		{ "{" EGRESS "{" NAT ",\"vip\":{}}}", "egressConfig.vip" },
		{ "{" EGRESS "{" NAT ",\"vip\":{\"ipv4Cidr\":\"10.255.0.0\"}}}",
		  "egressConfig.vip.ipv4Cidr: " },
		{ "{" EGRESS "{" NAT ",\"vip\":{\"ipv4Cidr\":\"fd00::/8\"}}}",
		  "egressConfig.vip.ipv4Cidr: it is of the other family" },
		{ "{\"enableIPv6\":true,\"egressConfig\":{" NAT "," VIP "}}", "ipv6Cidr" },
		{ "{" EGRESS "{\"listenerPort\":1," VIP "}}", "redirectMode" },
		{ "{" EGRESS "{\"listenerPort\":1,\"redirectMode\":\"bpf\"," VIP "}}",
		  "egressConfig.redirectMode: must be" },
		{ "{" EGRESS "{\"redirectMode\":\"nat\"," VIP "}}",
		  "egressConfig: needs either listenerPort or redirectIP" },
		{ "{" EGRESS "{" NAT ",\"redirectIP\":{\"ipv4\":\"10.0.0.1\"}," VIP "}}",
		  "egressConfig: needs either listenerPort or redirectIP" },
		{ "{" EGRESS "{\"redirectMode\":\"nat\",\"redirectIP\":{\"ipv4\":\"10.0.0.1\"}," VIP
		  "}}",
		  "egressConfig: listenerPort: redirectMode nat needs it" },
		{ "{" EGRESS "{\"redirectMode\":\"tproxy\",\"redirectIP\":{}," VIP "}}",
		  "egressConfig.redirectIP" },
		{ "{" EGRESS "{\"redirectMode\":\"tproxy\",\"redirectIP\":{\"ipv4\":\"x\"}," VIP
		  "}}",
		  "egressConfig.redirectIP.ipv4: " },
		{ "{" EGRESS "{\"redirectMode\":\"tproxy\",\"redirectIP\":{\"ipv4\":\"::1\"}," VIP
		  "}}",
		  "egressConfig.redirectIP.ipv4: it is no address of a relay" },
	};

	expect_refusals(all, sizeof(all) / sizeof(all[0]), read_serviceconnect);
}

static void ports_without_intercept_need_no_rule(void **state)
{
	_cleanup_json_ json_t *value = json_loads(
		"{" INGRESS "[{\"listenerPort\":15000,\"interceptPort\":80},{\"listenerPort\":"
		"15010},{\"listenerPort\":15020,\"interceptPort\":0}],\"egressConfig\":null}",
		0, NULL);
	const struct cni_request request = request_of(value);
	struct serviceconnect_config config;

	assert_int_equal(serviceconnect_config_read(&request, &config, NULL), 0);
	assert_int_equal(config.redirect.egress, SERVICE_EGRESS_NONE);
	assert_int_equal(config.redirect.port_count, 1);
	assert_int_equal(config.ports[0].intercept, 80);
	assert_int_equal(config.ports[0].listener, 15000);
	serviceconnect_config_free(&config);
}

/* The agents that ask for capabilities take an empty object from these two. */
static void neither_says_a_capability(void **state)
{
	static const struct cni_plugin *const plugins[] = { &appmesh_plugin,
							    &serviceconnect_plugin };
	char *argv[] = { "plugin", "--capabilities", NULL };

	for (size_t i = 0; i < 2; i++) {
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);
		const struct cni_world world = {
			.get_env = no_environment, .in = -1, .out = out, .about = out
		};

		assert_int_equal(cni_run(plugins[i], &world, 2, argv), 0);
		fclose(out);
		assert_string_equal(text, "{}\n");
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appmesh_is_refused_with_a_reason),
		cmocka_unit_test(appmesh_takes_strings_and_numbers),
		cmocka_unit_test(serviceconnect_is_refused_with_a_reason),
		cmocka_unit_test(ports_without_intercept_need_no_rule),
		cmocka_unit_test(neither_says_a_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
