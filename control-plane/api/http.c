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
#include "control-plane/ec2/ec2.h"
#include "control-plane/services/services.h"

#define EC2_CONTENT_TYPE "text/xml;charset=UTF-8"
#define CLOCK_SKEW_MS    (INT64_C(15) * 60 * 1000)

static const char *header(void *data, const char *name)
{
	return web_request_header(data, name);
}

static const char *secret_of(void *data, const char *access_key)
{
	const struct api *api = data;

	return str_eq(api->config.access_key, access_key) ? api->config.secret_key : NULL;
}

static void respond_ec2(struct web_request *request, struct ec2_response *response)
{
	const struct header headers[] = { { "x-amzn-RequestId", response->request_id } };

	web_respond(request, response->status, EC2_CONTENT_TYPE, response->body,
		    strlen(response->body), headers, 1);
	ec2_response_clear(response);
}

static void refuse_ec2(struct web_request *request, int status, const char *code,
		       const char *message)
{
	struct ec2_response response;

	ec2_refuse(status, code, message, &response);
	respond_ec2(request, &response);
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

/* What is wrong with the signature of a call. */
enum proof {
	PROOF_GOOD, /* or none is asked for: no pair of keys is configured */
	PROOF_MISSING,
	PROOF_UNKNOWN_KEY,
	PROOF_WRONG,
};

/* An API by the name in signatures, and how it says no. */
struct face {
	const char *service;
	void (*refuse)(struct web_request *request, int status, const char *code,
		       const char *message);
	struct {
		int status;
		const char *code;
		const char *message; /* NULL: what the check says */
	} refusals[PROOF_WRONG + 1];
};

static const struct face ecs_face = {
	.service = "ecs",
	.refuse = refuse,
	.refusals = {
		[PROOF_MISSING] = { 400, "MissingAuthenticationTokenException",
				    "Request is missing Authentication Token" },
		[PROOF_UNKNOWN_KEY] = { 400, "UnrecognizedClientException",
					"The security token included in the request is invalid." },
		[PROOF_WRONG] = { 400, "InvalidSignatureException", NULL },
	},
};

static const struct face ec2_face = {
	.service = "ec2",
	.refuse = refuse_ec2,
	.refusals = {
		[PROOF_MISSING] = { 400, "MissingAuthenticationToken",
				    "Request is missing Authentication Token" },
		[PROOF_UNKNOWN_KEY] = { 401, "AuthFailure",
					"AWS was not able to validate the provided access "
					"credentials" },
		[PROOF_WRONG] = { 403, "SignatureDoesNotMatch", NULL },
	},
};

static enum proof check_signature(struct api *api, struct web_request *request, const char *service,
				  struct error *err)
{
	const char *authorization = web_request_header(request, "authorization");
	_cleanup_free_ char *access_key = NULL;
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
		.service = service,
		.wall_ms = clock_wall_ms(),
		.max_skew_ms = CLOCK_SKEW_MS,
	};

	if (!api->config.access_key)
		return PROOF_GOOD;
	if (str_is_empty(authorization))
		return PROOF_MISSING;
	access_key = sigv4_access_key(authorization);
	if (!str_eq(access_key, api->config.access_key))
		return PROOF_UNKNOWN_KEY;
	return sigv4_verify(&incoming, secret_of, api, err) < 0 ? PROOF_WRONG : PROOF_GOOD;
}

/* True: go on; else the request is answered. */
static bool is_authentic(struct api *api, struct web_request *request, const struct face *face)
{
	struct error err = ERROR_INIT;
	enum proof proof = check_signature(api, request, face->service, &err);
	const char *message = face->refusals[proof].message;

	if (proof != PROOF_GOOD)
		face->refuse(request, face->refusals[proof].status, face->refusals[proof].code,
			     message ? message : err.text);
	return proof == PROOF_GOOD;
}

/* What an agent does is proved by its certificate; everything else is people's, and signed. */
static bool is_by_identity(struct web_request *request)
{
	static const char *const operations[] = {
		"RegisterContainerInstance",    "DiscoverPollEndpoint",
		"SubmitTaskStateChange",        "SubmitContainerStateChange",
		"SubmitAttachmentStateChanges", "UpdateContainerInstancesState",
	};
	const char *target = web_request_header(request, "x-amz-target");

	if (!target || !str_starts_with(target, API_TARGET_PREFIX) ||
	    !web_request_identity(request))
		return false;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (str_eq(target + strlen(API_TARGET_PREFIX), operations[i]))
			return true;
	return false;
}

/* A form is a call of EC2; ECS's calls name their operation in a header. */
static bool is_ec2(struct web_request *request)
{
	const char *type = web_request_header(request, "content-type");

	return !web_request_header(request, "x-amz-target") && type &&
	       str_starts_with_nocase(type, "application/x-www-form-urlencoded");
}

/* A browser posts forms to anywhere without asking first; AWS's clients name no origin. */
static bool is_from_page(struct web_request *request)
{
	if (!web_request_header(request, "origin"))
		return false;
	refuse_ec2(request, 403, "AuthFailure", "Calls of web pages are not taken");
	return true;
}

static void call_ec2(struct api *api, struct web_request *request)
{
	const struct ec2 ec2 = {
		.store = api->store,
		.services = api->services,
		.default_zone = api->config.default_zone,
	};
	struct ec2_response response;
	size_t size = 0;
	const char *body = web_request_body(request, &size);

	ec2_dispatch(&ec2, body, size, &response);
	respond_ec2(request, &response);
}

static void call(struct api *api, struct web_request *request)
{
	struct api_response response = { 0 };
	struct api_request call_request = {
		.target = web_request_header(request, "x-amz-target"),
		.host = web_request_header(request, "host"),
		.identity = web_request_identity(request),
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

	if (str_eq(method, "POST") && str_eq(path, "/") && is_ec2(request)) {
		if (!is_from_page(request) && is_authentic(api, request, &ec2_face))
			call_ec2(api, request);
	} else if (str_eq(method, "POST") && str_eq(path, "/")) {
		if (is_by_identity(request) || is_authentic(api, request, &ecs_face))
			call(api, request);
	} else if (str_eq(method, "GET") && str_eq(path, "/berth/v1/metrics")) {
		if (is_authentic(api, request, &ecs_face))
			metrics(api, request);
	} else if (str_eq(method, "GET") && (str_eq(path, "/") || str_eq(path, "/health"))) {
		web_respond_text(request, 200, "application/json", "{\"status\":\"ok\"}\n");
	} else {
		refuse(request, 404, API_UNKNOWN_OPERATION,
		       "The API is served at POST /, agents' sessions at GET /ws.");
	}
}
