/* SPDX-License-Identifier: Apache-2.0 */
/* The configurations of ecs-bridge, ecs-portmap and ecs-branch-eni, by any runtime. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cni-plugins/branch.h"
#include "cni-plugins/bridge.h"
#include "cni-plugins/portmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_reason(const struct cni_error *err)
{
	if (err->code == CNI_OK || err->text[0] == '\0')
		abort();
}

static void try_bridge(const struct cni_request *request)
{
	struct bridge_config config;
	struct cni_error err = { 0 };

	if (bridge_config_read(request, &config, &err) < 0) {
		expect_reason(&err);
		return;
	}
	if (config.task.loopback_count > TASK_MAX_ADDRESSES || config.connected_length[0] > 32 ||
	    config.connected_length[1] > 128 ||
	    (request->command == CNI_COMMAND_ADD && !config.bridge))
		abort();
	config.task.addresses[0].address.family = AF_INET;
	config.task.addresses[0].length = 24;
	config.task.address_count = 1;
	if (bridge_config_complete(&config, &err) < 0)
		expect_reason(&err);
	else
		(void)bridge_address(&config, 0);
}

static void try_portmap(const struct cni_request *request)
{
	static const struct ip_address containers[2] = { { AF_INET, { 10, 0, 0, 2 } },
							 { AF_INET6, { 0xfd, [15] = 2 } } };
	struct portmap_config config;
	struct cni_error err = { 0 };

	for (int i = 0; i < 2; i++) {
		if (portmap_config_read(request, i ? containers : NULL, &config, &err) < 0)
			expect_reason(&err);
		else if (config.count > (size_t)2 * PORTMAP_MAX)
			abort();
		for (size_t n = 0; n < config.count; n++)
			if (config.entries[n].host_port == 0 ||
			    config.entries[n].container_port == 0)
				abort();
		portmap_config_free(&config);
	}
}

/* CNI_ARGS stand in the input as well. */
static void try_branch(const struct cni_request *request)
{
	struct cni_request with_args = *request;
	struct branch_config config;
	struct cni_error err = { 0 };
	const char *args = json_string_value(json_object_get(request->config.value, "CNI_ARGS"));

	with_args.args = args ? args : "";
	if (branch_config_read(&with_args, &config, &err) < 0)
		expect_reason(&err);
	else if (config.task.address_count > TASK_MAX_ADDRESSES || config.vlan_id > 4094 ||
		 (request->command == CNI_COMMAND_ADD &&
		  (config.vlan_id == 0 ||
		   (config.type == BRANCH_VLAN) != (config.task.address_count > 0))))
		abort();
	branch_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum cni_command commands[] = { CNI_COMMAND_ADD, CNI_COMMAND_DEL };
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;

	if (json_parse((const char *)data, size, NULL, &value, NULL) < 0)
		return 0;
	root = json_root(value);
	if (json_expect_object(&root, NULL) < 0)
		return 0;
	for (size_t i = 0; i < 2; i++) {
		const struct cni_request request = { .command = commands[i],
						     .container_id = "c",
						     .ifname = "eth0",
						     .network = "n",
						     .netns_fd = -1,
						     .config = root };

		try_bridge(&request);
		try_portmap(&request);
		try_branch(&request);
	}
	return 0;
}
