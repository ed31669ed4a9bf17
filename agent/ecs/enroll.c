/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/enroll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/str.h"
#include "wire/api.h"
#include "wire/enroll.h"

#define ROUND_TRIP_MS  30000
#define HOST_NAME_SIZE 256

struct enroll {
	struct loop *loop;
	const struct identity_store *store;
	char *endpoint; /* without a slash at the end */
	bool by_token;
	struct enroll_token token;
	struct http_client *http;
	struct loop_timer *later; /* gives the result, never from within enroll_start() */
	int code;
	struct error err;
	enroll_callback *callback;
	void *data;
};

static void free_enroll(struct enroll *enroll)
{
	if (enroll->http)
		http_client_free(enroll->http);
	loop_timer_free(enroll->later);
	explicit_bzero(&enroll->token, sizeof(enroll->token));
	free(enroll->endpoint);
	free(enroll);
}

void enroll_cancel(struct enroll *enroll)
{
	if (enroll)
		free_enroll(enroll);
}

static void on_later(void *data)
{
	struct enroll *enroll = data;
	enroll_callback *callback = enroll->callback;
	void *callback_data = enroll->data;
	struct error err = enroll->err;
	int code = enroll->code;

	free_enroll(enroll);
	callback(callback_data, code, &err);
}

static void end(struct enroll *enroll, int code)
{
	enroll->code = code;
	if (code < 0)
		error_prefix(&enroll->err, "%s with %s",
			     enroll->by_token ? "enrol this host" : "renew the certificate",
			     enroll->endpoint);
	loop_timer_start(enroll->later, 0);
}

/* No answer: whom to blame. */
static void no_answer(struct enroll *enroll, const struct http_response *response)
{
	bool is_rejected = response->error == -EKEYREJECTED;

	enroll->err = response->err;
	if (is_rejected && strstr(response->err.text, "not yet valid"))
		error_say(&enroll->err, EKEYREJECTED,
			  "%s: this host's clock is behind that of the control plane",
			  response->err.text);
	else if (is_rejected)
		error_say(&enroll->err, EKEYREJECTED,
			  "%s: the control plane is not known by the name that it is called here "
			  "(start it with --tls-name), or somebody else answers in its place",
			  response->err.text);
	end(enroll, is_rejected ? -EKEYREJECTED : -EAGAIN);
}

/* True: it is a 200. */
static bool is_good(struct enroll *enroll, const struct http_response *response)
{
	struct api_failure failure = { .name = "" };

	if (response->error) {
		no_answer(enroll, response);
		return false;
	}
	if (response->status == 200)
		return true;
	api_decode_failure(response->status, response->body, response->size, &failure);
	if (response->status == 404)
		error_say(&enroll->err, EPROTO,
			  "it knows no identities: start berth-control with --identity");
	else
		error_say(&enroll->err, EACCES, "%s",
			  *failure.message ? failure.message : "it says no, and not why");
	end(enroll, response->status >= 500 || response->status == 429 ? -EAGAIN : -EACCES);
	return false;
}

/* ---- the second step: the certificate ---- */

static void on_certificate(void *data, const struct http_response *response)
{
	struct enroll *enroll = data;
	_cleanup_free_ char *pem = NULL;
	int r;

	if (!is_good(enroll, response))
		return;
	r = enroll_decode_answer(response->body, response->size, &pem, &enroll->err);
	if (r == 0)
		r = identity_store_keep(enroll->store, pem, clock_wall_ms(), &enroll->err);
	end(enroll, r);
}

static int send_request(struct enroll *enroll)
{
	const struct ecs_identity_files *files = &enroll->store->files;
	const struct http_client_config config = {
		.ca_file = files->authority,
		.cert_file = enroll->by_token ? NULL : files->certificate,
		.key_file = enroll->by_token ? NULL : files->key,
		.use_proxy = true,
	};
	_cleanup_free_ char *url = xasprintf("%s%s", enroll->endpoint,
					     enroll->by_token ? ENROLL_PATH : ENROLL_RENEW_PATH);
	_cleanup_free_ char *csr = NULL;
	_cleanup_free_ char *body = NULL;
	char name[HOST_NAME_SIZE] = "";
	struct enroll_request request = { .name = name };
	const struct header type = { "Content-Type", "application/json" };
	int r = identity_store_request(enroll->store, &csr, &enroll->err);

	if (r < 0)
		return r;
	gethostname(name, sizeof(name) - 1);
	request.request = csr;
	if (enroll->by_token) {
		memcpy(request.token_id, enroll->token.id, sizeof(request.token_id));
		memcpy(request.token_secret, enroll->token.secret, sizeof(request.token_secret));
	}
	body = enroll_encode_request(&request);
	if (enroll->http)
		http_client_free(TAKE(enroll->http));
	r = http_client_new(enroll->loop, &config, &enroll->http, &enroll->err);
	if (r == 0)
		r = http_send(enroll->http,
			      &(struct http_request){ .method = "POST",
						      .url = url,
						      .headers = &type,
						      .header_count = 1,
						      .body = body,
						      .body_size = strlen(body),
						      .timeout_ms = ROUND_TRIP_MS },
			      on_certificate, enroll, NULL, &enroll->err);
	explicit_bzero(body, strlen(body));
	explicit_bzero(request.token_secret, sizeof(request.token_secret));
	return r;
}

/* ---- the first step: whom to trust ---- */

static void on_authority(void *data, const struct http_response *response)
{
	struct enroll *enroll = data;
	int r;

	if (!is_good(enroll, response))
		return;
	r = identity_store_trust(enroll->store, response->body, response->size,
				 enroll->token.fingerprint, &enroll->err);
	if (r == 0)
		r = send_request(enroll);
	if (r < 0)
		end(enroll, r);
}

/* Whoever answers: nothing is told to him, and what he says is compared with the token. */
static int ask_authority(struct enroll *enroll)
{
	const struct http_client_config config = { .insecure = true, .use_proxy = true };
	_cleanup_free_ char *url = xasprintf("%s" ENROLL_AUTHORITY_PATH, enroll->endpoint);
	int r = http_client_new(enroll->loop, &config, &enroll->http, &enroll->err);

	if (r < 0)
		return r;
	return http_send(enroll->http,
			 &(struct http_request){ .url = url,
						 .timeout_ms = ROUND_TRIP_MS,
						 .response_limit = CERTIFICATE_TEXT_LIMIT },
			 on_authority, enroll, NULL, &enroll->err);
}

struct enroll *enroll_start(const struct enroll_input *input, enroll_callback *callback, void *data)
{
	struct enroll *enroll = xcalloc(1, sizeof(*enroll));
	size_t length = strlen(input->endpoint);
	int r = 0;

	while (length > 0 && input->endpoint[length - 1] == '/')
		length--;
	enroll->loop = input->loop;
	enroll->store = input->store;
	enroll->endpoint = xstrndup(input->endpoint, length);
	enroll->by_token = input->token != NULL;
	enroll->callback = callback;
	enroll->data = data;
	enroll->later = loop_timer_new(input->loop, on_later, enroll);
	if (input->token)
		r = enroll_token_parse(input->token, &enroll->token, &enroll->err);
	if (r == 0)
		r = input->token ? ask_authority(enroll) : send_request(enroll);
	if (r < 0)
		end(enroll, r);
	return enroll;
}
