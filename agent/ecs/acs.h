/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_ACS_H
#define BERTH_AGENT_ECS_ACS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/config/config.h"
#include "agent/ecs/credentials.h"
#include "agent/ecs/discover.h"
#include "agent/ecs/instance.h"
#include "agent/ecs/session_facts.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/web.h"
#include "wire/acs.h"

/*
 * The session over which the control plane commands this agent: connects, reconnects with back-off,
 * keeps the deadlines, answers what can be answered at once, and hands the rest to a handler.
 */
struct acs_session;

/*
 * What the agent does with the messages. Messages belong to the session and live for the call; what
 * is marked TAKE() in wire/acs.h may be taken.
 */
struct acs_handler {
	/*
	 * Tasks to run and to stop. Answered by acs_session_acknowledge() once everything in it is
	 * durable; a payload with a refused entry is never acknowledged.
	 */
	void (*payload)(void *data, struct acs_payload *payload);
	/* Answered by acs_session_acknowledge(), and acs_session_stop_candidates() when there are
	 * any; or not at all. */
	void (*manifest)(void *data, const struct acs_manifest *manifest);
	void (*stop_verified)(void *data, const struct acs_stop_verification *verification);
	/* 0: stored and the task is known, it is acknowledged at once. Else -errno: it is not. */
	int (*credentials)(void *data, struct acs_credentials *credentials, struct error *err);
	/* Interfaces that will appear. 0: saved, or not to be sent again: it is acknowledged at
	 * once. Else -errno: it is not. */
	int (*attach)(void *data, const struct acs_attach_interfaces *attach);
	/*
	 * The network around the tasks, whole each time. Answered by acs_session_acknowledge() once
	 * it is in force; what came before with a lower version is replaced. NULL: this agent
	 * enforces nothing, the message is acknowledged and left alone.
	 */
	void (*network)(void *data, const struct acs_network *network);
	/* Time to look whether the host is well. Acknowledged at once. May be NULL. */
	void (*heartbeat)(void *data);
	/* The control plane does not know this instance any more: the session stays away for an
	 * hour. May be NULL. */
	void (*inactive)(void *data);
	/* The session is open, or closed. May be NULL. */
	void (*connection)(void *data, bool open);
	void *data;
};

/* All is borrowed and outlives the session. */
struct acs_context {
	struct loop *loop;
	struct web *web;
	const struct agent_config *config;
	struct aws_credentials *credentials;
	struct discover *discover;
	const struct ecs_instance *instance;
	const struct acs_handler *handler;
};

struct acs_session *acs_session_new(const struct acs_context *context);
struct session_facts acs_session_facts(const struct acs_session *acs);
/* See session_is_held(). */
bool acs_session_is_held(const struct acs_session *acs);
void acs_session_start(struct acs_session *session);
void acs_session_free(struct acs_session *session);
bool acs_session_is_open(const struct acs_session *session);

/*
 * Sends the AckRequest of the payload, manifest or network `message_id`, with the cluster and
 * instance of the message, and the acks of the credentials that a payload brought. When the session
 * is not open nothing is sent: the control plane sends the payload again, and it is acknowledged
 * then.
 */
void acs_session_acknowledge(struct acs_session *session, const char *message_id);

/* Asks whether these tasks, which the manifest `message_id` does not list, shall stop. */
void acs_session_stop_candidates(struct acs_session *session, const char *message_id,
				 const char *cluster_arn, const char *const *task_arns,
				 size_t count);

#endif
