/* SPDX-License-Identifier: Apache-2.0 */
/* What RegisterTaskDefinition makes of what it takes, and the life of a revision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/store/task_definitions.h"
#include "fixture.h"

#define WEB(more)       "{'name':'web','image':'busybox','memory':128" more "}"
#define TASK(more, one) "{'family':'web'" more ",'containerDefinitions':[" one "]}"
#define AWSVPC          ",'networkMode':'awsvpc'"
#define ROLE            ",'executionRoleArn':'arn:aws:iam::123456789012:role/x'"

static json_t *register_one(void **state, const char *input)
{
	return call_ok(*state, "RegisterTaskDefinition", input);
}

/* The strings of a list, or the `name`s of its objects, joined by spaces. */
static char *words_at(json_t *value, const char *path)
{
	_cleanup_strbuf_ struct strbuf words = STRBUF_INIT;
	size_t i;
	json_t *item;

	json_array_foreach (at(value, path), i, item)
		strbuf_appendf(&words, "%s%s", i > 0 ? " " : "",
			       json_string_value(json_is_string(item)
							 ? item
							 : json_object_get(item, "name")));
	return strbuf_take(&words);
}

static void expect_words(json_t *value, const char *path, const char *expected)
{
	_cleanup_free_ char *words = words_at(value, path);

	assert_string_equal(words, expected);
}

static bool requires(json_t *output, const char *attribute)
{
	size_t i;
	json_t *item;

	json_array_foreach (at(output, "taskDefinition.requiresAttributes"), i, item)
		if (str_eq(json_string_value(json_object_get(item, "name")), attribute))
			return true;
	return false;
}

/* api-31 */
static void each_registration_is_a_revision(void **state)
{
	_cleanup_json_ json_t *first = register_one(state, TASK("", WEB("")));
	_cleanup_json_ json_t *second = register_one(state, TASK("", WEB("")));

	assert_int_equal(number_at(first, "taskDefinition.revision"), 1);
	assert_int_equal(number_at(second, "taskDefinition.revision"), 2);
	assert_string_equal(text_at(second, "taskDefinition.taskDefinitionArn"),
			    ARN_PREFIX "task-definition/web:2");
	assert_string_equal(text_at(second, "taskDefinition.status"), "ACTIVE");
	assert_true(json_is_number(at(second, "taskDefinition.registeredAt")));
	assert_string_equal(text_at(second, "taskDefinition.registeredBy"),
			    "arn:aws:iam::123456789012:root");
}

/* api-32, api-62: what is filled in, and nothing more. */
static void a_plain_definition_gets_what_aws_adds_and_nothing_else(void **state)
{
	static const char expected[] =
		"{\"compatibilities\":[\"EXTERNAL\",\"EC2\"],\"containerDefinitions\":[{\"cpu\":0,"
		"\"environment\":[],\"essential\":true,\"image\":\"busybox\",\"memory\":128,"
		"\"mountPoints\":[],\"name\":\"web\",\"portMappings\":[],\"systemControls\":[],"
		"\"volumesFrom\":[]}],\"family\":\"web\",\"placementConstraints\":[],"
		"\"registeredBy\":\"arn:aws:iam::123456789012:root\",\"requiresAttributes\":[],"
		"\"revision\":1,\"status\":\"ACTIVE\",\"taskDefinitionArn\":\"" ARN_PREFIX
		"task-definition/web:1\",\"volumes\":[]}";
	_cleanup_json_ json_t *output =
		register_one(state, TASK(",'futureMember':1,'cpu':null", WEB(",'alsoNew':{}")));
	_cleanup_free_ char *text = NULL;

	json_object_del(at(output, "taskDefinition"), "registeredAt");
	text = json_dump_sorted(at(output, "taskDefinition"));
	assert_string_equal(text, expected);
}

