/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane sends. */
#include <string.h>

#include "wire/acs.h"
#include "wire/acs_out.h"

char *acs_encode_heartbeat(const char *message_id, bool healthy)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, ACS_HEARTBEAT);

	write_bool(&out.writer, "healthy", healthy);
	write_text(&out.writer, "messageId", message_id);
	return acs_out_end(&out);
}

char *acs_encode_payload(const struct acs_payload_out *payload)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, ACS_PAYLOAD);

	write_text(&out.writer, "clusterArn", payload->cluster_arn);
	write_text(&out.writer, "containerInstanceArn", payload->container_instance_arn);
	write_i64(&out.writer, "generatedAt", payload->generated_at_ms);
	write_text(&out.writer, "messageId", payload->message_id);
	write_i64(&out.writer, "seqNum", payload->seq_num);
	write_list(&out.writer, "tasks");
	for (size_t i = 0; i < payload->task_count; i++)
		write_raw(&out.writer, NULL, payload->tasks[i]);
	write_list_end(&out.writer);
	return acs_out_end(&out);
}

/* {"<member>": address, "primary": true}, alone in list `name`. */
static void write_addresses(struct writer *writer, const char *name, const char *member,
			    const char *address)
{
	if (!address)
		return;
	write_list(writer, name);
	write_object(writer, NULL);
	/* The alphabet: "address" and "primary" and "privateAddress". */
	if (strcmp(member, "address") == 0)
		write_text(writer, member, address);
	write_bool(writer, "primary", true);
	if (strcmp(member, "address") != 0)
		write_text(writer, member, address);
	write_object_end(writer);
	write_list_end(writer);
}

static void write_eni(struct writer *writer, const struct acs_eni_out *eni)
{
	write_object(writer, NULL);
	write_text(writer, "attachmentArn", eni->attachment_arn);
	if (eni->dns_search_count > 0)
		write_texts(writer, "domainName", eni->dns_search, eni->dns_search_count);
	if (eni->dns_server_count > 0)
		write_texts(writer, "domainNameServers", eni->dns_servers, eni->dns_server_count);
	write_text(writer, "ec2Id", eni->ec2_id);
	write_addresses(writer, "ipv4Addresses", "privateAddress", eni->ipv4_address);
	write_addresses(writer, "ipv6Addresses", "address", eni->ipv6_address);
	write_text(writer, "macAddress", eni->mac_address);
	write_text(writer, "name", eni->name);
	write_text(writer, "privateDnsName", eni->private_dns_name);
	write_text(writer, "subnetGatewayIpv4Address", eni->ipv4_gateway);
	write_text(writer, "subnetGatewayIpv6Address", eni->ipv6_gateway);
	write_object_end(writer);
}

char *acs_encode_eni(const struct acs_eni_out *eni)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_eni(&writer, eni);
	return strbuf_take(&buffer);
}

char *acs_encode_attach_interfaces(const struct acs_attach_interfaces_out *attach)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out =
		acs_out_begin(&buffer, attach->task_arn ? ACS_ATTACH_TASK_INTERFACES
							: ACS_ATTACH_INSTANCE_INTERFACES);

	write_text(&out.writer, "clusterArn", attach->cluster_arn);
	write_text(&out.writer, "containerInstanceArn", attach->container_instance_arn);
	write_list(&out.writer, "elasticNetworkInterfaces");
	for (size_t i = 0; i < attach->eni_count; i++)
		write_eni(&out.writer, &attach->enis[i]);
	write_list_end(&out.writer);
	write_i64(&out.writer, "generatedAt", attach->generated_at_ms);
	write_text(&out.writer, "messageId", attach->message_id);
	write_text(&out.writer, "taskArn", attach->task_arn);
	if (attach->task_arn)
		write_text(&out.writer, "taskClusterArn", attach->cluster_arn);
	write_i64(&out.writer, "waitTimeoutMs", attach->wait_timeout_ms);
	return acs_out_end(&out);
}

static void write_credentials(struct writer *writer, const char *key,
			      const struct role_credentials *credentials)
{
	write_object(writer, key);
	write_text(writer, "accessKeyId", credentials->access_key_id);
	write_text(writer, "credentialsId", credentials->id);
	write_text(writer, "expiration", credentials->expiration);
	write_text(writer, "roleArn", credentials->role_arn);
	write_text(writer, "secretAccessKey", credentials->secret_access_key);
	write_text(writer, "sessionToken", credentials->session_token);
	write_object_end(writer);
}

char *acs_encode_credentials(const char *message_id, const char *task_arn,
			     enum credentials_role role, const struct role_credentials *credentials)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, ACS_CREDENTIALS);

	write_text(&out.writer, "messageId", message_id);
	write_credentials(&out.writer, "roleCredentials", credentials);
	write_text(&out.writer, "roleType", credentials_role_name(role));
	write_text(&out.writer, "taskArn", task_arn);
	return acs_out_end(&out);
}

char *acs_encode_role_credentials(const struct role_credentials *credentials)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_credentials(&writer, NULL, credentials);
	return strbuf_take(&buffer);
}

char *acs_encode_manifest(const struct acs_manifest *manifest, int64_t generated_at_ms)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, ACS_MANIFEST);

	write_text(&out.writer, "clusterArn", manifest->cluster_arn);
	write_text(&out.writer, "containerInstanceArn", manifest->container_instance_arn);
	write_i64(&out.writer, "generatedAt", generated_at_ms);
	write_text(&out.writer, "messageId", manifest->message_id);
	write_list(&out.writer, "tasks");
	for (size_t i = 0; i < manifest->task_count; i++)
		write_task_identifier(&out.writer, &manifest->tasks[i]);
	write_list_end(&out.writer);
	write_i64(&out.writer, "timeline", manifest->timeline);
	return acs_out_end(&out);
}

char *acs_encode_stop_verification_ack(const char *message_id, int64_t generated_at_ms,
				       const struct acs_task_identifier *tasks, size_t count)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, ACS_STOP_VERIFICATION_ACK);

	write_i64(&out.writer, "generatedAt", generated_at_ms);
	write_text(&out.writer, "messageId", message_id);
	write_list(&out.writer, "stopTasks");
	for (size_t i = 0; i < count; i++)
		write_task_identifier(&out.writer, &tasks[i]);
	write_list_end(&out.writer);
	return acs_out_end(&out);
}

char *acs_encode_text(enum acs_type type, const char *text)
{
	struct strbuf buffer = STRBUF_INIT;
	struct acs_out out = acs_out_begin(&buffer, type);

	write_text(&out.writer, "message", text);
	return acs_out_end(&out);
}
