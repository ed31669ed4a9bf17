/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent answers to each message of ACS, and what gets no answer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "acs_place.h"

/* acs-C21, acs-M1, acs-M2 */
static void a_heartbeat_is_acknowledged_however_it_is_written(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"type\":\"HeartbeatMessage\",\"message\":{\"healthy\":true,\"messageId\":"
		  "\"h1\"}}",
		  "{\"messageId\":\"h1\"}" },
		{ "{\"TYPE\":\"HeartbeatMessage\",\"MESSAGE\":{\"MESSAGEID\":\"h2\"}}",
		  "{\"messageId\":\"h2\"}" },
		{ "{\"type\":\"HeartbeatMessage\",\"message\":{\"messageId\":\"h3\",\"new\":[1]},"
		  "\"more\":{}}",
		  "{\"messageId\":\"h3\"}" },
		{ "{\"type\":\"HeartbeatMessage\",\"message\":{}}", "{}" },
		{ "{\"type\":\"HeartbeatMessage\",\"message\":null}", "{}" },
	};
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[128];

		snprintf(expected, sizeof(expected),
			 "{\"type\":\"HeartbeatAckRequest\",\"message\":%s}", cases[i][1]);
		assert_string_equal(acs_ask(&f, peer, cases[i][0]), expected);
	}
	assert_int_equal(f.heartbeats, 5);
	acs_tear_down(&f);
}

/* acs-C22, acs-M6, acs-M26, acs-M29 as far as the session goes: no answer, and it goes on. */
static void what_is_malformed_has_no_answer(void **state)
{
	static const char *const cases[] = {
		"{\"type\":\"HeartbeatMessage\",",
		"",
		"[]",
		"{\"type\":\"HeartbeatMessage\"}",
		"{\"type\":\"HeartbeatMessage\",\"message\":{\"messageId\":5}}",
		"{\"type\":\"heartbeatmessage\",\"message\":{}}",
		"{\"type\":\"PayloadMessage\",\"message\":{\"messageId\":\"m\","
		"\"containerInstanceArn\":\"I\",\"tasks\":[]}}",
		"{\"type\":\"PayloadMessage\",\"message\":{\"messageId\":\"m\",\"clusterArn\":"
		"\"C\",\"tasks\":[]}}",
		"{\"type\":\"PayloadMessage\",\"message\":{" INSTANCE ",\"tasks\":[]}}",
		"{\"type\":\"AttachTaskNetworkInterfacesMessage\",\"message\":{\"messageId\":"
		"\"m\"," INSTANCE ",\"taskArn\":\"" TASK
		"\",\"waitTimeoutMs\":1000,\"elasticNetworkInterfaces\":[]}}",
	};
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (*cases[i])
			acs_ask_in_vain(&f, peer, cases[i]);
	assert_int_equal(f.payloads, 0);
	assert_int_equal(f.attached, 0);
	assert_int_equal(f.fake.upgrade_count, 1);
	acs_tear_down(&f);
}

#define PAYLOAD(id, tasks)                                                                         \
	"{\"type\":\"PayloadMessage\",\"message\":{\"messageId\":\"" id "\"," INSTANCE             \
	",\"seqNum\":1,\"tasks\":[" tasks "]}}"
#define ACK(id)                                                                                    \
	"{\"type\":\"AckRequest\",\"message\":{\"cluster\":\"C\",\"containerInstance\":\"I\","     \
	"\"messageId\":\"" id "\"}}"
#define CONTAINERS                                                                                 \
	"\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"essential\":true,\"overrides\":\"{}\"}" \
	"]"

/* acs-M5; acs-M44: the ack echoes what the message said, whoever it names. */
static void a_payload_is_acknowledged_when_its_handler_says_so(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	assert_string_equal(acs_ask(&f, peer, PAYLOAD("m1", "")), ACK("m1"));
	f.ack_at_once = false;
	acs_ask_in_vain(&f, peer, PAYLOAD("m2", ""));
	assert_int_equal(f.payloads, 2);
	acs_session_acknowledge(f.acs, "m2");
	fake_run_until_messages(&f.fake, peer, 3);
	assert_string_equal(peer->messages[2], ACK("m2"));
	/* Once for each copy. */
	acs_session_acknowledge(f.acs, "m2");
	assert_string_equal(acs_ask(&f, peer, "{\"type\":\"HeartbeatMessage\",\"message\":{}}"),
			    "{\"type\":\"HeartbeatAckRequest\",\"message\":{}}");
	acs_tear_down(&f);
}

