/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/acs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "quoted.h"

static void is(char *encoded, const char *expected_quoted)
{
	_cleanup_free_ char *expected = quoted(expected_quoted);

	assert_string_equal(encoded, expected);
	free(encoded);
}

static struct acs_message *read_back(char *encoded)
{
	struct acs_message *message = NULL;
	struct error err = ERROR_INIT;

	if (acs_decode(encoded, strlen(encoded), &message, &err) < 0)
		fail_msg("%s: %s", encoded, err.text);
	free(encoded);
	return message;
}

static void what_the_agent_sends(void **state)
{
	const char *const tasks[] = { "t/1", "t/2" };

	is(acs_encode_ack("c", "i", "m"), "{'type':'AckRequest','message':{'cluster':'c','"
					  "containerInstance':'i','messageId':'m'}}");
	is(acs_encode_nack("c", "i", "m", "Updates are disabled"),
	   "{'type':'NackRequest','message':{'cluster':'c','containerInstance':'i','messageId':'m',"
	   "'reason':'Updates are disabled'}}");
	is(acs_encode_heartbeat_ack("h"),
	   "{'type':'HeartbeatAckRequest','message':{'messageId':'h'}}");
	is(acs_encode_heartbeat_ack(NULL), "{'type':'HeartbeatAckRequest','message':{}}");
	is(acs_encode_credentials_ack("m", "id", "2026-01-01T00:00:00Z"),
	   "{'type':'IAMRoleCredentialsAckRequest','message':{'credentialsId':'id',"
	   "'expiration':'2026-01-01T00:00:00Z','messageId':'m'}}");
	is(acs_encode_stop_verification("m", "c", tasks, 2),
	   "{'type':'TaskStopVerificationMessage','message':{'messageId':'m','stopCandidates':["
	   "{'desiredStatus':'STOPPED','taskArn':'t/1','taskClusterArn':'c'},"
	   "{'desiredStatus':'STOPPED','taskArn':'t/2','taskClusterArn':'c'}]}}");
}

static void the_control_plane_reads_it(void **state)
{
	const char *const task = "t/1";
	struct acs_message *message = read_back(acs_encode_nack("c", "i", "m", "why"));

	assert_int_equal(message->type, ACS_NACK);
	assert_string_equal(message->ack.cluster, "c");
	assert_string_equal(message->ack.reason, "why");
	acs_message_free(message);
	message = read_back(acs_encode_heartbeat_ack("h"));
	assert_int_equal(message->type, ACS_HEARTBEAT_ACK);
	assert_string_equal(message->ack.message_id, "h");
	acs_message_free(message);
	message = read_back(acs_encode_credentials_ack("m", "id", "e"));
	assert_string_equal(message->credentials_ack.credentials_id, "id");
	assert_string_equal(message->credentials_ack.expiration, "e");
	acs_message_free(message);
	message = read_back(acs_encode_stop_verification("m", "c", &task, 1));
	assert_int_equal(message->type, ACS_STOP_VERIFICATION);
	assert_string_equal(message->stop_verification.tasks[0].arn, "t/1");
	assert_string_equal(message->stop_verification.tasks[0].cluster_arn, "c");
	acs_message_free(message);
}

static void the_agent_reads_what_the_control_plane_sends(void **state)
{
	struct role_credentials credentials = { .id = "id",
						.role_arn = "arn:r",
						.access_key_id = "AK",
						.secret_access_key = "a<b>",
						.session_token = "t",
						.expiration = "e" };
	const struct acs_task_identifier task = { .arn = "t/1",
						  .cluster_arn = "c",
						  .desired_status = "RUNNING" };
	const struct acs_manifest manifest = { .message_id = "m",
					       .cluster_arn = "c",
					       .container_instance_arn = "i",
					       .timeline = INT64_MAX,
					       .tasks = &task,
					       .task_count = 1 };
	struct acs_message *message = read_back(acs_encode_heartbeat("h", true));

	assert_true(message->heartbeat.healthy);
	acs_message_free(message);
	message =
		read_back(acs_encode_credentials("m", "t/1", CREDENTIALS_ROLE_TASK, &credentials));
	assert_int_equal(message->credentials.role, CREDENTIALS_ROLE_TASK);
	assert_string_equal(message->credentials.credentials->secret_access_key, "a<b>");
	assert_string_equal(message->credentials.credentials->session_token, "t");
	acs_message_free(message);
	message = read_back(acs_encode_manifest(&manifest, 5));
	assert_true(message->manifest.timeline == INT64_MAX);
	assert_string_equal(message->manifest.tasks[0].arn, "t/1");
	acs_message_free(message);
	message = read_back(acs_encode_stop_verification_ack("m", 5, &task, 1));
	assert_int_equal(message->type, ACS_STOP_VERIFICATION_ACK);
	assert_string_equal(message->stop_verification.tasks[0].arn, "t/1");
	acs_message_free(message);
}

