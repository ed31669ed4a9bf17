/* SPDX-License-Identifier: Apache-2.0 */
/* What RunTask and StartTask refuse of overrides, volumeConfigurations and launch types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fixture.h"

#define INVALID     "InvalidParameterException"
#define UNSUPPORTED "UnsupportedFeatureException"

static const char *const definitions[] = {
	"{'family':'web','executionRoleArn':'puller','containerDefinitions':["
	"{'name':'web','image':'busybox','cpu':100,'memory':128,'memoryReservation':64,"
	"'environment':[{'name':'A','value':'1'}],"
	"'secrets':[{'name':'PASSWORD','valueFrom':'parameter'}]},"
	"{'name':'side','image':'busybox','memoryReservation':32}]}",
	"{'family':'sized','cpu':'512','memory':'256','containerDefinitions':["
	"{'name':'web','image':'busybox'},{'name':'side','image':'busybox','cpu':256}]}",
	"{'family':'fargate','networkMode':'awsvpc','cpu':'256','memory':'512',"
	"'containerDefinitions':[{'name':'web','image':'busybox'}]}",
	"{'family':'ebs','volumes':[{'name':'v','configuredAtLaunch':true},{'name':'h'}],"
	"'containerDefinitions':[{'name':'web','image':'busybox','memory':64}]}",
	"{'family':'plain','volumes':[{'name':'v','configuredAtLaunch':false}],"
	"'containerDefinitions':[{'name':'web','image':'busybox','memory':64}]}",
	"{'family':'inference','inferenceAccelerators':[{'deviceName':'d','deviceType':'eia2'}],"
	"'containerDefinitions':[{'name':'web','image':'busybox','memory':64}]}",
};

static char *host;

static int setup(void **state)
{
	_cleanup_json_ json_t *registered = NULL;
	struct fixture *fixture;

	fixture_setup(state);
	fixture = *state;
	json_decref(call_ok(fixture, "CreateCluster", "{}"));
	for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++)
		json_decref(call_ok(fixture, "RegisterTaskDefinition", definitions[i]));
	registered =
		call_ok(fixture, "RegisterContainerInstance",
			"{'attributes':[{'name':'ecs.capability.task-cpu-mem-limit'}],"
			"'totalResources':[{'name':'CPU','type':'INTEGER','integerValue':2048},"
			"{'name':'MEMORY','type':'INTEGER','integerValue':3900}]}");
	host = xstrdup(text_at(registered, "containerInstance.containerInstanceArn"));
	services_agent_up(fixture->services, host);
	return 0;
}

static int teardown(void **state)
{
	free(host);
	return fixture_teardown(state);
}

/* Both operations refuse it, with the same words. */
static void refused(struct fixture *fixture, const char *family, const char *members,
		    const char *type, const char *message)
{
	_cleanup_free_ char *run = xasprintf("{'taskDefinition':'%s',%s}", family, members);
	_cleanup_free_ char *start = xasprintf(
		"{'taskDefinition':'%s','containerInstances':['%s'],%s}", family, host, members);
	_cleanup_json_ json_t *tasks = NULL;

	call_refused(fixture, "RunTask", run, type, message);
	call_refused(fixture, "StartTask", start, type, message);
	tasks = call_ok(fixture, "ListTasks", "{}");
	assert_int_equal(json_array_size(at(tasks, "taskArns")), 0);
}

/* How many tasks such a call starts on the one instance. */
static size_t started(struct fixture *fixture, const char *family, const char *members)
{
	_cleanup_free_ char *run = xasprintf("{'taskDefinition':'%s',%s}", family, members);
	_cleanup_json_ json_t *output = call_ok(fixture, "RunTask", run);

	loop_run_once(fixture->loop, false);
	return json_array_size(at(output, "tasks"));
}

