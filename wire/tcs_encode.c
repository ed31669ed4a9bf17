/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tcs.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "wire/tcs_out.h"

void tcs_requests_add(struct tcs_requests *requests, char *text)
{
	requests->items =
		xreallocarray(requests->items, requests->count + 1, sizeof(*requests->items));
	requests->items[requests->count++] = text;
}

void tcs_requests_clear(struct tcs_requests *requests)
{
	for (size_t i = 0; i < requests->count; i++)
		free(requests->items[i]);
	free(requests->items);
	*requests = (struct tcs_requests){ .items = NULL };
}

char *tcs_requests_take(struct tcs_requests *requests, size_t index)
{
	return TAKE(requests->items[index]);
}

struct writer tcs_out_begin(struct strbuf *buffer, enum tcs_type type)
{
	struct writer writer = writer_to(buffer);

	write_object(&writer, NULL);
	write_text(&writer, "type", tcs_type_name(type));
	write_object(&writer, "message");
	return writer;
}

char *tcs_out_end(struct writer *writer)
{
	write_object_end(writer);
	write_object_end(writer);
	return strbuf_take(writer->out);
}

static void write_task_health(struct writer *writer, const struct tcs_task_health *task)
{
	write_object(writer, NULL);
	write_list(writer, "containers");
	for (size_t i = 0; i < task->container_count; i++) {
		const struct tcs_container_health *container = &task->containers[i];

		write_object(writer, NULL);
		write_text(writer, "containerName", container->name);
		write_text(writer, "healthStatus", health_status_name(container->status));
		write_epoch(writer, "statusSince", container->status_since_ms);
		write_object_end(writer);
	}
	write_list_end(writer);
	write_text(writer, "taskArn", task->task_arn);
	write_text(writer, "taskDefinitionFamily", task->family);
	write_text(writer, "taskDefinitionVersion", task->version);
	write_object_end(writer);
}

void tcs_encode_health(const struct tcs_health *health, int64_t now_ms, struct tcs_requests *ret)
{
	*ret = (struct tcs_requests){ .items = NULL };
	for (size_t from = 0; from < health->task_count; from += TCS_TASKS_PER_REQUEST) {
		struct strbuf buffer = STRBUF_INIT;
		struct writer writer = tcs_out_begin(&buffer, TCS_PUBLISH_HEALTH);
		size_t to = from + TCS_TASKS_PER_REQUEST;

		if (to > health->task_count)
			to = health->task_count;
		write_object(&writer, "metadata");
		write_text(&writer, "cluster", health->cluster);
		write_text(&writer, "containerInstance", health->container_instance);
		write_bool(&writer, "fin", to == health->task_count);
		write_text(&writer, "messageId", health->message_id);
		write_object_end(&writer);
		write_list(&writer, "tasks");
		for (size_t i = from; i < to; i++)
			write_task_health(&writer, &health->tasks[i]);
		write_list_end(&writer);
		write_epoch(&writer, "timestamp", now_ms);
		tcs_requests_add(ret, tcs_out_end(&writer));
	}
}

char *tcs_encode_instance_status(const struct tcs_instance_status *status, int64_t now_ms)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = tcs_out_begin(&buffer, TCS_PUBLISH_INSTANCE_STATUS);

	write_object(&writer, "metadata");
	write_text(&writer, "cluster", status->cluster);
	write_text(&writer, "containerInstance", status->container_instance);
	write_text(&writer, "requestId", status->request_id);
	write_object_end(&writer);
	write_list(&writer, "statuses");
	for (size_t i = 0; i < status->check_count; i++) {
		const struct tcs_instance_check *check = &status->checks[i];

		write_object(&writer, NULL);
		if (check->has_last_status_change)
			write_epoch(&writer, "lastStatusChange", check->last_status_change_ms);
		if (check->has_last_updated)
			write_epoch(&writer, "lastUpdated", check->last_updated_ms);
		write_text(&writer, "status", check->status);
		write_text(&writer, "statusReason", check->status_reason);
		write_text(&writer, "type", check->type);
		write_object_end(&writer);
	}
	write_list_end(&writer);
	write_epoch(&writer, "timestamp", now_ms);
	return tcs_out_end(&writer);
}

char *tcs_encode_text(enum tcs_type type, const char *text)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = tcs_out_begin(&buffer, type);

	write_text(&writer, "message", text);
	return tcs_out_end(&writer);
}

char *tcs_encode_heartbeat(bool healthy)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = tcs_out_begin(&buffer, TCS_HEARTBEAT);

	write_bool(&writer, "healthy", healthy);
	return tcs_out_end(&writer);
}
