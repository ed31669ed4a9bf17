/* SPDX-License-Identifier: Apache-2.0 */
/* Container instances: registration, what they show, draining and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "fixture.h"

#define INVALID "InvalidParameterException"
#define CLIENT  "ClientException"

static int setup_with_cluster(void **state)
{
	fixture_setup(state);
	json_decref(call_ok(*state, "CreateCluster", "{'clusterName':'c1'}"));
	return 0;
}

/* The value of an attribute of a containerInstance object; NULL: it has none of that name. */
static const char *attribute(json_t *instance, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach (at(instance, "attributes"), i, item)
		if (str_eq(json_string_value(json_object_get(item, "name")), name))
			return json_string_value(json_object_get(item, "value"));
	return NULL;
}

static json_t *resource(json_t *instance, const char *list, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach (at(instance, list), i, item)
		if (str_eq(json_string_value(json_object_get(item, "name")), name))
			return item;
	fail_msg("no resource %s", name);
	return NULL;
}

static json_t *describe(struct fixture *fixture, const char *arn)
{
	_cleanup_free_ char *input =
		xasprintf("{'cluster':'c1','containerInstances':['%s'],'include':['TAGS']}", arn);

	return call_ok(fixture, "DescribeContainerInstances", input);
}

/* A task of 128 CPU and 128 MiB with a host port on the instance; returns its ARN. */
static char *run_task(struct fixture *fixture, const char *instance)
{
	_cleanup_json_ json_t *output = NULL;

	json_decref(call_ok(fixture, "RegisterTaskDefinition",
			    "{'family':'web','containerDefinitions':[{'name':'web','image':"
			    "'busybox','cpu':128,'memory':128,'portMappings':"
			    "[{'containerPort':80,'hostPort':8080}]}]}"));
	services_agent_up(fixture->services, instance);
	output = call_ok(fixture, "RunTask", "{'cluster':'c1','taskDefinition':'web'}");
	loop_run_once(fixture->loop, false);
	return xstrdup(text_at(output, "tasks[0].taskArn"));
}

/* What the agent sent is echoed with its value, or the agent ends. */
static void registration_echoes_attributes_and_adds_its_own(void **state)
{
	_cleanup_json_ json_t *output =
		call_ok(*state, "RegisterContainerInstance",
			"{'cluster':'c1','instanceIdentityDocument':'','"
			"instanceIdentityDocumentSignature':'',"
			"'attributes':[{'name':'ecs.capability.task-eni','value':''},"
			"{'name':'ecs.os-family','value':'LINUX'},{'name':'stack','value':'prod'},"
			"{'name':'bare'}],'tags':[{'key':'a','value':'1'}],"
			"'totalResources':[{'name':'CPU','type':'INTEGER','integerValue':2048},"
			"{'name':'PORTS','type':'STRINGSET','stringSetValue':['22']}],"
			"'versionInfo':{'agentVersion':'1.2.3'},'clientToken':'t1'}");
	json_t *instance = at(output, "containerInstance");
	json_t *cpu = resource(instance, "registeredResources", "CPU");

	assert_true(str_starts_with(text_at(instance, "containerInstanceArn"),
				    ARN_PREFIX "container-instance/c1/"));
	assert_string_equal(attribute(instance, "ecs.capability.task-eni"), "");
	assert_string_equal(attribute(instance, "ecs.os-family"), "LINUX");
	assert_string_equal(attribute(instance, "stack"), "prod");
	assert_string_equal(attribute(instance, "ecs.availability-zone"), "us-west-2a");
	assert_string_equal(attribute(instance, "ecs.os-type"), "linux");
	assert_string_equal(text_at(instance, "status"), "ACTIVE");
	assert_int_equal(number_at(instance, "version"), 1);
	assert_true(json_is_false(at(instance, "agentConnected")));
	assert_true(str_starts_with(text_at(instance, "ec2InstanceId"), "i-"));
	assert_string_equal(text_at(instance, "versionInfo.agentVersion"), "1.2.3");
	assert_string_equal(text_at(instance, "tags[0].key"), "a");
	assert_int_equal(number_at(cpu, "integerValue"), 2048);
	assert_int_equal(number_at(cpu, "longValue"), 0);
	assert_int_equal(json_number_value(at(cpu, "doubleValue")), 0);
	assert_string_equal(
		text_at(resource(instance, "remainingResources", "PORTS"), "stringSetValue[0]"),
		"22");
	assert_true(json_is_number(at(instance, "registeredAt")));
	assert_true(json_is_array(at(instance, "attachments")));
}

