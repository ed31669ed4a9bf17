/* SPDX-License-Identifier: Apache-2.0 */
/* restartPolicy of a container, as RegisterTaskDefinition takes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "fixture.h"

static char *definition(const char *policy)
{
	return xasprintf("{'family':'web','containerDefinitions':[{'name':'web','image':'busybox',"
			 "'memory':64,'restartPolicy':{%s}}]}",
			 policy);
}

/* [0,1,2,...]: so many. */
static char *codes(int count)
{
	struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < count; i++)
		strbuf_appendf(&text, "%s%d", i == 0 ? "" : ",", i);
	return strbuf_take(&text);
}

static void its_bounds_are_those_of_the_service(void **state)
{
	static const struct {
		const char *policy, *message; /* message NULL: it is taken */
	} table[] = {
		{ "'enabled':true", NULL },
		{ "'enabled':false", NULL },
		{ "'enabled':true,'restartAttemptPeriod':60", NULL },
		{ "'enabled':true,'restartAttemptPeriod':1800", NULL },
		{ "'enabled':true,'restartAttemptPeriod':59",
		  "Invalid 'restartPolicy.restartAttemptPeriod' setting for container 'web': it "
		  "must be between 60 and 1800." },
		{ "'enabled':true,'restartAttemptPeriod':1801",
		  "Invalid 'restartPolicy.restartAttemptPeriod' setting for container 'web': it "
		  "must be between 60 and 1800." },
		{ "'enabled':true,'restartAttemptPeriod':0",
		  "Invalid 'restartPolicy.restartAttemptPeriod' setting for container 'web': it "
		  "must be between 60 and 1800." },
		{ "'restartAttemptPeriod':60",
		  "Container 'web': restartPolicy.enabled must be specified." },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		_cleanup_free_ char *input = definition(table[i].policy);

		if (table[i].message)
			call_refused(*state, "RegisterTaskDefinition", input, "ClientException",
				     table[i].message);
		else
			json_decref(call_ok(*state, "RegisterTaskDefinition", input));
	}
}

static void fifty_exit_codes_are_all(void **state)
{
	_cleanup_free_ char *fifty = codes(50), *more = codes(51);
	_cleanup_free_ char *good = xasprintf("'enabled':true,'ignoredExitCodes':[%s]", fifty);
	_cleanup_free_ char *bad = xasprintf("'enabled':true,'ignoredExitCodes':[%s]", more);
	_cleanup_free_ char *good_input = definition(good), *bad_input = definition(bad);
	_cleanup_json_ json_t *taken = call_ok(*state, "RegisterTaskDefinition", good_input);

	assert_int_equal(
		json_array_size(at(taken, "taskDefinition.containerDefinitions[0].restartPolicy."
					  "ignoredExitCodes")),
		50);
	call_refused(*state, "RegisterTaskDefinition", bad_input, "ClientException",
		     "restartPolicy.ignoredExitCodes can have at most 50 items.");
}

/* The reply shows what was given and no more: clients compare. */
static void the_default_period_is_not_shown(void **state)
{
	_cleanup_free_ char *input = definition("'enabled':true");
	_cleanup_json_ json_t *output = call_ok(*state, "RegisterTaskDefinition", input);
	_cleanup_free_ char *policy = json_dump_compact(
		at(output, "taskDefinition.containerDefinitions[0].restartPolicy"));

	assert_string_equal(policy, "{\"enabled\":true}");
	assert_string_equal(text_at(output, "taskDefinition.requiresAttributes[0].name"),
			    "ecs.capability.container-restart-policy");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(its_bounds_are_those_of_the_service),
		TEST(fifty_exit_codes_are_all),
		TEST(the_default_period_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
