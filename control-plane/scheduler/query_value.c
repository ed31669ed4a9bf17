/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/scheduler/query_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"
#include "control-plane/scheduler/fit.h"
#include "control-plane/scheduler/query_pattern.h"

static const char attribute_prefix[] = "attribute:";

bool query_test_subject(struct query_test *test, const char *word)
{
	static const struct {
		const char *word;
		enum query_subject subject;
	} subjects[] = {
		{ "agentConnected", QUERY_AGENT_CONNECTED },
		{ "agentVersion", QUERY_AGENT_VERSION },
		{ "ec2InstanceId", QUERY_EC2_INSTANCE_ID },
		{ "registeredAt", QUERY_REGISTERED_AT },
		{ "runningTasksCount", QUERY_RUNNING_TASKS_COUNT },
		{ "task:group", QUERY_TASK_GROUP },
	};
	size_t prefix = strlen(attribute_prefix);

	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		if (strcasecmp(word, subjects[i].word) == 0) {
			test->subject = subjects[i].subject;
			return true;
		}
	}
	if (strncmp(word, attribute_prefix, prefix) != 0 || word[prefix] == '\0')
		return false;
	test->subject = QUERY_ATTRIBUTE;
	test->attribute = xstrdup(word + prefix);
	return true;
}

static bool is_order(enum query_operator comparison)
{
	return comparison == QUERY_EQUALS || comparison == QUERY_NOT_EQUALS ||
	       comparison == QUERY_GREATER || comparison == QUERY_AT_LEAST ||
	       comparison == QUERY_LESS || comparison == QUERY_AT_MOST;
}

static bool is_text(enum query_operator comparison)
{
	return comparison == QUERY_EQUALS || comparison == QUERY_NOT_EQUALS ||
	       comparison == QUERY_IN || comparison == QUERY_NOT_IN ||
	       comparison == QUERY_MATCHES || comparison == QUERY_NOT_MATCHES;
}

bool query_test_allows(const struct query_test *test)
{
	switch (test->subject) {
	case QUERY_AGENT_CONNECTED:
	case QUERY_EC2_INSTANCE_ID:
	case QUERY_TASK_GROUP:
		return is_text(test->comparison);
	case QUERY_AGENT_VERSION:
	case QUERY_REGISTERED_AT:
	case QUERY_RUNNING_TASKS_COUNT:
		return is_order(test->comparison);
	case QUERY_ATTRIBUTE:
		return true;
	}
	return false;
}

/* 2018-06-18T22:28:28+00:00, the same with Z or without zone, 2018-06-18: all are UTC unless they
 * say otherwise. */
static int parse_time(const char *text, int64_t *ret_ms, struct error *err)
{
	_cleanup_free_ char *with_zone = NULL;

	/* A date alone, or a time without zone. The zone would follow the first 19 characters. */
	if (strlen(text) == strlen("2018-06-18"))
		with_zone = xasprintf("%sT00:00:00Z", text);
	else if (strlen(text) == strlen("2018-06-18T22:28:28"))
		with_zone = xasprintf("%sZ", text);
	if (parse_iso8601(with_zone ? with_zone : text, ret_ms, NULL) == 0)
		return 0;
	return error_say(err, EINVAL,
			 "Invalid expression: '%s' is not a time such as 2018-06-18T22:28:28Z or "
			 "2018-06-18.",
			 text);
}

int query_test_prepare(struct query_test *test, struct error *err)
{
	if (test->comparison == QUERY_MATCHES || test->comparison == QUERY_NOT_MATCHES)
		return query_pattern_compile(test->values[0], &test->pattern, err);
	if (test->subject == QUERY_REGISTERED_AT)
		return parse_time(test->values[0], &test->number, err);
	if (test->subject == QUERY_RUNNING_TASKS_COUNT &&
	    number_parse_i64(test->values[0], 0, INT32_MAX, &test->number, NULL) < 0)
		return error_say(err, EINVAL,
				 "Invalid expression: runningTasksCount is compared with a whole "
				 "number, got '%s'.",
				 test->values[0]);
	return 0;
}

void query_test_clear(struct query_test *test)
{
	free(test->attribute);
	for (size_t i = 0; i < test->value_count; i++)
		free(test->values[i]);
	free(test->values);
	query_pattern_free(test->pattern);
	*test = (struct query_test){ 0 };
}

