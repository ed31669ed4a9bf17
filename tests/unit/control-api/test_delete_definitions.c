/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "control-plane/store/task_definitions.h"
#include "fixture.h"

static void register_web(struct fixture *fixture)
{
	json_decref(call_ok(
		fixture, "RegisterTaskDefinition",
		"{'family':'web','containerDefinitions':[{'name':'w','image':'b','memory':10}]}"));
}

static json_t *delete_web(struct fixture *fixture, const char *references)
{
	_cleanup_free_ char *input = xasprintf("{'taskDefinitions':[%s]}", references);

	return call_ok(fixture, "DeleteTaskDefinitions", input);
}

/* api-70, api-72 */
static void what_can_not_be_deleted_is_a_failure(void **state)
{
	static const char does_not_exist[] =
		"The specified task definition does not exist. Specify "
		"a valid account, family, revision and try again.";
	static const char is_invalid[] = "The specified task definition identifier is invalid. "
					 "Specify a valid name or ARN and try again.";
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *output = NULL;

	register_web(fixture);
	output = delete_web(fixture, "'web:1','x:9','web','a:b:c','!!:1'");
	assert_int_equal(json_array_size(at(output, "taskDefinitions")), 0);
	assert_string_equal(text_at(output, "failures[0].arn"), ARN_PREFIX "task-definition/web:1");
	assert_string_equal(text_at(output, "failures[0].reason"),
			    "The specified task definition is still in ACTIVE status. Please "
			    "deregister the target and try again.");
	assert_string_equal(text_at(output, "failures[1].reason"), does_not_exist);
	for (size_t i = 2; i < 5; i++)
		assert_string_equal(text_at(json_array_get(at(output, "failures"), i), "reason"),
				    is_invalid);
	call_refused(fixture, "DeleteTaskDefinitions", "{}", "InvalidParameterException",
		     "size of TaskDefinition references list must be greater than 0");
	call_refused(fixture, "DeleteTaskDefinitions",
		     "{'taskDefinitions':['1','2','3','4','5','6','7','8','9','10','11']}",
		     "InvalidParameterException",
		     "Size of TaskDefinition references list cannot exceed 10");
}

/* api-71, api-73 */
static void an_inactive_revision_goes_after_a_while(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_json_ json_t *deleted = NULL, *listed = NULL, *described = NULL, *next = NULL;
	int64_t minute_ago;

	register_web(fixture);
	register_web(fixture);
	json_decref(call_ok(fixture, "DeregisterTaskDefinition", "{'taskDefinition':'web:2'}"));
	deleted = delete_web(fixture, "'web:2'");
	assert_string_equal(text_at(deleted, "taskDefinitions[0].status"), "DELETE_IN_PROGRESS");
	assert_true(json_is_number(at(deleted, "taskDefinitions[0].deleteRequestedAt")));
	listed = call_ok(fixture, "ListTaskDefinitions", "{'status':'DELETE_IN_PROGRESS'}");
	assert_int_equal(json_array_size(at(listed, "taskDefinitionArns")), 1);
	described = call_ok(fixture, "DescribeTaskDefinition", "{'taskDefinition':'web:2'}");
	assert_string_equal(text_at(described, "taskDefinition.status"), "DELETE_IN_PROGRESS");

	/* A minute later. */
	minute_ago =
		(int64_t)(json_real_value(at(deleted, "taskDefinitions[0].deleteRequestedAt")) *
			  1000) -
		60001;
	task_definition_set_status(fixture->store, "web", 2, TASK_DEFINITION_DELETE_IN_PROGRESS,
				   minute_ago, NULL);
	call_refused(fixture, "DescribeTaskDefinition", "{'taskDefinition':'web:2'}",
		     "ClientException", "Unable to describe task definition.");

	register_web(fixture);
	next = call_ok(fixture, "DescribeTaskDefinition", "{'taskDefinition':'web'}");
	assert_int_equal(number_at(next, "taskDefinition.revision"), 3);
}

static void a_revision_with_a_task_stays(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *instance = NULL;
	_cleanup_json_ json_t *described = NULL;

	json_decref(call_ok(fixture, "CreateCluster", "{}"));
	instance = add_instance(fixture, "default");
	services_agent_up(fixture->services, instance);
	register_web(fixture);
	json_decref(call_ok(fixture, "RunTask", "{'taskDefinition':'web'}"));
	loop_run_once(fixture->loop, false);
	json_decref(call_ok(fixture, "DeregisterTaskDefinition", "{'taskDefinition':'web:1'}"));
	json_decref(delete_web(fixture, "'web:1'"));
	task_definition_set_status(fixture->store, "web", 1, TASK_DEFINITION_DELETE_IN_PROGRESS, 1,
				   NULL);
	described = call_ok(fixture, "DescribeTaskDefinition", "{'taskDefinition':'web:1'}");
	assert_string_equal(text_at(described, "taskDefinition.status"), "DELETE_IN_PROGRESS");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_can_not_be_deleted_is_a_failure),
		TEST(an_inactive_revision_goes_after_a_while),
		TEST(a_revision_with_a_task_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
