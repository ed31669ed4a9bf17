/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/sessions/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "control-plane/sessions/private.h"

enum {
	HEARTBEAT_DEFAULT_MS = 30 * 1000,
	HEARTBEATS_LOST_DEFAULT = 4,
	REDELIVER_DEFAULT_MS = 10 * 1000,
	STOP_WAIT_MS = 500,
	SEQUENCE_BLOCK = 1000,
};

int sessions_next_sequence(struct sessions *sessions, int64_t *ret, struct error *err)
{
	if (sessions->next_sequence >= sessions->last_sequence) {
		int64_t block;
		int r = store_next(sessions->store, "acs-sequence", &block, err);

		if (r < 0)
			return r;
		sessions->next_sequence = block * SEQUENCE_BLOCK;
		sessions->last_sequence = (block + 1) * SEQUENCE_BLOCK;
	}
	*ret = sessions->next_sequence++;
	return 0;
}

const char *sessions_secret_of(void *data, const char *access_key)
{
	const struct sessions *sessions = data;

	return str_eq(sessions->access_key, access_key) ? sessions->secret_key : NULL;
}

void session_close(struct session *session, int code, const char *reason)
{
	if (session->closing)
		return;
	session->closing = true;
	ws_close(session->ws, code, reason);
}

static void task_changed(void *data, struct task *task)
{
	struct sessions *sessions = data;
	struct session *session = map_get(sessions->acs, task->instance_arn);

	if (session)
		acs_deliver(session, task);
}

static void network_changed(void *data)
{
	sessions_network_changed(data);
}

static void instance_gone(void *data, const char *instance_arn)
{
	struct sessions *sessions = data;

	/* 1000 brings the agent back at once: then it learns that its instance is inactive. */
	for (struct session *s = sessions->first; s; s = s->next)
		if (str_eq(s->instance_arn, instance_arn))
			session_close(s, 1000, "the container instance is deregistered");
}

void sessions_identity_revoked(struct sessions *sessions, const char *identity)
{
	/* No close frame: nothing that is still under way from it is listened to. */
	for (struct session *s = sessions->first; s; s = s->next)
		if (str_eq(s->identity, identity))
			ws_drop(s->ws);
}

static const struct services_outlet outlet = {
	.task_changed = task_changed,
	.network_changed = network_changed,
	.instance_gone = instance_gone,
};

static void on_heartbeat(void *data)
{
	struct sessions *sessions = data;
	struct session *next;

	for (struct session *s = sessions->first; s; s = next) {
		next = s->next;
		if (!s->open)
			continue;
		if (s->closing)
			ws_drop(s->ws);
		else if (s->kind == SESSION_ACS)
			acs_heartbeat(s);
		else
			tcs_heartbeat(s);
	}
	loop_timer_start(sessions->heartbeat_timer, sessions->heartbeat_ms);
}

static void on_redeliver(void *data)
{
	struct sessions *sessions = data;

	/* A task that is sent from here must not be ahead of its network. */
	services_tell_network(sessions->services);
	if (sessions->network_missed)
		sessions_network_changed(sessions);
	for (struct session *s = sessions->first; s; s = s->next)
		if (s->open && !s->closing && s->kind == SESSION_ACS)
			acs_redeliver(s);
	loop_timer_start(sessions->redeliver_timer, sessions->redeliver_ms / 2 + 1);
}

static int64_t scaled(int64_t given_ms, int64_t default_ms, double scale)
{
	return (int64_t)((double)(given_ms > 0 ? given_ms : default_ms) *
			 (scale > 0 ? scale : 1.0)) +
	       1;
}

int sessions_new(struct loop *loop, struct store *store, struct services *services,
		 const struct sessions_config *config, struct sessions **ret_sessions,
		 struct error *err)
{
	struct sessions *sessions;