static void interfaces_travel(void **state)
{
	const char *const servers[] = { "10.0.0.2" };
	const struct acs_eni_out eni = { .attachment_arn = "arn:a",
					 .ec2_id = "eni-1",
					 .mac_address = "0a:00:00:00:00:01",
					 .ipv4_address = "10.0.0.5",
					 .ipv4_gateway = "10.0.0.1/24",
					 .ipv6_address = "fd00::5",
					 .ipv6_gateway = "fd00::1/64",
					 .private_dns_name = "ip-10-0-0-5",
					 .dns_servers = servers,
					 .dns_server_count = 1 };
	struct acs_attach_interfaces_out attach = { .message_id = "m",
						    .cluster_arn = "c",
						    .container_instance_arn = "i",
						    .task_arn = "t/1",
						    .wait_timeout_ms = 300000,
						    .generated_at_ms = 5,
						    .enis = &eni,
						    .eni_count = 1 };
	struct acs_message *message = read_back(acs_encode_attach_interfaces(&attach));

	assert_int_equal(message->type, ACS_ATTACH_TASK_INTERFACES);
	assert_int_equal(message->attach.wait_timeout_ms, 300000);
	assert_string_equal(eni_primary_ipv4(&message->attach.enis[0]), "10.0.0.5");
	assert_string_equal(eni_primary_ipv6(&message->attach.enis[0]), "fd00::5");
	assert_true(message->attach.enis[0].ipv4[0].primary);
	assert_int_equal(message->attach.enis[0].gateway_ipv4.prefix, 24);
	assert_string_equal(message->attach.enis[0].dns_servers.items[0], "10.0.0.2");
	acs_message_free(message);
	attach.task_arn = NULL;
	message = read_back(acs_encode_attach_interfaces(&attach));
	assert_int_equal(message->type, ACS_ATTACH_INSTANCE_INTERFACES);
	acs_message_free(message);
	is(acs_encode_eni(&eni),
	   "{'attachmentArn':'arn:a','domainNameServers':['10.0.0.2'],'ec2Id':'eni-1',"
	   "'ipv4Addresses':[{'primary':true,'privateAddress':'10.0.0.5'}],"
	   "'ipv6Addresses':[{'address':'fd00::5','primary':true}],'macAddress':'0a:00:00:00:00:01'"
	   ","
	   "'privateDnsName':'ip-10-0-0-5','subnetGatewayIpv4Address':'10.0.0.1/24',"
	   "'subnetGatewayIpv6Address':'fd00::1/64'}");
}

static void a_payload_carries_tasks_as_they_are(void **state)
{
	const char *const tasks[] = { "{\"arn\":\"t/1\",\"desiredStatus\":\"RUNNING\"}",
				      "{\"arn\":\"t/2\"}" };
	const struct acs_payload_out payload = { .message_id = "m",
						 .cluster_arn = "c",
						 .container_instance_arn = "i",
						 .seq_num = 42,
						 .generated_at_ms = 1700000000000,
						 .tasks = tasks,
						 .task_count = 2 };
	struct acs_message *message;

	is(acs_encode_payload(&payload),
	   "{'type':'PayloadMessage','message':{'clusterArn':'c','containerInstanceArn':'i',"
	   "'generatedAt':1700000000000,'messageId':'m','seqNum':42,'tasks':["
	   "{'arn':'t/1','desiredStatus':'RUNNING'},{'arn':'t/2'}]}}");
	message = read_back(acs_encode_payload(&payload));
	assert_int_equal(message->payload.task_count, 2);
	assert_int_equal(message->payload.refused_count, 0);
	assert_string_equal(message->payload.tasks[1].spec->arn, "t/2");
	acs_message_free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_agent_sends),
		cmocka_unit_test(the_control_plane_reads_it),
		cmocka_unit_test(the_agent_reads_what_the_control_plane_sends),
		cmocka_unit_test(interfaces_travel),
		cmocka_unit_test(a_payload_carries_tasks_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
