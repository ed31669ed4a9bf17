/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/ip.h"
#include "base/strbuf.h"
#include "netns/namespace.h"

#define MAX_VALID_ATTACHMENTS 65536

#define ADD    (1u << CNI_COMMAND_ADD)
#define DEL    (1u << CNI_COMMAND_DEL)
#define CHECK  (1u << CNI_COMMAND_CHECK)
#define GC     (1u << CNI_COMMAND_GC)
#define STATUS (1u << CNI_COMMAND_STATUS)

/* Which commands need which variable; in the order in which missing ones are listed. */
static const struct {
	const char *name;
	unsigned int required;
} variables[] = {
	{ "CNI_CONTAINERID", ADD | DEL | CHECK },
	{ "CNI_NETNS", ADD | CHECK },
	{ "CNI_IFNAME", ADD | DEL | CHECK },
	{ "CNI_PATH", ADD | DEL | CHECK | GC | STATUS },
};

static const char *const commands[] = {
	[CNI_COMMAND_ADD] = "ADD",       [CNI_COMMAND_DEL] = "DEL",
	[CNI_COMMAND_CHECK] = "CHECK",   [CNI_COMMAND_GC] = "GC",
	[CNI_COMMAND_STATUS] = "STATUS", [CNI_COMMAND_VERSION] = "VERSION",
};

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool cni_name_is_valid(const char *name)
{
	if (!is_name_char(name[0]))
		return false;
	for (const char *p = name; *p; p++)
		if (!is_name_char(*p) && !strchr("_.-", *p))
			return false;
	return true;
}

static const char *get_env(const struct cni_world *world, const char *name)
{
	const char *value = world->get_env(world->data, name);

	return value ? value : "";
}

static int check_missing(const struct cni_world *world, enum cni_command command,
			 struct cni_error *err)
{
	_cleanup_strbuf_ struct strbuf missing = STRBUF_INIT;

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		if (!(variables[i].required & (1u << command)) ||
		    *get_env(world, variables[i].name))
			continue;
		if (missing.length > 0)
			strbuf_append(&missing, ",");
		strbuf_append(&missing, variables[i].name);
	}
	if (missing.length > 0)
		return cni_fail(err, CNI_BAD_ENVIRONMENT, "required env variables [%s] missing",
				missing.data);
	return 0;
}

static int read_environment(struct cni_request *request, const struct cni_world *world,
			    struct cni_error *err)
{
	bool has_container = ((ADD | DEL | CHECK) & (1u << request->command)) != 0;

	request->container_id = get_env(world, "CNI_CONTAINERID");
	request->netns = get_env(world, "CNI_NETNS");
	request->ifname = get_env(world, "CNI_IFNAME");
	request->path = get_env(world, "CNI_PATH");
	request->args = get_env(world, "CNI_ARGS");
	if (check_missing(world, request->command, err) < 0)
		return -1;
	if (has_container && !cni_name_is_valid(request->container_id))
		return cni_fail(err, CNI_BAD_ENVIRONMENT,
				"CNI_CONTAINERID \"%.128s\" is not a container id: letters, "
				"digits, \"_\", \".\" and \"-\", the first a letter or digit",
				request->container_id);
	if (has_container && !ifname_is_valid(request->ifname))
		return cni_fail(err, CNI_BAD_ENVIRONMENT,
				"CNI_IFNAME \"%.128s\" is not an interface name: 1 to 15 bytes "
				"without \"/\", \":\" and white space",
				request->ifname);
	return 0;
}

