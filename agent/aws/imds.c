/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/imds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/log.h"
#include "base/number.h"
#include "base/random.h"
#include "base/str.h"

#define IPV4_ENDPOINT "http://169.254.169.254"
#define IPV6_ENDPOINT "http://[fd00:ec2::254]"
#define TOKEN_PATH    "/latest/api/token"
#define TOKEN_TTL     "300"
#define TTL_HEADER    "x-aws-ec2-metadata-token-ttl-seconds"
#define TOKEN_HEADER  "X-aws-ec2-metadata-token"

#define CONNECT_MS    250
#define ATTEMPT_MS    750 /* connect, and 500 ms for the answer */
#define ALL_MS        5000
#define ATTEMPTS      5
#define WAIT_MS       1000
#define TOKEN_MAX     1024
#define RESPONSE_MAX  (64 * 1024)
#define MAX_TTL_S     (6 * 3600)
#define TTL_MARGIN_MS 1000

struct imds_call {
	struct imds *imds;
	struct imds_call *next, **link;
	char *path;
	int attempt; /* from 1 */
	int64_t until_ms;
	bool for_token; /* waits for one */
	struct http_call *http;
	struct loop_timer *timer;
	imds_callback *callback;
	void *data;
};

struct imds {
	struct loop *loop;
	struct http_client *http;
	char *endpoint; /* without a final slash */
	bool v1_disabled;
	double time_scale;
	bool v1;     /* tokens are not to be had */
	char *token; /* NULL: none */
	int64_t token_until_ms;
	struct http_call *token_call;
	struct imds_call *calls;
};

bool imds_is_likely(void)
{
	_cleanup_free_ char *vendor = NULL;

	return file_read(AT_FDCWD, "/sys/devices/virtual/dmi/id/sys_vendor", 256, &vendor, NULL,
			 NULL) == 0 &&
	       str_starts_with(vendor, "Amazon EC2");
}

int imds_new(struct loop *loop, const struct imds_config *config, struct imds **ret,
	     struct error *err)
{
	struct imds *imds = xcalloc(1, sizeof(*imds));
	const char *endpoint = config->ipv6 ? IPV6_ENDPOINT : IPV4_ENDPOINT;
	int result;

	imds->loop = loop;
	if (!str_is_empty(config->endpoint))
		endpoint = config->endpoint;
	imds->endpoint = xstrndup(endpoint, strlen(endpoint) - str_ends_with(endpoint, "/"));
	imds->v1_disabled = config->v1_disabled;
	imds->time_scale = config->time_scale >= 1 ? config->time_scale : 1;
	result = http_client_new(loop,
				 &(struct http_client_config){ .connect_timeout_ms = CONNECT_MS },
				 &imds->http, err);
	if (result < 0) {
		imds_free(imds);
		return result;
	}
	*ret = imds;
	return 0;
}

static void forget_token(struct imds *imds)
{
	if (imds->token)
		explicit_bzero(imds->token, strlen(imds->token));
	free(imds->token);
	imds->token = NULL;
}

static void call_free(struct imds_call *call)
{
	if (call->http)
		http_cancel(call->http);
	loop_timer_free(call->timer);
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	free(call->path);
	free(call);
}

void imds_free(struct imds *imds)
{
	if (!imds)
		return;
	while (imds->calls)
		call_free(imds->calls);
	if (imds->token_call)
		http_cancel(imds->token_call);
	if (imds->http)
		http_client_free(imds->http);
	forget_token(imds);
	free(imds->endpoint);
	free(imds);
}

void imds_cancel(struct imds_call *call)
{
	if (call)
		call_free(call);
}

static void call_end(struct imds_call *call, struct imds_answer *answer)
{
	imds_callback *callback = call->callback;
	void *data = call->data;

	if (!answer->body)
		answer->body = "";
	error_prefix(&answer->err, "read instance metadata %s", call->path);
	call_free(call);
	callback(data, answer);
}

/* Again after a while, or the end with this. */
static void call_again(struct imds_call *call, struct imds_answer *answer)
{
	int64_t wait_ms = 1 + (int64_t)(random_unit() * WAIT_MS / call->imds->time_scale);

	if (call->attempt >= ATTEMPTS || clock_monotonic_ms() + wait_ms > call->until_ms) {
		call_end(call, answer);
		return;
	}
	call->attempt++;
	loop_timer_start(call->timer, wait_ms);
}

static void call_send(struct imds_call *call);

/* Whoever waits for a token goes on: with it, without one, or (`answer`) tries again later. */
static void token_came(struct imds *imds, struct imds_answer *answer, bool is_final)
{
	/* One at a time from the beginning: a callback may begin or cancel others. */
	for (;;) {
		struct imds_call *call = imds->calls;

		while (call && !call->for_token)
			call = call->next;
		if (!call)
			return;
		call->for_token = false;
		if (!answer) {
			call_send(call);
		} else {
			struct imds_answer copy = *answer;

			if (is_final)
				call_end(call, &copy);
			else
				call_again(call, &copy);
		}
	}
}

