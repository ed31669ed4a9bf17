/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/tcs.h"

#include <stdlib.h>
#include <string.h>

#include "agent/ecs/session.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sigv4.h"
#include "wire/tcs.h"

#define STATUS_MS 20000

struct tcs_session {
	struct tcs_context context;
	struct session *session;
	struct loop_timer *status;
};

static const char *endpoint_of(const struct discover_endpoints *endpoints)
{
	return endpoints->telemetry_endpoint;
}

static void make_query(void *data, struct strbuf *query)
{
	const struct tcs_session *tcs = data;
	const struct ecs_instance *instance = tcs->context.instance;

	session_query_add(query, "agentHash", instance->agent_hash);
	session_query_add(query, "agentVersion", instance->agent_version);
	session_query_add(query, "cluster", instance->cluster);
	session_query_add(query, "containerInstance", instance->container_instance);
	if (*instance->engine_version)
		session_query_add(query, "dockerVersion", instance->engine_version);
}

/* Puts the signed header block in front and sends. False: it is lost. */
static bool publish(struct tcs_session *tcs, const char *envelope)
{
	_cleanup_free_ char *frame = NULL;
	struct sigv4_credentials credentials;
	struct error err = ERROR_INIT;
	size_t size;
	int result;

	if (aws_credentials_get(tcs->context.credentials, &credentials, &err) < 0 ||
	    sigv4_sign_frame(&credentials, tcs->context.config->region, "ecs",
			     session_url(tcs->session), envelope, strlen(envelope),
			     aws_credentials_wall_ms(tcs->context.credentials), &frame, &size,
			     &err) < 0) {
		log_warn("Telemetry was not sent", "error", err.text);
		return false;
	}
	result = session_send(tcs->session, frame, size);
	if (result < 0)
		log_warn("Telemetry was not sent", "error", strerror(-result));
	return result == 0;
}

static void on_ready(void *data)
{
	struct tcs_session *tcs = data;
	struct tcs_requests requests = { 0 };

	while (session_is_open(tcs->session) && telemetry_take(tcs->context.telemetry, &requests)) {
		for (size_t i = 0; i < requests.count; i++)
			publish(tcs, requests.items[i]);
		tcs_requests_clear(&requests);
	}
}

static void on_status(void *data)
{
	struct tcs_session *tcs = data;
	_cleanup_free_ char *status = NULL;

	loop_timer_start(tcs->status, config_scaled_ms(tcs->context.config, STATUS_MS));
	if (!session_is_open(tcs->session))
		return;
	status = telemetry_instance_status(tcs->context.telemetry);
	if (status && publish(tcs, status))
		telemetry_instance_status_sent(tcs->context.telemetry);
}

static void opened(void *data)
{
	struct tcs_session *tcs = data;

	loop_timer_start(tcs->status, config_scaled_ms(tcs->context.config, STATUS_MS));
	on_ready(tcs);
}

static void closed(void *data)
{
	struct tcs_session *tcs = data;

	loop_timer_stop(tcs->status);
}

static enum session_sign take_message(void *data, const char *text, size_t size)
{
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message = NULL;
	struct error err = ERROR_INIT;

	(void)data;
	if (tcs_decode(text, size, &message, &err) < 0) {
		log_warn("A message was dropped", "session", "TCS", "error", err.text);
		return SIGN_NONE;
	}
	switch (message->type) {
	case TCS_HEARTBEAT:
	case TCS_ACK_METRICS:
	case TCS_ACK_HEALTH:
	case TCS_ACK_INSTANCE_STATUS:
		return SIGN_ALIVE | SIGN_HEARTBEAT;
	default:
		/* Errors among them: they show that the peer is there, not that it takes what we
		 * send. */
		log_warn("The telemetry service complains", "type", tcs_type_name(message->type),
			 "text", message->type >= TCS_SERVER_EXCEPTION ? message->text : NULL);
		return SIGN_ALIVE;
	}
}

static const struct session_role role = {
	.name = "TCS",
	.backoff = { .min_ms = 1000, .max_ms = 60000, .multiplier = 2, .jitter = 0.2 },
	.heartbeat_closes = true,
	.message_limit = TCS_MESSAGE_LIMIT,
	.endpoint = endpoint_of,
	.query = make_query,
	.opened = opened,
	.message = take_message,
	.closed = closed,
};

struct tcs_session *tcs_session_new(const struct tcs_context *context)
{
	struct tcs_session *tcs = xcalloc(1, sizeof(*tcs));

	tcs->context = *context;
	tcs->status = loop_timer_new(context->loop, on_status, tcs);
	tcs->session = session_new(
		&(struct session_context){
			.loop = context->loop,
			.web = context->web,
			.config = context->config,
			.credentials = context->credentials,
			.discover = context->discover,
			.instance = context->instance,
		},
		&role, tcs);
	telemetry_on_ready(context->telemetry, on_ready, tcs);
	return tcs;
}

struct session_facts tcs_session_facts(const struct tcs_session *tcs)
{
	return session_facts(tcs->session);
}

bool tcs_session_is_held(const struct tcs_session *tcs)
{
	return session_is_held(tcs->session);
}

void tcs_session_start(struct tcs_session *tcs)
{
	session_start(tcs->session);
}

void tcs_session_drop(struct tcs_session *tcs)
{
	session_drop(tcs->session);
}

void tcs_session_free(struct tcs_session *tcs)
{
	if (!tcs)
		return;
	telemetry_on_ready(tcs->context.telemetry, NULL, NULL);
	session_free(tcs->session);
	loop_timer_free(tcs->status);
	free(tcs);
}
