/* SPDX-License-Identifier: Apache-2.0 */
/* Known messages that are refused: no answer, but a sign of life. */
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

#define HEAD                                                                                       \
	"'messageId':'m','clusterArn':'arn:aws:ecs:r:1:cluster/"                                   \
	"c','containerInstanceArn':'arn:aws:ecs:r:1:x/i'"
#define NO_HEAD                                                                                    \
	"'clusterArn':'arn:aws:ecs:r:1:cluster/c','containerInstanceArn':'arn:aws:ecs:r:1:x/i'"

struct refusal {
	const char *type;
	const char *members;
	const char *error; /* after "<type>: " */
};

static void each_is_refused(const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = xasprintf("{'type':'%s','message':{%s}}",
						      refusals[i].type, refusals[i].members);
		_cleanup_free_ char *expected_text =
			xasprintf("%s: %s", refusals[i].type, refusals[i].error);
		_cleanup_free_ char *expected = quoted(expected_text);
		struct acs_message *message = NULL;
		struct error err = ERROR_INIT;
		int result = decode_acs(text, &message, &err);

		assert_null(message);
		assert_string_equal(err.text, expected);
		assert_int_equal(result, -EINVAL);
		assert_true(acs_is_activity(result));
	}
}

#define REFUSED(table) each_is_refused(table, sizeof(table) / sizeof((table)[0]))

/* acs-M6 */
static void payload_without_a_required_member(void **state)
{
	static const struct refusal refusals[] = {
		{ "PayloadMessage", "'messageId':'m','containerInstanceArn':'i','tasks':[]",
		  "clusterArn is missing or empty" },
		{ "PayloadMessage", "'messageId':'m','clusterArn':'c','tasks':[]",
		  "containerInstanceArn is missing or empty" },
		{ "PayloadMessage", "'clusterArn':'c','containerInstanceArn':'i','tasks':[]",
		  "messageId is missing or empty" },
		{ "PayloadMessage", "'messageId':'','clusterArn':'c','containerInstanceArn':'i'",
		  "messageId is missing or empty" },
	};

	REFUSED(refusals);
}

#define ENI_WITH(members)                                                                          \
	HEAD ",'taskArn':'t','waitTimeoutMs':1,'elasticNetworkInterfaces':[{" members "}]"
#define ENI_OK                                                                                     \
	"'ec2Id':'e','macAddress':'0a:00:00:00:00:01','ipv4Addresses':[{'privateAddress':'10.0.0." \
	"5'}]"
#define ATTACH "AttachTaskNetworkInterfacesMessage"

/* acs-M26 */
static void interfaces_that_cannot_be_used(void **state)
{
	static const struct refusal refusals[] = {
		{ ATTACH, ENI_WITH("'ec2Id':'e'"),
		  "elasticNetworkInterfaces[0]: macAddress is missing" },
		{ ATTACH, ENI_WITH(ENI_OK ",'subnetGatewayIpv4Address':'10.0.0.1'"),
		  "elasticNetworkInterfaces[0]: subnetGatewayIpv4Address: '10.0.0.1' must be an "
		  "address and a "
		  "prefix length, such as 10.0.0.1/24" },
		{ ATTACH,
		  HEAD ",'taskArn':'t','waitTimeoutMs':0,'elasticNetworkInterfaces':[{" ENI_OK
		       ",'subnetGatewayIpv4Address':'10.0.0.1/24'}]",
		  "waitTimeoutMs must be greater than 0" },
		{ ATTACH, HEAD ",'taskArn':'t','waitTimeoutMs':1,'elasticNetworkInterfaces':[]",
		  "elasticNetworkInterfaces is missing or empty" },
		{ ATTACH, HEAD ",'taskArn':'t','waitTimeoutMs':1",
		  "elasticNetworkInterfaces is missing or empty" },
		{ ATTACH,
		  ENI_WITH(ENI_OK ",'subnetGatewayIpv4Address':'10.0.0.1/"
				  "24','interfaceAssociationProtocol':'vlan'"),
		  "elasticNetworkInterfaces[0]: interfaceVlanProperties is missing" },
		{ ATTACH,
		  ENI_WITH(ENI_OK ",'subnetGatewayIpv4Address':'10.0.0.1/"
				  "24','interfaceAssociationProtocol':'tunnel'"),
		  "elasticNetworkInterfaces[0]: interfaceAssociationProtocol: 'tunnel' is not "
		  "supported; "
		  "'default' and 'vlan' are" },
		{ ATTACH, HEAD ",'waitTimeoutMs':1,'elasticNetworkInterfaces':[{}]",
		  "taskArn is missing or empty" },
		{ ATTACH,
		  NO_HEAD ",'taskArn':'t','waitTimeoutMs':1,'elasticNetworkInterfaces':[{}]",
		  "messageId is missing or empty" },
		{ "AttachInstanceNetworkInterfacesMessage", "'messageId':'m','clusterArn':'c'",
		  "containerInstanceArn is missing or empty" },
	};

	REFUSED(refusals);
}

#define CREDENTIALS "IAMRoleCredentialsMessage"

