/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/api.h"

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
#include "base/json.h"
#include "quoted.h"

static void is(char *encoded, const char *expected_quoted)
{
	_cleanup_free_ char *expected = quoted(expected_quoted);

	assert_string_equal(encoded, expected);
	free(encoded);
}

static void registration(void **state)
{
	static const struct api_attribute attributes[] = { { "stack", "prod" },
							   { "ecs.capability.full-sync", NULL } };
	static const struct text_pair tags[] = { { "team", "a&b" } };
	static const struct api_platform_device devices[] = { { "gpu-0", "GPU" } };
	static const char *const ports[] = { "22", "51678" };
	struct api_register request = { .cluster = "default",
					.attributes = attributes,
					.attribute_count = 2,
					.cpu = 4096,
					.memory_mib = 15731,
					.ports = { .items = ports, .count = 2 },
					.client_token = "token" };

	is(api_encode_register(&request),
	   "{'attributes':[{'name':'stack','value':'prod'},{'name':'ecs.capability.full-sync'}],"
	   "'clientToken':'token','cluster':'default','instanceIdentityDocument':'',"
	   "'instanceIdentityDocumentSignature':'','totalResources':["
	   "{'integerValue':4096,'name':'CPU','type':'INTEGER'},{'integerValue':15731,'name':'"
	   "MEMORY','type':'INTEGER'},"
	   "{'name':'PORTS','stringSetValue':['22','51678'],'type':'STRINGSET'},"
	   "{'name':'PORTS_UDP','stringSetValue':[],'type':'STRINGSET'}]}");

	request = (struct api_register){ .cluster = "c",
					 .container_instance_arn = "arn:i",
					 .tags = tags,
					 .tag_count = 1,
					 .platform_devices = devices,
					 .platform_device_count = 1,
					 .identity_document = "{}",
					 .identity_document_signature = "s",
					 .client_token = "t" };
	is(api_encode_register(&request),
	   "{'attributes':[],'clientToken':'t','cluster':'c','containerInstanceArn':'arn:i',"
	   "'instanceIdentityDocument':'{}','instanceIdentityDocumentSignature':'s',"
	   "'platformDevices':[{'id':'gpu-0','type':'GPU'}],'tags':[{'key':'team','value':'"
	   "a\\u0026b'}],"
	   "'totalResources':[{'name':'CPU','type':'INTEGER'},{'name':'MEMORY','type':'INTEGER'},"
	   "{'name':'PORTS','stringSetValue':[],'type':'STRINGSET'},"
	   "{'name':'PORTS_UDP','stringSetValue':[],'type':'STRINGSET'}]}");
}

static void the_answer_to_a_registration(void **state)
{
	_cleanup_free_ char *body = quoted("{'containerInstance':{'containerInstanceArn':'arn:i','"
					   "status':'ACTIVE','attributes':["
					   "{'name':'stack','value':'prod'},{'name':'flag'},{'name'"
					   ":'ecs.availability-zone','value':'eu-west-1a'}]}}");
	static const struct api_attribute echoed[] = { { "stack", "prod" },
						       { "flag", NULL },
						       { "other", "" } };
	static const struct api_attribute missing[] = { { "stack", "prod" }, { "gone", "x" } };
	static const struct api_attribute different[] = { { "stack", "test" } };
	_cleanup_(api_registered_free_cleanup) struct api_registered *registered = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(api_decode_registered(body, strlen(body), &registered, NULL), 0);
	assert_string_equal(registered->container_instance_arn, "arn:i");
	assert_string_equal(registered->availability_zone, "eu-west-1a");
	assert_int_equal(api_registered_check(registered, echoed, 3, &err), 0);
	assert_int_equal(api_registered_check(registered, missing, 2, &err), -EINVAL);
	assert_string_equal(
		err.text,
		"the control plane registered attribute gone as \"\", not \"x\" as requested");
	assert_int_equal(api_registered_check(registered, different, 1, &err), -EINVAL);
	assert_string_equal(err.text, "the control plane registered attribute stack as \"prod\", "
				      "not \"test\" as requested");
}

