/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/discover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define FRESH_MS      (12LL * 3600 * 1000)
#define CALL_LIMIT_MS 126000

struct waiter {
	struct waiter *next;
	discover_callback *callback;
	void *owner;
};

struct discover {
	struct loop *loop;
	struct ecs_client *client;
	const struct agent_config *config;
	const struct ecs_instance *instance;
	struct api_endpoints endpoints;
	bool known;
	int64_t known_since_ms;
	struct ecs_call *call;    /* NULL: none under way */
	struct loop_timer *limit; /* of the call */
	struct loop_timer *later; /* answers from what is known */
	struct waiter *waiters;
	bool answering; /* them, now */
};

static void answer(struct discover *discover, const struct error *err)
{
	struct discover_endpoints endpoints = {
		.endpoint = discover->endpoints.endpoint,
		.telemetry_endpoint = discover->endpoints.telemetry_endpoint,
	};
	struct waiter *waiter;

	/* One at a time: a callback may ask again or forget another. */
	discover->answering = true;
	while ((waiter = discover->waiters)) {
		discover->waiters = waiter->next;
		waiter->callback(waiter->owner, err ? NULL : &endpoints, err);
		free(waiter);
		if (discover->call) /* it asked again, and the answer is not known any more */
			break;
	}
	discover->answering = false;
}

static void on_later(void *data)
{
	answer(data, NULL);
}

static void failed(struct discover *discover, const struct error *err)
{
	if (discover->known) {
		log_warn("The poll endpoints could not be renewed; the last known ones are used",
			 "error", err->text);
		answer(discover, NULL);
		return;
	}
	answer(discover, err);
}

static void on_response(void *data, const struct ecs_response *response)
{
	struct discover *discover = data;
	struct api_endpoints endpoints = { 0 };
	struct error err = ERROR_INIT;

	discover->call = NULL;
	loop_timer_stop(discover->limit);
	if (response->error) {
		failed(discover, &response->err);
		return;
	}
	if (api_decode_endpoints(response->body, response->size, &endpoints, &err) < 0) {
		error_prefix(&err, "call DiscoverPollEndpoint");
		failed(discover, &err);
		return;
	}
	api_endpoints_clear(&discover->endpoints);
	discover->endpoints = endpoints;
	discover->known = true;
	discover->known_since_ms = clock_monotonic_ms();
	answer(discover, NULL);
}

static void on_limit(void *data)
{
	struct discover *discover = data;
	struct error err = ERROR_INIT;

	ecs_call_cancel(TAKE(discover->call));
	error_say(&err, ETIMEDOUT, "call DiscoverPollEndpoint: no answer within %d s",
		  CALL_LIMIT_MS / 1000);
	failed(discover, &err);
}

struct discover *discover_new(struct loop *loop, struct ecs_client *client,
			      const struct agent_config *config,
			      const struct ecs_instance *instance)
{
	struct discover *discover = xcalloc(1, sizeof(*discover));

	discover->loop = loop;
	discover->client = client;
	discover->config = config;
	discover->instance = instance;
	discover->limit = loop_timer_new(loop, on_limit, discover);
	discover->later = loop_timer_new(loop, on_later, discover);
	return discover;
}

void discover_free(struct discover *discover)
{
	if (!discover)
		return;
	while (discover->waiters)
		discover_forget(discover, discover->waiters->owner);
	ecs_call_cancel(discover->call);
	loop_timer_free(discover->limit);
	loop_timer_free(discover->later);
	api_endpoints_clear(&discover->endpoints);
	free(discover);
}

void discover_get(struct discover *discover, discover_callback *callback, void *owner)
{
	struct waiter *waiter = xcalloc(1, sizeof(*waiter)), **end = &discover->waiters;
	_cleanup_free_ char *body = NULL;

	waiter->callback = callback;
	waiter->owner = owner;
	while (*end)
		end = &(*end)->next;
	*end = waiter;
	if (discover->call)
		return;
	if (discover->known && clock_monotonic_ms() - discover->known_since_ms <
				       config_scaled_ms(discover->config, FRESH_MS)) {
		loop_timer_start(discover->later, 0);
		return;
	}
	body = api_encode_discover_poll_endpoint(discover->instance->cluster,
						 discover->instance->container_instance, "");
	ecs_call(discover->client, "DiscoverPollEndpoint", body, ECS_RETRY_STANDARD, on_response,
		 discover, &discover->call);
	loop_timer_start(discover->limit, CALL_LIMIT_MS);
}

bool discover_will_answer(const struct discover *discover, const void *owner)
{
	bool will = discover->answering ||
		    (discover->call && loop_timer_is_running(discover->limit)) ||
		    loop_timer_is_running(discover->later);

	for (const struct waiter *waiter = discover->waiters; waiter; waiter = waiter->next)
		if (waiter->owner == owner)
			return will;
	return false;
}

void discover_forget(struct discover *discover, const void *owner)
{
	for (struct waiter **at = &discover->waiters; *at;) {
		struct waiter *waiter = *at;

		if (waiter->owner == owner) {
			*at = waiter->next;
			free(waiter);
		} else {
			at = &waiter->next;
		}
	}
}
