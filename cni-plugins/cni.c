/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/cni.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/version.h"
#include "cni-plugins/request.h"
#include "netns/namespace.h"

char *cni_owner(const struct cni_request *request)
{
	return xasprintf("%s:%s:%s", request->container_id, request->ifname, request->network);
}

bool cni_wants_whole(const struct cni_request *request)
{
	return request->command == CNI_COMMAND_ADD || request->command == CNI_COMMAND_CHECK;
}

int cni_need_previous(const struct cni_request *request, struct cni_error *err)
{
	return request->previous ? 0
				 : cni_fail(err, CNI_INVALID_CONFIG,
					    "prevResult is missing, and CHECK needs it");
}

int cni_take_dns(const struct cni_request *request, struct cni_result *result,
		 struct cni_error *err)
{
	struct cni_dns dns = { 0 };
	struct error why;

	if (cni_dns_parse(&request->config, &dns, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	cni_dns_take_if_none(&result->dns, &dns);
	return 0;
}

static int run_add(const struct cni_plugin *plugin, const struct cni_request *request,
		   char **ret_output, struct cni_error *err)
{
	_cleanup_cni_result_ struct cni_result result = CNI_RESULT_INIT;

	/* What earlier plugins of the chain did is handed on, and ours goes behind it. */
	if (request->previous)
		cni_result_copy(&result, request->previous);
	if (plugin->add(request, &result, err) < 0)
		return -1;
	*ret_output = cni_result_dump(&result, request->version);
	return 0;
}

static int dispatch(const struct cni_plugin *plugin, const struct cni_request *request,
		    char **ret_output, struct cni_error *err)
{
	int (*work)(const struct cni_request *request, struct cni_error *err) = NULL;

	switch (request->command) {
	case CNI_COMMAND_ADD:
		return run_add(plugin, request, ret_output, err);
	case CNI_COMMAND_DEL:
		work = plugin->del;
		break;
	case CNI_COMMAND_CHECK:
		work = plugin->check;
		break;
	case CNI_COMMAND_GC:
		work = plugin->gc;
		break;
	case CNI_COMMAND_STATUS:
		work = plugin->status;
		break;
	case CNI_COMMAND_VERSION:
		*ret_output =
			xasprintf("{\"cniVersion\":\"%s\",\"supportedVersions\":%s}",
				  cni_version_text(CNI_VERSION_LATEST), cni_supported_versions);
		return 0;
	}
	return work ? work(request, err) : 0;
}

static int print(const struct cni_world *world, const char *text)
{
	return fprintf(world->out, "%s\n", text) < 0 || fflush(world->out) != 0 ? 1 : 0;
}

static bool is_flag(const char *arg, const char *name)
{
	return str_starts_with(arg, "-") &&
	       (str_eq(arg + 1, name) || (arg[1] == '-' && str_eq(arg + 2, name)));
}

static void append_capabilities(struct strbuf *json, const char *const *capabilities)
{
	if (!capabilities) {
		strbuf_append(json, "{}");
		return;
	}
	strbuf_append(json, "{\"capabilities\":[");
	for (size_t i = 0; capabilities[i]; i++) {
		if (i > 0)
			strbuf_append(json, ",");
		strbuf_append_json(json, capabilities[i]);
	}
	strbuf_append(json, "]}");
}

/* 0 or 1: the exit code. -1: no flag of ours. */
static int answer_flag(const struct cni_plugin *plugin, const struct cni_world *world, int argc,
		       char **argv)
{
	struct strbuf json = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;

	if (argc < 2)
		return -1;
	if (is_flag(argv[1], "version")) {
		strbuf_append(&json, "{\"version\":");
		strbuf_append_json(&json, berth_version());
		strbuf_append(&json, ",\"dirty\":false,\"gitShortHash\":");
		strbuf_append_json(&json, berth_commit());
		strbuf_append(&json, "}");
	} else if (is_flag(argv[1], "capabilities")) {
		append_capabilities(&json, plugin->capabilities);
	} else {
		fprintf(world->about,
			"%s: %s\n\nIt is run by a CNI runtime with CNI_COMMAND and more in the "
			"environment and a configuration on stdin.\n"
			"  --version       print the version as JSON\n"
			"  --capabilities  print the capabilities as JSON\n",
			plugin->name, plugin->about);
		return is_flag(argv[1], "help") ? 0 : 1;
	}
	text = strbuf_take(&json);
	return print(world, text);
}

int cni_run(const struct cni_plugin *plugin, const struct cni_world *world, int argc, char **argv)
{
	struct cni_call call = { .request.netns_fd = -1 };
	struct cni_error err = { 0 };
	_cleanup_free_ char *output = NULL;
	const char *command = world->get_env(world->data, "CNI_COMMAND");
	int r = answer_flag(plugin, world, argc, argv);

	if (r >= 0)
		return r;
	if (str_is_empty(command)) {
		fprintf(world->about, "%s: %s\nCNI protocol versions supported: %s\n", plugin->name,
			plugin->about, cni_supported_versions);
		return 0;
	}
	r = cni_call_read(&call, plugin, world, &err);
	if (r == 0)
		r = dispatch(plugin, &call.request, &output, &err);
	if (r < 0) {
		if (err.code == CNI_OK)
			cni_fail(&err, CNI_INTERNAL, "%s failed without saying why", plugin->name);
		free(output);
		output = cni_error_dump(&err, cni_version_text(call.request.version));
	}
	cni_call_free(&call);
	/* An answer that could not be written is no success. */
	if (output && print(world, output) != 0)
		return 1;
	return r < 0 ? 1 : 0;
}

static const char *get_env(void *data, const char *name)
{
	(void)data;
	return getenv(name);
}

int cni_main(const struct cni_plugin *plugin, int argc, char **argv)
{
	const struct cni_world world = {
		.get_env = get_env,
		.in = STDIN_FILENO,
		.out = stdout,
		.about = stderr,
	};

	return cni_run(plugin, &world, argc, argv);
}
