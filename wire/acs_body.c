/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/acs_body.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "wire/attachment.h"
#include "wire/reader.h"

int acs_read_head(const struct json_at *at, struct arena *arena, const char **message_id,
		  const char **cluster_arn, const char **container_instance_arn, struct error *err)
{
	int result = read_text(at, "messageId", arena, message_id, err);

	if (result == 0)
		result = read_text(at, "clusterArn", arena, cluster_arn, err);
	if (result == 0)
		result = read_text(at, "containerInstanceArn", arena, container_instance_arn, err);
	return result;
}

int acs_require(const char *text, const char *name, struct error *err)
{
	return text ? 0 : error_say(err, EINVAL, "%s is missing or empty", name);
}

static int decode_heartbeat(const struct json_at *at, struct arena *arena,
			    struct acs_heartbeat *heartbeat, struct error *err)
{
	int result = read_text(at, "messageId", arena, &heartbeat->message_id, err);

	if (result == 0)
		result = read_bool(at, "healthy", &heartbeat->healthy, err);
	return result;
}

static int decode_credentials(const struct json_at *at, struct arena *arena,
			      struct acs_credentials *credentials, struct error *err)
{
	const char *role = NULL;
	struct json_at object = { .value = NULL };
	int result = read_text(at, "messageId", arena, &credentials->message_id, err);

	if (result == 0)
		result = read_text(at, "taskArn", arena, &credentials->task_arn, err);
	if (result == 0)
		result = read_text(at, "roleType", arena, &role, err);
	if (result == 0)
		result = read_object(at, "roleCredentials", &object, err);
	if (result == 0)
		result = acs_require(credentials->message_id, "messageId", err);
	if (result == 0)
		result = acs_require(credentials->task_arn, "taskArn", err);
	if (result < 0)
		return result;
	if (!role)
		return error_say(err, EINVAL, "roleType is missing or empty");
	if (strcmp(role, "TaskExecution") == 0)
		credentials->role = CREDENTIALS_ROLE_EXECUTION;
	else if (strcmp(role, "TaskApplication") == 0)
		credentials->role = CREDENTIALS_ROLE_TASK;
	else
		return error_say(err, EINVAL,
				 "roleType: \"%s\" is neither \"TaskApplication\" nor "
				 "\"TaskExecution\"",
				 role);
	if (!json_present(&object))
		return error_say(err, EINVAL, "roleCredentials is missing");
	return role_credentials_decode(&object, &credentials->credentials, err);
}

static int decode_attach(const struct json_at *at, struct arena *arena, bool of_task,
			 struct acs_attach_interfaces *attach, struct error *err)
{
	struct json_at list = { .value = NULL };
	int result = acs_read_head(at, arena, &attach->message_id, &attach->cluster_arn,
				   &attach->container_instance_arn, err);

	if (result == 0 && of_task)
		result = read_text(at, "taskArn", arena, &attach->task_arn, err);
	if (result == 0)
		result = read_i64(at, "waitTimeoutMs", INT64_MIN, INT64_MAX,
				  &attach->wait_timeout_ms, err);
	if (result == 0)
		result = read_list(at, "elasticNetworkInterfaces", TASK_ENI_LIMIT, &list, err);
	if (result == 0)
		result = acs_require(attach->message_id, "messageId", err);
	if (result == 0)
		result = acs_require(attach->cluster_arn, "clusterArn", err);
	if (result == 0)
		result = acs_require(attach->container_instance_arn, "containerInstanceArn", err);
	if (result == 0 && of_task)
		result = acs_require(attach->task_arn, "taskArn", err);
	if (result < 0)
		return result;
	if (attach->wait_timeout_ms <= 0)
		return error_say(err, EINVAL, "waitTimeoutMs must be greater than 0");
	if (json_count(&list) == 0)
		return error_say(err, EINVAL, "elasticNetworkInterfaces is missing or empty");
	return eni_specs_decode(&list, arena, &attach->enis, &attach->eni_count, err);
}

static int decode_confirm(const struct json_at *at, struct arena *arena,
			  struct acs_confirm_attachment *confirm, struct error *err)
{
	struct json_at attachment = { .value = NULL };
	int result = acs_read_head(at, arena, &confirm->message_id, &confirm->cluster_arn,
				   &confirm->container_instance_arn, err);

	if (result == 0)
		result = read_text(at, "taskArn", arena, &confirm->task_arn, err);
	if (result == 0)
		result = read_i64(at, "waitTimeoutMs", INT64_MIN, INT64_MAX,
				  &confirm->wait_timeout_ms, err);
	if (result == 0)
		result = read_object(at, "attachment", &attachment, err);
	if (result == 0 && json_present(&attachment))
		result = task_attachment_decode(&attachment, arena, &confirm->attachment, err);
	if (result == 0)
		result = acs_require(confirm->message_id, "messageId", err);
	if (result < 0)
		return result;
	if (!confirm->cluster_arn || !looks_like_arn(confirm->cluster_arn))
		return error_say(err, EINVAL, "clusterArn is missing or no ARN");
	if (!confirm->container_instance_arn || !looks_like_arn(confirm->container_instance_arn))
		return error_say(err, EINVAL, "containerInstanceArn is missing or no ARN");
	if (!json_present(&attachment))
		return error_say(err, EINVAL, "attachment is missing");
	if (confirm->wait_timeout_ms < 0)
		return error_say(err, EINVAL, "waitTimeoutMs must not be negative");
	if (confirm->wait_timeout_ms == 0)
		confirm->wait_timeout_ms = ACS_CONFIRM_WAIT_DEFAULT_MS;
	return task_attachment_check_confirm(&attachment, &confirm->attachment, err);
}

