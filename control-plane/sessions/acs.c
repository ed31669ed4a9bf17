/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ACS session. Every message that must be acknowledged has an id made of what it is and of its
 * task ("run-5b1c..."); the same thing sent again has the same id, so an answer to either sending
 * counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/str.h"
#include "control-plane/services/delivery.h"
#include "control-plane/sessions/private.h"
#include "wire/acs.h"

enum pending_kind {
	PENDING_RUN,
	PENDING_STOP,
	PENDING_ATTACH,
	PENDING_ROLE,
	PENDING_EXECUTION_ROLE,
};

static const char *const kind_names[] = {
	[PENDING_RUN] = "run",
	[PENDING_STOP] = "stop",
	[PENDING_ATTACH] = "attach",
	[PENDING_ROLE] = "role",
	[PENDING_EXECUTION_ROLE] = "execution-role",
};

struct pending {
	enum pending_kind kind;
	char *task_arn;
	int64_t sent_ms; /* monotonic */
};

static void pending_free(struct pending *pending)
{
	if (!pending)
		return;
	free(pending->task_arn);
	free(pending);
}

static char *message_id(enum pending_kind kind, const struct task *task)
{
	return xasprintf("%s-%s", kind_names[kind], task->id);
}

void acs_clear(struct session *session)
{
	struct pending *pending;
	size_t cursor = 0;

	while (session->pending && (pending = map_next(session->pending, &cursor, NULL)))
		pending_free(pending);
	map_free(session->pending);
	free(session->manifest_id);
	acs_network_clear(session);
}

void acs_send(struct session *session, char *text)
{
	int r = ws_send(session->ws, text, strlen(text));

	/* What is lost here is sent again by the timer, or when the agent is back. */
	if (r < 0)
		log_warn("a message for an agent could not be sent", "instance",
			 session->instance_arn, "error", strerror(-r));
	explicit_bzero(text, strlen(text));
	free(text);
}

static void remember(struct session *session, enum pending_kind kind, const struct task *task)
{
	_cleanup_free_ char *id = message_id(kind, task);
	struct pending *pending = map_get(session->pending, id);

	if (!pending) {
		pending = xcalloc(1, sizeof(*pending));
		pending->kind = kind;
		pending->task_arn = xstrdup(task->arn);
		map_set(session->pending, id, pending);
	}
	pending->sent_ms = clock_monotonic_ms();
}

static void forget(struct session *session, enum pending_kind kind, const struct task *task)
{
	_cleanup_free_ char *id = message_id(kind, task);

	pending_free(map_remove(session->pending, id));
}

/* Sent, and still within the time that an agent has to answer. */
static bool is_under_way(const struct session *session, enum pending_kind kind,
			 const struct task *task)
{
	_cleanup_free_ char *id = message_id(kind, task);
	const struct pending *pending = map_get(session->pending, id);

	return pending && clock_monotonic_ms() - pending->sent_ms < session->sessions->redeliver_ms;
}

static void send_attach(struct session *session, struct task *task)
{
	_cleanup_free_ char *id = message_id(PENDING_ATTACH, task);
	struct acs_eni_out eni;
	struct acs_attach_interfaces_out attach = {
		.message_id = id,
		.cluster_arn = session->cluster_arn,
		.container_instance_arn = session->instance_arn,
		.task_arn = task->arn,
		.wait_timeout_ms = SERVICES_ATTACH_WAIT_MS,
		.generated_at_ms = clock_wall_ms(),
		.enis = &eni,
		.eni_count = 1,
	};

	delivery_eni(task, &eni);
	remember(session, PENDING_ATTACH, task);
	delivery_attach_sent(session->sessions->services, task);
	acs_send(session, acs_encode_attach_interfaces(&attach));
}

static void send_payload(struct session *session, struct task *task, enum pending_kind kind)
{
	_cleanup_free_ char *id = message_id(kind, task);
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	struct acs_payload_out payload = {
		.message_id = id,
		.cluster_arn = session->cluster_arn,
		.container_instance_arn = session->instance_arn,
		.generated_at_ms = clock_wall_ms(),
		.task_count = 1,
	};

	if (delivery_task_text(session->sessions->services, task, &text, &err) < 0 ||
	    sessions_next_sequence(session->sessions, &payload.seq_num, &err) < 0) {
		log_error("task cannot be sent to its agent", "task", task->arn, "error", err.text);
		return;
	}
	payload.tasks = (const char *const *)&text;
	remember(session, kind, task);
	acs_send(session, acs_encode_payload(&payload));
	explicit_bzero(text, strlen(text));
	delivery_sent(session->sessions->services, task);
}

