/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_AGENT_ENDPOINTS_PLACE_H
#define BERTH_TESTS_AGENT_ENDPOINTS_PLACE_H

#include "agent/endpoints/endpoints.h"
#include "base/http_head.h"
#include "fixture.h"

/*
 * The endpoints on loopback over a real engine, whose effects succeed at once but for those that
 * the test holds back.
 */
struct place {
	struct loop *loop;
	struct web *web;
	struct agent_config *config;
	struct engine *engine;
	struct credentials_store *credentials;
	struct endpoints_identity identity;
	struct endpoints *endpoints;
	uint16_t introspection, metadata; /* ports */
	int64_t now_ms, sequence;
	struct engine_effect **queue; /* to be answered */
	size_t queue_count, queue_capacity;
	enum engine_effect_type held;
	const char *held_container; /* NULL: nothing is held back */
	int stats_result;           /* of reading statistics */
	bool late;
	bool well;
	int health_asked;
};

/* `setting`: "NAME=value" or NULL. */
struct place *place_new(const char *setting);
void place_free(struct place *place);

/* Runs a task of this JSON; see quoted(). */
void place_run(struct place *place, const char *json);
void place_stop(struct place *place, const char *id);
/* The container's program ends. */
void place_exit(struct place *place, const char *id, const char *container, int code);
/* Its endpoint id. */
const char *place_endpoint(struct place *place, const char *id, const char *container);
/* Serves the task on a socket of its own; its port. */
uint16_t place_serve(struct place *place, const char *id);
void place_credentials(struct place *place, const char *arn, enum credentials_role role,
		       const char *id, const char *expiration);

struct answer {
	struct http_head head;
	char *body;
};

/* "GET /v4/x" on a connection of its own. Valid until the next call. */
const struct answer *ask(struct place *place, uint16_t port, const char *request);
/* The same, for requests of which only this matters. */
void expect(struct place *place, uint16_t port, const char *request, int status, const char *body);

#endif