static int read_stdin(struct cni_call *call, int fd, struct cni_error *err)
{
	struct strbuf text = STRBUF_INIT;
	char buffer[16384];
	ssize_t got;

	do {
		got = read(fd, buffer, sizeof(buffer));
		if (got > 0)
			strbuf_append_n(&text, buffer, (size_t)got);
	} while ((got > 0 && text.length <= CNI_CONFIG_LIMIT) || (got < 0 && errno == EINTR));
	call->request.config_size = text.length;
	call->text = strbuf_take(&text);
	call->request.config_text = call->text;
	if (got < 0)
		return cni_fail(err, CNI_IO_FAILURE, "read the configuration from stdin: %s",
				strerror(errno));
	if (call->request.config_size > CNI_CONFIG_LIMIT)
		return cni_fail(err, CNI_DECODE_FAILURE,
				"read the configuration from stdin: it is longer than %zu bytes",
				CNI_CONFIG_LIMIT);
	return 0;
}

static int read_config(struct cni_call *call, int fd, struct cni_error *err)
{
	struct cni_request *request = &call->request;
	const char *name = NULL;
	struct error why;

	if (read_stdin(call, fd, err) < 0)
		return -1;
	if (json_parse(call->text, request->config_size, NULL, &call->config, &why) < 0) {
		cni_fail_with(err, CNI_DECODE_FAILURE, &why);
		cni_error_prefix(err, "the configuration on stdin is no JSON");
		return -1;
	}
	request->config = json_root(call->config);
	if (json_expect_object(&request->config, &why) < 0 ||
	    json_get_string(&request->config, "name", JSON_NULLABLE, &name, &why) < 0)
		return cni_fail_with(err, CNI_DECODE_FAILURE, &why);
	if (!name || !*name)
		return cni_fail(err, CNI_INVALID_CONFIG, "missing network name");
	if (!cni_name_is_valid(name))
		return cni_fail(err, CNI_INVALID_CONFIG, "network name \"%.128s\" is not valid",
				name);
	request->network = name;
	return 0;
}

static int check_version(struct cni_request *request, struct cni_error *err)
{
	const char *text = NULL;
	struct error why;
	enum cni_version version, least = CNI_VERSION_0_3_0;

	if (json_get_string(&request->config, "cniVersion", JSON_NULLABLE, &text, &why) < 0)
		return cni_fail_with(err, CNI_DECODE_FAILURE, &why);
	if (!text || !*text)
		text = "0.1.0";
	version = cni_version_parse(text);
	if (version == CNI_VERSION_UNKNOWN) {
		cni_fail(err, CNI_INCOMPATIBLE_VERSION, "incompatible CNI versions");
		snprintf(err->details, sizeof(err->details),
			 "config is \"%.64s\", plugin supports %s", text, cni_supported_versions);
		return -1;
	}
	if (request->command == CNI_COMMAND_CHECK)
		least = CNI_VERSION_0_4_0;
	else if (request->command == CNI_COMMAND_GC || request->command == CNI_COMMAND_STATUS)
		least = CNI_VERSION_1_1_0;
	if (version < least)
		return cni_fail(err, CNI_INCOMPATIBLE_VERSION, "config version does not allow %s",
				commands[request->command]);
	request->version = version;
	return 0;
}

static int read_previous(struct cni_call *call, struct cni_error *err)
{
	struct cni_request *request = &call->request;
	struct json_at at;
	struct error why;

	if (json_get_object(&request->config, "prevResult", JSON_NULLABLE, &at, &why) == 0) {
		if (!json_present(&at))
			return 0;
		if (cni_result_parse(&at, request->version, &call->previous, &why) == 0) {
			request->previous = &call->previous;
			return 0;
		}
	}
	/* A DEL does what it can. */
	if (request->command == CNI_COMMAND_DEL)
		return 0;
	return cni_fail_with(err, CNI_DECODE_FAILURE, &why);
}

