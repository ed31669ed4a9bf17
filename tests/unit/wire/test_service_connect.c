/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/service_connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "quoted.h"

/* Members of a task in `mode` with a container "sc" and the attachment, whose config is JSON within
 * JSON. */
static char *members(const char *mode, const char *container, const char *config)
{
	_cleanup_free_ char *plain = quoted(config);
	_cleanup_strbuf_ struct strbuf escaped = STRBUF_INIT;

	strbuf_append_json(&escaped, plain);
	return xasprintf(
		"'networkMode':'%s','containers':[{'name':'sc'}],'attachments':[{'attachmentType':"
		"'serviceconnectdetail','attachmentProperties':[{'name':'ContainerName','value':'%"
		"s'},"
		"{'name':'ServiceConnectConfig','value':%s}]}]",
		mode, container, escaped.data);
}

#define EGRESS                                                                                     \
	"'egressConfig':{'listenerName':'e','listenerPort':15000,'vip':{'ipv4Cidr':'127.255.0.0/"  \
	"16'}}"

static void usable_ones_are_taken(void **state)
{
	static const char *const configs[] = {
		"{" EGRESS "}",
		"{'ingressConfig':[{'listenerName':'i','listenerPort':0},{'listenerName':'j','"
		"listenerPort':0}]}",
		"{" EGRESS
		",'ingressConfig':[{'listenerName':'i','listenerPort':8080,'interceptPort':9000}],"
		"'dnsConfig':[{'hostName':'web.test','address':'127.255.0.1'},{'hostName':'b','"
		"address':'fd00::1'}]}",
		"{'egressConfig':{'listenerName':'e','vip':{'ipv6Cidr':'fd00::/64'}}}",
	};

	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		_cleanup_free_ char *task = members("awsvpc", "sc", configs[i]);
		_cleanup_(task_spec_unref_cleanup) struct task_spec *spec = task_with(task);

		assert_int_equal(spec->attachment_count, 1);
	}
}

static void all_of_it_is_read(void **state)
{
	_cleanup_free_ char *task =
		members("bridge", "sc",
			"{" EGRESS ",'ingressConfig':[{'listenerName':'i','listenerPort':8080,"
			"'interceptPort':9000,'hostPort':0},{'listenerName':'j','hostPort':32000}],"
			"'dnsConfig':[{'hostName':'web.test','address':'127.255.0.1'}]}");
	_cleanup_(task_spec_unref_cleanup) struct task_spec *spec = task_with(task);
	const struct service_connect_spec *found = spec->service_connect;

	assert_non_null(found);
	assert_string_equal(found->container, "sc");
	assert_int_equal(found->ingress_count, 2);
	assert_string_equal(found->ingress[0].listener, "i");
	assert_int_equal(found->ingress[0].listener_port, 8080);
	assert_int_equal(found->ingress[0].intercept_port, 9000);
	assert_int_equal(found->ingress[1].listener_port, 0);
	assert_int_equal(found->ingress[1].intercept_port, 0);
	assert_int_equal(found->ingress[1].host_port, 32000);
	assert_string_equal(found->egress_listener, "e");
	assert_int_equal(found->egress_port, 15000);
	assert_string_equal(found->virtual_ipv4, "127.255.0.0/16");
	assert_null(found->virtual_ipv6);
	assert_int_equal(found->name_count, 1);
	assert_string_equal(found->names[0].host, "web.test");
	assert_string_equal(found->names[0].address, "127.255.0.1");
}

#define CONFIG "service connect: ServiceConnectConfig: "

static void others_are_refused(void **state)
{
	static const struct {
		const char *mode;
		const char *container;
		const char *config;
		const char *error;
	} cases[] = {
		{ "awsvpc", "nobody", "{" EGRESS "}",
		  "service connect: the task has no container named 'nobody'" },
		{ "awsvpc", "", "{" EGRESS "}",
		  "service connect: the attachment has no ContainerName" },
		{ "awsvpc", "sc", "{}", CONFIG "has neither ingressConfig nor egressConfig" },
		{ "awsvpc", "sc", "[]", CONFIG "must be an object, got an array" },
		{ "host", "sc", "{'ingressConfig':[{'listenerPort':80}]}",
		  CONFIG "ingressConfig: needs network mode bridge or awsvpc, the task has host" },
		{ "awsvpc", "sc", "{'ingressConfig':[{'listenerPort':80},{'listenerPort':80}]}",
		  CONFIG "ingressConfig[1].listenerPort: port 80 is there twice" },
		{ "awsvpc", "sc", "{'ingressConfig':[{'listenerPort':65536}]}",
		  CONFIG "ingressConfig[0].listenerPort: must be between 0 and 65535, got 65536" },
		{ "awsvpc", "sc", "{'ingressConfig':[{'interceptPort':0}]}",
		  CONFIG "ingressConfig[0].interceptPort: must be between 1 and 65535, got 0" },
		{ "awsvpc", "sc", "{'egressConfig':{'vip':{}}}",
		  CONFIG "egressConfig: listenerName is missing" },
		{ "awsvpc", "sc", "{'egressConfig':{'listenerName':'e'}}",
		  CONFIG "egressConfig: vip is missing" },
		{ "awsvpc", "sc",
		  "{'egressConfig':{'listenerName':'e','vip':{'ipv4Cidr':'1.2.3.4'}}}",
		  CONFIG "egressConfig.vip: ipv4Cidr: '1.2.3.4' is no IPv4 network" },
		{ "awsvpc", "sc",
		  "{'egressConfig':{'listenerName':'e','vip':{'ipv6Cidr':'fd00::/129'}}}",
		  CONFIG "egressConfig.vip: ipv6Cidr: 'fd00::/129' is no IPv6 network" },
		{ "awsvpc", "sc", "{" EGRESS ",'dnsConfig':[{'hostName':'h','address':'x'}]}",
		  CONFIG "dnsConfig[0]: address: 'x' is no IP address" },
		{ "awsvpc", "sc",
		  "{" EGRESS ",'dnsConfig':[{'hostName':'a b','address':'1.2.3.4'}]}",
		  CONFIG "dnsConfig[0]: hostName: 'a b' is no name" },
		{ "awsvpc", "sc", "{" EGRESS ",'dnsConfig':[{'address':'1.2.3.4'}]}",
		  CONFIG "dnsConfig[0]: hostName is missing" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *task =
			members(cases[i].mode, cases[i].container, cases[i].config);
		_cleanup_free_ char *expected = quoted(cases[i].error);

		assert_string_equal(task_error(task), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usable_ones_are_taken),
		cmocka_unit_test(all_of_it_is_read),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
