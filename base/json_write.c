/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing of base/json.h. jansson's own writer prints 0.1 as 0.1 but 1700000000.12 as
 * 1700000000.1199999, and does not escape as the reference does.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_member(struct strbuf *sb, const char *key, const json_t *value, bool first,
			  unsigned dump_flags)
{
	if (!first)
		strbuf_append_char(sb, ',');
	strbuf_append_json(sb, key);
	strbuf_append_char(sb, ':');
	json_append(sb, value, dump_flags);
}

static void append_object(struct strbuf *sb, const json_t *object, unsigned dump_flags)
{
	json_t *open = (json_t *)object; /* jansson's iterators want it so; nothing is changed */
	size_t count = 0;
	const char **keys;
	const char *key;
	json_t *value;

	strbuf_append_char(sb, '{');
	if (dump_flags & JSON_DUMP_SORTED) {
		keys = xcalloc(json_object_size(object), sizeof(*keys));
		json_object_foreach (open, key, value)
			keys[count++] = key;
		qsort(keys, count, sizeof(*keys), by_name);
		for (size_t i = 0; i < count; i++)
			append_member(sb, keys[i], json_object_get(object, keys[i]), i == 0,
				      dump_flags);
		free(keys);
	} else {
		json_object_foreach (open, key, value)
			append_member(sb, key, value, count++ == 0, dump_flags);
	}
	strbuf_append_char(sb, '}');
}

void json_append(struct strbuf *sb, const json_t *value, unsigned dump_flags)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		append_object(sb, value, dump_flags);
		break;
	case JSON_ARRAY:
		strbuf_append_char(sb, '[');
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (i > 0)
				strbuf_append_char(sb, ',');
			json_append(sb, json_array_get(value, i), dump_flags);
		}
		strbuf_append_char(sb, ']');
		break;
	case JSON_STRING:
		strbuf_append_json_n(sb, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		strbuf_appendf(sb, "%" PRId64, (int64_t)json_integer_value(value));
		break;
	case JSON_REAL:
		strbuf_append_json_double(sb, json_real_value(value));
		break;
	case JSON_TRUE:
		strbuf_append(sb, "true");
		break;
	case JSON_FALSE:
		strbuf_append(sb, "false");
		break;
	case JSON_NULL:
		strbuf_append(sb, "null");
		break;
	}
}

char *json_dump_compact(const json_t *value)
{
	struct strbuf sb = STRBUF_INIT;

	json_append(&sb, value, JSON_DUMP_INSERTION_ORDER);
	return strbuf_take(&sb);
}

char *json_dump_sorted(const json_t *value)
{
	struct strbuf sb = STRBUF_INIT;

	json_append(&sb, value, JSON_DUMP_SORTED);
	return strbuf_take(&sb);
}