/* api-92 */
static void a_container_override_must_fit_the_definition(void **state)
{
	static const struct {
		const char *family, *override, *message;
	} table[] = {
		{ "web", "{'name':'x'}",
		  "Override for container named x is not a container in the TaskDefinition." },
		{ "web", "{'name':''}", "Container Name can not be blank." },
		{ "web", "{'cpu':1}", "Container Name can not be blank." },
		{ "web", "{'name':'web'},{'name':'side'},{'name':'web'}",
		  "Container named web has more than one override." },
		{ "web", "{'name':'web','memory':5}",
		  "Invalid setting for container 'web'. 'memory' must be at least 6 MiB." },
		{ "web", "{'name':'web','memory':-1}",
		  "Invalid setting for container 'web'. 'memory' must be at least 6 MiB." },
		{ "web", "{'name':'side','memoryReservation':5}",
		  "Invalid setting for container 'side'. 'memoryReservation' must be at least 6 "
		  "MiB." },
		{ "web", "{'name':'web','cpu':-1}", "Invalid 'cpu' setting for container 'web'." },
		/* Against what the definition has. */
		{ "web", "{'name':'web','memory':32}",
		  "Invalid setting for container 'web'. 'memoryReservation' must not be greater "
		  "than 'memory'." },
		{ "web", "{'name':'web','memoryReservation':129}",
		  "Invalid setting for container 'web'. 'memoryReservation' must not be greater "
		  "than 'memory'." },
		{ "sized", "{'name':'web','memory':257}",
		  "The 'memory' setting for container 'web' is greater than for the task." },
		{ "sized", "{'name':'web','memory':200},{'name':'side','memory':57}",
		  "The sum of all container memory reservations cannot be greater than the value "
		  "of the task 'memory'." },
		{ "sized", "{'name':'web','cpu':257}",
		  "The sum of all container 'cpu' values cannot be greater than the value of the "
		  "task 'cpu'." },
		{ "web", "{'name':'web','environment':[{'value':'1'}]}",
		  "Container 'web': the name of an environment variable can not be blank." },
		{ "web", "{'name':'web','environment':[{'name':'PASSWORD','value':'1'}]}",
		  "The secret name must be unique and not shared with any new or existing "
		  "environment variables set on the container, such as 'PASSWORD'." },
		{ "web",
		  "{'name':'web','environmentFiles':[{'type':'http','value':'arn:aws:s3:::b/a.env'}"
		  "]}",
		  "environmentFiles.type should be one of [s3]" },
		{ "web", "{'name':'web','environmentFiles':[{'type':'s3','value':'b/a.env'}]}",
		  "Container 'web': an environment file must be the ARN of an S3 object that ends "
		  "with .env." },
		{ "web", "{'name':'web','resourceRequirements':[{'type':'TPU','value':'1'}]}",
		  "resourceRequirements.type should be one of [GPU,InferenceAccelerator]" },
		{ "web", "{'name':'web','resourceRequirements':[{'type':'GPU','value':'0'}]}",
		  "Container 'web': the value of resource requirement GPU must be a positive "
		  "integer." },
		{ "web",
		  "{'name':'web','resourceRequirements':[{'type':'InferenceAccelerator','value':'d'"
		  "}]}",
		  "Container 'web' requires inference accelerator 'd', which the task definition "
		  "does not have." },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		_cleanup_free_ char *members =
			xasprintf("'overrides':{'containerOverrides':[%s]}", table[i].override);

		refused(*state, table[i].family, members, INVALID, table[i].message);
	}
}

static void an_override_of_the_task_must_fit_too(void **state)
{
	static const struct {
		const char *family, *overrides, *type, *message;
	} table[] = {
		{ "sized", "'cpu':'lots'", INVALID, "Invalid 'cpu' setting for task." },
		{ "sized", "'memory':'2 TB'", INVALID, "Invalid 'memory' setting for task." },
		{ "sized", "'cpu':'64'", INVALID, NULL },
		{ "sized", "'cpu':'.2 vCPU'", INVALID,
		  "The sum of all container 'cpu' values cannot be greater than the value of the "
		  "task 'cpu'." },
		{ "web", "'memory':'100'", INVALID,
		  "The 'memory' setting for container 'web' is greater than for the task." },
		{ "web", "'taskRoleArn':'arn:aws:iam::1:user/x'", INVALID, "Role is not valid" },
		{ "web", "'executionRoleArn':'a b'", INVALID, "Role is not valid" },
		{ "web", "'ephemeralStorage':{'sizeInGiB':30}", INVALID,
		  "The ephemeralStorage override is only supported for tasks that run on "
		  "Fargate." },
		{ "web", "'inferenceAcceleratorOverrides':[{'deviceName':'d'}]", UNSUPPORTED,
		  "This control plane has no inference accelerators: a task cannot ask for "
		  "one." },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		_cleanup_free_ char *members = xasprintf("'overrides':{%s}", table[i].overrides);

		refused(*state, table[i].family, members, table[i].type, table[i].message);
	}
	refused(*state, "inference", "'group':'g'", UNSUPPORTED, NULL);
}

