/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What RunTask and StartTask may change of a task definition. The changes are laid over a copy of
 * it, and the copy must be as good as a definition that is registered.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"
#include "control-plane/api/tasks.h"

#define OVERRIDES_MAX 8192 /* characters */

static const struct api_member name_value_members[] = {
	{ "name", API_STRING, NULL },
	{ "value", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member file_members[] = {
	{ "value", API_STRING, NULL },
	{ "type", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member resource_members[] = {
	{ "value", API_STRING, NULL },
	{ "type", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member container_override_members[] = {
	{ "name", API_STRING, NULL },
	{ "command", API_STRINGS, NULL },
	{ "environment", API_STRUCTS, name_value_members },
	{ "environmentFiles", API_STRUCTS, file_members },
	{ "cpu", API_INTEGER, NULL },
	{ "memory", API_INTEGER, NULL },
	{ "memoryReservation", API_INTEGER, NULL },
	{ "resourceRequirements", API_STRUCTS, resource_members },
	{ NULL, 0, NULL },
};

static const struct api_member accelerator_members[] = {
	{ "deviceName", API_STRING, NULL },
	{ "deviceType", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member storage_members[] = {
	{ "sizeInGiB", API_INTEGER, NULL },
	{ NULL, 0, NULL },
};

const struct api_member api_task_overrides_members[] = {
	{ "containerOverrides", API_STRUCTS, container_override_members },
	{ "cpu", API_STRING, NULL },
	{ "memory", API_STRING, NULL },
	{ "taskRoleArn", API_STRING, NULL },
	{ "executionRoleArn", API_STRING, NULL },
	{ "inferenceAcceleratorOverrides", API_STRUCTS, accelerator_members },
	{ "ephemeralStorage", API_STRUCT, storage_members },
	{ NULL, 0, NULL },
};

/* The checks of a definition are those of RegisterTaskDefinition, whose errors have another type.
 */
static int as_run_error(struct api_call *call, int r)
{
	if (r < 0 && str_eq(call->error_type, API_CLIENT))
		call->error_type = API_INVALID;
	return r;
}

static int check_size(struct api_call *call, const json_t *overrides)
{
	_cleanup_free_ char *text = json_dump_compact(overrides);

	if (strlen(text) > OVERRIDES_MAX)
		return api_error(call, API_INVALID, "Overrides can have at most %d characters.",
				 OVERRIDES_MAX);
	return 0;
}

static int check_names(struct api_call *call, const json_t *definition, const json_t *overrides)
{
	const json_t *list = member_list(overrides, "containerOverrides");
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *name = member_string(item, "name");

		if (str_is_empty(name))
			return api_error(call, API_INVALID, "Container Name can not be blank.");
		if (!definition_container(definition, name))
			return api_error(call, API_INVALID,
					 "Override for container named %s is not a container in "
					 "the TaskDefinition.",
					 name);
		for (size_t before = 0; before < i; before++)
			if (str_eq(member_string(json_array_get(list, before), "name"), name))
				return api_error(call, API_INVALID,
						 "Container named %s has more than one override.",
						 name);
	}
	return 0;
}

/* What would be promised and not kept. */
static int check_unsupported(struct api_call *call, const json_t *definition,
			     const json_t *overrides)
{
	if (member_has(overrides, "ephemeralStorage") &&
	    !str_eq(api_input_string(call, "launchType"), "FARGATE"))
		return api_error(call, API_INVALID,
				 "The ephemeralStorage override is only supported for tasks that "
				 "run on Fargate.");
	if (json_array_size(member_list(definition, "inferenceAccelerators")) > 0 ||
	    json_array_size(member_list(overrides, "inferenceAcceleratorOverrides")) > 0)
		return api_error(call, "UnsupportedFeatureException",
				 "This control plane has no inference accelerators: a task cannot "
				 "ask for one.");
	return 0;
}

static void set_member(json_t *object, const json_t *from, const char *name)
{
	json_t *value = json_object_get(from, name);

	/* "" stands for nothing, as for a member that is not there. */
	if (value && !(json_is_string(value) && json_string_length(value) == 0))
		json_object_set(object, name, value);
}

/* Behind what is there: a name that comes twice is as good as one to the checks. */
static void add_environment(json_t *container, const json_t *override)
{
	if (!member_has(container, "environment"))
		json_object_set_new(container, "environment", json_array());
	json_array_extend(member_list(container, "environment"),
			  member_list(override, "environment"));
}

json_t *overrides_apply(const json_t *definition, const json_t *overrides)
{
	static const char *const of_task[] = { "cpu", "memory", "taskRoleArn", "executionRoleArn" };
	static const char *const of_container[] = {
		"command",         "cpu", "memory", "memoryReservation", "resourceRequirements",
		"environmentFiles"
	};
	json_t *copy = json_deep_copy(definition);
	const json_t *item;
	size_t i;

	for (size_t k = 0; k < sizeof(of_task) / sizeof(of_task[0]); k++)
		set_member(copy, overrides, of_task[k]);
	json_array_foreach (member_list(overrides, "containerOverrides"), i, item) {
		json_t *container = definition_container(copy, member_string(item, "name"));

		for (size_t k = 0; k < sizeof(of_container) / sizeof(of_container[0]); k++)
			set_member(container, item, of_container[k]);
		add_environment(container, item);
	}
	return copy;
}

/* Sizes, roles, and of each container what an override can spoil. */
static int check_result(struct api_call *call, json_t *result)
{
	const json_t *container;
	size_t i;

	if (sizes_check(call, result) < 0 || roles_check(call, result) < 0)
		return -EINVAL;
	json_array_foreach (member_list(result, "containerDefinitions"), i, container)
		if (container_environment_check(call, container) < 0 ||
		    container_secrets_check(call, result, container) < 0 ||
		    container_resources_check(call, result, container) < 0)
			return -EINVAL;
	return container_sizes_check(call, result);
}

int overrides_check(struct api_call *call, const json_t *definition, const json_t *overrides)
{
	_cleanup_json_ json_t *result = NULL;

	if (check_unsupported(call, definition, overrides) < 0)
		return -EINVAL;
	if (!overrides)
		return 0;
	if (check_size(call, overrides) < 0 || check_names(call, definition, overrides) < 0)
		return -EINVAL;
	result = overrides_apply(definition, overrides);
	return as_run_error(call, check_result(call, result));
}
