/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ecs/retry.h"
#include "agent/ecs/service_endpoint.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/version.h"

#define ROUND_TRIP_MS 42000
#define SERVICE       "ecs"
#define KEYS_MS       100
#define HURRY_MS      1000  /* within so long */
#define CALM_MS       30000 /* between two hurries */

struct ecs_call {
	struct ecs_client *client;
	struct ecs_call *next, **link;
	char *operation;
	char *body;
	enum ecs_retry retry;
	char invocation[UUID_SIZE];
	int attempt;            /* the one under way, from 1 */
	int last_cost;          /* tokens that the last retry took */
	struct http_call *http; /* NULL between attempts */
	struct loop_timer *timer;
	bool hurries;        /* the attempt under way began before the control plane was heard of */
	int64_t due_ms;      /* the next attempt is, between attempts; monotonic */
	struct error failed; /* of an attempt that could not be sent */
	ecs_call_callback *callback;
	void *data;
};

struct ecs_client {
	struct loop *loop;
	struct http_client *http;
	struct aws_credentials *credentials;
	const struct agent_config *config;
	char *url;
	char *user_agent;
	struct retry_quota quota[3]; /* by enum ecs_retry */
	struct ecs_call *calls;
	bool has_hurried;
	int64_t hurried_ms;
};

struct ecs_client *ecs_client_new(struct loop *loop, struct http_client *http,
				  struct aws_credentials *credentials,
				  const struct agent_config *config, bool ipv6_only)
{
	struct ecs_client *client = xcalloc(1, sizeof(*client));
	_cleanup_free_ char *endpoint = service_endpoint(config, SERVICE, ipv6_only);

	client->loop = loop;
	client->http = http;
	client->credentials = credentials;
	client->config = config;
	client->url = xasprintf("%s%s", endpoint, str_ends_with(endpoint, "/") ? "" : "/");
	client->user_agent = ecs_user_agent(config);
	retry_quota_init(&client->quota[ECS_RETRY_STANDARD]);
	retry_quota_init(&client->quota[ECS_RETRY_SUBMIT]);
	retry_quota_init(&client->quota[ECS_RETRY_NONE]);
	return client;
}

char *ecs_user_agent(const struct agent_config *config)
{
	const char *os = config->detailed_os_family;

	return xasprintf("Amazon ECS Agent - v%s (%s) (linux%s%s) (+http://aws.amazon.com/ecs/)",
			 berth_version(), berth_commit(), *os ? "; " : "", os);
}

static void call_free(struct ecs_call *call)
{
	if (call->http)
		http_cancel(call->http);
	loop_timer_free(call->timer);
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	free(call->operation);
	free(call->body);
	free(call);
}

void ecs_client_free(struct ecs_client *client)
{
	if (!client)
		return;
	while (client->calls)
		call_free(client->calls);
	free(client->url);
	free(client->user_agent);
	free(client);
}

static void call_end(struct ecs_call *call, const struct ecs_response *response)
{
	ecs_call_callback *callback = call->callback;
	void *data = call->data;

	call_free(call);
	callback(data, response);
}

static void on_http(void *data, const struct http_response *response);

