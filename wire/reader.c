/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"

#include <errno.h>
#include <float.h>

#define READ_FLAGS (JSON_ANY_CASE | JSON_NULLABLE)

static int as_bad_message(int result, struct error *err)
{
	if (result == 0)
		return 0;
	if (err)
		err->code = EBADMSG;
	return -EBADMSG;
}

int read_text(const struct json_at *object, const char *name, struct arena *arena, const char **ret,
	      struct error *err)
{
	const char *text = NULL;
	int result = as_bad_message(json_get_string(object, name, READ_FLAGS, &text, err), err);

	if (result == 0 && text && text[0])
		*ret = arena_strdup(arena, text);
	return result;
}

int read_i64(const struct json_at *object, const char *name, int64_t min, int64_t max, int64_t *ret,
	     struct error *err)
{
	return as_bad_message(json_get_i64(object, name, READ_FLAGS, min, max, ret, err), err);
}

int read_double(const struct json_at *object, const char *name, double *ret, struct error *err)
{
	return as_bad_message(
		json_get_double(object, name, READ_FLAGS, -DBL_MAX, DBL_MAX, ret, err), err);
}

int read_bool(const struct json_at *object, const char *name, bool *ret, struct error *err)
{
	return as_bad_message(json_get_bool(object, name, READ_FLAGS, ret, err), err);
}

int read_object(const struct json_at *object, const char *name, struct json_at *ret,
		struct error *err)
{
	return as_bad_message(json_get_object(object, name, READ_FLAGS, ret, err), err);
}

int read_list(const struct json_at *object, const char *name, size_t max, struct json_at *ret,
	      struct error *err)
{
	return as_bad_message(json_get_array(object, name, READ_FLAGS, max, ret, err), err);
}

static int texts_of(const struct json_at *list, struct arena *arena, struct text_list *ret,
		    struct error *err)
{
	size_t count = json_count(list);
	const char **items = arena_calloc(arena, count, sizeof(*items));

	for (size_t i = 0; i < count; i++) {
		struct json_at item = json_item(list, i);
		const char *text = "";

		if (json_present(&item) && json_as_string(&item, &text, err) < 0)
			return as_bad_message(-EBADMSG, err);
		items[i] = arena_strdup(arena, text);
	}
	ret->items = items;
	ret->count = count;
	return 0;
}

int read_texts(const struct json_at *object, const char *name, struct arena *arena,
	       struct text_list *ret, bool *ret_given, struct error *err)
{
	struct json_at list = { .value = NULL };
	int result = read_list(object, name, READ_LIST_LIMIT, &list, err);

	if (result < 0)
		return result;
	if (ret_given)
		*ret_given = json_present(&list);
	if (!json_present(&list))
		return 0;
	return texts_of(&list, arena, ret, err);
}

int read_text_or_texts(const struct json_at *object, const char *name, struct arena *arena,
		       struct text_list *ret, bool *ret_given, struct error *err)
{
	struct json_at member = json_member(object, name, JSON_ANY_CASE);

	if (json_is_string(member.value)) {
		const char **items = arena_calloc(arena, 1, sizeof(*items));

		items[0] = arena_strdup(arena, json_string_value(member.value));
		*ret = (struct text_list){ .items = items, .count = 1 };
		if (ret_given)
			*ret_given = true;
		return 0;
	}
	return read_texts(object, name, arena, ret, ret_given, err);
}

int read_map(const struct json_at *object, const char *name, struct arena *arena,
	     struct text_map *ret, struct error *err)
{
	struct json_at map = { .value = NULL };
	struct text_pair *items;
	const char *key;
	json_t *value;
	size_t count = 0;
	int result = read_object(object, name, &map, err);

	if (result < 0)
		return result;
	if (!json_present(&map))
		return 0;
	if (json_object_size(map.value) > READ_LIST_LIMIT)
		return as_bad_message(json_fail(&map, err, "has %zu members, at most %d are taken",
						json_object_size(map.value), READ_LIST_LIMIT),
				      err);
	items = arena_calloc(arena, json_object_size(map.value), sizeof(*items));
	json_object_foreach (map.value, key, value) {
		struct json_at item = { .value = value, .parent = &map, .key = key };
		const char *text = "";

		if (json_present(&item) && json_as_string(&item, &text, err) < 0)
			return as_bad_message(-EBADMSG, err);
		items[count].name = arena_strdup(arena, key);
		items[count].value = arena_strdup(arena, text);
		count++;
	}
	ret->items = items;
	ret->count = count;
	return 0;
}

int read_is_object(const struct json_at *item, struct error *err)
{
	return as_bad_message(json_expect_object(item, err), err);
}

int read_pairs(const struct json_at *object, const char *name, const char *key, size_t max,
	       struct arena *arena, struct text_map *ret, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct text_pair *items;
	int result = read_list(object, name, max, &list, err);

	if (result < 0)
		return result;
	items = arena_calloc(arena, json_count(&list), sizeof(*items));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		items[i] = (struct text_pair){ .name = "", .value = "" };
		result = read_is_object(&item, err);
		if (result == 0)
			result = read_text(&item, key, arena, &items[i].name, err);
		if (result == 0)
			result = read_text(&item, "value", arena, &items[i].value, err);
		if (result < 0)
			return result;
	}
	*ret = (struct text_map){ .items = items, .count = json_count(&list) };
	return 0;
}
