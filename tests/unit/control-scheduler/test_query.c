/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/scheduler/query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct scheduler_attribute attributes[] = {
	{ "ecs.instance-type", "t2.micro" },
	{ "ecs.availability-zone", "us-east-1a" },
	{ "number", "10" },
	{ "bare", NULL },
	{ "spaced", "a b" },
};
static const char *const groups[] = { "service:web", "family:job" };

static const struct scheduler_instance host = {
	.arn = "arn:aws:ecs:us-east-1:000000000000:container-instance/c/1",
	.ec2_instance_id = "i-abcd1234",
	.agent_version = "1.14.4",
	.agent_connected = true,
	.registered_at_ms = INT64_C(1518480000000), /* 2018-02-13T00:00:00Z */
	.attributes = attributes,
	.attribute_count = COUNT(attributes),
	.task_groups = groups,
	.task_count = COUNT(groups),
	.running_tasks = 1,
};

/* api-114 api-115 api-116 */
static void expressions_hold_as_documented(void **state)
{
	static const struct {
		const char *text;
		bool holds;
	} table[] = {
		{ "attribute:ecs.instance-type == t2.micro", true },
		{ "attribute:ecs.instance-type equals t2.micro", true },
		{ "attribute:ecs.instance-type == 't2.micro'", true },
		{ "attribute:ecs.instance-type == t2.small", false },
		{ "attribute:spaced == \"a b\"", true },
		{ "attribute:ecs.instance-type =~ t2.* and attribute:ecs.availability-zone == "
		  "us-east-1a",
		  true },
		/* the whole value has to match */
		{ "attribute:ecs.instance-type =~ t2", false },
		{ "attribute:ecs.instance-type =~ t2|t2.micro", true },
		{ "attribute:ecs.instance-type !~ g2.*", true },
		{ "attribute:ecs.instance-type in [t2.small, t2.micro]", true },
		{ "attribute:ecs.instance-type !in [t2.small, t2.nano]", true },
		{ "attribute:ecs.instance-type not_in [t2.small,t2.micro]", false },
		/* a missing attribute holds in no comparison */
		{ "attribute:stack != prod", false },
		{ "attribute:stack == prod", false },
		{ "attribute:stack !in [prod]", false },
		{ "attribute:stack !~ prod", false },
		{ "attribute:stack !exists", true },
		{ "attribute:stack not_exists", true },
		{ "attribute:stack exists", false },
		{ "attribute:bare exists", true },
		{ "attribute:bare == ''", true },
		{ "attribute:number > 9", true },
		{ "attribute:number < 9", false },
		{ "attribute:number >= 10", true },
		{ "attribute:ecs.instance-type > t1.zzz", true },
		{ "not(task:group == database)", true },
		{ "task:group == service:web", true },
		{ "task:group != service:web", false },
		{ "task:group in [service:web, x]", true },
		{ "task:group =~ family:.*", true },
		{ "runningTasksCount == 1", true },
		{ "runningTasksCount > 1", false },
		{ "agentVersion < 1.14.5", true },
		{ "agentVersion >= 1.9", true },
		{ "agentVersion == 1.14.4", true },
		{ "registeredAt < 2018-02-13", false },
		{ "registeredAt < 2018-02-14", true },
		{ "registeredAt == 2018-02-13T01:00:00+01:00", true },
		{ "registeredAt >= 2018-02-12T23:59:59Z", true },
		{ "registeredAt == 2018-02-13T00:00:00", true },
		{ "ec2InstanceId in ['i-abcd1234','i-wxyz7890']", true },
		{ "ec2InstanceId == i-x", false },
		{ "agentConnected == true", true },
		{ "agentConnected == false", false },
		/* and binds tighter than or */
		{ "attribute:x == 1 and attribute:x == 1 or agentConnected == true", true },
		{ "agentConnected == true || attribute:x == 1 && attribute:x == 2", true },
		{ "(agentConnected == true or attribute:x == 1) and attribute:x == 2", false },
		{ "!(attribute:x == 1)", true },
		{ "not not agentConnected == true", true },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct query *query = NULL;
		struct error err = ERROR_INIT;

		if (query_parse(table[i].text, &query, &err) < 0)
			fail_msg("%s: %s", table[i].text, err.text);
		if (query_matches(query, &host) != table[i].holds)
			fail_msg("%s: should be %s", table[i].text,
				 table[i].holds ? "true" : "false");
		query_free(query);
	}
}

/* api-117: each refusal says what was expected. */
static void bad_expressions_are_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *text;
		const char *part;
	} table[] = {
		{ "", "can not be blank" },
		{ "attribute:x", "an operator was expected" },
		{ "attribute: == y", "attribute:<name>" },
		{ "attribute:x ==", "a value was expected" },
		{ "attribute:x === y", "a value was expected" },
		{ "attribute:x in a", "'[' was expected" },
		{ "attribute:x in [a", "',' or ']' was expected" },
		{ "attribute:x == 'a", "the closing quote was expected" },
		{ "attribute:x == a b", "and, or, or the end was expected" },
		{ "attribute:x == a and", "attribute:<name>" },
		{ "(attribute:x == a", "')' was expected" },
		{ "attribute:x == a)", "and, or, or the end was expected" },
		{ "color == red", "agentConnected" },
		{ "runningTasksCount in [1]", "an operator that this subject has" },
		{ "runningTasksCount == many", "a whole number" },
		{ "registeredAt < yesterday", "is not a time" },
		{ "agentVersion =~ 1.*", "an operator that this subject has" },
		{ "attribute:x =~ '('", "is not a regular expression" },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct query *query = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(query_parse(table[i].text, &query, &err), -EINVAL);
		if (!strstr(err.text, table[i].part))
			fail_msg("'%s' gives: %s", table[i].text, err.text);
		assert_null(query);
	}
}

static void size_and_depth_are_bounded(void **state)
{
	char text[QUERY_TEXT_MAX + 2];
	struct query *query = NULL;

	memset(text, 'a', sizeof(text));
	text[QUERY_TEXT_MAX + 1] = '\0';
	assert_int_equal(query_parse(text, &query, NULL), -EINVAL);
	memset(text, '(', sizeof(text));
	text[1000] = '\0';
	assert_int_equal(query_parse(text, &query, NULL), -EINVAL);
	memset(text, '!', sizeof(text));
	text[1000] = '\0';
	assert_int_equal(query_parse(text, &query, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_hold_as_documented),
		cmocka_unit_test(bad_expressions_are_refused_with_a_sentence),
		cmocka_unit_test(size_and_depth_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
