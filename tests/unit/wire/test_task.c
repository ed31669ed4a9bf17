/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "quoted.h"

static const char everything[] =
	"'family':'web','version':'7','serviceName':'s','group':'service:s','desiredStatus':'"
	"RUNNING',"
	"'taskClusterArn':'arn:aws:ecs:eu-west-1:123456789012:cluster/demo','networkMode':'awsvpc',"
	"'pidMode':'task','ipcMode':'host','launchType':'fargate','cpu':0.25,'memory':512,"
	"'enableFaultInjection':true,'overrides':'not even JSON','unknown':{'x':[1]},"
	"'roleCredentials':{'credentialsId':'role-id','roleArn':'arn:r','accessKeyId':'AKIDSECRET',"
	"'secretAccessKey':'SECRETKEY','sessionToken':'SECRETTOKEN','expiration':'2026'},"
	"'executionRoleCredentials':{'CREDENTIALSID':'execution-id','SecretAccessKey':'SECRETKEY'},"
	"'volumes':[{'name':'scratch','host':{}}],"
	"'elasticNetworkInterfaces':[{'attachmentArn':'arn:a','ec2Id':'eni-1','macAddress':'0A:1B:"
	"2c:3d:4e:5f',"
	"'ipv4Addresses':[{'privateAddress':'10.0.0.5','primary':true}],"
	"'subnetGatewayIpv4Address':'10.0.0.1/24','domainNameServers':['10.0.0.2']}],"
	"'associations':[{'name':'gpu-0','type':'gpu','containers':['app'],"
	"'content':{'encoding':'identity','value':'v'}}],"
	"'proxyConfiguration':{'type':'APPMESH','containerName':'app','properties':{'IgnoredUID':'"
	"1'}},"
	"'containers':[{'name':'app','image':'nginx:1.27','environment':{'K':'v','SECRET_ENV':null}"
	"},"
	"{'name':'side'}]";

static void all_members_arrive(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task = task_with(everything);

	assert_string_equal(task->arn, TASK_ARN);
	assert_string_equal(task->id, "5b1c");
	assert_string_equal(task->family, "web");
	assert_string_equal(task->version, "7");
	assert_string_equal(task->service_name, "s");
	assert_string_equal(task->group, "service:s");
	assert_string_equal(task->cluster, "arn:aws:ecs:eu-west-1:123456789012:cluster/demo");
	assert_int_equal(task->desired_status, TASK_STATUS_RUNNING);
	assert_true(task->cpu == 0.25);
	assert_int_equal(task->memory_mib, 512);
	assert_int_equal(task->network_mode, NETWORK_MODE_AWSVPC);
	assert_int_equal(task->pid_mode, PID_MODE_TASK);
	assert_int_equal(task->ipc_mode, IPC_MODE_HOST);
	assert_true(task->skips_host_resources);
	assert_true(task->enable_fault_injection);
	assert_string_equal(task->role_credentials_id, "role-id");
	assert_string_equal(task->execution_role_credentials_id, "execution-id");
	assert_int_equal(task->container_count, 2);
	assert_ptr_equal(task_spec_container(task, "side"), &task->containers[1]);
	assert_null(task_spec_container(task, "nobody"));
	assert_int_equal(task->volume_count, 1);
	assert_ptr_equal(task_spec_volume(task, "scratch"), &task->volumes[0]);
	assert_null(task_spec_volume(task, "other"));
	assert_int_equal(task->eni_count, 1);
	assert_string_equal(task->enis[0].mac_address, "0a:1b:2c:3d:4e:5f");
	assert_int_equal(task->association_count, 1);
	assert_string_equal(task->associations[0].value, "v");
	assert_string_equal(task->associations[0].containers.items[0], "app");
	assert_string_equal(task->proxy_container, "app");
	assert_string_equal(text_map_get(&task->proxy_properties, "IgnoredUID"), "1");
}

static void what_is_absent_has_its_default(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
		task_with("'family':null,'containers':null,'cpu':null,'networkMode':''");

	assert_int_equal(task->desired_status, TASK_STATUS_NONE);
	assert_int_equal(task->network_mode, NETWORK_MODE_BRIDGE);
	assert_string_equal(task->network_mode_name, "bridge");
	assert_int_equal(task->pid_mode, PID_MODE_PRIVATE);
	assert_int_equal(task->ipc_mode, IPC_MODE_DEFAULT);
	assert_null(task->family);
	assert_null(task->role_credentials_id);
	assert_null(task->proxy_container);
	assert_false(task->skips_host_resources);
	assert_int_equal(task->container_count, 0);
}

static void members_are_found_in_any_case(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task = task_with(
		"'FAMILY':'web','Containers':[{'NAME':'app','CPU':128}],'desiredstatus':'STOPPED'");

	assert_string_equal(task->family, "web");
	assert_int_equal(task->desired_status, TASK_STATUS_STOPPED);
	assert_string_equal(task->containers[0].name, "app");
	assert_int_equal(task->containers[0].cpu, 128);
}

