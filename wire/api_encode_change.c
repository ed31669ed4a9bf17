/* SPDX-License-Identifier: Apache-2.0 */
/* State reports: SubmitTaskStateChange, SubmitAttachmentStateChanges. */
#include "wire/api.h"
#include "wire/writer.h"

static void write_binding(struct writer *writer, const struct api_network_binding *binding)
{
	bool range = binding->container_port_range != NULL;

	write_object(writer, NULL);
	write_text(writer, "bindIP", binding->bind_ip);
	if (range)
		write_text(writer, "containerPortRange", binding->container_port_range);
	else
		write_i64(writer, "containerPort", binding->container_port);
	if (range)
		write_text(writer, "hostPortRange", binding->host_port_range);
	else
		write_i64(writer, "hostPort", binding->host_port);
	write_text(writer, "protocol", binding->protocol);
	write_object_end(writer);
}

static void write_container(struct writer *writer, const struct api_container_change *container)
{
	write_object(writer, NULL);
	write_text(writer, "containerName", container->name);
	if (container->has_exit_code)
		write_i64(writer, "exitCode", container->exit_code);
	write_text_cut(writer, "imageDigest", container->image_digest, API_DIGEST_LIMIT);
	if (container->binding_count > 0) {
		write_list(writer, "networkBindings");
		for (size_t i = 0; i < container->binding_count; i++)
			write_binding(writer, &container->bindings[i]);
		write_list_end(writer);
	}
	if (container->reason && container->reason[0])
		write_text_cut(writer, "reason", container->reason, API_REASON_LIMIT);
	write_text_cut(writer, "runtimeId", container->runtime_id, API_RUNTIME_LIMIT);
	write_text(writer, "status", container_status_wire(container->status));
	write_object_end(writer);
}

static void write_managed_agent(struct writer *writer, const struct api_managed_agent_change *agent)
{
	write_object(writer, NULL);
	write_text(writer, "containerName", agent->container_name);
	write_text(writer, "managedAgentName", agent->name);
	write_text_cut(writer, "reason", agent->reason ? agent->reason : "", API_REASON_LIMIT);
	write_text(writer, "status", managed_agent_status_name(agent->status));
	write_object_end(writer);
}

static void write_time(struct writer *writer, const char *key, int64_t wall_ms)
{
	if (wall_ms != 0)
		write_epoch(writer, key, wall_ms);
}

char *api_encode_task_change(const struct api_task_change *change)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_object(&writer, NULL);
	write_text(&writer, "cluster", change->cluster);
	if (change->container_count > 0) {
		write_list(&writer, "containers");
		for (size_t i = 0; i < change->container_count; i++)
			write_container(&writer, &change->containers[i]);
		write_list_end(&writer);
	}
	write_time(&writer, "executionStoppedAt", change->execution_stopped_at_ms);
	if (change->managed_agent_count > 0) {
		write_list(&writer, "managedAgents");
		for (size_t i = 0; i < change->managed_agent_count; i++)
			write_managed_agent(&writer, &change->managed_agents[i]);
		write_list_end(&writer);
	}
	write_time(&writer, "pullStartedAt", change->pull_started_at_ms);
	write_time(&writer, "pullStoppedAt", change->pull_stopped_at_ms);
	write_text_cut(&writer, "reason", change->reason ? change->reason : "", API_REASON_LIMIT);
	write_text(&writer, "status", task_status_wire(change->status));
	write_text(&writer, "task", change->task_arn);
	write_object_end(&writer);
	return strbuf_take(&buffer);
}

static char *encode_attached(const char *cluster, const char *task_arn, const char *attachment_arn)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_object(&writer, NULL);
	write_list(&writer, "attachments");
	write_object(&writer, NULL);
	write_text(&writer, "attachmentArn", attachment_arn);
	write_text(&writer, "status", "ATTACHED");
	write_object_end(&writer);
	write_list_end(&writer);
	write_text(&writer, "cluster", cluster);
	write_text(&writer, "task", task_arn);
	write_object_end(&writer);
	return strbuf_take(&buffer);
}

char *api_encode_task_attachment(const char *cluster, const char *task_arn,
				 const char *attachment_arn)
{
	return encode_attached(cluster, task_arn, attachment_arn);
}

char *api_encode_attachment(const char *cluster, const char *attachment_arn)
{
	return encode_attached(cluster, NULL, attachment_arn);
}