static int read_valid(struct cni_call *call, struct cni_error *err)
{
	struct cni_request *request = &call->request;
	struct json_at list;
	struct error why;
	size_t count;

	if (json_get_array(&request->config, "cni.dev/valid-attachments", JSON_NULLABLE,
			   MAX_VALID_ATTACHMENTS, &list, &why) < 0)
		return cni_fail_with(err, CNI_DECODE_FAILURE, &why);
	count = json_present(&list) ? json_count(&list) : 0;
	call->valid = xcalloc(count, sizeof(*call->valid));
	for (size_t i = 0; i < count; i++) {
		struct json_at item = json_item(&list, i);

		if (json_expect_object(&item, &why) < 0 ||
		    json_get_string(&item, "containerID", JSON_REQUIRED,
				    &call->valid[i].container_id, &why) < 0 ||
		    json_get_string(&item, "ifname", JSON_REQUIRED, &call->valid[i].ifname, &why) <
			    0)
			return cni_fail_with(err, CNI_DECODE_FAILURE, &why);
	}
	request->valid = call->valid;
	request->valid_count = count;
	return 0;
}

bool cni_is_valid_attachment(const struct cni_request *request, const char *container_id,
			     const char *ifname)
{
	for (size_t i = 0; i < request->valid_count; i++)
		if (str_eq(request->valid[i].container_id, container_id) &&
		    str_eq(request->valid[i].ifname, ifname))
			return true;
	return false;
}

static bool is_override(const char *value)
{
	return str_eq(value, "1") || str_eq_nocase(value, "true");
}

/* The namespace is opened, and compared with our own before anything is changed, not after. */
static int open_netns(struct cni_request *request, const struct cni_plugin *plugin,
		      const struct cni_world *world, struct cni_error *err)
{
	bool must = plugin->wants_netns && request->command != CNI_COMMAND_DEL;
	struct error why;
	int r;

	if (!*request->netns)
		return 0;
	r = netns_open(request->netns, &request->netns_fd, &why);
	if (r < 0)
		return must ? cni_fail_with(err, CNI_INVALID_NETNS, &why) : 0;
	if (is_override(get_env(world, "CNI_NETNS_OVERRIDE")))
		return 0;
	r = netns_is_current(request->netns_fd, &why);
	if (r < 0)
		return cni_fail_with(err, CNI_INVALID_NETNS, &why);
	if (r > 0)
		return cni_fail(err, CNI_INVALID_NETNS,
				"plugin's netns and netns from CNI_NETNS should not be the same");
	return 0;
}

static bool find_command(const char *text, enum cni_command *ret)
{
	for (enum cni_command command = CNI_COMMAND_ADD; command <= CNI_COMMAND_VERSION;
	     command++) {
		if (strcmp(commands[command], text) == 0) {
			*ret = command;
			return true;
		}
	}
	return false;
}

int cni_call_read(struct cni_call *call, const struct cni_plugin *plugin,
		  const struct cni_world *world, struct cni_error *err)
{
	struct cni_request *request = &call->request;
	const char *text = get_env(world, "CNI_COMMAND");
	enum cni_command command = CNI_COMMAND_VERSION;
	bool known = find_command(text, &command);

	*call = (struct cni_call){ .request.netns_fd = -1, .request.command = command };
	if (known && request->command == CNI_COMMAND_VERSION)
		return 0;
	if (known && read_environment(request, world, err) < 0)
		return -1;
	if (read_config(call, world->in, err) < 0)
		return -1;
	if (!known)
		return cni_fail(err, CNI_BAD_ENVIRONMENT, "unknown CNI_COMMAND: %.64s", text);
	if (check_version(request, err) < 0 || read_previous(call, err) < 0)
		return -1;
	if (request->command == CNI_COMMAND_GC)
		return read_valid(call, err);
	if (request->command == CNI_COMMAND_STATUS)
		return 0;
	return open_netns(request, plugin, world, err);
}

void cni_call_free(struct cni_call *call)
{
	if (call->request.netns_fd >= 0)
		close(call->request.netns_fd);
	cni_result_free(&call->previous);
	free(call->valid);
	if (call->config)
		json_decref(call->config);
	free(call->text);
	*call = (struct cni_call){ .request.netns_fd = -1 };
}