static void modes_and_statuses_by_name(void **state)
{
	static const struct {
		const char *members;
		enum network_mode mode;
		enum task_status status;
	} cases[] = {
		{ "'networkMode':'host','desiredStatus':'DEAD'", NETWORK_MODE_HOST,
		  TASK_STATUS_STOPPED },
		{ "'networkMode':'none','desiredStatus':'UNKNOWN'", NETWORK_MODE_NONE,
		  TASK_STATUS_NONE },
		{ "'networkMode':'bridge','desiredStatus':'CREATED'", NETWORK_MODE_BRIDGE,
		  TASK_STATUS_CREATED },
		{ "'networkMode':'weave','desiredStatus':'MANIFEST_PULLED'", NETWORK_MODE_OTHER,
		  TASK_STATUS_MANIFEST_PULLED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
			task_with(cases[i].members);

		assert_int_equal(task->network_mode, cases[i].mode);
		assert_int_equal(task->desired_status, cases[i].status);
	}
}

/* Secrets stay out of what is stored; the rest comes back as it was. */
static void stored_text_gives_the_same_task_without_secrets(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task = task_with(everything);
	_cleanup_(task_spec_unref_cleanup) struct task_spec *again = NULL;
	const char *text = task_spec_encode(task);

	assert_null(strstr(text, "SECRETKEY"));
	assert_null(strstr(text, "SECRETTOKEN"));
	assert_null(strstr(text, "AKIDSECRET"));
	assert_int_equal(task_spec_decode_text(text, strlen(text), &again, NULL), 0);
	assert_string_equal(task_spec_encode(again), text);
	assert_string_equal(again->role_credentials_id, "role-id");
	assert_string_equal(again->execution_role_credentials_id, "execution-id");
	assert_string_equal(again->enis[0].gateway_ipv4.address, "10.0.0.1");
	assert_string_equal(text_map_get(&again->containers[0].environment, "K"), "v");
	assert_true(again->cpu == 0.25);
}

static void secrets_in_another_case_are_dropped_too(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
		task_with("'ROLECREDENTIALS':{'credentialsId':'a','secretAccessKey':'SECRET1'},"
			  "'roleCredentials':{'credentialsId':'b','secretAccessKey':'SECRET2'}");

	assert_string_equal(task->role_credentials_id, "b");
	assert_null(strstr(task_spec_encode(task), "SECRET"));
}

static void credentials_are_handed_over(void **state)
{
	_cleanup_free_ char *text = quoted("{'arn':'a/b','roleCredentials':{'credentialsId':'i',"
					   "'secretAccessKey':'s','expiration':'e'}}");
	json_t *value = json_loads(text, 0, NULL);
	struct json_at root = json_root(value);
	struct task_credentials credentials = { .role = NULL };
	struct task_spec *task = NULL;

	assert_int_equal(task_spec_decode(&root, &task, &credentials, NULL), 0);
	assert_string_equal(credentials.role->id, "i");
	assert_string_equal(credentials.role->secret_access_key, "s");
	assert_string_equal(credentials.role->access_key_id, "");
	assert_string_equal(credentials.role->expiration, "e");
	assert_null(credentials.execution);
	task_credentials_clear(&credentials);
	assert_null(credentials.role);
	task_spec_unref(task);
	json_decref(value);
}

static void lives_until_the_last_reference_is_dropped(void **state)
{
	struct task_spec *task = task_with("'family':'web'");
	struct task_spec *other = task_spec_ref(task);

	task_spec_unref(task);
	assert_string_equal(other->family, "web");
	task_spec_unref(other);
	task_spec_unref(NULL);
}

static void id_is_what_follows_the_last_slash(void **state)
{
	_cleanup_free_ char *plain = quoted("{'arn':'abc'}");
	struct task_spec *task = NULL;

	assert_string_equal(task_id_of_arn("arn:aws:ecs:r:1:task/c/id"), "id");
	assert_string_equal(task_id_of_arn("arn:aws:ecs:r:1:task/id"), "id");
	assert_int_equal(task_spec_decode_text(plain, strlen(plain), &task, NULL), 0);
	assert_string_equal(task->id, "abc");
	task_spec_unref(task);
}

static void a_volume_of_an_attachment_needs_no_type(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task = task_with(
		"'volumes':[{'name':'data'},{'name':'files'}],'attachments':["
		"{'attachmentArn':'arn:x','attachmentType':'amazonebs','attachmentProperties':["
		"{'name':'volumeId','value':'vol-1'},{'name':'volumeName','value':'data'},"
		"{'name':'sourceVolumeHostPath','value':'/m'}]},"
		"{'attachmentType':'s3files','attachmentProperties':["
		"{'name':'volumeId','value':'fs-1'},{'name':'volumeName','value':'files'}]},"
		"{'attachmentType':'other','attachmentProperties':[{'name':'','value':''}]}]");

	assert_int_equal(task->volumes[0].type, VOLUME_EBS);
	assert_string_equal(text_map_get(&task->volumes[0].attachment->properties, "volumeId"),
			    "vol-1");
	assert_int_equal(task->volumes[1].type, VOLUME_S3_FILES);
	assert_int_equal(task->attachment_count, 3);
}

static void the_reason_keeps_the_spelling_of_the_wire(void **state)
{
	_cleanup_free_ char *reason = task_refusal_reason("cpu must not be negative");

	assert_string_equal(reason,
			    "UnrecogniedTaskError: Error loading task - cpu must not be negative");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_members_arrive),
		cmocka_unit_test(what_is_absent_has_its_default),
		cmocka_unit_test(members_are_found_in_any_case),
		cmocka_unit_test(modes_and_statuses_by_name),
		cmocka_unit_test(stored_text_gives_the_same_task_without_secrets),
		cmocka_unit_test(secrets_in_another_case_are_dropped_too),
		cmocka_unit_test(credentials_are_handed_over),
		cmocka_unit_test(lives_until_the_last_reference_is_dropped),
		cmocka_unit_test(id_is_what_follows_the_last_slash),
		cmocka_unit_test(a_volume_of_an_attachment_needs_no_type),
		cmocka_unit_test(the_reason_keeps_the_spelling_of_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
