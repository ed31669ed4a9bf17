/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SESSIONS_SESSIONS_H
#define BERTH_CONTROL_PLANE_SESSIONS_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/web.h"
#include "control-plane/services/services.h"
#include "control-plane/store/store.h"

/*
 * The agents' websocket sessions: ACS (tasks, credentials, attachments, manifest) and TCS (metrics,
 * health). Both live on /ws of the API's listener and are told apart by their query: ACS has
 * containerInstanceArn and seqNum, TCS has cluster and containerInstance.
 *
 * What an agent has not acknowledged is sent again when it connects and by a timer. One instance
 * has at most one session of each kind: a second one replaces the first.
 */
struct sessions;

struct sessions_config {
	/* NULL: nothing is verified. Otherwise handshakes and TCS frames must be signed with these
	 * keys. */
	const char *access_key;
	const char *secret_key;
	/* Agents without an identity of their own are refused. */
	bool require_identity;
	int64_t heartbeat_ms; /* 0: 30 s. Heartbeats are sent this far apart, */
	int heartbeats_lost;  /* and the session ends when this many in a row are not acknowledged;
				 0: 4 */
	int64_t redeliver_ms; /* 0: 10 s. What is not acknowledged after it is sent again */
	double time_scale;    /* multiplies both; 0: 1.0 */
};

int sessions_new(struct loop *loop, struct store *store, struct services *services,
		 const struct sessions_config *config, struct sessions **ret_sessions,
		 struct error *err);

/*
 * Before the program ends: closes every session with 1001, which tells the agents to come back at
 * once, and calls back when they are closed or have had half a second for it. New handshakes are
 * refused from now on.
 */
void sessions_stop(struct sessions *sessions, void (*done)(void *data), void *data);

/* Drops what is left. Before services_free() and web_free(). */
void sessions_free(struct sessions *sessions);
DEFINE_CLEANUP(struct sessions, sessions_free);

/* The identity was revoked: what it has open is dropped. */
void sessions_identity_revoked(struct sessions *sessions, const char *identity);

/*
 * For the listener's on_upgrade, with every handshake on /ws (`data` is the struct sessions):
 * accepts it, or answers with a body that names the exception.
 */
void sessions_upgrade(void *data, struct web_request *request);

#endif
