/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane says of an instance's processor: runtimePlatform is matched against it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "fixture.h"
#include "wire/architecture.h"

static char *registered(struct fixture *fixture, const char *more)
{
	_cleanup_free_ char *input = xasprintf("{'cluster':'default'%s}", more);
	_cleanup_json_ json_t *output = call_ok(fixture, "RegisterContainerInstance", input);
	char *value = NULL;
	size_t i;
	json_t *item;

	json_array_foreach (at(output, "containerInstance.attributes"), i, item) {
		if (!str_eq(text_at(item, "name"), "ecs.cpu-architecture"))
			continue;
		assert_null(value);
		value = xstrdup(text_at(item, "value"));
	}
	assert_non_null(value);
	return value;
}

static int setup_with_cluster(void **state)
{
	fixture_setup(state);
	json_decref(call_ok(*state, "CreateCluster", "{}"));
	return 0;
}

static void what_the_agent_says_counts(void **state)
{
	_cleanup_free_ char *value = registered(
		*state, ",'attributes':[{'name':'ecs.cpu-architecture','value':'arm64'}]");

	assert_string_equal(value, "arm64");
}

static void the_identity_document_says_it_too(void **state)
{
	_cleanup_free_ char *value = registered(
		*state, ",'instanceIdentityDocument':'{\\'architecture\\':\\'arm64\\'}'");

	assert_string_equal(value, "arm64");
}

/* Otherwise a task definition with a runtimePlatform would have no place at all. */
static void an_agent_that_says_nothing_is_taken_for_a_neighbour(void **state)
{
	_cleanup_free_ char *host = ecs_architecture_of_host();
	_cleanup_free_ char *value = registered(*state, "");
	_cleanup_free_ char *no_document = registered(*state, ",'instanceIdentityDocument':'{}'");

	assert_string_equal(value, host);
	assert_string_equal(no_document, host);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_cluster, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_the_agent_says_counts),
		TEST(the_identity_document_says_it_too),
		TEST(an_agent_that_says_nothing_is_taken_for_a_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