static bool order_holds(enum query_operator comparison, int order)
{
	switch (comparison) {
	case QUERY_EQUALS:
		return order == 0;
	case QUERY_NOT_EQUALS:
		return order != 0;
	case QUERY_GREATER:
		return order > 0;
	case QUERY_AT_LEAST:
		return order >= 0;
	case QUERY_LESS:
		return order < 0;
	case QUERY_AT_MOST:
		return order <= 0;
	default:
		return false;
	}
}

static int order_of(int64_t left, int64_t right)
{
	return (left > right) - (left < right);
}

/* 1.14.5 against 1.9: part by part, as numbers; a missing part is 0. */
static int order_of_versions(const char *left, const char *right)
{
	while (*left || *right) {
		char *left_end, *right_end;
		unsigned long a = strtoul(left, &left_end, 10);
		unsigned long b = strtoul(right, &right_end, 10);

		if (a != b)
			return a > b ? 1 : -1;
		if (left_end == left && right_end == right)
			return strcmp(left, right);
		left = *left_end == '.' ? left_end + 1 : left_end;
		right = *right_end == '.' ? right_end + 1 : right_end;
	}
	return 0;
}

static int order_of_texts(const char *left, const char *right)
{
	int64_t a, b;

	if (number_parse_i64(left, INT64_MIN, INT64_MAX, &a, NULL) == 0 &&
	    number_parse_i64(right, INT64_MIN, INT64_MAX, &b, NULL) == 0)
		return order_of(a, b);
	return strcmp(left, right);
}

/* A missing value holds in no comparison, the negative ones included: that is how AWS describes !=.
 */
static bool text_holds(const struct query_test *test, const char *value)
{
	bool found = false;

	if (!value)
		return false;
	switch (test->comparison) {
	case QUERY_IN:
	case QUERY_NOT_IN:
		for (size_t i = 0; i < test->value_count; i++)
			found = found || strcmp(test->values[i], value) == 0;
		return found == (test->comparison == QUERY_IN);
	case QUERY_MATCHES:
	case QUERY_NOT_MATCHES:
		found = query_pattern_matches(test->pattern, value);
		return found == (test->comparison == QUERY_MATCHES);
	case QUERY_EQUALS:
		return strcmp(value, test->values[0]) == 0;
	case QUERY_NOT_EQUALS:
		return strcmp(value, test->values[0]) != 0;
	default:
		return order_holds(test->comparison, order_of_texts(value, test->values[0]));
	}
}

/* `==`, `in`, `=~`: some task of the instance is in such a group. The negative ones: none is. */
static bool group_holds(const struct query_test *test, const struct scheduler_instance *instance)
{
	struct query_test positive = *test;
	bool negative = true;
	bool found = false;

	switch (test->comparison) {
	case QUERY_NOT_EQUALS:
		positive.comparison = QUERY_EQUALS;
		break;
	case QUERY_NOT_IN:
		positive.comparison = QUERY_IN;
		break;
	case QUERY_NOT_MATCHES:
		positive.comparison = QUERY_MATCHES;
		break;
	default:
		negative = false;
		break;
	}
	for (size_t i = 0; i < instance->task_count; i++)
		found = found || text_holds(&positive, instance->task_groups[i]);
	return found != negative;
}

bool query_test_holds(const struct query_test *test, const struct scheduler_instance *instance)
{
	const char *value;

	switch (test->subject) {
	case QUERY_AGENT_CONNECTED:
		return text_holds(test, instance->agent_connected ? "true" : "false");
	case QUERY_EC2_INSTANCE_ID:
		return text_holds(test, instance->ec2_instance_id);
	case QUERY_AGENT_VERSION:
		return instance->agent_version &&
		       order_holds(test->comparison,
				   order_of_versions(instance->agent_version, test->values[0]));
	case QUERY_REGISTERED_AT:
		return order_holds(test->comparison,
				   order_of(instance->registered_at_ms, test->number));
	case QUERY_RUNNING_TASKS_COUNT:
		return order_holds(test->comparison,
				   order_of(instance->running_tasks, test->number));
	case QUERY_TASK_GROUP:
		return group_holds(test, instance);
	case QUERY_ATTRIBUTE:
		value = fit_attribute(instance, test->attribute);
		if (test->comparison == QUERY_EXISTS)
			return value != NULL;
		if (test->comparison == QUERY_NOT_EXISTS)
			return value == NULL;
		return text_holds(test, value);
	}
	return false;
}
