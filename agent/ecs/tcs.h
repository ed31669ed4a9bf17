/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_TCS_H
#define BERTH_AGENT_ECS_TCS_H

#include <stdbool.h>

#include "agent/config/config.h"
#include "agent/ecs/credentials.h"
#include "agent/ecs/discover.h"
#include "agent/ecs/instance.h"
#include "agent/ecs/session_facts.h"
#include "agent/ecs/telemetry.h"
#include "base/loop.h"
#include "base/web.h"

/*
 * The telemetry session: connects, sends what `telemetry` has queued, each message under a signed
 * header block, and reconnects with back-off.
 */
struct tcs_session;

/* Everything is borrowed and outlives the session. */
struct tcs_context {
	struct loop *loop;
	struct web *web;
	const struct agent_config *config;
	struct aws_credentials *credentials;
	struct discover *discover;
	const struct ecs_instance *instance;
	struct telemetry *telemetry;
};

struct tcs_session *tcs_session_new(const struct tcs_context *context);
struct session_facts tcs_session_facts(const struct tcs_session *session);
/* See session_is_held(). */
bool tcs_session_is_held(const struct tcs_session *session);
void tcs_session_start(struct tcs_session *session);
/* Drops the connection once; the session comes back by its own policy. Called when ACS hears of an
 * inactive instance. */
void tcs_session_drop(struct tcs_session *session);
void tcs_session_free(struct tcs_session *session);

#endif
