/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster query language: memberOf of a task definition, the filter of a list. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "control-plane/scheduler/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scheduler_attribute attributes[] = {
	{ "stack", "prod" },
	{ "ecs.instance-type", "t2.micro" },
	{ "bare", NULL },
	{ "long",
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab" },
};
static const char *const groups[] = { "family:web", "service:db" };

static const struct scheduler_instance instances[] = {
	{ .arn = "i1",
	  .ec2_instance_id = "i-0abc",
	  .agent_version = "1.105.1",
	  .registered_at_ms = 1700000000000,
	  .active = true,
	  .agent_connected = true,
	  .attributes = attributes,
	  .attribute_count = sizeof(attributes) / sizeof(attributes[0]),
	  .task_groups = groups,
	  .task_count = 2,
	  .running_tasks = 2 },
	{ .arn = "i2" },
};

/* The opposite of what is taken is taken too, unless it is too long or too deep, and holds where
 * the other does not. */
static void check_opposite(const char *text, const struct query *query)
{
	_cleanup_free_ char *opposite = xasprintf("not (%s)", text);
	struct query *negated;

	if (query_parse(opposite, &negated, NULL) < 0)
		return;
	for (size_t i = 0; i < sizeof(instances) / sizeof(instances[0]); i++)
		if (query_matches(query, &instances[i]) == query_matches(negated, &instances[i]))
			abort();
	query_free(negated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	struct error err = ERROR_INIT;
	struct query *query;

	if (query_parse(text, &query, &err) < 0) {
		if (err.code == 0 || err.text[0] == '\0')
			abort();
		return 0;
	}
	check_opposite(text, query);
	query_free(query);
	return 0;
}