void acs_deliver(struct session *session, struct task *task)
{
	if (!session->open || session->closing)
		return;
	switch (delivery_need(task)) {
	case DELIVERY_RUN:
		if (delivery_needs_attach(task) && !is_under_way(session, PENDING_ATTACH, task))
			send_attach(session, task);
		if (!is_under_way(session, PENDING_RUN, task))
			send_payload(session, task, PENDING_RUN);
		break;
	case DELIVERY_STOP:
		forget(session, PENDING_ATTACH, task);
		if (!is_under_way(session, PENDING_STOP, task))
			send_payload(session, task, PENDING_STOP);
		break;
	case DELIVERY_NOTHING:
		if (delivery_needs_attach(task) && !is_under_way(session, PENDING_ATTACH, task))
			send_attach(session, task);
		break;
	}
}

static void send_credentials(struct session *session, struct task *task, enum pending_kind kind)
{
	enum credentials_role role =
		kind == PENDING_ROLE ? CREDENTIALS_ROLE_TASK : CREDENTIALS_ROLE_EXECUTION;
	_cleanup_(role_credentials_free_cleanup) struct role_credentials *credentials = NULL;
	_cleanup_free_ char *id = message_id(kind, task);

	if (is_under_way(session, kind, task))
		return;
	credentials = delivery_credentials(session->sessions->services, task, role);
	if (!credentials)
		return;
	remember(session, kind, task);
	acs_send(session, acs_encode_credentials(id, task->arn, role, credentials));
}

/* `all`: the agent has lost them; otherwise those that are about to expire or were never
 * acknowledged. */
static void renew_credentials(struct session *session, struct task *task, bool all)
{
	const struct services *services = session->sessions->services;

	if (!task->run_acknowledged || task->desired != TASK_RUNNING)
		return;
	if (all || delivery_credentials_due(services, task, CREDENTIALS_ROLE_TASK))
		send_credentials(session, task, PENDING_ROLE);
	if (all || delivery_credentials_due(services, task, CREDENTIALS_ROLE_EXECUTION))
		send_credentials(session, task, PENDING_EXECUTION_ROLE);
}

static bool is_of_session(const struct session *session, const struct task *task)
{
	return task->state != TASK_STOPPED && str_eq(task->instance_arn, session->instance_arn);
}

static void send_manifest(struct session *session)
{
	_cleanup_free_ struct acs_task_identifier *tasks = xcalloc(1, sizeof(*tasks));
	struct acs_manifest manifest = {
		.cluster_arn = session->cluster_arn,
		.container_instance_arn = session->instance_arn,
	};
	struct error err = ERROR_INIT;
	struct task *task;
	size_t cursor = 0, capacity = 1;
	char uuid[UUID_SIZE];

	if (sessions_next_sequence(session->sessions, &manifest.timeline, &err) < 0) {
		log_error("task manifest cannot be sent", "instance", session->instance_arn,
			  "error", err.text);
		return;
	}
	while ((task = services_next_task(session->sessions->services, &cursor))) {
		if (!is_of_session(session, task))
			continue;
		if (manifest.task_count == capacity) {
			capacity = capacity * 2 + 16;
			tasks = xreallocarray(tasks, capacity, sizeof(*tasks));
		}
		tasks[manifest.task_count++] = (struct acs_task_identifier){
			.arn = task->arn,
			.cluster_arn = task->cluster_arn,
			.desired_status = task->desired == TASK_RUNNING ? "RUNNING" : "STOPPED",
		};
	}
	uuid4(uuid);
	str_replace(&session->manifest_id, uuid);
	manifest.message_id = uuid;
	manifest.tasks = tasks;
	acs_send(session, acs_encode_manifest(&manifest, clock_wall_ms()));
}

static void deliver_all(struct session *session, bool all_credentials)
{
	struct task *task;
	size_t cursor = 0;

	while ((task = services_next_task(session->sessions->services, &cursor))) {
		if (!is_of_session(session, task))
			continue;
		acs_deliver(session, task);
		renew_credentials(session, task, all_credentials);
	}
}

void acs_opened(struct session *session)
{
	services_agent_up(session->sessions->services, session->instance_arn);
	send_manifest(session);
	acs_network_open(session);
	deliver_all(session, session->send_credentials);
}

/* What waits for an answer about a task that is over waits for nothing. */
static void prune(struct session *session)
{
	const struct pending *pending;
	const struct task *task;
	size_t cursor = 0;
	const char *id;

	while ((pending = map_next(session->pending, &cursor, &id))) {
		task = services_find_task(session->sessions->services, pending->task_arn);
		if (task && task->state != TASK_STOPPED)
			continue;
		_cleanup_free_ char *key = xstrdup(id);

		pending_free(map_remove(session->pending, key));
		cursor = 0;
	}
}

void acs_redeliver(struct session *session)
{
	prune(session);
	acs_network_redeliver(session);
	deliver_all(session, false);
}

void acs_heartbeat(struct session *session)
{
	char uuid[UUID_SIZE];

	if (session->unanswered >= session->sessions->heartbeats_lost) {
		log_warn("an agent does not acknowledge heartbeats", "instance",
			 session->instance_arn, "heartbeats", LOG_NUM(session->unanswered));
		session_close(session, 1008, "heartbeats are not acknowledged");
		return;
	}
	session->unanswered++;
	uuid4(uuid);
	acs_send(session, acs_encode_heartbeat(uuid, true));
}

