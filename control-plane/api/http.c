/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/api/http.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/sigv4.h"
#include "base/str.h"
#include "control-plane/api/dispatch.h"
#include "control-plane/services/services.h"

#define CLOCK_SKEW_MS (INT64_C(15) * 60 * 1000)

static const char *header(void *data, const char *name)
{
	return web_request_header(data, name);
}

static const char *secret_of(void *data, const char *access_key)
{
	const struct api *api = data;

	return str_eq(api->config.access_key, access_key) ? api->config.secret_key : NULL;
}

static void respond(struct web_request *request, const struct api_response *response)
{
	const struct header headers[] = {
		{ "x-amzn-RequestId", response->request_id },
		{ "x-amzn-ErrorType", response->error_type },
	};

	web_respond(request, response->status, API_CONTENT_TYPE, response->body,
		    strlen(response->body), headers, response->error_type ? 2 : 1);
}

static void refuse(struct web_request *request, int status, const char *type, const char *message)
{
	_cleanup_json_ json_t *body = json_pack("{s:s, s:s}", "__type", type, "message", message);
	struct api_response response = {
		.status = status,
		.body = json_dump_compact(body),
		.error_type = type,
	};

	uuid4(response.request_id);
	respond(request, &response);
	api_response_clear(&response);
}

/* Only where a pair of keys is configured. True: go on. */
static bool is_authentic(struct api *api, struct web_request *request)
{
	const char *authorization = web_request_header(request, "authorization");
	_cleanup_free_ char *access_key = NULL;
	struct error err = ERROR_INIT;
	size_t size = 0;
	const char *body = web_request_body(request, &size);
	const struct sigv4_incoming incoming = {
		.method = web_request_method(request),
		.path = web_request_path(request),
		.query = web_request_query(request),
		.header = header,
		.header_data = request,
		.payload = body,
		.payload_size = size,
		.service = "ecs",
		.wall_ms = clock_wall_ms(),
		.max_skew_ms = CLOCK_SKEW_MS,
	};

	if (!api->config.access_key)
		return true;
	if (str_is_empty(authorization)) {
		refuse(request, 400, "MissingAuthenticationTokenException",
		       "Request is missing Authentication Token");
		return false;
	}
	access_key = sigv4_access_key(authorization);
	if (!str_eq(access_key, api->config.access_key)) {
		refuse(request, 400, "UnrecognizedClientException",
		       "The security token included in the request is invalid.");
		return false;
	}
	if (sigv4_verify(&incoming, secret_of, api, &err) < 0) {
		refuse(request, 400, "InvalidSignatureException", err.text);
		return false;
	}
	return true;
}

static void call(struct api *api, struct web_request *request)
{
	struct api_response response = { 0 };
	struct api_request call_request = {
		.target = web_request_header(request, "x-amz-target"),
		.host = web_request_header(request, "host"),
	};

	call_request.body = web_request_body(request, &call_request.size);
	if (call_request.size > API_BODY_LIMIT) {
		refuse(request, 413, "RequestEntityTooLargeException",
		       "The body of a request can have at most 1 MiB.");
		return;
	}
	api_dispatch(api, &call_request, &response);
	respond(request, &response);
	api_response_clear(&response);
}

/* GET /berth/v1/metrics?task=<ARN>: the latest figures that the task's agent has sent. */
static void metrics(struct api *api, struct web_request *request)
{
	_cleanup_free_ char *task = web_request_param(request, "task");
	const char *figures = task ? services_task_metrics(api->services, task) : NULL;

	if (figures)
		web_respond_text(request, 200, "application/json", figures);
	else
		refuse(request, 404, "ResourceNotFoundException",
		       "There are no figures of that task: ask with ?task=<task ARN>, once it "
		       "runs.");
}

void api_http_request(void *data, struct web_request *request)
{
	const char *method = web_request_method(request);
	const char *path = web_request_path(request);
	struct api *api = data;

	if (str_eq(method, "POST") && str_eq(path, "/")) {
		if (is_authentic(api, request))
			call(api, request);
	} else if (str_eq(method, "GET") && str_eq(path, "/berth/v1/metrics")) {
		if (is_authentic(api, request))
			metrics(api, request);
	} else if (str_eq(method, "GET") && (str_eq(path, "/") || str_eq(path, "/health"))) {
		web_respond_text(request, 200, "application/json", "{\"status\":\"ok\"}\n");
	} else {
		refuse(request, 404, API_UNKNOWN_OPERATION,
		       "The API is served at POST /, agents' sessions at GET /ws.");
	}
}
