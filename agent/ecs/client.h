/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_CLIENT_H
#define BERTH_AGENT_ECS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "agent/ecs/credentials.h"
#include "base/error.h"
#include "base/http.h"
#include "base/loop.h"
#include "wire/api.h"

/*
 * Calls of the ECS API: JSON 1.1 over HTTP, SigV4, and the retries inside one call.
 *
 * ECS_RETRY_NONE:     one attempt; the caller has waits of its own.
 * ECS_RETRY_STANDARD: 3 attempts, waits of random * 2^attempt s up to 20 s.
 * ECS_RETRY_SUBMIT:   298 attempts, waits of 2^n * 30..59 ms up to n = 13, then five minutes.
 * Retried are connection errors, timeouts, 500/502/503/504, RequestTimeout and throttling codes.
 * The submit client has a budget of 500 tokens, 5 for a retry (10 after a timeout), so that a dead
 * control plane is not hammered for ever.
 */
enum ecs_retry { ECS_RETRY_STANDARD, ECS_RETRY_SUBMIT, ECS_RETRY_NONE };

/* The answer, or what failed. Valid during the callback. */
struct ecs_response {
	int error;        /* 0: success; -EPROTO: an error answer; else -errno: no answer */
	const char *body; /* NUL-terminated; "" without one */
	size_t size;
	struct api_failure failure; /* of an error answer */
	bool quota_exhausted;       /* the budget for retries ended the call */
	struct error err;           /* a sentence for the log; empty on success */
};

struct ecs_client;
struct ecs_call;

/* `loop`, `http`, `credentials` and `config` are borrowed and outlive the client. `ipv6_only`: see
 * host_resources. */
struct ecs_client *ecs_client_new(struct loop *loop, struct http_client *http,
				  struct aws_credentials *credentials,
				  const struct agent_config *config, bool ipv6_only);
void ecs_client_free(struct ecs_client *client); /* cancels what runs, without callbacks */

typedef void ecs_call_callback(void *data, const struct ecs_response *response);

/*
 * Calls `operation` with the JSON text `body` (copied). The callback comes exactly once, later,
 * unless the call is cancelled. *ret_call (may be NULL) is valid until then.
 */
void ecs_call(struct ecs_client *client, const char *operation, const char *body,
	      enum ecs_retry retry, ecs_call_callback *callback, void *data,
	      struct ecs_call **ret_call);
void ecs_call_cancel(struct ecs_call *call); /* NULL does nothing */

/*
 * The control plane has been heard of: calls of ECS_RETRY_SUBMIT that wait for their next attempt
 * make it within a second, each at a time of its own, in place of up to five minutes. At most every
 * 30 s; false: it was not long enough ago.
 */
bool ecs_client_hurry(struct ecs_client *client);

/* What the agent calls itself to the control plane. The caller frees it. */
char *ecs_user_agent(const struct agent_config *config);

#endif