static void ports_are_completed_by_network_mode(void **state)
{
	_cleanup_json_ json_t *bridge =
		register_one(state, TASK("", WEB(",'portMappings':[{'containerPort':80}]")));
	_cleanup_json_ json_t *awsvpc =
		register_one(state, TASK(AWSVPC, WEB(",'portMappings':[{'containerPort':80}]")));
	_cleanup_json_ json_t *zero = register_one(
		state, TASK(AWSVPC, WEB(",'portMappings':[{'containerPort':80,'hostPort':0}]")));
	_cleanup_json_ json_t *host = register_one(
		state, TASK(",'networkMode':'host'",
			    WEB(",'portMappings':[{'containerPort':53,'protocol':'udp'}]")));
	_cleanup_json_ json_t *range = register_one(
		state, TASK("", WEB(",'portMappings':[{'containerPortRange':'80-90'}]")));
	static const char mapping[] = "taskDefinition.containerDefinitions[0].portMappings[0]";

	/* api-41 */
	assert_int_equal(number_at(at(bridge, mapping), "hostPort"), 0);
	assert_string_equal(text_at(at(bridge, mapping), "protocol"), "tcp");
	assert_null(at(bridge, "taskDefinition.networkMode"));
	/* api-42 */
	assert_int_equal(number_at(at(awsvpc, mapping), "hostPort"), 80);
	assert_int_equal(number_at(at(zero, mapping), "hostPort"), 80);
	assert_int_equal(number_at(at(host, mapping), "hostPort"), 53);
	assert_string_equal(text_at(at(host, mapping), "protocol"), "udp");
	assert_null(at(at(range, mapping), "hostPort"));
}

static void what_is_fine_is_taken(void **state)
{
	static const char *const inputs[] = {
		/* api-34 */
		TASK(",'memory':'256'", "{'name':'web','image':'busybox'}"),
		/* api-46 */
		TASK("", WEB(",'portMappings':[{'containerPort':53,'hostPort':3000},"
			     "{'containerPort':53,'hostPort':3000,'protocol':'udp'}]")),
		/* two dynamic ports are no conflict, nor are two ranges of two
		   containers */
		TASK("", WEB(",'portMappings':[{'containerPort':80},{'"
			     "containerPort':81}]")),
		TASK("", WEB(",'portMappings':[{'containerPortRange':'80-90'"
			     "}]") ",{'name':'b','image':'busybox','memory':"
				   "10,"
				   "'portMappings':[{'containerPortRange':'"
				   "80-90'}]}"),
		TASK("", WEB(",'dependsOn':[{'containerName':'b','condition':'"
			     "SUCCESS'}]") ",{'name':'b','image':'busybox','memory'"
					   ":10,'essential':false}"),
		TASK("", WEB(",'healthCheck':{'command':['echo test']}")),
		TASK(",'placementConstraints':[{'type':'memberOf',"
		     "'expression':'attribute:ecs.instance-type =~ t2.*'}]",
		     WEB("")),
		TASK("", WEB(",'links':['b:db']") ",{'name':'b','image':'busybox','"
						  "memory':10}"),
		TASK(",'taskRoleArn':'my-role'", WEB("")),
	};

	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		json_decref(register_one(state, inputs[i]));
}

