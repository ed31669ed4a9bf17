/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DiscoverPollEndpoint: where agents open their sessions. Both are on /ws of this very server,
 * which the agent has just reached under the name in its Host header. An instance that is not known
 * need not fail.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/operations.h"

static int guard(struct api_call *call)
{
	const char *reference = api_input_string(call, "containerInstance");
	const char *cluster = api_input_string(call, "cluster");
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *arn = NULL;

	if (str_is_empty(reference) || arn_looks_like(reference))
		return api_guard_instance_arn(call, reference);
	if (api_cluster_name(call, str_is_empty(cluster) ? "default" : cluster, &name) == 0)
		arn = arn_container_instance(store_scope(call->store), name, reference);
	return api_guard_instance_arn(call, arn);
}

static int discover_poll_endpoint(struct api_call *call, json_t **ret_output)
{
	const char *configured = call->api->config.endpoint;
	_cleanup_free_ char *endpoint = NULL;

	if (guard(call) < 0)
		return -EACCES;
	if (configured)
		endpoint = xstrdup(configured);
	else if (!str_is_empty(call->host))
		endpoint =
			xasprintf("%s://%s/", call->api->config.tls ? "https" : "http", call->host);
	else
		return api_error(call, API_CLIENT,
				 "The request has no Host header, and no endpoint is configured.");
	*ret_output = json_pack("{s:s, s:s}", "endpoint", endpoint, "telemetryEndpoint", endpoint);
	return 0;
}

static const struct api_member discover_input[] = {
	{ "containerInstance", API_STRING, NULL },
	{ "cluster", API_STRING, NULL },
	{ "zoneId", API_STRING, NULL },
	{ NULL, 0, NULL },
};

const struct api_operation api_poll_endpoint_operations[] = {
	{ "DiscoverPollEndpoint", discover_input, discover_poll_endpoint, false },
	{ NULL, NULL, NULL, false },
};
