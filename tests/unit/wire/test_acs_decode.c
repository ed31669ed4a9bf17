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

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "quoted.h"

#define HEAD "'messageId':'m-1','clusterArn':'c','containerInstanceArn':'i'"

static struct acs_message *decoded(const char *text)
{
	struct acs_message *message = NULL;
	struct error err = ERROR_INIT;

	if (decode_acs(text, &message, &err) < 0)
		fail_msg("%s was refused: %s", text, err.text);
	return message;
}

/* acs-C21: upper-case member names, null for an empty message, members that nobody knows. */
static void envelopes_are_taken_leniently(void **state)
{
	static const struct {
		const char *text;
		const char *message_id;
	} cases[] = {
		{ "{'type':'HeartbeatMessage','message':{'healthy':true,'messageId':'h1'}}", "h1" },
		{ "{'TYPE':'HeartbeatMessage','MESSAGE':{'MESSAGEID':'h2','Healthy':false}}",
		  "h2" },
		{ "{'type':'HeartbeatMessage','message':null}", NULL },
		{ "{'x':[1,{}],'type':'HeartbeatMessage','message':{'messageId':'h3','y':null}}",
		  "h3" },
		{ "{'message':{},'type':'HeartbeatMessage'}", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(acs_message_free_cleanup) struct acs_message *message =
			decoded(cases[i].text);

		assert_int_equal(message->type, ACS_HEARTBEAT);
		if (cases[i].message_id)
			assert_string_equal(message->heartbeat.message_id, cases[i].message_id);
		else
			assert_null(message->heartbeat.message_id);
	}
}

/* acs-C22: what is no message is dropped, and shows no life. */
static void malformed_ones_are_no_sign_of_life(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *error; /* NULL: the parser's */
	} cases[] = {
		{ "{", -EBADMSG, NULL },
		{ "", -EBADMSG, NULL },
		{ "{'type':'HeartbeatMessage','message':{}} trailing", -EBADMSG, NULL },
		{ "[]", -EBADMSG, "must be an object, got an array" },
		{ "{}", -EBADMSG, "the message has no type" },
		{ "{'type':7,'message':{}}", -EBADMSG, "type: must be a string, got a number" },
		{ "{'type':'HeartbeatMessage'}", -EBADMSG, "HeartbeatMessage without a message" },
		{ "{'type':'HeartbeatMessage','message':[]}", -EBADMSG,
		  "message: must be an object" },
		{ "{'type':'HeartbeatMessage','message':{'messageId':5}}", -EBADMSG,
		  "HeartbeatMessage: messageId: must be a string, got a number" },
		{ "{'type':'PayloadMessage','message':{" HEAD ",'seqNum':1.5}}", -EBADMSG,
		  "PayloadMessage: seqNum: must be a whole number, got 1.5" },
		{ "{'type':'PayloadMessage','message':{" HEAD ",'tasks':{}}}", -EBADMSG,
		  "PayloadMessage: tasks: must be an array, got an object" },
		/* A type that nobody knows; its case counts. */
		{ "{'type':'heartbeatmessage','message':{}}", -ENOMSG,
		  "unknown message type 'heartbeatmessage'" },
		{ "{'type':'Nope','message':{}}", -ENOMSG, "unknown message type 'Nope'" },
		{ "{'type':'Nope'}", -ENOMSG, "unknown message type 'Nope'" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acs_message *message = NULL;
		struct error err = ERROR_INIT;
		int result = decode_acs(cases[i].text, &message, &err);

		assert_int_equal(result, cases[i].result);
		assert_false(acs_is_activity(result));
		assert_null(message);
		if (cases[i].error) {
			_cleanup_free_ char *expected = quoted(cases[i].error);

			assert_string_equal(err.text, expected);
		}
	}
}

/* A truncated frame is no message, wherever it was cut. */
static void every_truncation_is_refused(void **state)
{
	_cleanup_free_ char *text = quoted("{'type':'PayloadMessage','message':{" HEAD
					   ",'seqNum':3,'tasks':[{'arn':'a/b',"
					   "'containers':[{'name':'c','overrides':'{}'}]}]}}");

	for (size_t size = 0; size < strlen(text); size++) {
		struct acs_message *message = NULL;

		assert_int_equal(acs_decode(text, size, &message, NULL), -EBADMSG);
	}
}

static void too_large_is_no_message(void **state)
{
	struct acs_message *message = NULL;
	char *text = malloc(ACS_MESSAGE_LIMIT + 1);

	memset(text, ' ', ACS_MESSAGE_LIMIT + 1);
	assert_int_equal(acs_decode(text, ACS_MESSAGE_LIMIT + 1, &message, NULL), -EBADMSG);
	free(text);
}

static void known_types_without_an_answer_are_a_sign_of_life(void **state)
{
	static const enum acs_type types[] = { ACS_CLOSE,
					       ACS_ERROR,
					       ACS_SERVER_EXCEPTION,
					       ACS_BAD_REQUEST_EXCEPTION,
					       ACS_INVALID_CLUSTER_EXCEPTION,
					       ACS_INVALID_INSTANCE_EXCEPTION,
					       ACS_ACCESS_DENIED_EXCEPTION,
					       ACS_INACTIVE_INSTANCE_EXCEPTION };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		_cleanup_free_ char *text = acs_encode_text(types[i], "because");
		struct acs_message *message = NULL;
		int result = acs_decode(text, strlen(text), &message, NULL);

		assert_true(acs_is_activity(result));
		assert_int_equal(message->type, types[i]);
		assert_string_equal(message->text, "because");
		acs_message_free(message);
	}
	{
		_cleanup_(acs_message_free_cleanup) struct acs_message *message =
			decoded("{'InactiveInstanceException':'gone'}");

		assert_int_equal(message->type, ACS_INACTIVE_INSTANCE_EXCEPTION);
		assert_string_equal(message->text, "gone");
	}
}

