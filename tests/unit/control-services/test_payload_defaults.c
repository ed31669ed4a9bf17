/* SPDX-License-Identifier: Apache-2.0 */
/* What a payload says although the task definition does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "control-plane/services/delivery.h"
#include "fixture.h"

/* The first container, as the agent gets it, of a task with these further members. */
static json_t *container_with(struct fixture *fixture, const char *members)
{
	_cleanup_free_ char *document = xasprintf(
		"{'containerDefinitions':[{'name':'web','image':'i','memory':64%s}]}", members);
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	json_t *task, *container;

	fixture_definition(fixture, "web", document);
	fixture_must(delivery_task_text(fixture->services, fixture_task(fixture, "web", NULL, NULL),
					&text, &err),
		     &err);
	task = json_loads(text, 0, NULL);
	container = json_array_get(json_object_get(task, "containers"), 0);
	assert_non_null(container);
	json_incref(container);
	json_decref(task);
	return container;
}

static void a_restart_policy_always_has_its_period(void **state)
{
	static const struct {
		const char *members, *policy; /* NULL: none is sent */
	} table[] = {
		{ "", NULL },
		{ ",'restartPolicy':{'enabled':true}",
		  "{'enabled':true,'restartAttemptPeriod':300}" },
		{ ",'restartPolicy':{'enabled':true,'restartAttemptPeriod':60,"
		  "'ignoredExitCodes':[0,143]}",
		  "{'enabled':true,'ignoredExitCodes':[0,143],'restartAttemptPeriod':60}" },
		{ ",'restartPolicy':{'enabled':false}",
		  "{'enabled':false,'restartAttemptPeriod':300}" },
	};
	struct fixture *fixture = *state;

	fixture_instance(fixture, ID1);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		_cleanup_json_ json_t *container = container_with(fixture, table[i].members);
		json_t *policy = json_object_get(container, "restartPolicy");
		_cleanup_free_ char *text = policy ? json_dump_sorted(policy) : NULL;
		_cleanup_free_ char *expected = table[i].policy ? quoted(table[i].policy) : NULL;

		if (expected)
			assert_string_equal(text, expected);
		else
			assert_null(text);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_restart_policy_always_has_its_period),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