/* `strict`: an entry without ARN or status makes no sense, and must not look like a task to stop.
 */
static int read_identifiers(const struct json_at *at, const char *name, bool strict,
			    struct arena *arena, const struct acs_task_identifier **ret,
			    size_t *ret_count, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct acs_task_identifier *tasks;
	int result = read_list(at, name, ACS_TASK_LIMIT, &list, err);

	if (result < 0)
		return result;
	tasks = arena_calloc(arena, json_count(&list), sizeof(*tasks));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		tasks[i].arn = "";
		tasks[i].desired_status = "";
		result = read_is_object(&item, err);
		if (result == 0)
			result = read_text(&item, "taskArn", arena, &tasks[i].arn, err);
		if (result == 0)
			result = read_text(&item, "taskClusterArn", arena, &tasks[i].cluster_arn,
					   err);
		if (result == 0)
			result = read_text(&item, "desiredStatus", arena, &tasks[i].desired_status,
					   err);
		if (result < 0)
			return result;
		if (strict && !tasks[i].arn[0])
			return json_fail(&item, err, "taskArn is missing");
		if (strict && !tasks[i].desired_status[0])
			return json_fail(&item, err, "desiredStatus is missing");
	}
	*ret = tasks;
	*ret_count = json_count(&list);
	return 0;
}

static int decode_manifest(const struct json_at *at, struct arena *arena,
			   struct acs_manifest *manifest, struct error *err)
{
	struct json_at timeline = json_member(at, "timeline", JSON_ANY_CASE);
	int result = acs_read_head(at, arena, &manifest->message_id, &manifest->cluster_arn,
				   &manifest->container_instance_arn, err);

	if (result == 0)
		result = read_i64(at, "timeline", INT64_MIN, INT64_MAX, &manifest->timeline, err);
	if (result < 0)
		return result;
	if (!json_present(&timeline))
		return error_say(err, EINVAL, "timeline is missing");
	return read_identifiers(at, "tasks", true, arena, &manifest->tasks, &manifest->task_count,
				err);
}

static int decode_stop_verification(const struct json_at *at, struct arena *arena, const char *list,
				    struct acs_stop_verification *verification, struct error *err)
{
	int result = read_text(at, "messageId", arena, &verification->message_id, err);

	if (result < 0)
		return result;
	return read_identifiers(at, list, false, arena, &verification->tasks,
				&verification->task_count, err);
}

static int decode_update(const struct json_at *at, struct arena *arena, struct acs_update *update,
			 struct error *err)
{
	struct json_at info = { .value = NULL };
	int result = acs_read_head(at, arena, &update->message_id, &update->cluster_arn,
				   &update->container_instance_arn, err);

	if (result == 0)
		result = read_object(at, "updateInfo", &info, err);
	if (result < 0 || !json_present(&info))
		return result;
	update->has_update_info = true;
	result = read_text(&info, "location", arena, &update->location, err);
	if (result == 0)
		result = read_text(&info, "signature", arena, &update->signature, err);
	return result;
}

static int decode_ack(const struct json_at *at, struct arena *arena, struct acs_ack *ack,
		      struct error *err)
{
	int result = read_text(at, "cluster", arena, &ack->cluster, err);

	if (result == 0)
		result = read_text(at, "containerInstance", arena, &ack->container_instance, err);
	if (result == 0)
		result = read_text(at, "messageId", arena, &ack->message_id, err);
	if (result == 0)
		result = read_text(at, "reason", arena, &ack->reason, err);
	return result;
}

static int decode_credentials_ack(const struct json_at *at, struct arena *arena,
				  struct acs_credentials_ack *ack, struct error *err)
{
	int result = read_text(at, "messageId", arena, &ack->message_id, err);

	if (result == 0)
		result = read_text(at, "credentialsId", arena, &ack->credentials_id, err);
	if (result == 0)
		result = read_text(at, "expiration", arena, &ack->expiration, err);
	return result;
}

int acs_body_decode(const struct json_at *at, struct acs_message *message, struct error *err)
{
	struct arena *arena = message->arena;

	switch (message->type) {
	case ACS_HEARTBEAT:
		return decode_heartbeat(at, arena, &message->heartbeat, err);
	case ACS_PAYLOAD:
		return acs_payload_decode(at, arena, &message->payload, err);
	case ACS_CREDENTIALS:
		return decode_credentials(at, arena, &message->credentials, err);
	case ACS_ATTACH_TASK_INTERFACES:
		return decode_attach(at, arena, true, &message->attach, err);
	case ACS_ATTACH_INSTANCE_INTERFACES:
		return decode_attach(at, arena, false, &message->attach, err);
	case ACS_CONFIRM_ATTACHMENT:
		return decode_confirm(at, arena, &message->confirm, err);
	case ACS_MANIFEST:
		return decode_manifest(at, arena, &message->manifest, err);
	case ACS_STOP_VERIFICATION:
		return decode_stop_verification(at, arena, "stopCandidates",
						&message->stop_verification, err);
	case ACS_STOP_VERIFICATION_ACK:
		return decode_stop_verification(at, arena, "stopTasks", &message->stop_verification,
						err);
	case ACS_STAGE_UPDATE:
	case ACS_PERFORM_UPDATE:
		return decode_update(at, arena, &message->update, err);
	case ACS_NETWORK:
		return acs_network_decode(at, arena, &message->network, err);
	case ACS_ACK:
	case ACS_NACK:
	case ACS_HEARTBEAT_ACK:
		return decode_ack(at, arena, &message->ack, err);
	case ACS_CREDENTIALS_ACK:
		return decode_credentials_ack(at, arena, &message->credentials_ack, err);
	default:
		return read_text(at, "message", arena, &message->text, err);
	}
}