static void a_bare_error_is_alone_and_known(void **state)
{
	static const char *const texts[] = {
		"{'InactiveInstanceException':'gone','x':'y'}",
		"{'InactiveInstanceException':{'message':'x'}}",
		"{'SomeException':'gone'}",
		"{'PayloadMessage':'gone'}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct acs_message *message = NULL;

		assert_int_equal(decode_acs(texts[i], &message, NULL), -EBADMSG);
	}
}

/* Each entry is taken or refused by itself; what was refused keeps its ARN for the report. */
static void payload_entries_stand_alone(void **state)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *message =
		decoded("{'type':'PayloadMessage','message':{" HEAD
			",'seqNum':42,'generatedAt':1700000000000,'timeline':null,"
			"'tasks':[{'arn':'t/"
			"good','desiredStatus':'RUNNING','roleCredentials':{'credentialsId':'r'}},"
			"{'arn':'t/bad','desiredStatus':'WHAT'},null,{'arn':''},7,{'arn':'t/"
			"typed','containers':3}]}}");
	struct acs_payload *payload = &message->payload;
	struct task_spec *kept;

	assert_int_equal(message->type, ACS_PAYLOAD);
	assert_string_equal(payload->message_id, "m-1");
	assert_string_equal(payload->cluster_arn, "c");
	assert_string_equal(payload->container_instance_arn, "i");
	assert_int_equal(payload->seq_num, 42);
	assert_int_equal(payload->task_count, 6);
	assert_int_equal(payload->refused_count, 5);
	assert_string_equal(payload->tasks[0].spec->id, "good");
	assert_string_equal(payload->tasks[0].credentials.role->id, "r");
	assert_null(payload->tasks[0].error);
	assert_null(payload->tasks[1].spec);
	assert_string_equal(payload->tasks[1].arn, "t/bad");
	assert_string_equal(payload->tasks[1].error,
			    "desiredStatus: unrecognized task status \"WHAT\"");
	assert_null(payload->tasks[2].arn);
	assert_string_equal(payload->tasks[2].error, "the entry is null");
	assert_null(payload->tasks[3].arn);
	assert_string_equal(payload->tasks[3].error, "arn is missing or empty");
	assert_null(payload->tasks[4].arn);
	assert_string_equal(payload->tasks[4].error, "must be an object, got a number");
	assert_string_equal(payload->tasks[5].arn, "t/typed");

	kept = TAKE(payload->tasks[0].spec);
	acs_message_free(TAKE(message));
	assert_string_equal(kept->arn, "t/good");
	task_spec_unref(kept);
}

static void an_empty_payload_has_no_tasks(void **state)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *message =
		decoded("{'type':'PayloadMessage','message':{" HEAD ",'tasks':[]}}");

	assert_int_equal(message->payload.task_count, 0);
	assert_int_equal(message->payload.refused_count, 0);
}

static void refresh_of_credentials(void **state)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = decoded(
		"{'type':'IAMRoleCredentialsMessage','message':{'messageId':'m','taskArn':'t/1',"
		"'roleType':'TaskExecution','roleCredentials':{'credentialsId':'c','expiration':'"
		"soon'}}}");

	assert_int_equal(message->credentials.role, CREDENTIALS_ROLE_EXECUTION);
	assert_string_equal(message->credentials.task_arn, "t/1");
	assert_string_equal(message->credentials.credentials->id, "c");
	assert_string_equal(message->credentials.credentials->expiration, "soon");
}

#define ENI                                                                                        \
	"{'ec2Id':'e','macAddress':'0a:00:00:00:00:01','attachmentArn':'arn:a',"                   \
	"'ipv4Addresses':[{'privateAddress':'10.0.0.5'}],'subnetGatewayIpv4Address':'10.0.0.1/"    \
	"24'}"

