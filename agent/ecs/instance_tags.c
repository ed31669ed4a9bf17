/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/instance_tags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/aws/xml_texts.h"
#include "agent/ecs/retry.h"
#include "agent/ecs/service_endpoint.h"
#include "base/alloc.h"
#include "base/random.h"
#include "base/sigv4.h"

#define SERVICE       "ec2"
#define ATTEMPTS      5
#define ROUND_TRIP_MS 42000
#define RESPONSE_MAX  ((size_t)1024 * 1024)
#define KEYS_MS       100

struct instance_tags_call {
	struct instance_tags_config config; /* instance_id is in the body */
	char *url;
	char *body;
	int attempt; /* from 1 */
	struct http_call *http;
	struct loop_timer *timer;
	instance_tags_callback *callback;
	void *data;
};

void instance_tags_cancel(struct instance_tags_call *call)
{
	if (!call)
		return;
	if (call->http)
		http_cancel(call->http);
	loop_timer_free(call->timer);
	free(call->url);
	free(call->body);
	free(call);
}

static void end(struct instance_tags_call *call, const struct ec2_tags *tags, struct error *err)
{
	instance_tags_callback *callback = call->callback;
	void *data = call->data;

	instance_tags_cancel(call);
	if (!tags)
		error_prefix(err, "ask EC2 for the tags of this instance");
	callback(data, tags, tags ? NULL : err);
}

static void succeeded(struct instance_tags_call *call, const struct http_response *response)
{
	struct error err = ERROR_INIT;
	struct ec2_tags tags;
	int r = ec2_tags_read(response->body, response->size, &tags, &err);

	end(call, r == 0 ? &tags : NULL, &err);
	ec2_tags_free(&tags);
}

static void on_http(void *data, const struct http_response *response)
{
	struct instance_tags_call *call = data;
	struct aws_credentials *credentials = call->config.credentials;
	bool was_wrong =
		aws_credentials_heard_date(credentials, http_response_header(response, "date"));
	struct error err = response->err;
	_cleanup_free_ char *name = NULL;
	enum retry_kind kind;

	call->http = NULL;
	if (!response->error && response->status >= 200 && response->status <= 299) {
		succeeded(call, response);
		return;
	}
	if (!response->error)
		xml_texts_failure(response->status, response->body, response->size, &name, &err);
	kind = retry_classify(response->error, response->status, name ? name : "");
	if (was_wrong && retry_is_about_time(name))
		kind = RETRY_AGAIN;
	if (kind == RETRY_NEVER || call->attempt >= ATTEMPTS) {
		end(call, NULL, &err);
		return;
	}
	loop_timer_start(
		call->timer,
		config_scaled_ms(call->config.config,
				 retry_wait_ms(ECS_RETRY_STANDARD, call->attempt, random_unit())));
	call->attempt++;
}

static int send_it(struct instance_tags_call *call, struct error *err)
{
	static const struct header headers[] = { { "Content-Type", EC2_CONTENT_TYPE } };
	_cleanup_header_list_ struct header_list all = HEADER_LIST_INIT;
	_cleanup_free_ char *user_agent = ecs_user_agent(call->config.config);
	struct aws_credentials *credentials = call->config.credentials;
	struct sigv4_credentials keys;
	int r = aws_credentials_get(credentials, &keys, err);

	if (r < 0)
		return r;
	header_list_add(&all, headers[0].name, headers[0].value);
	r = sigv4_sign_request(&keys,
			       &(struct sigv4_request){
				       .region = call->config.config->region,
				       .service = SERVICE,
				       .method = "POST",
				       .url = call->url,
				       .headers = headers,
				       .header_count = 1,
				       .payload = call->body,
				       .payload_size = strlen(call->body),
				       .wall_ms = aws_credentials_wall_ms(credentials),
			       },
			       &all, err);
	if (r < 0)
		return r;
	header_list_add(&all, "User-Agent", user_agent);
	return http_send(call->config.http,
			 &(struct http_request){
				 .method = "POST",
				 .url = call->url,
				 .headers = all.items,
				 .header_count = all.count,
				 .body = call->body,
				 .body_size = strlen(call->body),
				 .timeout_ms = ROUND_TRIP_MS,
				 .response_limit = RESPONSE_MAX,
			 },
			 on_http, call, &call->http, err);
}

static void on_timer(void *data)
{
	struct instance_tags_call *call = data;
	struct error err = ERROR_INIT;
	int r = send_it(call, &err);

	if (r == -EAGAIN) /* somebody is being asked for the keys */
		loop_timer_start(call->timer, KEYS_MS);
	else if (r < 0)
		end(call, NULL, &err);
}

struct instance_tags_call *instance_tags_get(const struct instance_tags_config *config,
					     instance_tags_callback *callback, void *data)
{
	struct instance_tags_call *call = xcalloc(1, sizeof(*call));
	_cleanup_free_ char *endpoint =
		service_endpoint(config->config, SERVICE, config->ipv6_only);

	call->config = *config;
	call->config.instance_id = NULL;
	call->url = xasprintf("%s%s", endpoint, str_ends_with(endpoint, "/") ? "" : "/");
	call->body = ec2_tags_request(config->instance_id);
	call->attempt = 1;
	call->callback = callback;
	call->data = data;
	call->timer = loop_timer_new(config->loop, on_timer, call);
	loop_timer_start(call->timer, 0);
	return call;
}