/* acs-M7 for the session: a refused entry keeps the whole payload from being acknowledged. */
static void a_payload_with_a_refused_task_is_never_acknowledged(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	acs_ask_in_vain(
		&f, peer,
		PAYLOAD("m1", "{\"arn\":\"" TASK "\",\"desiredStatus\":\"RUNNING\"," CONTAINERS "},"
			      "{\"arn\":\"" TASK "2\",\"desiredStatus\":\"WHAT\"," CONTAINERS "}"));
	assert_int_equal(f.payloads, 1);
	assert_int_equal(f.tasks, 2);
	assert_int_equal(f.refused, 1);
	acs_tear_down(&f);
}

static bool among(const struct fake_upgrade *peer, size_t from, const char *text)
{
	for (size_t i = from; i < peer->message_count; i++)
		if (strcmp(peer->messages[i], text) == 0)
			return true;
	return false;
}

/* acs-M18 */
static void credentials_of_a_payload_are_acknowledged_with_it(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	fake_send(peer,
		  PAYLOAD("m1",
			  "{\"arn\":\"" TASK "\",\"desiredStatus\":\"RUNNING\"," CONTAINERS
			  ",\"roleCredentials\":{\"credentialsId\":\"r\",\"expiration\":\"e1\"},"
			  "\"executionRoleCredentials\":{\"credentialsId\":\"x\",\"expiration\":"
			  "\"e2\"}}"));
	fake_run_until_messages(&f.fake, peer, 3);
	assert_true(among(peer, 0, ACK("m1")));
	assert_true(among(
		peer, 0,
		"{\"type\":\"IAMRoleCredentialsAckRequest\",\"message\":{\"credentialsId\":\"r\","
		"\"expiration\":\"e1\",\"messageId\":\"m1\"}}"));
	assert_true(among(
		peer, 0,
		"{\"type\":\"IAMRoleCredentialsAckRequest\",\"message\":{\"credentialsId\":\"x\","
		"\"expiration\":\"e2\",\"messageId\":\"m1\"}}"));
	acs_tear_down(&f);
}

#define CREDENTIALS(role)                                                                          \
	"{\"type\":\"IAMRoleCredentialsMessage\",\"message\":{\"messageId\":\"m\",\"taskArn\":"    \
	"\"" TASK "\",\"roleType\":\"" role                                                        \
	"\",\"roleCredentials\":{\"credentialsId\":\"r\",\"expiration\":\"2026-11-20T1\"}}}"

/* acs-M20, acs-M21 for the session */
static void refreshed_credentials_are_acknowledged_only_when_taken(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	assert_string_equal(
		acs_ask(&f, peer, CREDENTIALS("TaskApplication")),
		"{\"type\":\"IAMRoleCredentialsAckRequest\",\"message\":{\"credentialsId\":\"r\","
		"\"expiration\":\"2026-11-20T1\",\"messageId\":\"m\"}}");
	f.credentials_result = -ENOENT;
	acs_ask_in_vain(&f, peer, CREDENTIALS("TaskApplication"));
	assert_int_equal(f.credentials, 2);
	acs_ask_in_vain(&f, peer, CREDENTIALS("X"));
	assert_int_equal(f.credentials, 2);
	acs_tear_down(&f);
}

#define ATTACH                                                                                     \
	"{\"type\":\"AttachTaskNetworkInterfacesMessage\",\"message\":{\"messageId\":"             \
	"\"m\"," INSTANCE ",\"taskArn\":\"" TASK                                                   \
	"\",\"waitTimeoutMs\":1000,\"elasticNetworkInterfaces\":[{\"attachmentArn\":\"arn:a\","    \
	"\"ec2Id\":\"eni-1\",\"macAddress\":\"0a:00:00:00:00:01\",\"ipv4Addresses\":"              \
	"[{\"primary\":true,\"privateAddress\":\"10.0.0.5\"}],"                                    \
	"\"subnetGatewayIpv4Address\":\"10.0.0.1/24\"}]}}"

static void interfaces_are_acknowledged_when_they_are_saved(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	f.attach_result = -ENOSPC;
	acs_ask_in_vain(&f, peer, ATTACH);
	assert_int_equal(f.attached, 1);
	f.attach_result = 0;
	assert_string_equal(acs_ask(&f, peer, ATTACH), ACK("m"));
	assert_int_equal(f.attached, 2);
	acs_tear_down(&f);
}

