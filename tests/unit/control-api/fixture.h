/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_CONTROL_API_FIXTURE_H
#define BERTH_TESTS_CONTROL_API_FIXTURE_H

#include <jansson.h>

#include "base/json.h"
#include "base/loop.h"
#include "control-plane/api/dispatch.h"
#include "control-plane/services/services.h"
#include "control-plane/store/store.h"

/* A whole control plane but for its sockets: calls go straight into the dispatcher. */
struct fixture {
	struct loop *loop;
	struct store *store;
	struct services *services;
	struct api api;
};

#define ARN_PREFIX "arn:aws:ecs:us-west-2:123456789012:"

/* For cmocka: *state is the fixture, in memory. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_open(struct fixture *fixture, const char *path);
void fixture_close(struct fixture *fixture);

/*
 * One call; `input` is JSON with ' for " (nothing here needs an apostrophe). The output, which the
 * caller owns; the test fails unless the call is answered with 200.
 */
json_t *call_ok(struct fixture *fixture, const char *operation, const char *input);
/* The call must be refused with this type and this message (NULL: any). */
void call_refused(struct fixture *fixture, const char *operation, const char *input,
		  const char *type, const char *message);
/* The same for a body that is sent as it is. */
void raw_refused(struct fixture *fixture, const char *target, const char *body, const char *type);

/* "a.b[1].c" from an output; NULL when it is not there. */
json_t *at(json_t *value, const char *path);
const char *text_at(json_t *value, const char *path);
int64_t number_at(json_t *value, const char *path);

/* Registers an instance with 2048 CPU and 3900 MiB; returns its ARN, which the caller frees. */
char *add_instance(struct fixture *fixture, const char *cluster);

#endif
