/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_CAPABILITIES_H
#define BERTH_AGENT_ECS_CAPABILITIES_H

#include <stddef.h>
#include <stdio.h>

#include "agent/config/config.h"
#include "base/error.h"

struct host_resources;

/* Of a container instance. */
struct ecs_attribute {
	char *name;
	char *value; /* NULL: name only */
};

struct ecs_attributes {
	struct ecs_attribute *items;
	size_t count;
};

/*
 * What this agent can do, in the words of the scheduler (requiresAttributes of a task definition).
 * Only what is true of Berth's own runtime on this configuration is named: a task that asks for
 * more is placed elsewhere, not failed here.
 */
void capabilities_list(const struct agent_config *config, const struct host_resources *host,
		       struct ecs_attributes *ret);

/* One on a line, "name<TAB>value", for people. What host_resources_read() says when it fails. */
int capabilities_print(const struct agent_config *config, FILE *out, struct error *err);

void ecs_attributes_add(struct ecs_attributes *attributes, const char *name, const char *value);
void ecs_attributes_free(struct ecs_attributes *attributes);

#endif