/* acs-M32 for the answers */
static void a_manifest_is_acknowledged_and_candidates_asked_about(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	fake_send(peer,
		  "{\"type\":\"TaskManifestMessage\",\"message\":{\"messageId\":\"m\"," INSTANCE
		  ",\"timeline\":10,\"tasks\":[]}}");
	fake_run_until_messages(&f.fake, peer, 2);
	assert_true(among(peer, 0, ACK("m")));
	assert_true(among(
		peer, 0,
		"{\"type\":\"TaskStopVerificationMessage\",\"message\":{\"messageId\":\"m\","
		"\"stopCandidates\":"
		"[{\"desiredStatus\":\"STOPPED\",\"taskArn\":\"arn:t1\",\"taskClusterArn\":\"C\"},"
		"{\"desiredStatus\":\"STOPPED\",\"taskArn\":\"arn:t2\",\"taskClusterArn\":\"C\"}]}"
		"}"));
	acs_ask_in_vain(&f, peer,
			"{\"type\":\"TaskStopVerificationAck\",\"message\":{\"messageId\":\"m\","
			"\"stopTasks\":[]}}");
	assert_int_equal(f.verified, 1);
	acs_tear_down(&f);
}

#define NETWORK                                                                                    \
	"{\"type\":\"BerthNetworkMessage\",\"message\":{\"messageId\":\"n\"," INSTANCE             \
	",\"version\":1}}"

static void a_network_is_acknowledged_when_it_is_in_force(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	f.ack_at_once = false;
	acs_ask_in_vain(&f, peer, NETWORK);
	assert_int_equal(f.networks, 1);
	f.ack_at_once = true;
	assert_string_equal(acs_ask(&f, peer, NETWORK), ACK("n"));
	assert_int_equal(f.networks, 2);
	/* Who enforces nothing says once that it has come. */
	f.handler.network = NULL;
	assert_string_equal(acs_ask(&f, peer, NETWORK), ACK("n"));
	acs_tear_down(&f);
}

/* acs-M39, cfg-S6 */
static void updates_are_refused(void **state)
{
	static const char *const types[] = { "StageUpdateMessage", "PerformUpdateMessage" };
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	for (size_t i = 0; i < 2; i++) {
		char message[256];

		snprintf(message, sizeof(message),
			 "{\"type\":\"%s\",\"message\":{\"messageId\":\"u\"," INSTANCE "}}",
			 types[i]);
		assert_string_equal(acs_ask(&f, peer, message),
				    "{\"type\":\"NackRequest\",\"message\":{\"cluster\":\"C\","
				    "\"containerInstance\":\"I\","
				    "\"messageId\":\"u\",\"reason\":\"Updates are disabled\"}}");
	}
	acs_tear_down(&f);
}

static void an_ack_for_a_lost_connection_is_not_sent_on_the_next(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	f.ack_at_once = false;
	acs_ask_in_vain(&f, peer, PAYLOAD("m1", ""));
	ws_close(peer->ws, 1000, "bye");
	fake_run_until_closed(&f.fake, peer);
	fake_run_until_upgrades(&f.fake, 2);
	peer = acs_connected(&f);
	acs_session_acknowledge(f.acs, "m1");
	assert_string_equal(acs_ask(&f, peer, "{\"type\":\"HeartbeatMessage\",\"message\":{}}"),
			    "{\"type\":\"HeartbeatAckRequest\",\"message\":{}}");
	/* It comes again, and is acknowledged then. */
	f.ack_at_once = true;
	assert_string_equal(acs_ask(&f, peer, PAYLOAD("m1", "")), ACK("m1"));
	assert_int_equal(f.opened, 2);
	assert_int_equal(f.closed, 1);
	acs_tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_heartbeat_is_acknowledged_however_it_is_written),
		cmocka_unit_test(what_is_malformed_has_no_answer),
		cmocka_unit_test(a_payload_is_acknowledged_when_its_handler_says_so),
		cmocka_unit_test(a_payload_with_a_refused_task_is_never_acknowledged),
		cmocka_unit_test(credentials_of_a_payload_are_acknowledged_with_it),
		cmocka_unit_test(refreshed_credentials_are_acknowledged_only_when_taken),
		cmocka_unit_test(interfaces_are_acknowledged_when_they_are_saved),
		cmocka_unit_test(a_manifest_is_acknowledged_and_candidates_asked_about),
		cmocka_unit_test(a_network_is_acknowledged_when_it_is_in_force),
		cmocka_unit_test(updates_are_refused),
		cmocka_unit_test(an_ack_for_a_lost_connection_is_not_sent_on_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
