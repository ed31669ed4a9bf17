/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "wire/envelope.h"
#include "wire/reader.h"
#include "wire/tcs.h"
#include "wire/tcs_in.h"
#include "wire/tcs_type.h"

/* Tasks of one request that are taken; the protocol says 10. */
#define TASK_LIMIT 100
#define LIST_LIMIT 1000

void tcs_message_free(struct tcs_message *message)
{
	if (!message)
		return;
	arena_free(message->arena);
	free(message);
}

int tcs_read_timestamp(const struct json_at *at, const char *name, int64_t *ret_ms, bool *ret_given,
		       struct error *err)
{
	struct json_at member = json_member(at, name, JSON_ANY_CASE);
	double seconds = 0;
	int result = read_double(at, name, &seconds, err);

	if (result < 0)
		return result;
	if (!(seconds > -1e12 && seconds < 1e12))
		return json_fail(at, err, "%s: %g is no time", name, seconds);
	*ret_ms = (int64_t)(seconds * 1000 + (seconds < 0 ? -0.5 : 0.5));
	if (ret_given)
		*ret_given = json_present(&member);
	return 0;
}

static int decode_metrics(const struct json_at *at, struct arena *arena,
			  struct tcs_metrics *metrics, struct error *err)
{
	struct json_at metadata = { .value = NULL };
	struct json_at list = { .value = NULL };
	struct tcs_task_metric *tasks;
	int result = read_object(at, "metadata", &metadata, err);

	if (result == 0)
		result = read_list(at, "taskMetrics", TASK_LIMIT, &list, err);
	if (result == 0)
		result = tcs_read_timestamp(at, "timestamp", &metrics->timestamp_ms, NULL, err);
	if (result < 0)
		return result;
	if (!json_present(&metadata))
		return error_say(err, EINVAL, "metadata is missing");
	result = read_text(&metadata, "cluster", arena, &metrics->cluster, err);
	if (result == 0)
		result = read_text(&metadata, "containerInstance", arena,
				   &metrics->container_instance, err);
	if (result == 0)
		result = read_text(&metadata, "messageId", arena, &metrics->message_id, err);
	if (result == 0)
		result = read_bool(&metadata, "idle", &metrics->idle, err);
	if (result == 0)
		result = read_bool(&metadata, "fin", &metrics->fin, err);
	if (result < 0)
		return result;
	tasks = arena_calloc(arena, json_count(&list), sizeof(*tasks));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = tcs_read_task_metric(&item, arena, &tasks[i], err);
		if (result < 0)
			return result;
	}
	metrics->tasks = tasks;
	metrics->task_count = json_count(&list);
	return 0;
}

static int read_container_health(const struct json_at *at, struct arena *arena,
				 struct tcs_container_health *health, struct error *err)
{
	const char *status = "UNKNOWN";
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "containerName", arena, &health->name, err);
	if (result == 0)
		result = read_text(at, "healthStatus", arena, &status, err);
	if (result == 0)
		result = tcs_read_timestamp(at, "statusSince", &health->status_since_ms, NULL, err);
	if (result == 0)
		result = health_status_parse(status, &health->status, err);
	if (result == 0 && !health->name)
		return json_fail(at, err, "containerName is missing");
	return result;
}

static int read_task_health(const struct json_at *at, struct arena *arena,
			    struct tcs_task_health *task, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct tcs_container_health *containers;
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "taskArn", arena, &task->task_arn, err);
	if (result == 0)
		result = read_text(at, "taskDefinitionFamily", arena, &task->family, err);
	if (result == 0)
		result = read_text(at, "taskDefinitionVersion", arena, &task->version, err);
	if (result == 0)
		result = read_list(at, "containers", LIST_LIMIT, &list, err);
	if (result < 0)
		return result;
	if (!task->task_arn)
		return json_fail(at, err, "taskArn is missing");
	containers = arena_calloc(arena, json_count(&list), sizeof(*containers));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_container_health(&item, arena, &containers[i], err);
		if (result < 0)
			return result;
	}
	task->containers = containers;
	task->container_count = json_count(&list);
	return 0;
}

static int decode_health(const struct json_at *at, struct arena *arena, struct tcs_health *health,
			 struct error *err)
{
	struct json_at metadata = { .value = NULL };
	struct json_at list = { .value = NULL };
	struct tcs_task_health *tasks;
	int result = read_object(at, "metadata", &metadata, err);

