/* SPDX-License-Identifier: Apache-2.0 */
/* Every task that is refused, and the reason that the control plane reads. */
#include "wire/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "quoted.h"

struct refusal {
	const char *members;
	const char *error;
};

static void each_is_refused_with(const struct refusal *refusals, size_t count,
				 const char *(*error_of)(const char *))
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *expected = quoted(refusals[i].error);
		const char *error = error_of(refusals[i].members);

		if (strcmp(error, expected) != 0)
			fail_msg("%s:\n  says   %s\n  wanted %s", refusals[i].members, error,
				 expected);
	}
}

#define ENI_HEAD "'elasticNetworkInterfaces':[{'ec2Id':'e','macAddress':'0a:00:00:00:00:01',"
#define EBS(properties)                                                                            \
	"'attachments':[{'attachmentType':'amazonebs','attachmentProperties':[" properties "]}]"

/* acs-M19: credentials without an id. acs-M10, acs-M11: volumes. */
static void tasks(void **state)
{
	static const struct refusal refusals[] = {
		{ "'desiredStatus':'WHAT'", "desiredStatus: unrecognized task status 'WHAT'" },
		{ "'desiredStatus':'running'",
		  "desiredStatus: unrecognized task status 'running'" },
		{ "'desiredStatus':'PENDING'",
		  "desiredStatus: unrecognized task status 'PENDING'" },
		{ "'desiredStatus':1", "desiredStatus: must be a string, got a number" },
		{ "'cpu':'1'", "cpu: must be a number, got a string" },
		{ "'cpu':-0.5", "cpu must not be negative" },
		{ "'memory':1.5", "memory: must be a whole number, got 1.5" },
		{ "'memory':-1", "memory: must be between 0 and 2147483647, got -1" },
		{ "'containers':{}", "containers: must be an array, got an object" },
		{ "'containers':[null]", "containers[0]: must be an object, got null" },
		{ "'containers':[{}]", "containers[0]: name is missing" },
		{ "'containers':[{'name':''}]", "containers[0]: name is missing" },
		{ "'containers':[{'name':'a'},{'name':'b'},{'name':'a'}]",
		  "containers[2]: name: there are two containers named 'a'" },
		{ "'roleCredentials':{}", "roleCredentials: CredentialsId is empty" },
		{ "'roleCredentials':{'credentialsId':''}",
		  "roleCredentials: CredentialsId is empty" },
		{ "'executionRoleCredentials':{'roleArn':'x'}",
		  "executionRoleCredentials: CredentialsId is empty" },
		{ "'roleCredentials':{'credentialsId':7}",
		  "roleCredentials.credentialsId: must be a string, got a number" },
		{ "'roleCredentials':[]", "roleCredentials: must be an object, got an array" },
		{ "'volumes':[{'name':'v'}]", "invalid volume: empty volume configuration" },
		{ "'volumes':[{'name':'v','type':'host'}]",
		  "invalid volume: empty volume configuration" },
		{ "'volumes':[{'name':'v','host':null}]",
		  "invalid volume: empty volume configuration" },
		{ "'volumes':[{'host':{}}]", "invalid Volume; must include a name" },
		{ "'volumes':[{'name':'v','type':'ebs'}]", "unrecognized volume type: 'ebs'" },
		{ "'volumes':[{'name':'v','type':'logDriverOutput'}]",
		  "unrecognized volume type: 'logDriverOutput'" },
		{ "'volumes':[{'name':'v','type':'HOST','host':{}}]",
		  "unrecognized volume type: 'HOST'" },
		{ "'volumes':[{'name':'v','type':'docker'}]",
		  "invalid volume: empty volume configuration" },
		{ "'volumes':[{'name':'v','type':'docker','dockerVolumeConfiguration':{'scope':'"
		  "all'}}]",
		  "volumes[0].dockerVolumeConfiguration: scope: 'all' is neither 'task' nor "
		  "'shared'" },
		{ "'volumes':[{'name':'v','type':'efs'}]",
		  "invalid volume: empty volume configuration" },
		{ "'volumes':[{'name':'v','type':'efs','efsVolumeConfiguration':{'"
		  "transitEncryption':'on'}}]",
		  "volumes[0].efsVolumeConfiguration: transitEncryption: 'on' is neither 'ENABLED' "
		  "nor "
		  "'DISABLED'" },
		{ "'volumes':[{'name':'v','type':'fsxWindowsFileServer'}]",
		  "invalid volume: empty volume configuration" },
		{ "'proxyConfiguration':{'containerName':'c'}",
		  "proxyConfiguration: type: '' is not 'APPMESH'" },
		{ "'proxyConfiguration':{'type':'ENVOY','containerName':'c'}",
		  "proxyConfiguration: type: 'ENVOY' is not 'APPMESH'" },
		{ "'proxyConfiguration':{'type':'APPMESH'}",
		  "proxyConfiguration: containerName is missing" },
		{ EBS("{'name':'volumeId','value':'v'}"),
		  "attachments[0]: attachmentProperties: volumeName is missing or empty" },
		{ EBS("{'name':'volumeId','value':'v'},{'name':'fileSystem','value':''}"),
		  "attachments[0]: attachmentProperties: fileSystem is empty" },
		{ "'attachments':[{'attachmentType':'s3files','attachmentProperties':[]}]",
		  "attachments[0]: attachmentProperties: volumeId is missing or empty" },
		{ ENI_HEAD "'subnetGatewayIpv4Address':'10.0.0.1/24'}]",
		  "elasticNetworkInterfaces[0]: ipv4Addresses is empty, and so is ipv6Addresses" },
	};

	each_is_refused_with(refusals, sizeof(refusals) / sizeof(refusals[0]), task_error);
}