static void answers_that_are_none(void **state)
{
	static const struct {
		const char *body;
		const char *error; /* NULL: the parser's */
	} cases[] = {
		{ "", NULL },
		{ "<html>", NULL },
		{ "[]",
		  "the answer to RegisterContainerInstance: must be an object, got an array" },
		{ "{}", "the answer to RegisterContainerInstance: containerInstance is missing" },
		{ "{'containerInstance':{}}",
		  "the answer to RegisterContainerInstance: containerInstance: "
		  "containerInstanceArn is missing or empty" },
		{ "{'containerInstance':{'containerInstanceArn':1}}",
		  "the answer to RegisterContainerInstance: "
		  "containerInstance.containerInstanceArn: must be a string, "
		  "got a number" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *body = quoted(cases[i].body);
		struct api_registered *registered = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(api_decode_registered(body, strlen(body), &registered, &err),
				 -EBADMSG);
		assert_null(registered);
		assert_memory_equal(err.text, "the answer to RegisterContainerInstance: ", 41);
		if (cases[i].error)
			assert_string_equal(err.text, cases[i].error);
	}
}

static void clusters_and_endpoints(void **state)
{
	_cleanup_free_ char *cluster =
		quoted("{'cluster':{'clusterName':'default','clusterArn':'arn:c'}}");
	_cleanup_free_ char *endpoints_body =
		quoted("{'endpoint':'http://a','telemetryEndpoint':'http://t'}");
	_cleanup_free_ char *name = NULL;
	struct api_endpoints endpoints;
	struct error err = ERROR_INIT;

	is(api_encode_create_cluster("default"), "{'clusterName':'default'}");
	assert_int_equal(api_decode_create_cluster(cluster, strlen(cluster), &name, NULL), 0);
	assert_string_equal(name, "default");
	assert_int_equal(api_decode_create_cluster("{}", 2, &name, &err), -EBADMSG);
	assert_string_equal(err.text,
			    "the answer to CreateCluster: cluster.clusterName is missing or empty");

	is(api_encode_discover_poll_endpoint("c", "arn:i", NULL),
	   "{'cluster':'c','containerInstance':'arn:i','zoneId':''}");
	assert_int_equal(
		api_decode_endpoints(endpoints_body, strlen(endpoints_body), &endpoints, NULL), 0);
	assert_string_equal(endpoints.endpoint, "http://a");
	assert_string_equal(endpoints.telemetry_endpoint, "http://t");
	assert_null(endpoints.service_connect_endpoint);
	api_endpoints_clear(&endpoints);
	assert_int_equal(api_decode_endpoints("3", 1, &endpoints, &err), -EBADMSG);

	is(api_encode_update_instances_state("c", "arn:i", "DRAINING"),
	   "{'cluster':'c','containerInstances':['arn:i'],'status':'DRAINING'}");
}

static void state_changes(void **state)
{
	static const struct api_network_binding bindings[] = {
		{ .bind_ip = "0.0.0.0",
		  .container_port = 80,
		  .host_port = 32768,
		  .protocol = "tcp" },
		{ .bind_ip = "0.0.0.0",
		  .container_port_range = "1-2",
		  .host_port_range = "3-4",
		  .protocol = "udp" },
	};
	static const struct api_container_change containers[] = {
		{ .name = "app",
		  .status = CONTAINER_STATUS_RUNNING,
		  .runtime_id = "r",
		  .image_digest = "sha256:1",
		  .bindings = bindings,
		  .binding_count = 2 },
		{ .name = "done",
		  .status = CONTAINER_STATUS_STOPPED,
		  .has_exit_code = true,
		  .reason = "" },
	};
	static const struct api_managed_agent_change agent = {
		.container_name = "app",
		.name = "ExecuteCommandAgent",
		.status = MANAGED_AGENT_STATUS_RUNNING
	};
	struct api_task_change change = { .cluster = "c",
					  .task_arn = "t/1",
					  .status = TASK_STATUS_RUNNING,
					  .containers = containers,
					  .container_count = 2,
					  .managed_agents = &agent,
					  .managed_agent_count = 1,
					  .pull_started_at_ms = 1700000000123,
					  .pull_stopped_at_ms = 1700000001000 };

	is(api_encode_task_change(&change),
	   "{'cluster':'c','containers':[{'containerName':'app','imageDigest':'sha256:1','"
	   "networkBindings':["
	   "{'bindIP':'0.0.0.0','containerPort':80,'hostPort':32768,'protocol':'tcp'},"
	   "{'bindIP':'0.0.0.0','containerPortRange':'1-2','hostPortRange':'3-4','protocol':'udp'}]"
	   ","
	   "'runtimeId':'r','status':'RUNNING'},{'containerName':'done','exitCode':0,'status':'"
	   "STOPPED'}],"
	   "'managedAgents':[{'containerName':'app','managedAgentName':'ExecuteCommandAgent','"
	   "reason':'',"
	   "'status':'RUNNING'}],'pullStartedAt':1700000000.123,'pullStoppedAt':1700000001,'reason'"
	   ":'',"
	   "'status':'RUNNING','task':'t/1'}");
	change = (struct api_task_change){ .cluster = "c",
					   .task_arn = "t/1",
					   .status = TASK_STATUS_MANIFEST_PULLED,
					   .execution_stopped_at_ms = 1500 };
	is(api_encode_task_change(&change),
	   "{'cluster':'c','executionStoppedAt':1.5,'reason':'','status':'PENDING','task':'t/1'}");
}

static void attachments(void **state)
{
	is(api_encode_task_attachment("c", "t/1", "arn:a"),
	   "{'attachments':[{'attachmentArn':'arn:a','status':'ATTACHED'}],'cluster':'c','task':'t/"
	   "1'}");
	is(api_encode_attachment("c", "arn:a"),
	   "{'attachments':[{'attachmentArn':'arn:a','status':'ATTACHED'}],'cluster':'c'}");
}

/* acs-S9: 5000 bytes of reason leave as 1024; ids and digests as 255. */
static void long_texts_are_cut(void **state)
{
	_cleanup_free_ char *text = xmalloc(5001);
	struct api_container_change container = { .name = "app",
						  .status = CONTAINER_STATUS_STOPPED };
	struct api_managed_agent_change agent = { .container_name = "app", .name = "x" };
	struct api_task_change change = { .cluster = "c",
					  .task_arn = "t",
					  .containers = &container,
					  .container_count = 1,
					  .managed_agents = &agent,
					  .managed_agent_count = 1 };
	_cleanup_free_ char *body = NULL;
	_cleanup_json_ json_t *root = NULL;
	json_t *first;

	memset(text, 'x', 5000);
	text[5000] = '\0';
	container.reason = container.runtime_id = container.image_digest = text;
	agent.reason = change.reason = text;
	body = api_encode_task_change(&change);
	assert_int_equal(json_parse(body, strlen(body), NULL, &root, NULL), 0);
	first = json_array_get(json_object_get(root, "containers"), 0);
	assert_int_equal(json_string_length(json_object_get(first, "reason")), 1024);
	assert_int_equal(json_string_length(json_object_get(first, "runtimeId")), 255);
	assert_int_equal(json_string_length(json_object_get(first, "imageDigest")), 255);
	assert_int_equal(json_string_length(json_object_get(root, "reason")), 1024);
	first = json_array_get(json_object_get(root, "managedAgents"), 0);
	assert_int_equal(json_string_length(json_object_get(first, "reason")), 1024);
}

static void failures_are_read_whatever_they_are(void **state)
{
	static const struct {
		const char *body;
		const char *name;
		const char *message;
	} cases[] = {
		{ "{'__type':'InvalidParameterException','message':'bad'}",
		  "InvalidParameterException", "bad" },
		{ "{'__type':'com.amazonaws.ecs#ClientException','Message':'Cluster not found.'}",
		  "ClientException", "Cluster not found." },
		{ "{'code':'ThrottlingException'}", "ThrottlingException", "" },
		{ "{'message':'only this'}", "", "only this" },
		{ "{}", "", "{}" },
		{ "<html>502\n</html>", "", "<html>502 </html>" },
		{ "", "", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *body = quoted(cases[i].body);
		struct api_failure failure;

		api_decode_failure(502, body, strlen(body), &failure);
		assert_int_equal(failure.http_status, 502);
		assert_string_equal(failure.name, cases[i].name);
		assert_string_equal(failure.message, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registration),
		cmocka_unit_test(the_answer_to_a_registration),
		cmocka_unit_test(answers_that_are_none),
		cmocka_unit_test(clusters_and_endpoints),
		cmocka_unit_test(state_changes),
		cmocka_unit_test(attachments),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(failures_are_read_whatever_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