static void the_identity_document_is_read(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *input = json_pack(
		"{s:s, s:s}", "cluster", "c1", "instanceIdentityDocument",
		"{\"instanceId\":\"i-0abc\",\"availabilityZone\":\"us-west-2c\",\"instanceType\":"
		"\"t3.micro\",\"imageId\":\"ami-1\"}");
	_cleanup_free_ char *text = json_dump_compact(input);
	struct api_request request = { .target = API_TARGET_PREFIX "RegisterContainerInstance",
				       .body = text,
				       .size = strlen(text) };
	struct api_response response;
	_cleanup_json_ json_t *output = NULL;
	_cleanup_free_ char *again = NULL;
	json_t *instance;

	api_dispatch(&fixture->api, &request, &response);
	assert_int_equal(response.status, 200);
	output = json_loads(response.body, 0, NULL);
	api_response_clear(&response);
	instance = at(output, "containerInstance");
	assert_string_equal(text_at(instance, "ec2InstanceId"), "i-0abc");
	assert_string_equal(attribute(instance, "ecs.availability-zone"), "us-west-2c");
	assert_string_equal(attribute(instance, "ecs.instance-type"), "t3.micro");
	assert_string_equal(attribute(instance, "ecs.ami-id"), "ami-1");

	/* Another type under the same ARN. */
	json_object_set_new(input, "containerInstanceArn",
			    json_string(text_at(instance, "containerInstanceArn")));
	json_object_set_new(input, "instanceIdentityDocument",
			    json_string("{\"instanceType\":\"t3.large\"}"));
	again = json_dump_compact(input);
	request.body = again;
	request.size = strlen(again);
	api_dispatch(&fixture->api, &request, &response);
	assert_string_equal(response.body,
			    "{\"__type\":\"ClientException\",\"message\":\"Container instance type "
			    "changes are not supported.\"}");
	api_response_clear(&response);
}

static void the_same_client_token_gives_the_same_instance(void **state)
{
	static const char input[] = "{'cluster':'c1','clientToken':'t1'}";
	_cleanup_json_ json_t *first = call_ok(*state, "RegisterContainerInstance", input);
	_cleanup_json_ json_t *again = call_ok(*state, "RegisterContainerInstance", input);
	_cleanup_json_ json_t *other =
		call_ok(*state, "RegisterContainerInstance", "{'cluster':'c1','clientToken':'t2'}");

	assert_string_equal(text_at(first, "containerInstance.containerInstanceArn"),
			    text_at(again, "containerInstance.containerInstanceArn"));
	assert_string_not_equal(text_at(first, "containerInstance.containerInstanceArn"),
				text_at(other, "containerInstance.containerInstanceArn"));
}

static void registering_again_replaces_resources_and_keeps_the_rest(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	_cleanup_free_ char *drain =
		xasprintf("{'cluster':'c1','containerInstances':['%s'],'status':'DRAINING'}", arn);
	_cleanup_free_ char *put = xasprintf(
		"{'cluster':'c1','attributes':[{'name':'stack','value':'prod','targetId':'%s'}]}",
		arn);
	_cleanup_free_ char *again = xasprintf(
		"{'cluster':'c1','containerInstanceArn':'%s','attributes':[{'name':'ecs.new',"
		"'value':'1'}],'totalResources':[{'name':'CPU','type':'INTEGER',"
		"'integerValue':1024}]}",
		arn);
	_cleanup_json_ json_t *output = NULL;
	json_t *instance;

	json_decref(call_ok(fixture, "UpdateContainerInstancesState", drain));
	json_decref(call_ok(fixture, "PutAttributes", put));
	output = call_ok(fixture, "RegisterContainerInstance", again);
	instance = at(output, "containerInstance");
	assert_string_equal(text_at(instance, "containerInstanceArn"), arn);
	assert_string_equal(text_at(instance, "status"), "DRAINING");
	assert_string_equal(attribute(instance, "stack"), "prod");
	assert_string_equal(attribute(instance, "ecs.new"), "1");
	assert_int_equal(json_array_size(at(instance, "registeredResources")), 1);
	assert_int_equal(
		number_at(resource(instance, "registeredResources", "CPU"), "integerValue"), 1024);
	assert_int_equal(number_at(instance, "version"), 4);
}

