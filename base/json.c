/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define DEFAULT_SIZE  (1024 * 1024UL)
#define DEFAULT_DEPTH 64

/* Deepest nesting of brackets outside strings, looked at before the recursive parser sees the text.
 */
static unsigned nesting(const char *text, size_t size)
{
	unsigned depth = 0, deepest = 0;
	bool in_string = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > deepest)
				deepest = depth;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}

int json_parse(const char *text, size_t size, const struct json_limits *limits, json_t **ret,
	       struct error *err)
{
	size_t max_size = limits && limits->size ? limits->size : DEFAULT_SIZE;
	unsigned max_depth = limits && limits->depth ? limits->depth : DEFAULT_DEPTH;
	json_error_t problem;
	json_t *value;

	if (size > max_size)
		return error_say(err, EFBIG, "JSON of %zu bytes: at most %zu are taken", size,
				 max_size);
	if (nesting(text, size) > max_depth)
		return error_say(err, EFBIG, "JSON nested deeper than %u", max_depth);
	value = json_loadb(text, size, JSON_DECODE_ANY, &problem);
	if (!value)
		return error_say(err, EINVAL, "not valid JSON at line %d, column %d: %s",
				 problem.line, problem.column, problem.text);
	*ret = value;
	return 0;
}

struct json_at json_root(json_t *value)
{
	return (struct json_at){ .value = value };
}

static void append_path(struct strbuf *sb, const struct json_at *at)
{
	if (!at->parent)
		return;
	append_path(sb, at->parent);
	if (at->key)
		strbuf_appendf(sb, "%s%.128s", sb->length ? "." : "", at->key);
	else
		strbuf_appendf(sb, "[%zu]", at->index);
}

char *json_path(const struct json_at *at)
{
	struct strbuf sb = STRBUF_INIT;

	append_path(&sb, at);
	return strbuf_take(&sb);
}

int json_fail(const struct json_at *at, struct error *err, const char *format, ...)
{
	char *path;
	va_list args;

	if (!err)
		return -EINVAL;
	va_start(args, format);
	error_vsay(err, EINVAL, format, args);
	va_end(args);
	path = json_path(at);
	if (*path)
		error_prefix(err, "%s", path);
	free(path);
	return -EINVAL;
}