/* acs-M8: overrides. */
static void containers(void **state)
{
	static const struct refusal refusals[] = {
		{ "'cpu':-1", "containers[0].cpu: must be between 0 and 2147483647, got -1" },
		{ "'cpu':1.5", "containers[0].cpu: must be a whole number, got 1.5" },
		{ "'memory':-1", "containers[0].memory: must be between 0 and 2147483647, got -1" },
		{ "'startTimeout':-1",
		  "containers[0].startTimeout: must be between 0 and 2147483647, got -1" },
		{ "'stopTimeout':-1",
		  "containers[0].stopTimeout: must be between 0 and 2147483647, got -1" },
		{ "'essential':'yes'", "containers[0].essential: must be a boolean, got a string" },
		{ "'command':'ls'", "containers[0].command: must be an array, got a string" },
		{ "'command':[1]", "containers[0].command[0]: must be a string, got a number" },
		{ "'environment':{'A':1}",
		  "containers[0].environment.A: must be a string, got a number" },
		{ "'overrides':{'cpu':1}", "containers[0].overrides: unknown field 'cpu': only "
					   "'command' can be overridden" },
		{ "'overrides':[]", "containers[0].overrides: must be an object, got an array" },
		{ "'overrides':{'command':'x'}",
		  "containers[0].overrides.command: must be an array, got a string" },
		{ "'portMappings':[{'containerPort':65536}]",
		  "containers[0].portMappings[0].containerPort: must be between 0 and 65535, got "
		  "65536" },
		{ "'portMappings':[{'containerPort':80,'hostPort':-1}]",
		  "containers[0].portMappings[0].hostPort: must be between 0 and 65535, got -1" },
		{ "'portMappings':[{'containerPort':80,'protocol':'sctp'}]",
		  "containers[0].portMappings[0]: protocol: 'sctp' is neither 'tcp' nor 'udp'" },
		{ "'portMappings':[{'containerPort':80,'protocol':'TCP'}]",
		  "containers[0].portMappings[0]: protocol: 'TCP' is neither 'tcp' nor 'udp'" },
		{ "'portMappings':[{'hostPort':80}]",
		  "containers[0].portMappings[0]: containerPort is missing, and so is "
		  "containerPortRange" },
		{ "'portMappings':[{'containerPort':80,'containerPortRange':'1-2'}]",
		  "containers[0].portMappings[0]: containerPort and containerPortRange exclude "
		  "each other" },
		{ "'portMappings':[{'containerPortRange':'80'}]",
		  "containers[0].portMappings[0]: containerPortRange: '80' is no range of ports, "
		  "such as "
		  "8000-8010" },
		{ "'portMappings':[{'containerPortRange':'90-80'}]",
		  "containers[0].portMappings[0]: containerPortRange: '90-80' is no range of "
		  "ports, such as "
		  "8000-8010" },
		{ "'portMappings':[{'containerPortRange':'1-65536'}]",
		  "containers[0].portMappings[0]: containerPortRange: '1-65536' is no range of "
		  "ports, such "
		  "as 8000-8010" },
		{ "'dependsOn':[{'condition':'START'}]",
		  "containers[0].dependsOn[0]: containerName is missing" },
		{ "'volumesFrom':[{}]",
		  "containers[0].volumesFrom[0]: sourceContainer is missing" },
		{ "'managedAgents':[{}]", "containers[0].managedAgents[0]: name is missing" },
		{ "'restartPolicy':{'enabled':1}",
		  "containers[0].restartPolicy.enabled: must be a boolean, got a number" },
		{ "'restartPolicy':{'ignoredExitCodes':['x']}",
		  "containers[0].restartPolicy.ignoredExitCodes[0]: must be a number, got a "
		  "string" },
		{ "'dockerConfig':{'config':{}}",
		  "containers[0].dockerConfig.config: must be a string, got an object" },
	};

	each_is_refused_with(refusals, sizeof(refusals) / sizeof(refusals[0]), container_error);
}

