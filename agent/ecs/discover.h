/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_DISCOVER_H
#define BERTH_AGENT_ECS_DISCOVER_H

#include <stdbool.h>

#include "agent/ecs/client.h"
#include "agent/ecs/instance.h"
#include "base/error.h"

/*
 * DiscoverPollEndpoint, asked once in twelve hours and shared by ACS and TCS. When the call fails,
 * an expired answer is better than none.
 */
struct discover;

struct discover_endpoints {
	const char *endpoint;           /* ACS; NULL when the control plane named none */
	const char *telemetry_endpoint; /* TCS; likewise */
};

/* Exactly one of `endpoints` and `err` is not NULL. Both are valid during the callback. */
typedef void discover_callback(void *data, const struct discover_endpoints *endpoints,
			       const struct error *err);

struct discover *discover_new(struct loop *loop, struct ecs_client *client,
			      const struct agent_config *config,
			      const struct ecs_instance *instance);
void discover_free(struct discover *discover);

/* The callback comes later, also when the answer is known. `owner` names the caller for
 * discover_forget(). */
void discover_get(struct discover *discover, discover_callback *callback, void *owner);
/* A callback of this owner is to come. */
bool discover_will_answer(const struct discover *discover, const void *owner);
void discover_forget(struct discover *discover, const void *owner);

#endif
