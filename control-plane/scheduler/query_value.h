/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SCHEDULER_QUERY_VALUE_H
#define BERTH_CONTROL_PLANE_SCHEDULER_QUERY_VALUE_H

#include "control-plane/scheduler/scheduler.h"

/* One comparison of the cluster query language: subject, operator, values. */

enum query_subject {
	QUERY_AGENT_CONNECTED,
	QUERY_AGENT_VERSION,
	QUERY_EC2_INSTANCE_ID,
	QUERY_REGISTERED_AT,
	QUERY_RUNNING_TASKS_COUNT,
	QUERY_TASK_GROUP,
	QUERY_ATTRIBUTE,
};

enum query_operator {
	QUERY_EQUALS,
	QUERY_NOT_EQUALS,
	QUERY_GREATER,
	QUERY_AT_LEAST,
	QUERY_LESS,
	QUERY_AT_MOST,
	QUERY_EXISTS,
	QUERY_NOT_EXISTS,
	QUERY_IN,
	QUERY_NOT_IN,
	QUERY_MATCHES,
	QUERY_NOT_MATCHES,
};

struct query_pattern;

struct query_test {
	enum query_subject subject;
	char *attribute; /* QUERY_ATTRIBUTE: its name */
	enum query_operator comparison;
	char **values;
	size_t value_count;
	struct query_pattern *pattern; /* MATCHES, NOT_MATCHES */
	int64_t number;                /* REGISTERED_AT: ms; RUNNING_TASKS_COUNT */
};

/* Sets the subject from its word; false when there is no such subject. */
bool query_test_subject(struct query_test *test, const char *word);
/* Has the subject this operator? */
bool query_test_allows(const struct query_test *test);
/* Checks and prepares the values once they are all there. */
int query_test_prepare(struct query_test *test, struct error *err);
bool query_test_holds(const struct query_test *test, const struct scheduler_instance *instance);
void query_test_clear(struct query_test *test);

#endif
