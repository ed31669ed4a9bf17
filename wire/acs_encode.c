/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent sends. The control plane's side is in acs_encode_server.c. */
#include "wire/acs.h"
#include "wire/acs_out.h"

struct acs_out acs_out_begin(struct strbuf *buffer, enum acs_type type)
{
	struct acs_out out = { .writer = writer_to(buffer) };

	write_object(&out.writer, NULL);
	write_text(&out.writer, "type", acs_type_name(type));
	write_object(&out.writer, "message");
	return out;
}

char *acs_out_end(struct acs_out *out)
{
	struct strbuf *buffer = out->writer.out;

	write_object_end(&out->writer);
	write_object_end(&out->writer);
	return strbuf_take(buffer);
}

static char *encode_ack(enum acs_type type, const char *cluster, const char *container_instance,
			const char *message_id, const char *reason)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, type);

	write_text(&out.writer, "cluster", cluster);
	write_text(&out.writer, "containerInstance", container_instance);
	write_text(&out.writer, "messageId", message_id);
	write_text(&out.writer, "reason", reason);
	return acs_out_end(&out);
}

char *acs_encode_ack(const char *cluster, const char *container_instance, const char *message_id)
{
	return encode_ack(ACS_ACK, cluster, container_instance, message_id, NULL);
}

char *acs_encode_nack(const char *cluster, const char *container_instance, const char *message_id,
		      const char *reason)
{
	return encode_ack(ACS_NACK, cluster, container_instance, message_id, reason);
}

char *acs_encode_heartbeat_ack(const char *message_id)
{
	return encode_ack(ACS_HEARTBEAT_ACK, NULL, NULL, message_id, NULL);
}

char *acs_encode_credentials_ack(const char *message_id, const char *credentials_id,
				 const char *expiration)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, ACS_CREDENTIALS_ACK);

	write_text(&out.writer, "credentialsId", credentials_id);
	write_text(&out.writer, "expiration", expiration);
	write_text(&out.writer, "messageId", message_id);
	return acs_out_end(&out);
}

void write_task_identifier(struct writer *writer, const struct acs_task_identifier *task)
{
	write_object(writer, NULL);
	write_text(writer, "desiredStatus", task->desired_status);
	write_text(writer, "taskArn", task->arn);
	write_text(writer, "taskClusterArn", task->cluster_arn);
	write_object_end(writer);
}

char *acs_encode_stop_verification(const char *message_id, const char *cluster_arn,
				   const char *const *task_arns, size_t count)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, ACS_STOP_VERIFICATION);

	write_text(&out.writer, "messageId", message_id);
	write_list(&out.writer, "stopCandidates");
	for (size_t i = 0; i < count; i++) {
		const struct acs_task_identifier task = {
			.arn = task_arns[i],
			.cluster_arn = cluster_arn,
			.desired_status = "STOPPED",
		};

		write_task_identifier(&out.writer, &task);
	}
	write_list_end(&out.writer);
	return acs_out_end(&out);
}
