/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/api/shape.h"

#include <errno.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

static int shape_object(const struct api_member *members, const struct json_at *at,
			json_t **ret_object, struct error *err);

static int shape_number(enum api_type type, const struct json_at *at, json_t **ret,
			struct error *err)
{
	int64_t integer = 0;
	double real = 0;
	int r;

	switch (type) {
	case API_INTEGER:
		r = json_as_i64(at, INT32_MIN, INT32_MAX, &integer, err);
		if (r == 0)
			*ret = json_integer(integer);
		return r;
	case API_LONG:
		r = json_as_i64(at, INT64_MIN, INT64_MAX, &integer, err);
		if (r == 0)
			*ret = json_integer(integer);
		return r;
	default:
		r = json_as_double(at, -1e300, 1e300, &real, err);
		if (r == 0)
			*ret = json_real(real);
		return r;
	}
}

/* Epoch seconds; an ISO 8601 string becomes them. */
static int shape_time(const struct json_at *at, json_t **ret, struct error *err)
{
	int64_t wall_ms;

	if (!json_is_string(at->value))
		return shape_number(API_DOUBLE, at, ret, err);
	if (parse_iso8601(json_string_value(at->value), &wall_ms, NULL) < 0)
		return json_fail(at, err,
				 "must be a time: seconds since 1970, or 2006-01-02T15:04:05Z");
	*ret = json_real((double)wall_ms / 1000.0);
	return 0;
}

static int shape_item(enum api_type type, const struct api_member *members,
		      const struct json_at *at, json_t **ret, struct error *err)
{
	const char *text = NULL;
	bool boolean = false;
	int r;

	switch (type) {
	case API_STRING:
		r = json_as_string(at, &text, err);
		if (r == 0)
			*ret = json_incref(at->value);
		return r;
	case API_BOOLEAN:
		r = json_as_bool(at, &boolean, err);
		if (r == 0)
			*ret = json_boolean(boolean);
		return r;
	case API_TIMESTAMP:
		return shape_time(at, ret, err);
	case API_STRUCT:
		return shape_object(members, at, ret, err);
	default:
		return shape_number(type, at, ret, err);
	}
}

static int shape_list(enum api_type type, const struct api_member *members,
		      const struct json_at *at, json_t **ret_list, struct error *err)
{
	_cleanup_json_ json_t *list = json_array();

	if (!json_is_array(at->value))
		return json_fail(at, err, "must be a list");
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct json_at item = json_item(at, i);
		json_t *value = NULL;
		int r;

		r = shape_item(type, members, &item, &value, err);
		if (r < 0)
			return r;
		json_array_append_new(list, value);
	}
	*ret_list = TAKE(list);
	return 0;
}

static int shape_string_map(const struct json_at *at, json_t **ret_map, struct error *err)
{
	_cleanup_json_ json_t *map = json_object();
	const char *key;
	json_t *value;

	if (!json_is_object(at->value))
		return json_fail(at, err, "must be an object");
	json_object_foreach (at->value, key, value) {
		struct json_at item = json_member(at, key, 0);

		if (json_is_null(value))
			continue;
		if (!json_is_string(value))
			return json_fail(&item, err, "must be a string");
		json_object_set(map, key, value);
	}
	*ret_map = TAKE(map);
	return 0;
}

static int shape_member(const struct api_member *member, const struct json_at *at, json_t **ret,
			struct error *err)
{
	switch (member->type) {
	case API_ANY:
		*ret = json_incref(at->value);
		return 0;
	case API_STRINGS:
		return shape_list(API_STRING, NULL, at, ret, err);
	case API_INTEGERS:
		return shape_list(API_INTEGER, NULL, at, ret, err);
	case API_STRUCTS:
		return shape_list(API_STRUCT, member->members, at, ret, err);
	case API_STRING_MAP:
		return shape_string_map(at, ret, err);
	default:
		return shape_item(member->type, member->members, at, ret, err);
	}
}

static int shape_object(const struct api_member *members, const struct json_at *at,
			json_t **ret_object, struct error *err)
{
	_cleanup_json_ json_t *object = json_object();
	int r;

	r = json_expect_object(at, err);
	if (r < 0)
		return r;
	for (const struct api_member *member = members; member->name; member++) {
		struct json_at child = json_member(at, member->name, 0);
		json_t *value = NULL;

		if (!json_present(&child))
			continue;
		r = shape_member(member, &child, &value, err);
		if (r < 0)
			return r;
		json_object_set_new(object, member->name, value);
	}
	*ret_object = TAKE(object);
	return 0;
}

int api_shape(const struct api_member *members, json_t *input, json_t **ret_object,
	      struct error *err)
{
	struct json_at root = json_root(input);

	return shape_object(members, &root, ret_object, err);
}
