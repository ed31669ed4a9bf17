/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call of a CNI plugin by any runtime: lines "NAME=value" of its environment, an empty line, what
 * it writes to stdin.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/ip.h"
#include "base/str.h"
#include "cni-plugins/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct environment {
	struct str_list lines;
};

static const char *get_env(void *data, const char *name)
{
	const struct environment *environment = data;
	size_t length = strlen(name);

	for (size_t i = 0; i < environment->lines.count; i++) {
		const char *line = environment->lines.items[i];

		if (strncmp(line, name, length) != 0 || line[length] != '=')
			continue;
		/* Which file is opened is no business of a parser. */
		if (str_eq(name, "CNI_NETNS") && line[length + 1])
			return "/nonexistent/netns";
		return line + length + 1;
	}
	return NULL;
}

static void check_call(const struct cni_call *call)
{
	const struct cni_request *request = &call->request;
	bool of_attachment = request->command == CNI_COMMAND_ADD ||
			     request->command == CNI_COMMAND_DEL ||
			     request->command == CNI_COMMAND_CHECK;

	if (request->command == CNI_COMMAND_VERSION)
		return;
	if (request->version == CNI_VERSION_UNKNOWN || !cni_name_is_valid(request->network) ||
	    !json_is_object(request->config.value))
		abort();
	if (of_attachment &&
	    (!cni_name_is_valid(request->container_id) || !ifname_is_valid(request->ifname)))
		abort();
	for (size_t i = 0; i < request->valid_count; i++)
		if (!request->valid[i].container_id || !request->valid[i].ifname)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cni_plugin plugin = { .name = "fuzzed" };
	const uint8_t *empty = memmem(data, size, "\n\n", 2);
	size_t head = empty ? (size_t)(empty - data) : size;
	size_t body = empty ? head + 2 : size;
	_cleanup_free_ char *text = xstrndup((const char *)data, head);
	struct environment environment = { .lines = STR_LIST_INIT };
	struct cni_world world = { .get_env = get_env, .data = &environment };
	struct cni_call call;
	struct cni_error err = { 0 };

	str_list_split(&environment.lines, text, '\n', false);
	world.in = memfd_create("stdin", MFD_CLOEXEC);
	if (world.in < 0 || write(world.in, data + body, size - body) != (ssize_t)(size - body) ||
	    lseek(world.in, 0, SEEK_SET) != 0)
		abort();
	if (cni_call_read(&call, &plugin, &world, &err) == 0)
		check_call(&call);
	else if (err.code == CNI_OK || err.text[0] == '\0')
		abort();
	cni_call_free(&call);
	close(world.in);
	str_list_free(&environment.lines);
	return 0;
}