static int call_send(struct ecs_call *call, struct error *err)
{
	struct ecs_client *client = call->client;
	_cleanup_free_ char *target = xasprintf(API_TARGET_PREFIX "%s", call->operation);
	_cleanup_free_ char *attempt =
		xasprintf("attempt=%d; max=%d", call->attempt, retry_max_attempts(call->retry));
	const struct header headers[] = {
		{ "Content-Type", API_CONTENT_TYPE },
		{ "X-Amz-Target", target },
		{ "Amz-Sdk-Invocation-Id", call->invocation },
		{ "Amz-Sdk-Request", attempt },
	};
	_cleanup_header_list_ struct header_list all = HEADER_LIST_INIT;
	struct sigv4_credentials credentials;
	int result;

	result = aws_credentials_get(client->credentials, &credentials, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		header_list_add(&all, headers[i].name, headers[i].value);
	result = sigv4_sign_request(&credentials,
				    &(struct sigv4_request){
					    .region = client->config->region,
					    .service = SERVICE,
					    .method = "POST",
					    .url = client->url,
					    .headers = headers,
					    .header_count = sizeof(headers) / sizeof(headers[0]),
					    .payload = call->body,
					    .payload_size = strlen(call->body),
					    .wall_ms = aws_credentials_wall_ms(client->credentials),
				    },
				    &all, err);
	if (result < 0)
		return result;
	header_list_add(&all, "User-Agent", client->user_agent);
	return http_send(client->http,
			 &(struct http_request){
				 .method = "POST",
				 .url = client->url,
				 .headers = all.items,
				 .header_count = all.count,
				 .body = call->body,
				 .body_size = strlen(call->body),
				 .timeout_ms = ROUND_TRIP_MS,
				 .response_limit = API_RESPONSE_LIMIT,
			 },
			 on_http, call, &call->http, err);
}

/* The timer: an attempt is due, or the last one could not even be sent. */
static void on_timer(void *data)
{
	struct ecs_call *call = data;
	struct ecs_response response = { .body = "" };

	if (call->failed.code == EAGAIN)
		error_clear(&call->failed);
	if (!call->failed.code && call_send(call, &call->failed) == 0)
		return;
	/* Somebody is being asked for the keys: seldom, and soon over. */
	if (call->failed.code == EAGAIN) {
		loop_timer_start(call->timer, KEYS_MS);
		return;
	}
	response.error = -call->failed.code;
	response.err = call->failed;
	error_prefix(&response.err, "call %s", call->operation);
	call_end(call, &response);
}

static void read_failure(const struct http_response *http, const char *operation,
			 struct ecs_response *ret)
{
	const char *header = http_response_header(http, "x-amzn-errortype");

	api_decode_failure(http->status, http->body, http->size, &ret->failure);
	if (!str_is_empty(header))
		retry_error_name(header, ret->failure.name, sizeof(ret->failure.name));
	ret->error =
		error_say(&ret->err, EPROTO, "call %s: HTTP %d: %s%s%s", operation, http->status,
			  *ret->failure.name ? ret->failure.name : "UnknownError",
			  *ret->failure.message ? ": " : "", ret->failure.message);
}

static void on_http(void *data, const struct http_response *http)
{
	struct ecs_call *call = data;
	struct retry_quota *quota = &call->client->quota[call->retry];
	struct ecs_response response = { .body = http->body, .size = http->size };
	bool was_wrong = aws_credentials_heard_date(call->client->credentials,
						    http_response_header(http, "date"));
	enum retry_kind kind;
	int64_t wait_ms;

	call->http = NULL;
	if (http->error) {
		response.error = http->error;
		response.err = http->err;
		error_prefix(&response.err, "call %s", call->operation);
	} else if (http->status < 200 || http->status > 299) {
		read_failure(http, call->operation, &response);
	} else {
		retry_quota_return(quota, call->last_cost);
		call_end(call, &response);
		return;
	}

	kind = retry_classify(http->error, http->status, response.failure.name);
	if (was_wrong && retry_is_about_time(response.failure.name))
		kind = RETRY_AGAIN;
	if (retry_is_about_keys(response.failure.name))
		aws_credentials_refused(call->client->credentials);
	if (kind == RETRY_NEVER || call->attempt >= retry_max_attempts(call->retry)) {
		call_end(call, &response);
		return;
	}
	call->last_cost = retry_quota_take(quota, kind);
	if (call->last_cost == 0) {
		response.quota_exhausted = true;
		call_end(call, &response);
		return;
	}
	log_debug("A call of the ECS API is repeated", "operation", call->operation, "attempt",
		  LOG_NUM(call->attempt), "cause", response.err.text);
	wait_ms = config_scaled_ms(call->client->config,
				   retry_wait_ms(call->retry, call->attempt, random_unit()));
	if (call->hurries && wait_ms > HURRY_MS)
		wait_ms = (int64_t)(random_unit() * HURRY_MS);
	call->hurries = false;
	call->due_ms = clock_monotonic_ms() + wait_ms;
	loop_timer_start(call->timer, wait_ms);
	call->attempt++;
}

bool ecs_client_hurry(struct ecs_client *client)
{
	int64_t now = clock_monotonic_ms();

	if (client->has_hurried &&
	    now - client->hurried_ms < config_scaled_ms(client->config, CALM_MS))
		return false;
	client->has_hurried = true;
	client->hurried_ms = now;
	for (struct ecs_call *call = client->calls; call; call = call->next) {
		int64_t wait_ms = (int64_t)(random_unit() * HURRY_MS);

		call->hurries = call->retry == ECS_RETRY_SUBMIT && call->http;
		if (call->retry != ECS_RETRY_SUBMIT || call->http ||
		    !loop_timer_is_running(call->timer) || call->due_ms - now <= wait_ms)
			continue;
		call->due_ms = now + wait_ms;
		loop_timer_start(call->timer, wait_ms);
	}
	return true;
}

void ecs_call(struct ecs_client *client, const char *operation, const char *body,
	      enum ecs_retry retry, ecs_call_callback *callback, void *data,
	      struct ecs_call **ret_call)
{
	struct ecs_call *call = xcalloc(1, sizeof(*call));

	call->client = client;
	call->operation = xstrdup(operation);
	call->body = xstrdup(body);
	call->retry = retry;
	call->callback = callback;
	call->data = data;
	call->attempt = 1;
	uuid4(call->invocation);
	call->timer = loop_timer_new(client->loop, on_timer, call);
	call->next = client->calls;
	call->link = &client->calls;
	if (call->next)
		call->next->link = &call->next;
	client->calls = call;
	/* What cannot be sent fails later, never from within this call. */
	if (call_send(call, &call->failed) < 0)
		loop_timer_start(call->timer, 0);
	if (ret_call)
		*ret_call = call;
}

void ecs_call_cancel(struct ecs_call *call)
{
	if (call)
		call_free(call);
}
