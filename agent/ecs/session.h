/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_SESSION_H
#define BERTH_AGENT_ECS_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/config/config.h"
#include "agent/ecs/credentials.h"
#include "agent/ecs/discover.h"
#include "agent/ecs/instance.h"
#include "agent/ecs/session_facts.h"
#include "base/backoff.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/web.h"

/*
 * What ACS and TCS have in common: finding the endpoint, connecting, the deadlines, and when to
 * come back after a disconnect. Private to agent/ecs.
 */
struct session;

/* What a message says of the peer. */
enum session_sign {
	SIGN_NONE = 0,      /* nothing: it was no message that we know */
	SIGN_ALIVE = 1,     /* extends the read deadline */
	SIGN_HEARTBEAT = 2, /* re-arms the heartbeat timer */
};

struct session_role {
	const char *name; /* for the log: "ACS" */
	struct backoff_policy backoff;
	bool age_resets_backoff; /* a connection that lasted one to two minutes starts the back-off
				    over */
	bool heartbeat_closes;   /* on its expiry a close frame is sent; else TCP is dropped */
	size_t message_limit;

	/* The endpoint of this role, or NULL. */
	const char *(*endpoint)(const struct discover_endpoints *endpoints);
	/* Appends the query, each name and value encoded, sorted by name. */
	void (*query)(void *data, struct strbuf *query);
	void (*opened)(void *data);
	enum session_sign (*message)(void *data, const char *text, size_t size);
	void (*closed)(void *data);
	/* The control plane says that the instance is inactive: it is asked again in an hour. NULL:
	 * as any failure. */
	void (*inactive)(void *data);
};

/* All is borrowed and outlives the session. */
struct session_context {
	struct loop *loop;
	struct web *web;
	const struct agent_config *config;
	struct aws_credentials *credentials;
	struct discover *discover;
	const struct ecs_instance *instance;
};

struct session *session_new(const struct session_context *context, const struct session_role *role,
			    void *data);
void session_free(struct session *session);
void session_start(struct session *session);
bool session_is_open(const struct session *session);
/* Valid until the loop turns. */
struct session_facts session_facts(const struct session *session);
/* That stands which ends the state it is in: a timer, a connection, a call. It is asserted when
 * a state is entered; true of one that was not started. */
bool session_is_held(const struct session *session);
/* The URL of the connection that is open; "" otherwise. */
const char *session_url(const struct session *session);
/* -ENOTCONN, -ENOBUFS. */
int session_send(struct session *session, const char *text, size_t size);
/* Drops the connection; it comes back as after any error. */
void session_drop(struct session *session);

/* Appends name=value, form-encoded, with & in front unless it is the first. */
void session_query_add(struct strbuf *query, const char *name, const char *value);

#endif