	if (result == 0)
		result = read_list(at, "tasks", TASK_LIMIT, &list, err);
	if (result == 0)
		result = tcs_read_timestamp(at, "timestamp", &health->timestamp_ms, NULL, err);
	if (result < 0)
		return result;
	if (!json_present(&metadata))
		return error_say(err, EINVAL, "metadata is missing");
	result = read_text(&metadata, "cluster", arena, &health->cluster, err);
	if (result == 0)
		result = read_text(&metadata, "containerInstance", arena,
				   &health->container_instance, err);
	if (result == 0)
		result = read_text(&metadata, "messageId", arena, &health->message_id, err);
	if (result == 0)
		result = read_bool(&metadata, "fin", &health->fin, err);
	if (result < 0)
		return result;
	tasks = arena_calloc(arena, json_count(&list), sizeof(*tasks));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_task_health(&item, arena, &tasks[i], err);
		if (result < 0)
			return result;
	}
	health->tasks = tasks;
	health->task_count = json_count(&list);
	return 0;
}

static int read_check(const struct json_at *at, struct arena *arena,
		      struct tcs_instance_check *check, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "type", arena, &check->type, err);
	if (result == 0)
		result = read_text(at, "status", arena, &check->status, err);
	if (result == 0)
		result = read_text(at, "statusReason", arena, &check->status_reason, err);
	if (result == 0)
		result = tcs_read_timestamp(at, "lastUpdated", &check->last_updated_ms,
					    &check->has_last_updated, err);
	if (result == 0)
		result = tcs_read_timestamp(at, "lastStatusChange", &check->last_status_change_ms,
					    &check->has_last_status_change, err);
	if (result == 0 && (!check->type || !check->status))
		return json_fail(at, err, "%s is missing", check->type ? "status" : "type");
	return result;
}

static int decode_instance_status(const struct json_at *at, struct arena *arena,
				  struct tcs_instance_status *status, struct error *err)
{
	struct json_at metadata = { .value = NULL };
	struct json_at list = { .value = NULL };
	struct tcs_instance_check *checks;
	int result = read_object(at, "metadata", &metadata, err);

	if (result == 0)
		result = read_list(at, "statuses", LIST_LIMIT, &list, err);
	if (result == 0)
		result = tcs_read_timestamp(at, "timestamp", &status->timestamp_ms, NULL, err);
	if (result < 0)
		return result;
	if (!json_present(&metadata))
		return error_say(err, EINVAL, "metadata is missing");
	result = read_text(&metadata, "cluster", arena, &status->cluster, err);
	if (result == 0)
		result = read_text(&metadata, "containerInstance", arena,
				   &status->container_instance, err);
	if (result == 0)
		result = read_text(&metadata, "requestId", arena, &status->request_id, err);
	if (result < 0)
		return result;
	checks = arena_calloc(arena, json_count(&list), sizeof(*checks));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_check(&item, arena, &checks[i], err);
		if (result < 0)
			return result;
	}
	status->checks = checks;
	status->check_count = json_count(&list);
	return 0;
}

static int decode_body(const struct json_at *at, struct tcs_message *message, struct error *err)
{
	struct arena *arena = message->arena;
	int result;

	switch (message->type) {
	case TCS_HEARTBEAT:
		return read_bool(at, "healthy", &message->healthy, err);
	case TCS_PUBLISH_METRICS:
		return decode_metrics(at, arena, &message->metrics, err);
	case TCS_PUBLISH_HEALTH:
		return decode_health(at, arena, &message->health, err);
	case TCS_PUBLISH_INSTANCE_STATUS:
		return decode_instance_status(at, arena, &message->instance_status, err);
	case TCS_START_SESSION:
		result = read_text(at, "cluster", arena, &message->start_session.cluster, err);
		if (result == 0)
			result = read_text(at, "containerInstance", arena,
					   &message->start_session.container_instance, err);
		return result;
	default:
		return read_text(at, "message", arena, &message->text, err);
	}
}

int tcs_decode(const char *text, size_t size, struct tcs_message **ret_message, struct error *err)
{
	_cleanup_envelope_ struct envelope envelope = ENVELOPE_INIT;
	_cleanup_(tcs_message_free_cleanup) struct tcs_message *message = NULL;
	struct error why = ERROR_INIT;
	struct json_at at = { .value = NULL };
	enum tcs_type type;
	int result = envelope_parse(text, size, TCS_MESSAGE_LIMIT, &envelope, &why);

	if (result < 0)
		return error_say(err, -result, "%s", why.text);
	if (!envelope.type)
		return error_say(err, EBADMSG, "the message has no type");
	if (!tcs_type_parse(envelope.type, &type))
		return error_say(err, ENOMSG, "unknown message type \"%s\"", envelope.type);
	if (!envelope.message)
		return error_say(err, EBADMSG, "%s without a message", envelope.type);
	message = xcalloc(1, sizeof(*message));
	message->arena = arena_new();
	message->type = type;
	at = json_root(envelope.message);
	result = decode_body(&at, message, &why);
	if (result < 0)
		return error_say(err, -result, "%s: %s", envelope.type, why.text);
	*ret_message = TAKE(message);
	return 0;
}
