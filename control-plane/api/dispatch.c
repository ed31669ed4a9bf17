/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/api/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/str.h"
#include "control-plane/services/services.h"

/* The body of a request as an object; an empty body is {}. */
static int read_body(struct api_call *call, const struct api_request *request, json_t **ret_body)
{
	static const struct json_limits limits = { .size = API_BODY_LIMIT };
	struct error err = ERROR_INIT;

	if (request->size == 0) {
		*ret_body = json_object();
		return 0;
	}
	if (json_parse(request->body, request->size, &limits, ret_body, &err) < 0)
		return api_error(call, API_SERIALIZATION, "The body is not JSON: %s", err.text);
	return 0;
}

static int find_operation(struct api_call *call, const struct api_request *request)
{
	const char *target = request->target;

	if (str_is_empty(target))
		return api_error(call, API_UNKNOWN_OPERATION,
				 "The header X-Amz-Target is missing: it names the operation, as "
				 "in " API_TARGET_PREFIX "ListClusters");
	if (!str_starts_with(target, API_TARGET_PREFIX))
		return api_error(
			call, API_UNKNOWN_OPERATION,
			"X-Amz-Target %s is not of this API: it starts with " API_TARGET_PREFIX,
			target);
	call->operation = api_operation_find(target + strlen(API_TARGET_PREFIX));
	if (!call->operation)
		return api_error(call, API_UNKNOWN_OPERATION,
				 "Operation %s is not implemented by this control plane.",
				 target + strlen(API_TARGET_PREFIX));
	return 0;
}

static void roll_back(struct api_call *call)
{
	store_rollback(call->store);
	if (call->api->services)
		services_rolled_back(call->api->services);
}

static int run_in_transaction(struct api_call *call, json_t **ret_output)
{
	struct error err = ERROR_INIT;
	int r;

	if (call->api->services)
		services_begin(call->api->services);
	if (store_begin(call->store, &err) < 0)
		return api_server_error(call, &err);
	r = call->operation->handler(call, ret_output);
	if (r < 0) {
		roll_back(call);
		return r;
	}
	if (store_commit(call->store, &err) < 0) {
		roll_back(call);
		return api_server_error(call, &err);
	}
	return 0;
}

static int answer(struct api_call *call, const struct api_request *request, json_t **ret_output)
{
	_cleanup_json_ json_t *body = NULL;
	_cleanup_json_ json_t *input = NULL;
	struct error err = ERROR_INIT;
	int r;

	r = find_operation(call, request);
	if (r < 0)
		return r;
	r = read_body(call, request, &body);
	if (r < 0)
		return r;
	if (api_shape(call->operation->input, body, &input, &err) < 0)
		return api_error(call, API_SERIALIZATION, "%s", err.text);
	call->input = input;
	if (call->operation->transaction)
		r = run_in_transaction(call, ret_output);
	else
		r = call->operation->handler(call, ret_output);
	call->input = NULL;
	return r;
}

static char *error_body(const struct api_call *call)
{
	_cleanup_json_ json_t *body = json_object();

	if (call->error_members)
		json_object_update(body, call->error_members);
	api_set_string(body, "__type", call->error_type);
	api_set_string(body, "message", call->error_message);
	return json_dump_compact(body);
}

void api_dispatch(struct api *api, const struct api_request *request,
		  struct api_response *ret_response)
{
	struct api_call call = {
		.api = api,
		.store = api->store,
		.host = request->host,
		.identity = request->identity,
		.now_ms = clock_wall_ms(),
	};
	_cleanup_json_ json_t *output = NULL;
	int r;

	uuid4(call.request_id);
	r = answer(&call, request, &output);

	*ret_response = (struct api_response){ .status = 200 };
	memcpy(ret_response->request_id, call.request_id, sizeof(call.request_id));
	if (r == 0) {
		ret_response->body = output ? json_dump_compact(output) : xstrdup("{}");
	} else {
		ret_response->error_type = call.error_type;
		ret_response->status = str_eq(call.error_type, API_SERVER) ? 500 : 400;
		ret_response->body = error_body(&call);
	}
	log_debug("API call", "operation", call.operation ? call.operation->name : request->target,
		  "status", LOG_NUM(ret_response->status), "error", ret_response->error_type,
		  "message", call.error_message, "request", call.request_id);
	free(call.error_message);
	if (call.error_members)
		json_decref(call.error_members);
}

void api_response_clear(struct api_response *response)
{
	free(response->body);
	response->body = NULL;
}
