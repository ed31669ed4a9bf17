/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BerthNetworkMessage: the whole state for one instance, whenever it is another than the one that
 * was sent last, and again until it is acknowledged. Only agents that announced it are sent it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/str.h"
#include "control-plane/services/network_view.h"
#include "control-plane/sessions/private.h"
#include "wire/acs.h"

struct session_network {
	char id[UUID_SIZE]; /* of the message that was sent last */
	int64_t version;
	int64_t generated_at_ms;
	char *text;      /* NULL: none yet */
	int64_t sent_ms; /* monotonic */
	bool acknowledged;
};

void acs_network_clear(struct session *session)
{
	if (!session->network)
		return;
	free(session->network->text);
	free(session->network);
	session->network = NULL;
}

static void send_state(struct session *session)
{
	struct session_network *network = session->network;

	network->sent_ms = clock_monotonic_ms();
	acs_send(session, xstrdup(network->text));
}

static char *encode(const struct session *session, struct acs_network *state)
{
	state->cluster_arn = session->cluster_arn;
	state->message_id = session->network->id;
	state->version = session->network->version;
	state->generated_at_ms = session->network->generated_at_ms;
	return acs_encode_network(state);
}

/* With the head of the last message the text is the same exactly when the state is. */
static bool is_told(const struct session *session, struct acs_network *state)
{
	_cleanup_free_ char *text = NULL;

	if (!session->network->text)
		return false;
	text = encode(session, state);
	return str_eq(text, session->network->text);
}

static void tell(struct session *session, struct network_view *view)
{
	struct session_network *network = session->network;
	struct error err = ERROR_INIT;
	struct acs_network state;

	network_view_of(view, session->instance_arn, &state);
	if (is_told(session, &state))
		return;
	if (sessions_next_sequence(session->sessions, &network->version, &err) < 0) {
		log_error("the network of tasks cannot be sent to an agent", "instance",
			  session->instance_arn, "error", err.text);
		session->sessions->network_missed = true;
		return;
	}
	uuid4(network->id);
	network->generated_at_ms = clock_wall_ms();
	network->acknowledged = false;
	free(network->text);
	network->text = encode(session, &state);
	if (strlen(network->text) > ACS_MESSAGE_LIMIT) {
		log_error("the network of an instance's tasks is more than fits into a message: "
			  "its agent keeps the last one",
			  "instance", session->instance_arn, "bytes",
			  LOG_NUM(strlen(network->text)));
		network->acknowledged = true;
		return;
	}
	send_state(session);
}

static struct network_view *view_for(struct sessions *sessions)
{
	struct network_view *view = NULL;
	struct error err = ERROR_INIT;

	if (network_view_new(sessions->services, &view, &err) < 0) {
		log_error("the networks of tasks cannot be read", "error", err.text);
		sessions->network_missed = true;
	}
	return view;
}

void acs_network_open(struct session *session)
{
	_cleanup_(network_view_free_cleanup) struct network_view *view = NULL;
	struct error err = ERROR_INIT;
	bool announced = false;

	if (network_is_announced(session->sessions->services, session->instance_arn, &announced,
				 &err) < 0)
		log_error("what an agent can do cannot be read", "instance", session->instance_arn,
			  "error", err.text);
	if (!announced)
		return;
	session->network = xcalloc(1, sizeof(*session->network));
	view = view_for(session->sessions);
	if (view)
		tell(session, view);
}

void sessions_network_changed(struct sessions *sessions)
{
	_cleanup_(network_view_free_cleanup) struct network_view *view = NULL;

	sessions->network_missed = false;
	for (struct session *s = sessions->first; s; s = s->next) {
		if (!s->network || !s->open || s->closing)
			continue;
		if (!view)
			view = view_for(sessions);
		if (!view)
			return;
		tell(s, view);
	}
}

void acs_network_redeliver(struct session *session)
{
	const struct session_network *network = session->network;

	if (network && network->text && !network->acknowledged &&
	    clock_monotonic_ms() - network->sent_ms >= session->sessions->redeliver_ms)
		send_state(session);
}

bool acs_network_acknowledged(struct session *session, const char *message_id)
{
	if (!session->network || !str_eq(session->network->id, message_id))
		return false;
	session->network->acknowledged = true;
	return true;
}
