/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_UNIT_CONTROL_SESSIONS_PLACE_H
#define BERTH_TESTS_UNIT_CONTROL_SESSIONS_PLACE_H

#include <jansson.h>

#include "base/header.h"
#include "base/loop.h"
#include "base/web.h"
#include "control-plane/services/services.h"
#include "control-plane/sessions/private.h"
#include "control-plane/store/store.h"

/*
 * The control plane's end of the sessions behind a listener on loopback, and agents that connect to
 * it from the same loop and say what a test tells them.
 */

#define ID1    "11111111111111111111111111111111"
#define ID2    "22222222222222222222222222222222"
#define HOST1  "arn:aws:ecs:us-west-2:000000000000:container-instance/c/" ID1
#define HOST2  "arn:aws:ecs:us-west-2:000000000000:container-instance/c/" ID2
#define TASK_X "arn:aws:ecs:us-west-2:000000000000:task/c/0123456789abcdef0123456789abcdef"

#define PLACE_DEADLINE_MS 60000

struct agent {
	struct place *place;
	struct ws *ws; /* NULL: closed */
	bool open;
	bool closed;
	int close_code;
	int http_status;
	bool reset;
	char reason[256];
	char body[1024];  /* of a refused handshake */
	json_t *messages; /* in order */
	size_t pongs;
	/* Heartbeats, payloads and manifests are acknowledged as they come; a heartbeat of TCS,
	 * which needs no answer, gets one that makes no sense. */
	bool automatic;
};

struct place {
	struct loop *loop;
	struct store *store;
	struct services *services;
	struct sessions *sessions;
	struct web *web;
	struct web_listener *listener;
	uint16_t port;
	struct agent *agents[16];
	size_t agent_count;
};

/* The cluster "c" with both hosts ACTIVE, and the family "web". `config` NULL: the defaults. */
void place_open(struct place *place, const struct sessions_config *config);
void place_close(struct place *place);

/* Lets the loop run until it holds; fails the test after a generous deadline. */
void place_until(struct place *place, bool (*done)(void *data), void *data);
/* Connects to /ws with this query; owned by the place. */
struct agent *place_connect(struct place *place, const char *query, const struct header *headers,
			    size_t header_count);
struct agent *place_acs(struct place *place, const char *instance_arn);
struct agent *place_tcs(struct place *place, const char *instance_arn);
/* http://127.0.0.1:<port>/ws?<query>; the caller frees. */
char *place_url(const struct place *place, const char *query);

/* RunTask of "web" on the first host that is connected, and its message's turn. */
struct task *place_run(struct place *place);

/* {"type":..., "message": {...}}, ' for ". */
void agent_say(struct agent *agent, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How many messages of the type came. */
size_t agent_count(const struct agent *agent, const char *type);
/* Waits for the nth (from 1) message of the type: its body, borrowed. */
json_t *agent_wait(struct agent *agent, const char *type, size_t nth);
/* Waits until everything that it has said was heard, and the answers are here: what did not come by
 * then does not come because of it. */
void agent_settle(struct agent *agent);
void agent_wait_open(struct agent *agent);
void agent_wait_closed(struct agent *agent);
const char *text_of(const json_t *object, const char *name);

#endif
