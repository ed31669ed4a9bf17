/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of ecs-tunnel, by any runtime. CNI_ARGS stand in the input as well. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cni-plugins/task_tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an ADD goes on with. */
static void expect_whole(const struct task_tunnel_config *config)
{
	const struct task_config *task = &config->task;

	if (config->tunnel.port == 0 || config->tunnel.vni > GENEVE_VNI_MAX ||
	    !ip_is_unicast(&config->tunnel.remote) || config->gateway.family == 0 ||
	    task->address_count > TASK_MAX_ADDRESSES ||
	    task->has_default_route != (config->primary && config->type == TASK_TUNNEL_GENEVE) ||
	    (task->has_default_route && !task_config_has(task, config->gateway.family)) ||
	    config->uid == UINT32_MAX || config->gid == UINT32_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum cni_command commands[] = { CNI_COMMAND_ADD, CNI_COMMAND_DEL,
						     CNI_COMMAND_STATUS };
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;

	if (json_parse((const char *)data, size, NULL, &value, NULL) < 0)
		return 0;
	root = json_root(value);
	if (json_expect_object(&root, NULL) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct cni_request request = {
			.command = commands[i],
			.container_id = "c",
			.ifname = "eth0",
			.network = "n",
			.args = json_string_value(json_object_get(value, "CNI_ARGS")),
			.netns_fd = -1,
			.config = root,
		};
		struct task_tunnel_config config;
		struct cni_error err = { 0 };

		if (task_tunnel_config_read(&request, &config, &err) == 0) {
			if (request.command == CNI_COMMAND_ADD)
				expect_whole(&config);
		} else if (request.command == CNI_COMMAND_DEL || err.code == CNI_OK ||
			   err.text[0] == '\0') {
			abort();
		}
		task_tunnel_config_free(&config);
	}
	return 0;
}