static void credentials_that_cannot_be_used(void **state)
{
	static const struct refusal refusals[] = {
		{ CREDENTIALS,
		  "'taskArn':'t','roleType':'TaskApplication','roleCredentials':{'credentialsId':'"
		  "c'}",
		  "messageId is missing or empty" },
		{ CREDENTIALS, "'messageId':'m','roleType':'TaskApplication'",
		  "taskArn is missing or empty" },
		{ CREDENTIALS,
		  "'messageId':'m','taskArn':'t','roleCredentials':{'credentialsId':'c'}",
		  "roleType is missing or empty" },
		{ CREDENTIALS,
		  "'messageId':'m','taskArn':'t','roleType':'X','roleCredentials':{'credentialsId':"
		  "'c'}",
		  "roleType: 'X' is neither 'TaskApplication' nor 'TaskExecution'" },
		{ CREDENTIALS, "'messageId':'m','taskArn':'t','roleType':'TaskApplication'",
		  "roleCredentials is missing" },
		{ CREDENTIALS,
		  "'messageId':'m','taskArn':'t','roleType':'TaskApplication','roleCredentials':{}",
		  "roleCredentials: CredentialsId is empty" },
	};

	REFUSED(refusals);
}

#define CONFIRM "ConfirmAttachmentMessage"
#define ATTACHMENT(type, properties)                                                               \
	HEAD ",'attachment':{'attachmentArn':'arn:aws:ecs:r:1:attachment/"                         \
	     "a','attachmentType':'" type "','attachmentProperties':[" properties "]}"
#define PROPERTY(name, value) "{'name':'" name "','value':'" value "'}"
#define EBS                                                                                        \
	PROPERTY("volumeId", "vol-1")                                                              \
	"," PROPERTY("volumeSizeGib", "10") "," PROPERTY("deviceName", "/dev/x") "," PROPERTY(     \
		"sourceVolumeHostPath", "/m") "," PROPERTY("volumeName", "v")

/* acs-M29 */
static void confirmations_that_cannot_be_used(void **state)
{
	static const struct refusal refusals[] = {
		{ CONFIRM, ATTACHMENT("amazonebs", EBS "," PROPERTY("fileSystem", "")),
		  "attachment: attachmentProperties[5]: name and value must not be empty" },
		{ CONFIRM, ATTACHMENT("amazonebs", EBS "," PROPERTY("fileSystem", "btrfs")),
		  "attachment: attachmentProperties: fileSystem 'btrfs' is none of xfs, ext2, "
		  "ext3, ext4 and "
		  "ntfs" },
		{ CONFIRM,
		  "'messageId':'m','clusterArn':'demo','containerInstanceArn':'arn:aws:ecs:r:1:x/"
		  "i'",
		  "clusterArn is missing or no ARN" },
		{ CONFIRM,
		  "'messageId':'m','clusterArn':'arn:aws:ecs:r:1:c','containerInstanceArn':'arn:"
		  "aws:ecs'",
		  "containerInstanceArn is missing or no ARN" },
		{ CONFIRM, NO_HEAD, "messageId is missing or empty" },
		{ CONFIRM, HEAD, "attachment is missing" },
		{ CONFIRM, HEAD ",'attachment':{}",
		  "attachment: attachmentArn is missing or no ARN" },
		{ CONFIRM, ATTACHMENT("amazonebs", PROPERTY("volumeId", "v")),
		  "attachment: attachmentProperties: volumeSizeGib is missing or empty" },
		{ CONFIRM, ATTACHMENT("", PROPERTY("resourceType", "EphemeralStorage")),
		  "attachment: attachmentProperties: volumeID is missing or empty" },
		{ CONFIRM, ATTACHMENT("", PROPERTY("resourceType", "Tape")),
		  "attachment: attachmentType '' with resourceType 'Tape' is not known: it must be "
		  "amazonebs, or "
		  "have resourceType EphemeralStorage or ElasticBlockStorage" },
	};

	REFUSED(refusals);
}

static void confirmations_that_can(void **state)
{
	static const struct {
		const char *members;
		int64_t wait_ms;
	} cases[] = {
		{ ATTACHMENT("amazonebs", EBS), ACS_CONFIRM_WAIT_DEFAULT_MS },
		{ ATTACHMENT("amazonebs",
			     EBS "," PROPERTY("fileSystem", "xfs")) ",'waitTimeoutMs':5",
		  5 },
		{ ATTACHMENT("", PROPERTY("resourceType", "ElasticBlockStorage") "," PROPERTY(
					 "volumeID", "v") "," PROPERTY("deviceName", "d")),
		  ACS_CONFIRM_WAIT_DEFAULT_MS },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text =
			xasprintf("{'type':'" CONFIRM "','message':{%s}}", cases[i].members);
		struct acs_message *message = NULL;

		assert_int_equal(decode_acs(text, &message, NULL), 0);
		assert_int_equal(message->confirm.wait_timeout_ms, cases[i].wait_ms);
		assert_true(message->confirm.attachment.properties.count >= 3);
		acs_message_free(message);
	}
}

static void manifests_that_make_no_sense(void **state)
{
	static const struct refusal refusals[] = {
		{ "TaskManifestMessage", HEAD, "timeline is missing" },
		{ "TaskManifestMessage", HEAD ",'timeline':1,'tasks':[{'desiredStatus':'RUNNING'}]",
		  "tasks[0]: taskArn is missing" },
		{ "TaskManifestMessage", HEAD ",'timeline':1,'tasks':[{'taskArn':'t'}]",
		  "tasks[0]: desiredStatus is missing" },
	};

	REFUSED(refusals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payload_without_a_required_member),
		cmocka_unit_test(interfaces_that_cannot_be_used),
		cmocka_unit_test(credentials_that_cannot_be_used),
		cmocka_unit_test(confirmations_that_cannot_be_used),
		cmocka_unit_test(confirmations_that_can),
		cmocka_unit_test(manifests_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