/* --- answers
 * ---------------------------------------------------------------------------------------------------
 */

static void take_ack(struct session *session, const struct acs_ack *ack)
{
	struct services *services = session->sessions->services;
	struct pending *pending;
	struct task *task;

	if (!ack->message_id || str_eq(ack->message_id, session->manifest_id) ||
	    acs_network_acknowledged(session, ack->message_id))
		return;
	pending = map_get(session->pending, ack->message_id);
	/* Credentials have an acknowledgement of their own. */
	if (!pending || pending->kind == PENDING_ROLE || pending->kind == PENDING_EXECUTION_ROLE) {
		log_debug("an acknowledgement for nothing that waits for one", "message",
			  ack->message_id);
		return;
	}
	task = services_find_task(services, pending->task_arn);
	if (task && pending->kind == PENDING_ATTACH)
		delivery_attach_acknowledged(services, task);
	else if (task)
		delivery_acknowledged(services, task,
				      pending->kind == PENDING_RUN ? DELIVERY_RUN : DELIVERY_STOP);
	map_remove(session->pending, ack->message_id);
	pending_free(pending);
}

/* With the id of a payload, or of a message of its own. The payload may have been acknowledged
 * already. */
static void take_credentials_ack(struct session *session, const struct acs_credentials_ack *ack)
{
	const char *dash = ack->message_id ? strrchr(ack->message_id, '-') : NULL;
	struct services *services = session->sessions->services;
	struct task *task;
	size_t cursor = 0;

	if (!dash || !ack->credentials_id)
		return;
	while ((task = services_next_task(services, &cursor))) {
		if (!is_of_session(session, task) || !str_eq(task->id, dash + 1))
			continue;
		delivery_credentials_acknowledged(services, task, ack->credentials_id);
		if (str_eq(task->role.credentials_id, ack->credentials_id))
			forget(session, PENDING_ROLE, task);
		if (str_eq(task->execution_role.credentials_id, ack->credentials_id))
			forget(session, PENDING_EXECUTION_ROLE, task);
		return;
	}
}

/*
 * Only what must really end: a task of ours that is to be stopped, belongs to another instance, or
 * is long forgotten. An ARN of another region or account is not ours to judge.
 */
static bool must_stop(struct session *session, const char *arn_text)
{
	const struct task *task = services_find_task(session->sessions->services, arn_text);
	struct arn arn = { 0 };
	bool ours;

	if (task)
		return task->desired == TASK_STOPPED ||
		       !str_eq(task->instance_arn, session->instance_arn);
	ours = arn_parse(arn_text, &arn, NULL) == 0 && arn.type == ARN_TASK &&
	       arn_in_scope(&arn, store_scope(session->sessions->store));
	arn_clear(&arn);
	return ours;
}

static void take_stop_verification(struct session *session,
				   const struct acs_stop_verification *verification)
{
	_cleanup_free_ struct acs_task_identifier *stop = NULL;
	size_t count = 0;

	if (!str_eq(verification->message_id, session->manifest_id)) {
		log_info("a stop verification of an older manifest is left alone", "instance",
			 session->instance_arn);
		return;
	}
	stop = xcalloc(verification->task_count + 1, sizeof(*stop));
	for (size_t i = 0; i < verification->task_count; i++) {
		if (!must_stop(session, verification->tasks[i].arn))
			continue;
		stop[count] = verification->tasks[i];
		stop[count++].desired_status = "STOPPED";
	}
	log_info("an agent asks which of its tasks are to be stopped", "instance",
		 session->instance_arn, "candidates", LOG_NUM(verification->task_count), "stopped",
		 LOG_NUM(count));
	acs_send(session, acs_encode_stop_verification_ack(verification->message_id,
							   clock_wall_ms(), stop, count));
}

void acs_message(struct session *session, const char *text, size_t size)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	struct error err = ERROR_INIT;
	int r = acs_decode(text, size, &message, &err);

	if (r < 0) {
		log_warn("a message of an agent is not understood", "instance",
			 session->instance_arn, "error", err.text);
		return;
	}
	switch (message->type) {
	case ACS_HEARTBEAT_ACK:
		session->unanswered = 0;
		break;
	case ACS_ACK:
		take_ack(session, &message->ack);
		break;
	case ACS_CREDENTIALS_ACK:
		take_credentials_ack(session, &message->credentials_ack);
		break;
	case ACS_STOP_VERIFICATION:
		take_stop_verification(session, &message->stop_verification);
		break;
	case ACS_NACK:
		log_warn("an agent refuses a message", "instance", session->instance_arn, "message",
			 message->ack.message_id, "reason", message->ack.reason);
		break;
	default:
		log_warn("an agent sends what only a control plane sends", "instance",
			 session->instance_arn, "type", acs_type_name(message->type));
		break;
	}
}
