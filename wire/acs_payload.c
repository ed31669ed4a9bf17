/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/arena.h"
#include "wire/acs_body.h"
#include "wire/reader.h"

static void decode_task(const struct json_at *item, struct arena *arena, struct acs_task *task)
{
	struct error why = ERROR_INIT;
	const char *arn = NULL;

	if (!json_present(item)) {
		task->error = "the entry is null";
		return;
	}
	if (json_is_object(item->value) && read_text(item, "arn", arena, &arn, &why) == 0)
		task->arn = arn;
	if (task_spec_decode(item, &task->spec, &task->credentials, &why) < 0)
		task->error = arena_strdup(arena, why.text);
}

int acs_payload_decode(const struct json_at *at, struct arena *arena, struct acs_payload *payload,
		       struct error *err)
{
	struct json_at tasks = { .value = NULL };
	int64_t ignored;
	int result = acs_read_head(at, arena, &payload->message_id, &payload->cluster_arn,
				   &payload->container_instance_arn, err);

	if (result == 0)
		result = read_i64(at, "seqNum", INT64_MIN, INT64_MAX, &payload->seq_num, err);
	if (result == 0)
		result = read_i64(at, "generatedAt", INT64_MIN, INT64_MAX, &ignored, err);
	if (result == 0)
		result = read_i64(at, "timeline", INT64_MIN, INT64_MAX, &ignored, err);
	if (result == 0)
		result = read_list(at, "tasks", ACS_TASK_LIMIT, &tasks, err);
	if (result == 0)
		result = acs_require(payload->cluster_arn, "clusterArn", err);
	if (result == 0)
		result = acs_require(payload->container_instance_arn, "containerInstanceArn", err);
	if (result == 0)
		result = acs_require(payload->message_id, "messageId", err);
	if (result < 0)
		return result;
	payload->tasks = arena_calloc(arena, json_count(&tasks), sizeof(*payload->tasks));
	for (size_t i = 0; i < json_count(&tasks); i++) {
		struct json_at item = json_item(&tasks, i);

		decode_task(&item, arena, &payload->tasks[i]);
		payload->task_count = i + 1;
		if (!payload->tasks[i].spec)
			payload->refused_count++;
	}
	return 0;
}
