/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of ecs-tunnel: what is read, and each refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "cni-plugins/task_tunnel.h"

/* Of members named twice the last one counts. */
#define GOOD                                                                                       \
	"\"destinationIPAddress\":\"192.0.2.9\",\"vni\":\"1a2b3c\",\"destinationPort\":\"6081\","  \
	"\"primary\":true,\"ipAddresses\":[\"169.254.175.252/31\"],"                               \
	"\"gatewayIPAddress\":\"169.254.175.253\",\"interfaceType\":\"geneve\""

static int read_config(enum cni_command command, const char *more, const char *args,
		       struct task_tunnel_config *ret, struct cni_error *err)
{
	_cleanup_free_ char *text = xasprintf("{" GOOD "%s}", more);
	_cleanup_json_ json_t *value = json_loads(text, 0, NULL);
	const struct cni_request request = {
		.command = command, .args = args, .netns_fd = -1, .config = json_root(value)
	};

	assert_non_null(value);
	return task_tunnel_config_read(&request, ret, err);
}

static void what_is_wrong_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *more, *args;
		int code;
		const char *text;
	} all[] = {
		{ ",\"destinationIPAddress\":\"\"", NULL, 7, "'destinationIPAddress'" },
		{ ",\"destinationIPAddress\":null", NULL, 7, "'destinationIPAddress'" },
		{ ",\"destinationIPAddress\":7", NULL, 7,
		  "destinationIPAddress: must be a string" },
		{ ",\"destinationIPAddress\":\"far\"", NULL, 7, "destinationIPAddress: " },
		{ ",\"destinationIPAddress\":\"10.0.0.1/24\"", NULL, 7, "destinationIPAddress: " },
		{ ",\"destinationIPAddress\":\"0.0.0.0\"", NULL, 7, "address of one host" },
		{ ",\"destinationIPAddress\":\"239.1.1.1\"", NULL, 7, "address of one host" },
		{ ",\"destinationIPAddress\":\"ff02::1\"", NULL, 7, "address of one host" },
		{ ",\"vni\":\"\"", NULL, 7, "'vni'" },
		{ ",\"vni\":7", NULL, 7, "vni: must be a string" },
		{ ",\"vni\":\"1000000\"", NULL, 7, "vni: \"1000000\" is no hexadecimal number" },
		{ ",\"vni\":\"100000000\"", NULL, 7, "no hexadecimal number" },
		{ ",\"vni\":\"100000000000000001\"", NULL, 7, "no hexadecimal number" },
		{ ",\"vni\":\"0x1\"", NULL, 7, "no hexadecimal number" },
		{ ",\"vni\":\"-1\"", NULL, 7, "no hexadecimal number" },
		{ ",\"vni\":\" 1\"", NULL, 7, "no hexadecimal number" },
		{ ",\"vni\":\"g1\"", NULL, 7, "no hexadecimal number" },
		{ ",\"destinationPort\":\"\"", NULL, 7, "'destinationPort'" },
		{ ",\"destinationPort\":6081", NULL, 7, "destinationPort: must be a string" },
		{ ",\"destinationPort\":\"0\"", NULL, 7, "destinationPort: " },
		{ ",\"destinationPort\":\"65536\"", NULL, 7, "destinationPort: " },
		{ ",\"destinationPort\":\"6081x\"", NULL, 7, "destinationPort: " },
		{ ",\"gatewayIPAddress\":\"\"", NULL, 7, "'gatewayIPAddress'" },
		{ ",\"gatewayIPAddress\":\"gw\"", NULL, 7, "gatewayIPAddress: " },
		{ ",\"gatewayIPAddress\":\"::\"", NULL, 7, "gatewayIPAddress: " },
		{ ",\"gatewayIPAddress\":\"fd00::1\"", NULL, 7, "gatewayIPAddress" },
		{ ",\"gatewayIPAddress\":\"x\",\"primary\":false", NULL, 7, "gatewayIPAddress: " },
		{ ",\"ipAddresses\":[]", NULL, 7, "gatewayIPAddress" },
		{ ",\"ipAddresses\":[\"10.0.0.1\"]", NULL, 7, "ipAddresses[0]" },
		{ ",\"ipAddresses\":\"10.0.0.1/24\"", NULL, 7, "ipAddresses" },
		{ ",\"primary\":\"true\"", NULL, 7, "primary" },
		{ ",\"interfaceType\":\"vlan\"", NULL, 7, "must be \"geneve\" or \"tap\"" },
		{ ",\"interfaceType\":\"\"", NULL, 7, "'uid'" },
		{ ",\"interfaceType\":null,\"uid\":\"1\"", NULL, 7, "'gid'" },
		{ ",\"interfaceType\":\"tap\",\"uid\":\"4294967295\",\"gid\":\"1\"", NULL, 7,
		  "uid: " },
		{ ",\"interfaceType\":\"tap\",\"uid\":\"1\",\"gid\":\"-1\"", NULL, 7, "gid: " },
		{ ",\"interfaceType\":\"tap\",\"uid\":1,\"gid\":\"1\"", NULL, 7, "uid: " },
		{ "", "VNI", 4, "invalid pair" },
		{ "", "VNI=1=2", 4, "invalid pair" },
		{ "", "VNI=1;Primary=yes", 4, "Primary: \"yes\" is neither true nor false" },
		{ "", "VNI=x", 7, "vni: \"x\"" },
		{ "", "DestinationPort=99999", 7, "destinationPort: " },
		{ "", "DestinationIPAddress=1", 7, "destinationIPAddress: " },
		{ "", "IPAddresses=10.0.0.1/24,x", 7, "ipAddresses[1]" },
		{ "", "GatewayIPAddress=x", 7, "gatewayIPAddress: " },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct task_tunnel_config config;
		struct cni_error err = { 0 };
		int r = read_config(CNI_COMMAND_ADD, all[i].more, all[i].args, &config, &err);

		if (r == 0 || !strstr(err.text, all[i].text))
			print_message("%s %s\nsaid: %s\n", all[i].more,
				      all[i].args ? all[i].args : "", err.text);
		assert_int_equal(r, -1);
		assert_int_equal(err.code, all[i].code);
		assert_non_null(strstr(err.text, all[i].text));
		task_tunnel_config_free(&config);
		/* A DEL takes what there is. */
		assert_int_equal(
			read_config(CNI_COMMAND_DEL, all[i].more, all[i].args, &config, NULL), 0);
		task_tunnel_config_free(&config);
	}
}

