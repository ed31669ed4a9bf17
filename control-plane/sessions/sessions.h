/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SESSIONS_SESSIONS_H
#define BERTH_CONTROL_PLANE_SESSIONS_SESSIONS_H

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/web.h"
#include "control-plane/services/services.h"

/*
 * The agents' websocket sessions: ACS (tasks, credentials, attachments, manifest) and TCS (metrics,
 * health). Both live on /ws of the API's listener and are told apart by their query: ACS has
 * containerInstanceArn and seqNum, TCS has cluster and containerInstance.
 *
 * What an agent has not acknowledged is sent again when it connects and by a timer. One instance
 * has at most one session of each kind: a second one replaces the first.
 */
struct sessions;
struct store;

struct sessions_config {
	const char *region;
	/* NULL: handshakes are not verified. Otherwise their SigV4 signature must be made with
	 * these keys. */
	const char *access_key;
	const char *secret_key;
	int64_t heartbeat_ms; /* 0: 30 s. Heartbeats are sent this far apart, */
	int heartbeats_lost;  /* and the session ends when this many in a row are not acknowledged;
				 0: 4 */
	int64_t redeliver_ms; /* 0: 10 s. What is not acknowledged after it is sent again */
	double time_scale;    /* multiplies both, and the refresh of credentials; 0: 1.0 */
};

int sessions_new(struct loop *loop, struct store *store, struct services *services,
		 const struct sessions_config *config, struct sessions **ret_sessions,
		 struct error *err);

/* Closes every session with 1001, which tells the agents to come back at once. */
void sessions_free(struct sessions *sessions);

/*
 * To be called by the listener's upgrade handler for every request to /ws (`data` is the struct
 * sessions): accepts the upgrade or answers 400 with a body that names the exception.
 */
void sessions_upgrade(void *data, struct web_request *request);

#endif
