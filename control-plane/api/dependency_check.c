/* SPDX-License-Identifier: Apache-2.0 */
/* What containers wait for: each other, and never in a circle. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

static int check_dependency(struct api_call *call, const json_t *definition, const char *name,
			    const json_t *dependency)
{
	static const char *const conditions[] = { "START", "COMPLETE", "SUCCESS", "HEALTHY", NULL };
	const char *target_name = member_string(dependency, "containerName");
	const char *condition = member_string(dependency, "condition");
	const json_t *target = target_name ? definition_container(definition, target_name) : NULL;

	if (!target || str_eq(target_name, name))
		return api_error(call, API_CLIENT,
				 "Container '%s' depends on container '%s', which is not another "
				 "container of the task definition.",
				 name, target_name ? target_name : "");
	if (api_check_enum(call, API_CLIENT, "dependsOn.condition", condition, conditions) < 0)
		return -EINVAL;
	if ((str_eq(condition, "SUCCESS") || str_eq(condition, "COMPLETE")) &&
	    container_is_essential(target))
		return api_error(call, API_CLIENT,
				 "A dependency container with SUCCESS or COMPLETE condition cannot "
				 "be an essential container");
	if (str_eq(condition, "HEALTHY") && !member_has(target, "healthCheck"))
		return api_error(call, API_CLIENT,
				 "Container '%s' waits until container '%s' is HEALTHY, but that "
				 "one has no health check.",
				 name, target_name);
	return 0;
}

enum mark { UNSEEN, ON_PATH, DONE };

struct walk {
	const json_t *containers;
	enum mark marks[TASK_DEFINITION_CONTAINERS_MAX];
	size_t path[TASK_DEFINITION_CONTAINERS_MAX];
	size_t depth;
};

static size_t index_of(const struct walk *walk, const char *name)
{
	size_t i;
	json_t *container;

	json_array_foreach (walk->containers, i, container)
		if (str_eq(member_string(container, "name"), name))
			break;
	return i;
}

static bool visit(struct walk *walk, size_t index);

/* True when the way leads back to a container on it: walk->path then ends with that one. */
static bool follow(struct walk *walk, const char *name)
{
	size_t next = index_of(walk, name);

	if (next >= json_array_size(walk->containers) || walk->marks[next] == DONE)
		return false;
	if (walk->marks[next] == ON_PATH)
		return true;
	return visit(walk, next);
}

static bool visit(struct walk *walk, size_t index)
{
	const json_t *container = json_array_get(walk->containers, index);
	size_t i;
	json_t *item;

	walk->marks[index] = ON_PATH;
	walk->path[walk->depth++] = index;
	json_array_foreach (member_list(container, "dependsOn"), i, item)
		if (follow(walk, member_string(item, "containerName")))
			return true;
	json_array_foreach (member_list(container, "volumesFrom"), i, item)
		if (follow(walk, member_string(item, "sourceContainer")))
			return true;
	json_array_foreach (member_list(container, "links"), i, item) {
		const char *link = json_string_value(item);
		_cleanup_free_ char *target = xstrndup(link, strcspn(link, ":"));

		if (follow(walk, target))
			return true;
	}
	walk->depth--;
	walk->marks[index] = DONE;
	return false;
}

static int check_circles(struct api_call *call, const json_t *definition)
{
	struct walk walk = { .containers = member_list(definition, "containerDefinitions") };
	_cleanup_strbuf_ struct strbuf names = STRBUF_INIT;

	for (size_t i = 0; i < json_array_size(walk.containers); i++) {
		if (walk.marks[i] != UNSEEN || !visit(&walk, i))
			continue;
		for (size_t step = 0; step < walk.depth; step++)
			strbuf_appendf(
				&names, "%s%s", step > 0 ? ", " : "",
				member_string(json_array_get(walk.containers, walk.path[step]),
					      "name"));
		return api_error(call, API_CLIENT, "Circular dependency between containers: %s.",
				 strbuf_text(&names));
	}
	return 0;
}

int dependencies_check(struct api_call *call, const json_t *definition)
{
	size_t i, j;
	json_t *container, *dependency;

	json_array_foreach (member_list(definition, "containerDefinitions"), i, container) {
		json_array_foreach (member_list(container, "dependsOn"), j, dependency) {
			if (check_dependency(call, definition, member_string(container, "name"),
					     dependency) < 0)
				return -EINVAL;
		}
	}
	return check_circles(call, definition);
}