static void what_can_not_be_registered(void **state)
{
	static const struct {
		const char *input, *type, *message;
	} cases[] = {
		{ "{'cluster':'zz'}", "ClusterNotFoundException", "Cluster not found." },
		{ "{}", "ClusterNotFoundException", "Cluster not found." },
		{ "{'cluster':'c1','totalResources':[{'type':'INTEGER'}]}", CLIENT,
		  "Resource name can not be blank." },
		{ "{'cluster':'c1','totalResources':[{'name':'CPU','type':'BIG'}]}", CLIENT,
		  "resource type should be one of [INTEGER,LONG,DOUBLE,STRINGSET]" },
		{ "{'cluster':'c1','totalResources':[{'name':'CPU','type':'INTEGER',"
		  "'integerValue':-1}]}",
		  CLIENT, "Resource CPU can not be negative." },
		{ "{'cluster':'c1','attributes':[{'name':''}]}", CLIENT, NULL },
		{ "{'cluster':'c1','attributes':[{'name':'a'},{'name':'b'},{'name':'c'},{'name':'d'"
		  "},"
		  "{'name':'e'},{'name':'f'},{'name':'g'},{'name':'h'},{'name':'i'},{'name':'j'},"
		  "{'name':'k'}]}",
		  "AttributeLimitExceededException", NULL },
		{ "{'cluster':'c1','containerInstanceArn':'" ARN_PREFIX
		  "container-instance/c1/0123456789abcdef0123456789abcdef'}",
		  CLIENT,
		  "The container instance " ARN_PREFIX
		  "container-instance/c1/0123456789abcdef0123456789abcdef is not known to cluster "
		  "c1." },
		{ "{'cluster':'c1','tags':[{'key':'','value':''}]}", INVALID,
		  "Tag keys must have between 1 and 128 characters." },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		call_refused(*state, "RegisterContainerInstance", cases[i].input, cases[i].type,
			     cases[i].message);
}

static void describing_names_what_is_missing(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	_cleanup_free_ char *input = xasprintf(
		"{'cluster':'c1','containerInstances':['%s','ffffffffffffffffffffffffffffffff']}",
		strrchr(arn, '/') + 1);
	_cleanup_json_ json_t *output = call_ok(fixture, "DescribeContainerInstances", input);
	_cleanup_json_ json_t *foreign = NULL;

	assert_string_equal(text_at(output, "containerInstances[0].containerInstanceArn"), arn);
	assert_string_equal(text_at(output, "failures[0].reason"), "MISSING");
	assert_string_equal(text_at(output, "failures[0].arn"),
			    ARN_PREFIX "container-instance/c1/ffffffffffffffffffffffffffffffff");
	/* The id is right, region or cluster are not. */
	free(input);
	input = xasprintf(
		"{'cluster':'c1','containerInstances':["
		"'arn:aws:ecs:eu-west-1:123456789012:container-instance/c1/%s','" ARN_PREFIX
		"container-instance/c2/%s']}",
		strrchr(arn, '/') + 1, strrchr(arn, '/') + 1);
	foreign = call_ok(fixture, "DescribeContainerInstances", input);
	assert_int_equal(json_array_size(at(foreign, "containerInstances")), 0);
	assert_int_equal(json_array_size(at(foreign, "failures")), 2);
	call_refused(fixture, "DescribeContainerInstances", "{'cluster':'c1'}", CLIENT,
		     "Container Instances cannot be empty.");
	call_refused(fixture, "DescribeContainerInstances",
		     "{'cluster':'c1','containerInstances':['short']}", INVALID,
		     "containerInstanceId length should be one of [32,36]");
	call_refused(fixture, "DescribeContainerInstances",
		     "{'cluster':'c1','containerInstances':['" ARN_PREFIX "a/b/c/d']}", INVALID,
		     NULL);
}

static void tasks_take_from_what_remains(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	_cleanup_free_ char *task = run_task(fixture, arn);
	_cleanup_json_ json_t *output = describe(fixture, arn);
	json_t *instance = at(output, "containerInstances[0]");

	assert_non_null(task);
	assert_true(json_is_true(at(instance, "agentConnected")));
	assert_int_equal(number_at(instance, "pendingTasksCount"), 1);
	assert_int_equal(number_at(instance, "runningTasksCount"), 0);
	assert_int_equal(number_at(resource(instance, "remainingResources", "CPU"), "integerValue"),
			 1920);
	assert_int_equal(
		number_at(resource(instance, "remainingResources", "MEMORY"), "integerValue"),
		3772);
	assert_int_equal(
		number_at(resource(instance, "registeredResources", "CPU"), "integerValue"), 2048);
	assert_int_equal(json_array_size(at(resource(instance, "remainingResources", "PORTS"),
					    "stringSetValue")),
			 3);
	assert_int_equal(json_array_size(at(resource(instance, "registeredResources", "PORTS"),
					    "stringSetValue")),
			 2);
}

static void states_are_active_and_draining(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	_cleanup_free_ char *drain = xasprintf(
		"{'cluster':'c1','containerInstances':['%s','ffffffffffffffffffffffffffffffff'],"
		"'status':'DRAINING'}",
		arn);
	_cleanup_free_ char *bad =
		xasprintf("{'cluster':'c1','containerInstances':['%s'],'status':'INACTIVE'}", arn);
	_cleanup_json_ json_t *output = call_ok(fixture, "UpdateContainerInstancesState", drain);
	_cleanup_json_ json_t *active = NULL, *draining = NULL, *all = NULL;

	assert_string_equal(text_at(output, "containerInstances[0].status"), "DRAINING");
	assert_int_equal(number_at(output, "containerInstances[0].version"), 2);
	assert_string_equal(text_at(output, "failures[0].reason"), "MISSING");
	call_refused(fixture, "UpdateContainerInstancesState", bad, INVALID,
		     "Container instance status should be one of [ACTIVE, DRAINING]");
	active = call_ok(fixture, "ListContainerInstances", "{'cluster':'c1','status':'ACTIVE'}");
	assert_int_equal(json_array_size(at(active, "containerInstanceArns")), 0);
	draining =
		call_ok(fixture, "ListContainerInstances", "{'cluster':'c1','status':'DRAINING'}");
	assert_string_equal(text_at(draining, "containerInstanceArns[0]"), arn);
	all = call_ok(fixture, "ListContainerInstances", "{'cluster':'c1'}");
	assert_int_equal(json_array_size(at(all, "containerInstanceArns")), 1);
}

static void lists_are_filtered_by_the_query_language(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *first = add_instance(fixture, "c1");
	_cleanup_free_ char *second = add_instance(fixture, "c1");
	_cleanup_free_ char *third = add_instance(fixture, "c1");
	_cleanup_free_ char *put = xasprintf(
		"{'cluster':'c1','attributes':[{'name':'stack','value':'prod','targetId':'%s'},"
		"{'name':'stack','value':'prod','targetId':'%s'}]}",
		second, third);
	_cleanup_json_ json_t *matched = NULL, *page = NULL, *rest = NULL;
	_cleanup_free_ char *input = NULL;

	json_decref(call_ok(fixture, "PutAttributes", put));
	matched = call_ok(fixture, "ListContainerInstances",
			  "{'cluster':'c1','filter':'attribute:stack == prod'}");
	assert_int_equal(json_array_size(at(matched, "containerInstanceArns")), 2);
	page = call_ok(fixture, "ListContainerInstances",
		       "{'cluster':'c1','filter':'attribute:stack == prod','maxResults':1}");
	assert_int_equal(json_array_size(at(page, "containerInstanceArns")), 1);
	input = xasprintf("{'cluster':'c1','filter':'attribute:stack == prod','maxResults':1,"
			  "'nextToken':'%s'}",
			  text_at(page, "nextToken"));
	rest = call_ok(fixture, "ListContainerInstances", input);
	assert_int_equal(json_array_size(at(rest, "containerInstanceArns")), 1);
	assert_string_not_equal(text_at(rest, "containerInstanceArns[0]"),
				text_at(page, "containerInstanceArns[0]"));
	assert_null(at(rest, "nextToken"));
	call_refused(fixture, "ListContainerInstances", "{'cluster':'c1','filter':'((('}", INVALID,
		     NULL);
	call_refused(fixture, "ListContainerInstances", "{'cluster':'c1','status':'GONE'}", INVALID,
		     "status should be one of "
		     "[ACTIVE,DRAINING,REGISTERING,DEREGISTERING,REGISTRATION_FAILED]");
	assert_non_null(first);
}

static void a_page_token_is_of_its_operation(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *first = add_instance(fixture, "c1");
	_cleanup_free_ char *second = add_instance(fixture, "c1");
	_cleanup_json_ json_t *page =
		call_ok(fixture, "ListContainerInstances", "{'cluster':'c1','maxResults':1}");
	_cleanup_free_ char *other =
		xasprintf("{'cluster':'c1','targetType':'container-instance','nextToken':'%s'}",
			  text_at(page, "nextToken"));
	_cleanup_free_ char *filtered =
		xasprintf("{'cluster':'c1','status':'DRAINING','nextToken':'%s'}",
			  text_at(page, "nextToken"));

	assert_string_not_equal(first, second);
	call_refused(fixture, "ListAttributes", other, INVALID, "Invalid token.");
	call_refused(fixture, "ListContainerInstances", filtered, INVALID, "Invalid token.");
}

static void deregistering_needs_force_while_there_are_tasks(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	_cleanup_free_ char *task = run_task(fixture, arn);
	_cleanup_free_ char *gently = xasprintf("{'cluster':'c1','containerInstance':'%s'}", arn);
	_cleanup_free_ char *force =
		xasprintf("{'cluster':'c1','containerInstance':'%s','force':true}", arn);
	_cleanup_free_ char *tasks = xasprintf("{'cluster':'c1','tasks':['%s']}", task);
	_cleanup_free_ char *again = xasprintf("{'cluster':'c1','containerInstanceArn':'%s'}", arn);
	_cleanup_json_ json_t *gone = NULL, *stopped = NULL, *list = NULL, *described = NULL;

	call_refused(fixture, "DeregisterContainerInstance", gently, INVALID,
		     "Found running tasks on the instance.");
	gone = call_ok(fixture, "DeregisterContainerInstance", force);
	loop_run_once(fixture->loop, false);
	assert_string_equal(text_at(gone, "containerInstance.status"), "INACTIVE");
	assert_true(json_is_false(at(gone, "containerInstance.agentConnected")));
	stopped = call_ok(fixture, "DescribeTasks", tasks);
	assert_string_equal(text_at(stopped, "tasks[0].lastStatus"), "STOPPED");
	assert_string_equal(text_at(stopped, "tasks[0].stoppedReason"),
			    "Container instance deregistration forced by user");
	list = call_ok(fixture, "ListContainerInstances", "{'cluster':'c1'}");
	assert_int_equal(json_array_size(at(list, "containerInstanceArns")), 0);
	described = describe(fixture, arn);
	assert_string_equal(text_at(described, "containerInstances[0].status"), "INACTIVE");
	call_refused(fixture, "DeregisterContainerInstance", force, INVALID,
		     "The referenced container instance was not found.");
	call_refused(fixture, "RegisterContainerInstance", again, CLIENT, NULL);
	call_refused(fixture, "DeregisterContainerInstance", "{'cluster':'c1'}", INVALID,
		     "Container Instance can not be blank.");
}

/* api-14 */
static void a_cluster_with_a_task_stays(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *arn = add_instance(fixture, "c1");
	_cleanup_free_ char *task = run_task(fixture, arn);
	_cleanup_json_ json_t *counted = NULL;
	const char *id = strrchr(arn, '/') + 1;

	counted = call_ok(fixture, "DescribeClusters",
			  "{'clusters':['c1'],'include':['STATISTICS']}");
	assert_int_equal(number_at(counted, "clusters[0].registeredContainerInstancesCount"), 1);
	assert_int_equal(number_at(counted, "clusters[0].pendingTasksCount"), 1);
	assert_string_equal(text_at(counted, "clusters[0].statistics[1].name"),
			    "pendingEC2TasksCount");
	assert_string_equal(text_at(counted, "clusters[0].statistics[1].value"), "1");
	/* An instance that is gone while its task is not: only a store that was cut short has that.
	 */
	assert_int_equal(
		container_instance_set_status(fixture->store, "c1", id, "INACTIVE", NULL, NULL), 0);
	call_refused(fixture, "DeleteCluster", "{'cluster':'c1'}", "ClusterContainsTasksException",
		     "The Cluster cannot be deleted while Tasks are active.");
	assert_non_null(task);
}

static void the_poll_endpoint_is_this_server(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *own =
		call_ok(fixture, "DiscoverPollEndpoint",
			"{'cluster':'c1','containerInstance':'x','zoneId':''}");
	_cleanup_json_ json_t *told = NULL;

	assert_string_equal(text_at(own, "endpoint"), "http://127.0.0.1:4510/");
	assert_string_equal(text_at(own, "telemetryEndpoint"), "http://127.0.0.1:4510/");
	fixture->api.config.endpoint = "https://control.example/";
	told = call_ok(fixture, "DiscoverPollEndpoint", "{}");
	assert_string_equal(text_at(told, "endpoint"), "https://control.example/");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_cluster, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(registration_echoes_attributes_and_adds_its_own),
		TEST(the_identity_document_is_read),
		TEST(the_same_client_token_gives_the_same_instance),
		TEST(registering_again_replaces_resources_and_keeps_the_rest),
		TEST(what_can_not_be_registered),
		TEST(describing_names_what_is_missing),
		TEST(tasks_take_from_what_remains),
		TEST(states_are_active_and_draining),
		TEST(lists_are_filtered_by_the_query_language),
		TEST(a_page_token_is_of_its_operation),
		TEST(deregistering_needs_force_while_there_are_tasks),
		TEST(a_cluster_with_a_task_stays),
		TEST(the_poll_endpoint_is_this_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