static void overrides_of_the_wrong_type_are_refused(void **state)
{
	static const char *const table[] = {
		"'overrides':[]",
		"'overrides':{'cpu':512}",
		"'overrides':{'containerOverrides':{}}",
		"'overrides':{'containerOverrides':[{'name':'web','memory':'64'}]}",
		"'overrides':{'containerOverrides':[{'name':'web','command':'true'}]}",
		"'overrides':{'containerOverrides':[{'name':'web','environment':{'A':'1'}}]}",
		"'volumeConfigurations':{}",
		"'volumeConfigurations':['v']",
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		refused(*state, "web", table[i], "SerializationException", NULL);
}

/* Absent, empty and null members, and those that are not known, change nothing. */
static void good_overrides_are_taken(void **state)
{
	static const struct {
		const char *family, *overrides;
	} table[] = {
		{ "plain", "" },
		{ "plain", "'containerOverrides':[],'inferenceAcceleratorOverrides':[]" },
		{ "plain", "'cpu':null,'memory':'','containerOverrides':[{'name':'web'}]" },
		{ "plain", "'moon':1,'containerOverrides':[{'name':'web','moon':{}}]" },
		{ "plain", "'containerOverrides':[{'name':'web','cpu':0,'memory':6}]" },
		{ "sized", "'cpu':'1 vCPU','memory':'1 GB','containerOverrides':["
			   "{'name':'web','cpu':700,'memory':700}]" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		_cleanup_free_ char *members = xasprintf("'overrides':{%s}", table[i].overrides);

		assert_int_equal(started(*state, table[i].family, members), 1);
	}
}

/* What an override brings in is asked of the instance as if it stood in the definition. */
static void an_override_needs_the_instance_that_can(void **state)
{
	static const char *const table[] = {
		"'overrides':{'taskRoleArn':'app'}",
		"'overrides':{'containerOverrides':[{'name':'web','environmentFiles':["
		"{'type':'s3','value':'arn:aws:s3:::b/a.env'}]}]}",
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		_cleanup_free_ char *run = xasprintf("{'taskDefinition':'plain',%s}", table[i]);
		_cleanup_json_ json_t *output = call_ok(*state, "RunTask", run);

		assert_int_equal(json_array_size(at(output, "tasks")), 0);
		assert_string_equal(text_at(output, "failures[0].reason"), "ATTRIBUTE");
	}
}

static void volumes_of_the_launch_are_given_at_the_launch(void **state)
{
#define CONFIGURATION(name) "{'name':'" name "','managedEBSVolume':{'roleArn':'r'}}"
	refused(*state, "ebs", "'group':'g'", INVALID,
		"The volume 'v' of the TaskDefinition is configuredAtLaunch: a volume "
		"configuration must be provided for it.");
	refused(*state, "ebs", "'volumeConfigurations':[]", INVALID, NULL);
	refused(*state, "ebs", "'volumeConfigurations':[" CONFIGURATION("h") "]", INVALID,
		"The volume 'h' of the TaskDefinition is not configuredAtLaunch: a volume "
		"configuration is not valid for it.");
	refused(*state, "plain", "'volumeConfigurations':[" CONFIGURATION("v") "]", INVALID,
		"The volume 'v' of the TaskDefinition is not configuredAtLaunch: a volume "
		"configuration is not valid for it.");
	refused(*state, "plain", "'volumeConfigurations':[" CONFIGURATION("x") "]", INVALID,
		"The volume configuration 'x' names no volume of the TaskDefinition.");
	refused(*state, "ebs", "'volumeConfigurations':[{'managedEBSVolume':{}}]", INVALID,
		"The name of a volume configuration can not be blank.");
	refused(*state, "ebs",
		"'volumeConfigurations':[" CONFIGURATION("v") "," CONFIGURATION("v") "]", INVALID,
		"volume configurations can have at most 1 items.");
	/* All is well, but there are none to be had. */
	refused(*state, "ebs", "'volumeConfigurations':[" CONFIGURATION("v") "]", UNSUPPORTED,
		NULL);
	assert_int_equal(started(*state, "plain", "'volumeConfigurations':[]"), 1);
}

static void a_launch_type_must_be_one_of_the_definition(void **state)
{
	static const struct {
		const char *family, *members, *message;
	} table[] = {
		{ "plain", "'launchType':'FARGATE'",
		  "Task definition does not support launch_type FARGATE." },
		{ "fargate",
		  "'launchType':'EXTERNAL','networkConfiguration':{'awsvpcConfiguration':"
		  "{'subnets':['subnet-berth']}}",
		  "Task definition does not support launch_type EXTERNAL." },
		{ "fargate",
		  "'launchType':'FARGATE','overrides':{'memory':'4096'},'networkConfiguration':"
		  "{'awsvpcConfiguration':{'subnets':['subnet-berth']}}",
		  "No Fargate configuration exists for given values." },
	};
	_cleanup_json_ json_t *output = NULL;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		_cleanup_free_ char *run =
			xasprintf("{'taskDefinition':'%s',%s}", table[i].family, table[i].members);

		call_refused(*state, "RunTask", run, INVALID, table[i].message);
	}
	output = call_ok(*state, "RunTask",
			 "{'taskDefinition':'fargate','launchType':'FARGATE','overrides':"
			 "{'cpu':'512','memory':'1024','ephemeralStorage':{'sizeInGiB':30}},"
			 "'networkConfiguration':{'awsvpcConfiguration':{'subnets':"
			 "['subnet-berth']}}}");
	assert_non_null(strstr(text_at(output, "failures[0].reason"), "Capacity is unavailable"));
}

static void tags_of_a_service_are_for_its_tasks(void **state)
{
	refused(*state, "plain", "'propagateTags':'SERVICE'", INVALID, NULL);
	assert_int_equal(started(*state, "plain", "'propagateTags':'NONE'"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_container_override_must_fit_the_definition),
		TEST(an_override_of_the_task_must_fit_too),
		TEST(overrides_of_the_wrong_type_are_refused),
		TEST(good_overrides_are_taken),
		TEST(an_override_needs_the_instance_that_can),
		TEST(volumes_of_the_launch_are_given_at_the_launch),
		TEST(a_launch_type_must_be_one_of_the_definition),
		TEST(tags_of_a_service_are_for_its_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