	if ((config->access_key == NULL) != (config->secret_key == NULL))
		return error_say(err, EINVAL,
				 "an access key and its secret key are only of use together");
	sessions = xcalloc(1, sizeof(*sessions));
	sessions->loop = loop;
	sessions->store = store;
	sessions->services = services;
	sessions->access_key = xstrdup_null(config->access_key);
	sessions->secret_key = xstrdup_null(config->secret_key);
	sessions->require_identity = config->require_identity;
	sessions->heartbeat_ms =
		scaled(config->heartbeat_ms, HEARTBEAT_DEFAULT_MS, config->time_scale);
	sessions->redeliver_ms =
		scaled(config->redeliver_ms, REDELIVER_DEFAULT_MS, config->time_scale);
	sessions->heartbeats_lost =
		config->heartbeats_lost > 0 ? config->heartbeats_lost : HEARTBEATS_LOST_DEFAULT;
	sessions->acs = map_new();
	sessions->tcs = map_new();
	sessions->heartbeat_timer = loop_timer_new(loop, on_heartbeat, sessions);
	sessions->redeliver_timer = loop_timer_new(loop, on_redeliver, sessions);
	loop_timer_start(sessions->heartbeat_timer, sessions->heartbeat_ms);
	loop_timer_start(sessions->redeliver_timer, sessions->redeliver_ms / 2 + 1);
	services_set_outlet(services, &outlet, sessions);
	*ret_sessions = sessions;
	return 0;
}

static void on_stopped(void *data)
{
	struct sessions *sessions = data;

	if (sessions->stop_done)
		sessions->stop_done(sessions->stop_data);
	sessions->stop_done = NULL;
}

void sessions_stop(struct sessions *sessions, void (*done)(void *data), void *data)
{
	if (sessions->stop_timer)
		return;
	sessions->stop_done = done;
	sessions->stop_data = data;
	sessions->stop_timer = loop_timer_new(sessions->loop, on_stopped, sessions);
	loop_timer_start(sessions->stop_timer, sessions->first ? STOP_WAIT_MS : 0);
	for (struct session *s = sessions->first; s; s = s->next)
		if (s->open)
			session_close(s, 1001, "the control plane is going away");
}

/* --- one session
 * -----------------------------------------------------------------------------------------------
 */

static struct map *registry(const struct session *session)
{
	return session->kind == SESSION_ACS ? session->sessions->acs : session->sessions->tcs;
}

static void session_free(struct session *session)
{
	struct sessions *sessions = session->sessions;

	if (session->previous)
		session->previous->next = session->next;
	else
		sessions->first = session->next;
	if (session->next)
		session->next->previous = session->previous;
	acs_clear(session);
	free(session->instance_arn);
	free(session->identity);
	free(session->cluster_arn);
	free(session->path);
	free(session->query);
	free(session);
}

static void on_open(void *data, struct ws *ws)
{
	struct session *session = data;
	struct session *before = map_get(registry(session), session->instance_arn);

	session->ws = ws;
	session->open = true;
	map_set(registry(session), session->instance_arn, session);
	/* 1008 makes the other one back off, should two agents have the same identity. */
	if (before)
		session_close(before, 1008, "a newer session of this container instance is open");
	log_info("agent connected", "session", session->kind == SESSION_ACS ? "ACS" : "TCS",
		 "instance", session->instance_arn, "identity", session->identity);
	if (session->kind == SESSION_ACS)
		acs_opened(session);
}

static void on_message(void *data, struct ws *ws, const char *text, size_t size, bool is_binary)
{
	struct session *session = data;

	(void)ws;
	(void)is_binary;
	if (session->kind == SESSION_ACS)
		acs_message(session, text, size);
	else
		tcs_message(session, text, size);
}

static void on_close(void *data, struct ws *ws, const struct ws_close *close)
{
	struct session *session = data;
	struct sessions *sessions = session->sessions;

	(void)ws;
	if (map_get(registry(session), session->instance_arn) == session) {
		map_remove(registry(session), session->instance_arn);
		if (session->kind == SESSION_ACS)
			services_agent_down(sessions->services, session->instance_arn);
	}
	if (session->open)
		log_info("agent disconnected", "session",
			 session->kind == SESSION_ACS ? "ACS" : "TCS", "instance",
			 session->instance_arn, "code", LOG_NUM(close->code), "reason",
			 close->reason);
	session_free(session);
	if (sessions->stop_timer && !sessions->first)
		loop_timer_start(sessions->stop_timer, 0);
}

const struct ws_callbacks session_callbacks = {
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	services_set_outlet(sessions->services, NULL, NULL);
	for (struct session *s = sessions->first, *next; s; s = next) {
		next = s->next;
		if (s->ws)
			ws_forget(s->ws);
		session_free(s);
	}
	loop_timer_free(sessions->heartbeat_timer);
	loop_timer_free(sessions->redeliver_timer);
	loop_timer_free(sessions->stop_timer);
	map_free(sessions->acs);
	map_free(sessions->tcs);
	free(sessions->access_key);
	if (sessions->secret_key)
		explicit_bzero(sessions->secret_key, strlen(sessions->secret_key));
	free(sessions->secret_key);
	free(sessions);
}
