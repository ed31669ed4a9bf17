/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct call call_good(const char *command)
{
	return (struct call){
		.command = command,
		.container_id = "task-1",
		.netns = "/nowhere/netns",
		.ifname = "eth0",
		.path = "/usr/lib/cni",
	};
}

static const char *get_env(void *data, const char *name)
{
	const struct call *call = data;

	return strcmp(name, "CNI_COMMAND") == 0          ? call->command
	       : strcmp(name, "CNI_CONTAINERID") == 0    ? call->container_id
	       : strcmp(name, "CNI_NETNS") == 0          ? call->netns
	       : strcmp(name, "CNI_IFNAME") == 0         ? call->ifname
	       : strcmp(name, "CNI_PATH") == 0           ? call->path
	       : strcmp(name, "CNI_ARGS") == 0           ? call->args
	       : strcmp(name, "CNI_NETNS_OVERRIDE") == 0 ? call->override
							 : NULL;
}

void call_run(struct call *call, const struct cni_plugin *plugin)
{
	char name[] = "plugin";
	char *argv[] = { name, NULL };
	size_t size =
		call->config_size ? call->config_size : strlen(call->config ? call->config : "");
	size_t out_size = 0;
	int in = memfd_create("stdin", MFD_CLOEXEC);
	struct cni_world world = { .get_env = get_env, .data = call, .in = in };

	assert_int_equal(write(in, call->config ? call->config : "", size), size);
	lseek(in, 0, SEEK_SET);
	world.out = open_memstream(&call->out, &out_size);
	world.about = fopen("/dev/null", "we");
	call->exit_code = cni_run(plugin, &world, 1, argv);
	fclose(world.out);
	fclose(world.about);
	close(in);
	call->answer = json_loads(call->out, 0, NULL);
}

void call_free(struct call *call)
{
	free(call->out);
	json_decref(call->answer);
	call->out = NULL;
	call->answer = NULL;
}

void call_expect_success(struct call *call, const struct cni_plugin *plugin)
{
	call_run(call, plugin);
	if (call->exit_code != 0)
		print_message("unexpected failure: %s\n", call->out);
	assert_int_equal(call->exit_code, 0);
}

void call_expect_failure(struct call *call, const struct cni_plugin *plugin, int code,
			 const char *text)
{
	call_run(call, plugin);
	assert_int_equal(call->exit_code, 1);
	assert_non_null(call->answer);
	if (json_integer_value(json_object_get(call->answer, "code")) != code ||
	    !strstr(call_text(call, "msg"), text))
		print_message("unexpected answer: %s\n", call->out);
	assert_int_equal(json_integer_value(json_object_get(call->answer, "code")), code);
	assert_non_null(strstr(call_text(call, "msg"), text));
}

const char *call_text(const struct call *call, const char *path)
{
	const json_t *value = call->answer;
	char part[64];

	while (*path && value) {
		size_t length = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)length, path);
		value = json_is_array(value) ? json_array_get(value, (size_t)atoi(part))
					     : json_object_get(value, part);
		path += length + (path[length] == '.');
	}
	return json_string_value(value);
}
