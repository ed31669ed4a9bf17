/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names_are_read_back(void **state)
{
	for (int i = TASK_STATUS_NONE; i <= TASK_STATUS_STOPPED; i++) {
		enum task_status status = TASK_STATUS_NONE;

		assert_int_equal(
			task_status_parse(task_status_name((enum task_status)i), &status, NULL), 0);
		assert_int_equal(status, i);
	}
	for (int i = CONTAINER_STATUS_NONE; i <= CONTAINER_STATUS_STOPPED; i++) {
		enum container_status status = CONTAINER_STATUS_NONE;

		assert_int_equal(
			container_status_parse(container_status_name((enum container_status)i),
					       &status, NULL),
			0);
		assert_int_equal(status, i);
	}
	for (int i = HEALTH_STATUS_UNKNOWN; i <= HEALTH_STATUS_UNHEALTHY; i++) {
		enum health_status status = HEALTH_STATUS_UNKNOWN;

		assert_int_equal(health_status_parse(health_status_name((enum health_status)i),
						     &status, NULL),
				 0);
		assert_int_equal(status, i);
	}
	for (int i = MANAGED_AGENT_STATUS_NONE; i <= MANAGED_AGENT_STATUS_STOPPED; i++) {
		enum managed_agent_status status = MANAGED_AGENT_STATUS_NONE;

		assert_int_equal(managed_agent_status_parse(
					 managed_agent_status_name((enum managed_agent_status)i),
					 &status, NULL),
				 0);
		assert_int_equal(status, i);
	}
}

static void older_names_are_known(void **state)
{
	enum task_status task = TASK_STATUS_CREATED;
	enum container_status container = CONTAINER_STATUS_CREATED;

	assert_int_equal(task_status_parse("UNKNOWN", &task, NULL), 0);
	assert_int_equal(task, TASK_STATUS_NONE);
	assert_int_equal(task_status_parse("DEAD", &task, NULL), 0);
	assert_int_equal(task, TASK_STATUS_STOPPED);
	assert_int_equal(container_status_parse("UNKNOWN", &container, NULL), 0);
	assert_int_equal(container, CONTAINER_STATUS_NONE);
	assert_int_equal(container_status_parse("DEAD", &container, NULL), 0);
	assert_int_equal(container, CONTAINER_STATUS_STOPPED);
}

static void other_names_are_refused_with_the_name(void **state)
{
	struct error err = ERROR_INIT;
	enum task_status task = TASK_STATUS_CREATED;
	enum container_status container = CONTAINER_STATUS_CREATED;
	enum health_status health = HEALTH_STATUS_HEALTHY;

	assert_int_equal(task_status_parse("running", &task, &err), -EINVAL);
	assert_string_equal(err.text, "unrecognized task status \"running\"");
	assert_int_equal(task, TASK_STATUS_CREATED);
	assert_int_equal(container_status_parse("PENDING", &container, &err), -EINVAL);
	assert_string_equal(err.text, "unrecognized container status \"PENDING\"");
	assert_int_equal(health_status_parse("", &health, &err), -EINVAL);
	assert_string_equal(err.text, "unrecognized health status \"\"");
}

static void only_running_and_stopped_are_reported_by_name(void **state)
{
	assert_string_equal(task_status_wire(TASK_STATUS_NONE), "PENDING");
	assert_string_equal(task_status_wire(TASK_STATUS_MANIFEST_PULLED), "PENDING");
	assert_string_equal(task_status_wire(TASK_STATUS_CREATED), "PENDING");
	assert_string_equal(task_status_wire(TASK_STATUS_RUNNING), "RUNNING");
	assert_string_equal(task_status_wire(TASK_STATUS_STOPPED), "STOPPED");
	assert_string_equal(container_status_wire(CONTAINER_STATUS_MANIFEST_PULLED), "PENDING");
	assert_string_equal(container_status_wire(CONTAINER_STATUS_RUNNING), "RUNNING");
	assert_string_equal(container_status_wire(CONTAINER_STATUS_RESOURCES_PROVISIONED),
			    "RUNNING");
	assert_string_equal(container_status_wire(CONTAINER_STATUS_STOPPED), "STOPPED");
}

static void statuses_compare_in_order(void **state)
{
	assert_true(CONTAINER_STATUS_PULLED < CONTAINER_STATUS_CREATED);
	assert_true(CONTAINER_STATUS_RESOURCES_PROVISIONED < CONTAINER_STATUS_STOPPED);
	assert_int_equal(TASK_STATUS_STOPPED, 5);
	assert_int_equal(CONTAINER_STATUS_STOPPED, 6);
}

static void conditions(void **state)
{
	assert_int_equal(container_condition_of("START"), CONTAINER_CONDITION_START);
	assert_int_equal(container_condition_of("HEALTHY"), CONTAINER_CONDITION_HEALTHY);
	assert_int_equal(container_condition_of("CREATE"), CONTAINER_CONDITION_OTHER);
	assert_int_equal(container_condition_of("healthy"), CONTAINER_CONDITION_OTHER);
	assert_int_equal(container_condition_of(NULL), CONTAINER_CONDITION_OTHER);
	assert_string_equal(container_condition_name(CONTAINER_CONDITION_SUCCESS), "SUCCESS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_back),
		cmocka_unit_test(older_names_are_known),
		cmocka_unit_test(other_names_are_refused_with_the_name),
		cmocka_unit_test(only_running_and_stopped_are_reported_by_name),
		cmocka_unit_test(statuses_compare_in_order),
		cmocka_unit_test(conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