/* api-37 */
static void sizes_with_units_become_plain(void **state)
{
	static const struct {
		const char *cpu, *memory, *plain_cpu, *plain_memory;
	} cases[] = {
		{ "1 vCPU", "2GB", "1024", "2048" },
		{ ".5 vcpu", "0.5 gb", "512", "512" },
		{ "0.25vCPU", "3 GB", "256", "3072" },
		{ "512", "1000", "512", "1000" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *input = xasprintf(TASK(",'cpu':'%s','memory':'%s'", WEB("")),
						       cases[i].cpu, cases[i].memory);
		_cleanup_json_ json_t *output = register_one(state, input);

		assert_string_equal(text_at(output, "taskDefinition.cpu"), cases[i].plain_cpu);
		assert_string_equal(text_at(output, "taskDefinition.memory"),
				    cases[i].plain_memory);
	}
}

/* api-54 */
static void health_checks_get_their_defaults(void **state)
{
	_cleanup_json_ json_t *output =
		register_one(state, TASK("", WEB(",'healthCheck':{'command':['CMD','true']}")));
	json_t *health = at(output, "taskDefinition.containerDefinitions[0].healthCheck");

	assert_int_equal(number_at(health, "interval"), 30);
	assert_int_equal(number_at(health, "timeout"), 5);
	assert_int_equal(number_at(health, "retries"), 3);
	assert_null(at(health, "startPeriod"));
	assert_true(requires(output, "ecs.capability.container-health-check"));
	assert_true(requires(output, "com.amazonaws.ecs.capability.docker-remote-api.1.29"));
}

/* api-50 */
static void a_volume_without_a_kind_is_of_the_task(void **state)
{
	_cleanup_json_ json_t *output =
		register_one(state, TASK(",'volumes':[{'name':'v'},{'name':'e',"
					 "'efsVolumeConfiguration':{'fileSystemId':'fs-1'}}]",
					 WEB("")));

	assert_true(json_is_object(at(output, "taskDefinition.volumes[0].host")));
	assert_int_equal(json_object_size(at(output, "taskDefinition.volumes[0].host")), 0);
	assert_null(at(output, "taskDefinition.volumes[1].host"));
	assert_string_equal(
		text_at(output, "taskDefinition.volumes[1].efsVolumeConfiguration.rootDirectory"),
		"/");
}

static void compatibilities_are_computed(void **state)
{
	static const struct {
		const char *input, *expected;
	} cases[] = {
		{ TASK("", WEB("")), "EXTERNAL EC2" },
		{ TASK(",'networkMode':'host'", WEB("")), "EXTERNAL EC2" },
		/* api-63 */
		{ TASK(AWSVPC ",'cpu':'256','memory':'512'", WEB("")), "EC2 FARGATE" },
		{ TASK(AWSVPC ",'cpu':'256','memory':'512','requiresCompatibilities':['FARGATE']",
		       WEB("")),
		  "EC2 FARGATE" },
		{ TASK(AWSVPC, WEB("")), "EC2" },
		{ TASK(AWSVPC ",'cpu':'256','memory':'512'", WEB(",'privileged':true")), "EC2" },
		{ TASK(AWSVPC ",'cpu':'16384','memory':'40960'", WEB("")), "EC2 FARGATE" },
		{ TASK(AWSVPC ",'cpu':'16384','memory':'33792'", WEB("")), "EC2" },
		{ TASK(",'volumes':[{'name':'e','efsVolumeConfiguration':{'fileSystemId':'fs-1'}}]",
		       WEB("")),
		  "EC2" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ json_t *output = register_one(state, cases[i].input);

		expect_words(output, "taskDefinition.compatibilities", cases[i].expected);
	}
}

#define COM    "com.amazonaws.ecs.capability."
#define DOCKER COM "docker-remote-api."
#define AGENT  "ecs.capability."

static void attributes_follow_from_what_is_used(void **state)
{
	static const struct {
		const char *input, *expected;
	} cases[] = {
		{ TASK("", WEB("")), "" },
		/* api-63 */
		{ TASK(AWSVPC ",'cpu':'256','memory':'512'", WEB("")),
		  AGENT "task-eni " DOCKER "1.18" },
		{ TASK(",'cpu':'256'", WEB("")), AGENT "task-cpu-mem-limit" },
		/* api-64 */
		{ TASK(ROLE, "{'name':'web','memory':10,'image':"
			     "'123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1',"
			     "'logConfiguration':{'logDriver':'awslogs','options':"
			     "{'awslogs-region':'r','awslogs-group':'g'}}}"),
		  COM "ecr-auth " AGENT "execution-role-ecr-pull " COM
		      "logging-driver.awslogs " DOCKER "1.19 " AGENT "execution-role-awslogs" },
		{ TASK(",'taskRoleArn':'r'", WEB("")), COM "task-iam-role" },
		{ TASK(",'taskRoleArn':'r','networkMode':'host'", WEB("")),
		  COM "task-iam-role-network-host" },
		{ TASK(",'pidMode':'task'", WEB("")), AGENT "pid-ipc-namespace-sharing" },
		{ TASK("", WEB(",'logConfiguration':{'logDriver':'json-file'}")),
		  COM "logging-driver.json-file " DOCKER "1.18" },
		{ TASK("", WEB(",'privileged':true,'user':'1000'")),
		  COM "privileged-container " DOCKER "1.17" },
		{ TASK("", WEB(",'memoryReservation':10,'readonlyRootFilesystem':true")),
		  DOCKER "1.18 " DOCKER "1.21" },
		{ TASK("", WEB(",'linuxParameters':{'initProcessEnabled':true,'"
			       "sharedMemorySize':64}")),
		  DOCKER "1.22 " DOCKER "1.25" },
		{ TASK(ROLE, WEB(",'secrets':[{'name':'A','valueFrom':'p'},{'name':'B','"
				 "valueFrom':"
				 "'arn:aws:secretsmanager:us-east-1:1:secret:x'}]")),
		  AGENT "secrets.ssm.environment-variables " AGENT
			"secrets.asm.environment-variables" },
		{ TASK("", WEB(",'dependsOn':[{'containerName':'b','condition':'START'}"
			       "]") ",{'name':'b','image':'busybox','memory':10}"),
		  AGENT "container-ordering" },
		{ TASK("", WEB(",'restartPolicy':{'enabled':true}")),
		  AGENT "container-restart-policy" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ json_t *output = register_one(state, cases[i].input);

		expect_words(output, "taskDefinition.requiresAttributes", cases[i].expected);
	}
}

static void what_the_client_sent_comes_back_as_sent(void **state)
{
	_cleanup_json_ json_t *output = register_one(
		state,
		TASK(",'runtimePlatform':{'cpuArchitecture':'ARM64'}",
		     WEB(",'ulimits':[],'dockerLabels':{},'environmentFiles':[],"
			 "'environment':[{'name':'B','value':'2'},{'name':'A','value':'1'}]")));
	json_t *container = at(output, "taskDefinition.containerDefinitions[0]");

	assert_true(json_is_array(at(container, "ulimits")));
	assert_true(json_is_object(at(container, "dockerLabels")));
	assert_true(json_is_array(at(container, "environmentFiles")));
	assert_string_equal(text_at(container, "environment[0].name"), "B");
	assert_string_equal(text_at(output, "taskDefinition.runtimePlatform.cpuArchitecture"),
			    "ARM64");
	assert_null(at(output, "taskDefinition.runtimePlatform.operatingSystemFamily"));
}

/* api-65 */
static void describe_finds_the_newest_active_revision(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *newest = NULL, *old = NULL, *tagged = NULL, *arn = NULL;

	json_decref(register_one(state, TASK(",'tags':[{'key':'a','value':'1'}]", WEB(""))));
	json_decref(register_one(state, TASK("", WEB(""))));
	json_decref(register_one(state, TASK("", WEB(""))));
	json_decref(call_ok(fixture, "DeregisterTaskDefinition", "{'taskDefinition':'web:3'}"));

	newest = call_ok(fixture, "DescribeTaskDefinition", "{'taskDefinition':'web'}");
	assert_int_equal(number_at(newest, "taskDefinition.revision"), 2);
	old = call_ok(fixture, "DescribeTaskDefinition", "{'taskDefinition':'web:1'}");
	assert_int_equal(number_at(old, "taskDefinition.revision"), 1);
	assert_null(at(old, "tags"));
	tagged = call_ok(fixture, "DescribeTaskDefinition",
			 "{'taskDefinition':'web:1','include':['TAGS']}");
	assert_string_equal(text_at(tagged, "tags[0].key"), "a");
	arn = call_ok(fixture, "DescribeTaskDefinition",
		      "{'taskDefinition':'" ARN_PREFIX "task-definition/web'}");
	assert_int_equal(number_at(arn, "taskDefinition.revision"), 2);
}

static void unknown_references_are_refused(void **state)
{
	static const struct {
		const char *operation, *input, *type, *message;
	} cases[] = {
		/* api-66 */
		{ "DescribeTaskDefinition", "{'taskDefinition':'nope'}", "ClientException",
		  "Unable to describe task definition." },
		{ "DescribeTaskDefinition", "{'taskDefinition':'web:9'}", "ClientException",
		  "Unable to describe task definition." },
		{ "DescribeTaskDefinition",
		  "{'taskDefinition':'arn:aws:ecs:eu-west-1:123456789012:task-definition/web:1'}",
		  "ClientException", "Unable to describe task definition." },
		{ "DescribeTaskDefinition", "{}", "ClientException",
		  "Task Definition can not be blank." },
		{ "DescribeTaskDefinition", "{'taskDefinition':'web','include':['X']}",
		  "InvalidParameterException", "include should be one of [TAGS]" },
		/* api-67 */
		{ "DeregisterTaskDefinition", "{'taskDefinition':'web'}", "ClientException",
		  "Revision is missing." },
		/* api-68 */
		{ "DeregisterTaskDefinition", "{'taskDefinition':'web:foo'}",
		  "InvalidParameterException", "Invalid revision number. Number: foo" },
		{ "DeregisterTaskDefinition", "{'taskDefinition':'web:9'}", "ClientException",
		  "Unable to describe task definition." },
		{ "ListTaskDefinitions", "{'status':'GONE'}", "InvalidParameterException",
		  "status should be one of [ACTIVE,INACTIVE,DELETE_IN_PROGRESS]" },
		{ "ListTaskDefinitions", "{'sort':'UP'}", "InvalidParameterException",
		  "sort should be one of [ASC,DESC]" },
		{ "ListTaskDefinitionFamilies", "{'status':'GONE'}", "InvalidParameterException",
		  "status should be one of [ACTIVE,INACTIVE,ALL]" },
	};

	json_decref(register_one(state, TASK("", WEB(""))));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		call_refused(*state, cases[i].operation, cases[i].input, cases[i].type,
			     cases[i].message);
}

/* api-69 */
static void a_deregistered_revision_is_only_among_the_inactive(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *gone = NULL, *again = NULL, *active = NULL, *inactive = NULL;

	json_decref(register_one(state, TASK("", WEB(""))));
	json_decref(register_one(state, TASK("", WEB(""))));
	gone = call_ok(fixture, "DeregisterTaskDefinition", "{'taskDefinition':'web:1'}");
	assert_string_equal(text_at(gone, "taskDefinition.status"), "INACTIVE");
	assert_true(json_is_number(at(gone, "taskDefinition.deregisteredAt")));
	/* As if it had been long ago: a second time changes nothing. */
	task_definition_set_status(fixture->store, "web", 1, TASK_DEFINITION_INACTIVE, 5000, NULL);
	again = call_ok(fixture, "DeregisterTaskDefinition", "{'taskDefinition':'web:1'}");
	assert_true(json_real_value(at(again, "taskDefinition.deregisteredAt")) < 6);

	active = call_ok(fixture, "ListTaskDefinitions", "{}");
	expect_words(active, "taskDefinitionArns", ARN_PREFIX "task-definition/web:2");
	inactive = call_ok(fixture, "ListTaskDefinitions", "{'status':'INACTIVE'}");
	expect_words(inactive, "taskDefinitionArns", ARN_PREFIX "task-definition/web:1");
}

/* api-74 */
static void lists_are_sorted_by_number_not_by_text(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *down = NULL, *second = NULL;
	_cleanup_free_ char *input = NULL;

	for (int i = 0; i < 10; i++)
		json_decref(register_one(state, TASK("", WEB(""))));
	down = call_ok(fixture, "ListTaskDefinitions", "{'sort':'DESC','maxResults':3}");
	expect_words(down, "taskDefinitionArns",
		     ARN_PREFIX "task-definition/web:10 " ARN_PREFIX
				"task-definition/web:9 " ARN_PREFIX "task-definition/web:8");
	input = xasprintf("{'sort':'DESC','maxResults':3,'nextToken':'%s'}",
			  text_at(down, "nextToken"));
	second = call_ok(fixture, "ListTaskDefinitions", input);
	assert_string_equal(text_at(second, "taskDefinitionArns[0]"),
			    ARN_PREFIX "task-definition/web:7");
}

/* api-75; familyPrefix is the whole family in ListTaskDefinitions, a prefix in
 * ListTaskDefinitionFamilies. */
static void families_are_found_by_prefix(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *active = NULL, *all = NULL, *whole = NULL, *none = NULL;

	json_decref(register_one(state, TASK("", WEB(""))));
	json_decref(call_ok(fixture, "RegisterTaskDefinition",
			    "{'family':'welcome','containerDefinitions':[" WEB("") "]}"));
	json_decref(call_ok(fixture, "DeregisterTaskDefinition", "{'taskDefinition':'welcome:1'}"));
	active = call_ok(fixture, "ListTaskDefinitionFamilies",
			 "{'familyPrefix':'we','status':'ACTIVE'}");
	expect_words(active, "families", "web");
	all = call_ok(fixture, "ListTaskDefinitionFamilies", "{'familyPrefix':'we'}");
	expect_words(all, "families", "web welcome");
	whole = call_ok(fixture, "ListTaskDefinitions", "{'familyPrefix':'web'}");
	assert_int_equal(json_array_size(at(whole, "taskDefinitionArns")), 1);
	none = call_ok(fixture, "ListTaskDefinitions", "{'familyPrefix':'we'}");
	assert_int_equal(json_array_size(at(none, "taskDefinitionArns")), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_registration_is_a_revision),
		TEST(a_plain_definition_gets_what_aws_adds_and_nothing_else),
		TEST(ports_are_completed_by_network_mode),
		TEST(what_is_fine_is_taken),
		TEST(sizes_with_units_become_plain),
		TEST(health_checks_get_their_defaults),
		TEST(a_volume_without_a_kind_is_of_the_task),
		TEST(compatibilities_are_computed),
		TEST(attributes_follow_from_what_is_used),
		TEST(what_the_client_sent_comes_back_as_sent),
		TEST(describe_finds_the_newest_active_revision),
		TEST(unknown_references_are_refused),
		TEST(a_deregistered_revision_is_only_among_the_inactive),
		TEST(lists_are_sorted_by_number_not_by_text),
		TEST(families_are_found_by_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