static int64_t ttl_of(const struct http_response *response)
{
	const char *text = http_response_header(response, TTL_HEADER);
	int64_t seconds;

	return text && number_parse_i64(text, 1, MAX_TTL_S, &seconds, NULL) == 0 ? seconds : 0;
}

static bool is_token(const struct http_response *response)
{
	return response->status == 200 && response->size > 0 && response->size <= TOKEN_MAX &&
	       strlen(response->body) == response->size && !strpbrk(response->body, "\r\n") &&
	       ttl_of(response) > 0;
}

static void on_token(void *data, const struct http_response *response)
{
	struct imds *imds = data;
	struct imds_answer answer = { .error = response->error, .err = response->err };
	int status = response->status;

	imds->token_call = NULL;
	if (!response->error && is_token(response)) {
		forget_token(imds);
		imds->token = xstrdup(response->body);
		imds->token_until_ms =
			clock_monotonic_ms() + ttl_of(response) * 1000 - TTL_MARGIN_MS;
		token_came(imds, NULL, false);
		return;
	}
	if (!imds->v1_disabled &&
	    (response->error || status == 403 || status == 404 || status == 405)) {
		log_debug("Instance metadata: no token, version 1 is used", "error",
			  response->err.text);
		imds->v1 = true;
		token_came(imds, NULL, false);
		return;
	}
	answer.status = status;
	if (response->error)
		error_prefix(&answer.err,
			     "ask for a token (within a container the hop limit of the "
			     "instance's metadata must be 2)");
	else
		answer.error = error_say(&answer.err, EPROTO, "ask for a token: HTTP %d%s", status,
					 status == 200 ? " with no token in it" : "");
	token_came(imds, &answer, status == 400);
}

static void ask_for_token(struct imds *imds)
{
	static const struct header headers[] = { { TTL_HEADER, TOKEN_TTL } };
	_cleanup_free_ char *url = xasprintf("%s" TOKEN_PATH, imds->endpoint);
	struct imds_answer answer = { 0 };

	if (imds->token_call)
		return;
	answer.error = http_send(imds->http,
				 &(struct http_request){ .method = "PUT",
							 .url = url,
							 .headers = headers,
							 .header_count = 1,
							 .timeout_ms = ATTEMPT_MS,
							 .response_limit = RESPONSE_MAX },
				 on_token, imds, &imds->token_call, &answer.err);
	if (answer.error < 0)
		token_came(imds, &answer, true);
}

static bool may_help(int status)
{
	return status == 500 || status == 502 || status == 503 || status == 504;
}

static void on_data(void *data, const struct http_response *response)
{
	struct imds_call *call = data;
	struct imds *imds = call->imds;
	struct imds_answer answer = { .error = response->error,
				      .status = response->status,
				      .body = response->body,
				      .size = response->size,
				      .err = response->err };

	call->http = NULL;
	if (response->status == 200) {
		call_end(call, &answer);
		return;
	}
	if (!response->error)
		answer.error = error_say(&answer.err, response->status == 404 ? ENOENT : EPROTO,
					 "HTTP %d", response->status);
	if (response->status == 401) {
		/* The token has ended, or version 1 is not wanted any more. */
		forget_token(imds);
		imds->v1 = false;
	}
	if (response->error || response->status == 401 || may_help(response->status))
		call_again(call, &answer);
	else
		call_end(call, &answer);
}

static void call_send(struct imds_call *call)
{
	struct imds *imds = call->imds;
	_cleanup_free_ char *url = xasprintf("%s%s", imds->endpoint, call->path);
	struct header header = { TOKEN_HEADER, imds->token };
	struct imds_answer answer = { 0 };

	answer.error = http_send(imds->http,
				 &(struct http_request){ .url = url,
							 .headers = &header,
							 .header_count = imds->v1 ? 0 : 1,
							 .timeout_ms = ATTEMPT_MS,
							 .response_limit = RESPONSE_MAX },
				 on_data, call, &call->http, &answer.err);
	if (answer.error < 0)
		call_end(call, &answer);
}

static void on_timer(void *data)
{
	struct imds_call *call = data;
	struct imds *imds = call->imds;

	if (imds->v1 || (imds->token && clock_monotonic_ms() < imds->token_until_ms)) {
		call_send(call);
		return;
	}
	call->for_token = true;
	ask_for_token(imds);
}

void imds_get(struct imds *imds, const char *path, imds_callback *callback, void *data,
	      struct imds_call **ret_call)
{
	struct imds_call *call = xcalloc(1, sizeof(*call));

	call->imds = imds;
	call->path = xstrdup(path);
	call->attempt = 1;
	call->until_ms = clock_monotonic_ms() + ALL_MS;
	call->callback = callback;
	call->data = data;
	call->timer = loop_timer_new(imds->loop, on_timer, call);
	call->next = imds->calls;
	call->link = &imds->calls;
	if (call->next)
		call->next->link = &call->next;
	imds->calls = call;
	loop_timer_start(call->timer, 0);
	if (ret_call)
		*ret_call = call;
}
