/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SESSIONS_PRIVATE_H
#define BERTH_CONTROL_PLANE_SESSIONS_PRIVATE_H

#include "base/map.h"
#include "control-plane/sessions/sessions.h"

struct sessions {
	struct loop *loop;
	struct store *store;
	struct services *services;

	bool require_identity;
	char *access_key; /* NULL: nothing is verified */
	char *secret_key;
	int64_t heartbeat_ms; /* scaled, as the next */
	int64_t redeliver_ms;
	int heartbeats_lost;

	struct session *first; /* every open session of both kinds */
	struct map *acs;       /* instance ARN -> the session that counts */
	struct map *tcs;
	struct loop_timer *heartbeat_timer;
	struct loop_timer *redeliver_timer;

	int64_t next_sequence; /* of payloads, manifests and networks; from a block that the store
				  has given away */
	int64_t last_sequence;

	bool network_missed; /* could not be told: at the next redelivery */

	struct loop_timer *stop_timer; /* not NULL: stopping */
	void (*stop_done)(void *data);
	void *stop_data;
};

enum session_kind { SESSION_ACS, SESSION_TCS };

/* What is sent and not acknowledged, by message id. */
struct pending;
/* The network as it was told last. */
struct session_network;

struct session {
	struct session *next, *previous;
	struct sessions *sessions;
	enum session_kind kind;
	struct ws *ws;
	bool open;
	bool closing;
	char *instance_arn;
	char *identity; /* of the agent; NULL: it signs */
	char *cluster_arn;
	char *path; /* of the handshake: what frames are signed with */
	char *query;

	/* ACS */
	bool send_credentials;
	int unanswered; /* heartbeats */
	char *manifest_id;
	struct map *pending;
	struct session_network *network; /* NULL: the agent wants none */

	/* TCS */
	int silent; /* heartbeat intervals without a message */
};

extern const struct ws_callbacks session_callbacks;

/* Opens, ends; the registry calls these. */
void acs_opened(struct session *session);
void acs_message(struct session *session, const char *text, size_t size);
void acs_heartbeat(struct session *session);
void acs_redeliver(struct session *session);
/* Tells the agent what it has still to be told of this task. */
void acs_deliver(struct session *session, struct task *task);
void acs_clear(struct session *session);
/* Takes the text over. */
void acs_send(struct session *session, char *text);

/* Of an agent that announced it: the network, now and whenever it is another. */
void acs_network_open(struct session *session);
void sessions_network_changed(struct sessions *sessions);
void acs_network_redeliver(struct session *session);
/* False: the id is none of the network's. */
bool acs_network_acknowledged(struct session *session, const char *message_id);
void acs_network_clear(struct session *session);

void tcs_message(struct session *session, const char *text, size_t size);
void tcs_heartbeat(struct session *session);

/* The next number of the one counter for payloads, manifests and networks; it only grows, over
 * restarts too.
 */
int sessions_next_sequence(struct sessions *sessions, int64_t *ret, struct error *err);

/* The secret of the one key that is configured: for sigv4_verify(). */
const char *sessions_secret_of(void *data, const char *access_key);

/* A close frame, and the connection dropped at the next heartbeat if the peer does not answer it.
 */
void session_close(struct session *session, int code, const char *reason);

#endif
