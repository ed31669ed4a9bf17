/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/acs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ecs/pending_acks.h"
#include "agent/ecs/session.h"
#include "base/alloc.h"
#include "base/log.h"

#define SEQ_NUM          "1"
#define PROTOCOL_VERSION "2"

struct acs_session {
	struct acs_context context;
	struct session *session;
	bool send_credentials; /* until the first connection of this process */
	struct pending_acks acks;
};

static const char *endpoint_of(const struct discover_endpoints *endpoints)
{
	return endpoints->endpoint;
}

static void make_query(void *data, struct strbuf *query)
{
	const struct acs_session *acs = data;
	const struct ecs_instance *instance = acs->context.instance;

	session_query_add(query, "agentHash", instance->agent_hash);
	session_query_add(query, "agentVersion", instance->agent_version);
	session_query_add(query, "clusterArn", instance->cluster);
	session_query_add(query, "containerInstanceArn", instance->container_instance);
	if (strcmp(instance->engine_version, "containerd") == 0) {
		session_query_add(query, "dockerVersion", instance->engine_version);
	} else if (*instance->engine_version) {
		_cleanup_free_ char *version =
			xasprintf("DockerVersion: %s", instance->engine_version);

		session_query_add(query, "dockerVersion", version);
	}
	session_query_add(query, "protocolVersion", PROTOCOL_VERSION);
	session_query_add(query, "sendCredentials", acs->send_credentials ? "true" : "false");
	session_query_add(query, "seqNum", SEQ_NUM);
}

static void send_text(struct acs_session *acs, const char *what, char *text)
{
	int result = session_send(acs->session, text, strlen(text));

	if (result < 0)
		log_debug("An answer was not sent; the control plane asks again", "answer", what,
			  "error", strerror(-result));
	free(text);
}

static void opened(void *data)
{
	struct acs_session *acs = data;

	acs->send_credentials = false;
	if (acs->context.handler->connection)
		acs->context.handler->connection(acs->context.handler->data, true);
}

static void closed(void *data)
{
	struct acs_session *acs = data;

	/* The control plane sends again what it has no ack of, and every copy is acknowledged by
	 * itself. */
	pending_acks_clear(&acs->acks);
	if (acs->context.handler->connection)
		acs->context.handler->connection(acs->context.handler->data, false);
}

static void inactive(void *data)
{
	struct acs_session *acs = data;

	if (acs->context.handler->inactive)
		acs->context.handler->inactive(acs->context.handler->data);
}

static void ack(struct acs_session *acs, const char *cluster, const char *instance,
		const char *message_id)
{
	send_text(acs, "AckRequest", acs_encode_ack(cluster, instance, message_id));
}

static void refuse_update(struct acs_session *acs, const struct acs_update *update)
{
	if (str_is_empty(update->message_id))
		return;
	send_text(acs, "NackRequest",
		  acs_encode_nack(update->cluster_arn, update->container_instance_arn,
				  update->message_id, "Updates are disabled"));
}

static void take_payload(struct acs_session *acs, struct acs_payload *payload)
{
	log_debug("A payload came", "message", payload->message_id, "tasks",
		  LOG_NUM(payload->task_count), "refused", LOG_NUM(payload->refused_count));
	if (payload->refused_count == 0)
		pending_acks_add_payload(&acs->acks, payload);
	acs->context.handler->payload(acs->context.handler->data, payload);
}

static void take_credentials(struct acs_session *acs, struct acs_credentials *credentials)
{
	const struct role_credentials *given = credentials->credentials;
	char *answer =
		acs_encode_credentials_ack(credentials->message_id, given->id, given->expiration);
	struct error err = ERROR_INIT;

	if (acs->context.handler->credentials(acs->context.handler->data, credentials, &err) == 0) {
		send_text(acs, "IAMRoleCredentialsAckRequest", answer);
		return;
	}
	free(answer);
	log_warn("Credentials were not taken", "task", credentials->task_arn, "error", err.text);
}

/* Acknowledged, it does not come again: it is saved before. */
static void take_attach(struct acs_session *acs, const struct acs_attach_interfaces *attach)
{
	const struct acs_handler *handler = acs->context.handler;

	if (handler->attach(handler->data, attach) == 0)
		ack(acs, attach->cluster_arn, attach->container_instance_arn, attach->message_id);
}

static void take_network(struct acs_session *acs, const struct acs_network *network)
{
	const struct acs_handler *handler = acs->context.handler;

	if (handler->network) {
		pending_acks_add(&acs->acks, network->message_id, network->cluster_arn,
				 network->container_instance_arn);
		handler->network(handler->data, network);
		return;
	}
	/* Not announced by this agent, and so not sent to it: or else it would come for ever. */
	log_warn("Security groups came that this agent does not enforce: they are left alone",
		 "groups", LOG_NUM(network->group_count));
	ack(acs, network->cluster_arn, network->container_instance_arn, network->message_id);
}

