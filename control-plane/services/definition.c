/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/definition.h"

#include "base/str.h"
#include "control-plane/services/size.h"

const json_t *definition_containers(const json_t *definition)
{
	return json_object_get(definition, "containerDefinitions");
}

const char *definition_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int64_t definition_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool definition_has(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return value && !json_is_null(value);
}

const char *definition_mode(const json_t *definition)
{
	const char *mode = definition_text(definition, "networkMode");

	return str_is_empty(mode) ? "bridge" : mode;
}

const json_t *definition_override(const json_t *overrides, const char *container)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(overrides, "containerOverrides"), i, item)
		if (str_eq(definition_text(item, "name"), container))
			return item;
	return NULL;
}

bool definition_container_number(const json_t *container, const json_t *override, const char *name,
				 int64_t *ret)
{
	const json_t *value = json_object_get(override, name);

	if (!json_is_integer(value))
		value = json_object_get(container, name);
	if (!json_is_integer(value))
		return false;
	*ret = json_integer_value(value);
	return true;
}

bool definition_task_cpu(const json_t *definition, const json_t *overrides, int64_t *ret_units)
{
	const char *text = definition_text(overrides, "cpu");

	if (str_is_empty(text))
		text = definition_text(definition, "cpu");
	return text && size_parse_cpu(text, ret_units) == 0;
}

bool definition_task_memory(const json_t *definition, const json_t *overrides, int64_t *ret_mib)
{
	const char *text = definition_text(overrides, "memory");

	if (str_is_empty(text))
		text = definition_text(definition, "memory");
	return text && size_parse_memory(text, ret_mib) == 0;
}