/* acs-M8: the empty string, and JSON that is none. */
static void overrides_that_cannot_be_read(void **state)
{
	assert_non_null(strstr(container_error("'overrides':''"), "overrides: "));
	assert_non_null(strstr(container_error("'overrides':'{'"), "overrides: "));
	assert_string_equal(container_error("'overrides':'{\\'cpu\\':1}'"),
			    "containers[0].overrides: unknown field \"cpu\": only \"command\" can "
			    "be overridden");
}

static void arns_that_name_no_directory(void **state)
{
	static const struct refusal refusals[] = {
		{ "{'arn':''}", "arn is missing or empty" },
		{ "{}", "arn is missing or empty" },
		{ "{'arn':5}", "arn: must be a string, got a number" },
		{ "{'arn':'task/'}", "arn: 'task/' ends without a task id" },
		{ "{'arn':'task/..'}",
		  "arn: the task id '..' may hold only letters, digits, `-`, `_` and, "
		  "after the first, `.`" },
		{ "{'arn':'task/a b'}",
		  "arn: the task id 'a b' may hold only letters, digits, `-`, `_` and, "
		  "after the first, `.`" },
		{ "[]", "must be an object, got an array" },
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		_cleanup_free_ char *text = quoted(refusals[i].members);
		_cleanup_free_ char *expected = quoted(refusals[i].error);
		struct task_spec *task = NULL;
		struct error err = ERROR_INIT;

		assert_true(task_spec_decode_text(text, strlen(text), &task, &err) < 0);
		assert_string_equal(err.text, expected);
	}
}

static void more_than_the_bounds(void **state)
{
	_cleanup_free_ char *id = xmalloc(200);
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *huge = xmalloc(TASK_TEXT_LIMIT + 2);
	_cleanup_strbuf_ struct strbuf containers_text = STRBUF_INIT;
	struct task_spec *task = NULL;
	struct error err = ERROR_INIT;

	memset(id, 'a', 199);
	id[199] = '\0';
	text = xasprintf("{\"arn\":\"task/%s\"}", id);
	assert_true(task_spec_decode_text(text, strlen(text), &task, &err) < 0);
	assert_string_equal(err.text, "arn: the task id is longer than 128 bytes");

	memset(huge, ' ', TASK_TEXT_LIMIT + 1);
	assert_true(task_spec_decode_text(huge, TASK_TEXT_LIMIT + 1, &task, &err) < 0);

	strbuf_append(&containers_text, "'containers':[");
	for (int i = 0; i <= TASK_CONTAINER_LIMIT; i++)
		strbuf_appendf(&containers_text, "%s{'name':'c%d'}", i ? "," : "", i);
	strbuf_append(&containers_text, "]");
	assert_string_equal(task_error(containers_text.data),
			    "containers: has 129 items, at most 128 are taken");
}

/* What one byte of text becomes six of: the stored text has a bound too. */
static void stored_text_has_a_bound(void **state)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct task_spec *task = NULL;
	struct error err = ERROR_INIT;

	strbuf_append(&text, "{\"arn\":\"a\",\"family\":\"");
	for (size_t i = 0; i < TASK_TEXT_LIMIT / 3; i++)
		strbuf_append_char(&text, '<');
	strbuf_append(&text, "\"}");
	assert_true(task_spec_decode_text(text.data, text.length, &task, &err) < 0);
	assert_string_equal(err.text, "the task is larger than 1048576 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks),
		cmocka_unit_test(containers),
		cmocka_unit_test(overrides_that_cannot_be_read),
		cmocka_unit_test(arns_that_name_no_directory),
		cmocka_unit_test(more_than_the_bounds),
		cmocka_unit_test(stored_text_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
