/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_MEMBER_H
#define BERTH_CONTROL_API_MEMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Members of objects that are in shape already (shape.h): absent gives NULL, the fallback, or no
 * items. */
static inline const char *member_string(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static inline int64_t member_integer(const json_t *object, const char *name, int64_t fallback)
{
	const json_t *value = json_object_get(object, name);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static inline bool member_bool(const json_t *object, const char *name, bool fallback)
{
	const json_t *value = json_object_get(object, name);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* NULL when absent: json_array_foreach() and json_array_size() take that as empty. */
static inline json_t *member_list(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

static inline bool member_has(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

/* Sets nothing when the text is NULL. */
static inline void member_set_string(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_string(text));
}

#endif