static void what_is_right_is_read(void **state)
{
	struct task_tunnel_config config;
	struct cni_error err = { 0 };
	char text[IP_TEXT_SIZE];

	assert_int_equal(read_config(CNI_COMMAND_ADD, "", NULL, &config, &err), 0);
	assert_int_equal(config.type, TASK_TUNNEL_GENEVE);
	assert_int_equal(config.tunnel.vni, 0x1a2b3c);
	assert_int_equal(config.tunnel.port, 6081);
	assert_string_equal(ip_format(&config.tunnel.remote, text), "192.0.2.9");
	assert_true(config.task.has_default_route);
	assert_int_equal(config.task.address_count, 1);
	assert_int_equal(config.task.mtu, 9001);
	task_tunnel_config_free(&config);

	/* The addresses are the machine's behind the tap. */
	assert_int_equal(read_config(CNI_COMMAND_ADD,
				     ",\"interfaceType\":\"\",\"uid\":\"7\",\"gid\":\"0\","
				     "\"vni\":\"00000ABC\"",
				     NULL, &config, &err),
			 0);
	assert_int_equal(config.type, TASK_TUNNEL_TAP);
	assert_int_equal(config.tunnel.vni, 0xabc);
	assert_int_equal(config.uid, 7);
	assert_int_equal(config.gid, 0);
	assert_int_equal(config.task.address_count, 0);
	assert_false(config.task.has_default_route);
	assert_int_equal(config.address_count, 1);
	task_tunnel_config_free(&config);
}

static void arguments_go_first(void **state)
{
	struct task_tunnel_config config;
	struct cni_error err = { 0 };
	char text[IP_TEXT_SIZE];

	assert_int_equal(
		read_config(CNI_COMMAND_ADD, "",
			    "IgnoreUnknown=0;Other=x;VNI=;DestinationIPAddress=fd00::9;"
			    "DestinationPort=7000;Primary=F;IPAddresses=10.0.0.1/24,10.0.0.2/24;"
			    "GatewayIPAddress=10.0.0.3",
			    &config, &err),
		0);
	assert_int_equal(config.tunnel.vni, 0x1a2b3c);
	assert_string_equal(ip_format(&config.tunnel.remote, text), "fd00::9");
	assert_int_equal(config.tunnel.port, 7000);
	assert_false(config.primary);
	assert_int_equal(config.address_count, 2);
	assert_string_equal(ip_format(&config.gateway, text), "10.0.0.3");
	assert_int_equal(config.task.address_count, 0);
	task_tunnel_config_free(&config);
}

/* A tunnel that is not named whole is none: a DEL looks for no other one. */
static void a_del_knows_a_tunnel_whole_or_not(void **state)
{
	static const char *const broken[] = { ",\"vni\":\"none\"", ",\"vni\":\"\"",
					      ",\"destinationPort\":\"\"",
					      ",\"destinationIPAddress\":\"\"" };
	struct task_tunnel_config config;

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		assert_int_equal(read_config(CNI_COMMAND_DEL, broken[i], NULL, &config, NULL), 0);
		assert_int_equal(config.tunnel.port, 0);
		task_tunnel_config_free(&config);
	}
	assert_int_equal(
		read_config(CNI_COMMAND_DEL, ",\"gatewayIPAddress\":\"x\"", NULL, &config, NULL),
		0);
	assert_int_equal(config.tunnel.port, 6081);
	task_tunnel_config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_refused_with_a_reason),
		cmocka_unit_test(what_is_right_is_read),
		cmocka_unit_test(arguments_go_first),
		cmocka_unit_test(a_del_knows_a_tunnel_whole_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