static void dispatch(struct acs_session *acs, struct acs_message *message)
{
	const struct acs_handler *handler = acs->context.handler;

	switch (message->type) {
	case ACS_HEARTBEAT:
		send_text(acs, "HeartbeatAckRequest",
			  acs_encode_heartbeat_ack(message->heartbeat.message_id));
		if (handler->heartbeat)
			handler->heartbeat(handler->data);
		return;
	case ACS_PAYLOAD:
		take_payload(acs, &message->payload);
		return;
	case ACS_CREDENTIALS:
		take_credentials(acs, &message->credentials);
		return;
	case ACS_ATTACH_TASK_INTERFACES:
	case ACS_ATTACH_INSTANCE_INTERFACES:
		take_attach(acs, &message->attach);
		return;
	case ACS_CONFIRM_ATTACHMENT:
		ack(acs, message->confirm.cluster_arn, message->confirm.container_instance_arn,
		    message->confirm.message_id);
		log_warn("An attachment is announced that this agent cannot attach: it is left "
			 "alone, and will not be reported",
			 "type", message->confirm.attachment.type, "attachment",
			 message->confirm.attachment.arn, "task", message->confirm.task_arn);
		return;
	case ACS_MANIFEST:
		pending_acks_add(&acs->acks, message->manifest.message_id,
				 message->manifest.cluster_arn,
				 message->manifest.container_instance_arn);
		handler->manifest(handler->data, &message->manifest);
		return;
	case ACS_NETWORK:
		take_network(acs, &message->network);
		return;
	case ACS_STOP_VERIFICATION_ACK:
		handler->stop_verified(handler->data, &message->stop_verification);
		return;
	case ACS_STAGE_UPDATE:
	case ACS_PERFORM_UPDATE:
		refuse_update(acs, &message->update);
		return;
	default:
		log_info("A message needs no answer", "type", acs_type_name(message->type));
		return;
	}
}

static enum session_sign take_message(void *data, const char *text, size_t size)
{
	struct acs_session *acs = data;
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	struct error err = ERROR_INIT;
	int result = acs_decode(text, size, &message, &err);

	if (result == 0)
		dispatch(acs, message);
	else
		log_warn("A message was dropped", "session", "ACS", "error", err.text);
	return acs_is_activity(result) ? SIGN_ALIVE | SIGN_HEARTBEAT : SIGN_NONE;
}

static const struct session_role role = {
	.name = "ACS",
	.backoff = { .min_ms = 250, .max_ms = 120 * 1000, .multiplier = 1.5, .jitter = 0.2 },
	.age_resets_backoff = true,
	.message_limit = ACS_MESSAGE_LIMIT,
	.endpoint = endpoint_of,
	.query = make_query,
	.opened = opened,
	.message = take_message,
	.closed = closed,
	.inactive = inactive,
};

struct acs_session *acs_session_new(const struct acs_context *context)
{
	struct acs_session *acs = xcalloc(1, sizeof(*acs));

	acs->context = *context;
	acs->send_credentials = true;
	acs->session = session_new(
		&(struct session_context){
			.loop = context->loop,
			.web = context->web,
			.config = context->config,
			.credentials = context->credentials,
			.discover = context->discover,
			.instance = context->instance,
		},
		&role, acs);
	return acs;
}

void acs_session_free(struct acs_session *acs)
{
	if (!acs)
		return;
	session_free(acs->session);
	pending_acks_clear(&acs->acks);
	free(acs);
}

struct session_facts acs_session_facts(const struct acs_session *acs)
{
	return session_facts(acs->session);
}

bool acs_session_is_held(const struct acs_session *acs)
{
	return session_is_held(acs->session);
}

void acs_session_start(struct acs_session *acs)
{
	session_start(acs->session);
}

bool acs_session_is_open(const struct acs_session *acs)
{
	return session_is_open(acs->session);
}

void acs_session_acknowledge(struct acs_session *acs, const char *message_id)
{
	struct pending_ack *pending = pending_acks_take(&acs->acks, message_id);

	if (!pending) {
		log_debug("There is nothing to acknowledge any more", "message", message_id);
		return;
	}
	ack(acs, pending->cluster, pending->container_instance, message_id);
	for (size_t i = 0; i < pending->credentials_count; i++)
		send_text(acs, "IAMRoleCredentialsAckRequest",
			  acs_encode_credentials_ack(message_id, pending->credentials[i].id,
						     pending->credentials[i].expiration));
	pending_ack_free(pending);
}

void acs_session_stop_candidates(struct acs_session *acs, const char *message_id,
				 const char *cluster_arn, const char *const *task_arns,
				 size_t count)
{
	send_text(acs, "TaskStopVerificationMessage",
		  acs_encode_stop_verification(message_id, cluster_arn, task_arns, count));
}