static const char *type_name(const json_t *value)
{
	if (!value)
		return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

static int wrong_type(const struct json_at *at, const char *wanted, struct error *err)
{
	int result = json_fail(at, err, "must be %s, got %s", wanted, type_name(at->value));

	assert(result < 0);
	return result;
}

int json_expect_object(const struct json_at *at, struct error *err)
{
	return json_is_object(at->value) ? 0 : wrong_type(at, "an object", err);
}

size_t json_count(const struct json_at *array)
{
	return json_array_size(array->value);
}

struct json_at json_item(const struct json_at *array, size_t index)
{
	return (struct json_at){
		.value = json_array_get(array->value, index),
		.parent = array,
		.index = index,
	};
}

struct json_at json_member(const struct json_at *object, const char *name, unsigned flags)
{
	struct json_at at = {
		.value = json_object_get(object->value, name),
		.parent = object,
		.key = name,
	};
	const char *key;
	json_t *value;

	if (at.value || !(flags & JSON_ANY_CASE))
		return at;
	json_object_foreach (object->value, key, value) {
		if (str_eq_nocase(key, name))
			at.value = value;
	}
	return at;
}

/* 1: the member is there; 0: absent and that is allowed; < 0. */
static int find(const struct json_at *object, const char *name, unsigned flags, struct json_at *ret,
		struct error *err)
{
	*ret = json_member(object, name, flags);
	if (ret->value && !(json_is_null(ret->value) && (flags & JSON_NULLABLE)))
		return 1;
	if (!ret->value && (flags & JSON_REQUIRED)) {
		if (object->value && !json_is_object(object->value))
			return wrong_type(object, "an object", err);
		return json_fail(ret, err, "is missing");
	}
	return 0;
}

int json_as_string(const struct json_at *at, const char **ret, struct error *err)
{
	if (!json_is_string(at->value))
		return wrong_type(at, "a string", err);
	*ret = json_string_value(at->value);
	return 0;
}

int json_as_i64(const struct json_at *at, int64_t min, int64_t max, int64_t *ret, struct error *err)
{
	int64_t value;

	if (json_is_real(at->value))
		return json_fail(at, err, "must be a whole number, got %g",
				 json_real_value(at->value));
	if (!json_is_integer(at->value))
		return wrong_type(at, "a number", err);
	value = json_integer_value(at->value);
	if (value < min || value > max)
		return json_fail(at, err,
				 "must be between %" PRId64 " and %" PRId64 ", got %" PRId64, min,
				 max, value);
	*ret = value;
	return 0;
}

int json_as_double(const struct json_at *at, double min, double max, double *ret, struct error *err)
{
	double value;

	if (!json_is_number(at->value))
		return wrong_type(at, "a number", err);
	value = json_number_value(at->value);
	if (!(value >= min && value <= max))
		return json_fail(at, err, "must be between %g and %g, got %g", min, max, value);
	*ret = value;
	return 0;
}

int json_as_bool(const struct json_at *at, bool *ret, struct error *err)
{
	if (!json_is_boolean(at->value))
		return wrong_type(at, "a boolean", err);
	*ret = json_is_true(at->value);
	return 0;
}

int json_get_string(const struct json_at *object, const char *name, unsigned flags,
		    const char **ret, struct error *err)
{
	struct json_at at;
	const char *text = NULL;
	int result = find(object, name, flags, &at, err);

	if (result <= 0)
		return result;
	result = json_as_string(&at, &text, err);
	if (result < 0)
		return result;
	if ((flags & JSON_NOT_EMPTY) && !*text)
		return json_fail(&at, err, "must not be empty");
	*ret = text;
	return 0;
}

int json_get_i64(const struct json_at *object, const char *name, unsigned flags, int64_t min,
		 int64_t max, int64_t *ret, struct error *err)
{
	struct json_at at;
	int result = find(object, name, flags, &at, err);

	return result <= 0 ? result : json_as_i64(&at, min, max, ret, err);
}

int json_get_double(const struct json_at *object, const char *name, unsigned flags, double min,
		    double max, double *ret, struct error *err)
{
	struct json_at at;
	int result = find(object, name, flags, &at, err);

	return result <= 0 ? result : json_as_double(&at, min, max, ret, err);
}

int json_get_bool(const struct json_at *object, const char *name, unsigned flags, bool *ret,
		  struct error *err)
{
	struct json_at at;
	int result = find(object, name, flags, &at, err);

	return result <= 0 ? result : json_as_bool(&at, ret, err);
}

int json_get_object(const struct json_at *object, const char *name, unsigned flags,
		    struct json_at *ret, struct error *err)
{
	struct json_at at;
	int result = find(object, name, flags, &at, err);

	if (result < 0)
		return result;
	if (result == 0) {
		at.value = NULL;
	} else if (!json_is_object(at.value)) {
		return wrong_type(&at, "an object", err);
	} else if ((flags & JSON_NOT_EMPTY) && json_object_size(at.value) == 0) {
		return json_fail(&at, err, "must not be empty");
	}
	*ret = at;
	return 0;
}

int json_get_array(const struct json_at *object, const char *name, unsigned flags, size_t max,
		   struct json_at *ret, struct error *err)
{
	struct json_at at;
	int result = find(object, name, flags, &at, err);

	if (result < 0)
		return result;
	if (result == 0) {
		at.value = NULL;
		*ret = at;
		return 0;
	}
	if (!json_is_array(at.value))
		return wrong_type(&at, "an array", err);
	if (json_array_size(at.value) > max)
		return json_fail(&at, err, "has %zu items, at most %zu are taken",
				 json_array_size(at.value), max);
	if ((flags & JSON_NOT_EMPTY) && json_array_size(at.value) == 0)
		return json_fail(&at, err, "must not be empty");
	*ret = at;
	return 0;
}

int json_get_string_list(const struct json_at *object, const char *name, unsigned flags, size_t max,
			 struct str_list *ret, struct error *err)
{
	struct json_at array = { .value = NULL };
	int result = json_get_array(object, name, flags, max, &array, err);

	if (result < 0)
		return result;
	for (size_t i = 0; i < json_count(&array); i++) {
		struct json_at item = json_item(&array, i);

		if (!json_is_string(item.value))
			return wrong_type(&item, "a string", err);
	}
	for (size_t i = 0; i < json_count(&array); i++)
		str_list_add(ret, json_string_value(json_array_get(array.value, i)));
	return 0;
}

int json_get_string_map(const struct json_at *object, const char *name, unsigned flags, size_t max,
			int (*each)(void *data, const char *key, const char *value), void *data,
			struct error *err)
{
	struct json_at map = { .value = NULL };
	const char *key;
	json_t *value;
	int result = json_get_object(object, name, flags, &map, err);

	if (result < 0)
		return result;
	if (json_object_size(map.value) > max)
		return json_fail(&map, err, "has %zu members, at most %zu are taken",
				 json_object_size(map.value), max);
	json_object_foreach (map.value, key, value) {
		struct json_at at = { .value = value, .parent = &map, .key = key };

		if (!json_is_string(value))
			return wrong_type(&at, "a string", err);
	}
	json_object_foreach (map.value, key, value) {
		result = each(data, key, json_string_value(value));
		if (result != 0)
			return result;
	}
	return 0;
}
