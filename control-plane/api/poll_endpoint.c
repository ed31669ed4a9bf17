/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DiscoverPollEndpoint: where agents open their sessions. Both are on /ws of this very server,
 * which the agent has just reached under the name in its Host header. An instance that is not known
 * need not fail.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/operations.h"

static int discover_poll_endpoint(struct api_call *call, json_t **ret_output)
{
	const char *configured = call->api->config.endpoint;
	_cleanup_free_ char *endpoint = NULL;

	if (configured)
		endpoint = xstrdup(configured);
	else if (!str_is_empty(call->host))
		endpoint = xasprintf("http://%s/", call->host);
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