static void interfaces_of_tasks_and_instances(void **state)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *of_task = decoded(
		"{'type':'AttachTaskNetworkInterfacesMessage','message':{" HEAD
		",'taskArn':'t/1','waitTimeoutMs':60000,'elasticNetworkInterfaces':[" ENI "]}}");
	_cleanup_(acs_message_free_cleanup) struct acs_message *of_instance =
		decoded("{'type':'AttachInstanceNetworkInterfacesMessage','message':{" HEAD
			",'waitTimeoutMs':1,'elasticNetworkInterfaces':[" ENI "]}}");

	assert_string_equal(of_task->attach.task_arn, "t/1");
	assert_int_equal(of_task->attach.wait_timeout_ms, 60000);
	assert_int_equal(of_task->attach.eni_count, 1);
	assert_string_equal(of_task->attach.enis[0].attachment_arn, "arn:a");
	assert_null(of_instance->attach.task_arn);
	assert_int_equal(of_instance->type, ACS_ATTACH_INSTANCE_INTERFACES);
}

static void manifest_and_stop_verification(void **state)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *manifest = decoded(
		"{'type':'TaskManifestMessage','message':{" HEAD ",'timeline':10,'generatedAt':1,"
		"'tasks':[{'taskArn':'t/1','taskClusterArn':'c','desiredStatus':'RUNNING'}]}}");
	_cleanup_(acs_message_free_cleanup) struct acs_message *ack =
		decoded("{'type':'TaskStopVerificationAck','message':{'messageId':'m','stopTasks':["
			"{'taskArn':'t/1'},{}]}}");

	assert_int_equal(manifest->manifest.timeline, 10);
	assert_int_equal(manifest->manifest.task_count, 1);
	assert_string_equal(manifest->manifest.tasks[0].desired_status, "RUNNING");
	assert_int_equal(ack->stop_verification.task_count, 2);
	assert_string_equal(ack->stop_verification.tasks[0].arn, "t/1");
	assert_string_equal(ack->stop_verification.tasks[1].arn, "");
}

static void updates_keep_what_is_missing_for_the_nack(void **state)
{
	_cleanup_(acs_message_free_cleanup) struct acs_message *none =
		decoded("{'type':'StageUpdateMessage','message':{" HEAD "}}");
	_cleanup_(acs_message_free_cleanup) struct acs_message *some =
		decoded("{'type':'PerformUpdateMessage','message':{" HEAD
			",'updateInfo':{'location':'http://x'}}}");

	assert_false(none->update.has_update_info);
	assert_true(some->update.has_update_info);
	assert_string_equal(some->update.location, "http://x");
	assert_null(some->update.signature);
}

static void refused_handshakes_tell_why(void **state)
{
	static const struct {
		const char *body;
		const char *text;
	} cases[] = {
		{ "{'InactiveInstanceException':'gone'}", "InactiveInstanceException: gone" },
		{ "{'__type':'InactiveInstanceException','message':'gone'}",
		  "InactiveInstanceException: gone" },
		{ "{'__type':'com.amazonaws.ecs#InvalidClusterException','Message':'x'}",
		  "InvalidClusterException: x" },
		{ "{'type':'AccessDeniedException','message':{'message':'no'}}",
		  "AccessDeniedException: no" },
		{ "{'__type':'ServerException'}", "ServerException: " },
	};
	static const char *const none[] = { "",
					    "404 page not found",
					    "{'__type':'Other'}",
					    "{}",
					    "[]",
					    "{'type':'PayloadMessage','message':{}}" };
	enum acs_type type;
	char *text = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *body = quoted(cases[i].body);

		assert_int_equal(acs_decode_refusal(body, strlen(body), &type, &text, NULL), 0);
		assert_string_equal(text, cases[i].text);
		assert_memory_equal(acs_type_name(type), text, strlen(acs_type_name(type)));
		free(text);
	}
	text = NULL;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		_cleanup_free_ char *body = quoted(none[i]);

		assert_int_equal(acs_decode_refusal(body, strlen(body), &type, &text, NULL),
				 -EBADMSG);
		assert_null(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelopes_are_taken_leniently),
		cmocka_unit_test(malformed_ones_are_no_sign_of_life),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(too_large_is_no_message),
		cmocka_unit_test(known_types_without_an_answer_are_a_sign_of_life),
		cmocka_unit_test(a_bare_error_is_alone_and_known),
		cmocka_unit_test(payload_entries_stand_alone),
		cmocka_unit_test(an_empty_payload_has_no_tasks),
		cmocka_unit_test(refresh_of_credentials),
		cmocka_unit_test(interfaces_of_tasks_and_instances),
		cmocka_unit_test(manifest_and_stop_verification),
		cmocka_unit_test(updates_keep_what_is_missing_for_the_nack),
		cmocka_unit_test(refused_handshakes_tell_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
