/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON of a known shape: objects and arrays that see to their own commas. */
#ifndef BERTH_RUNTIME_JSON_TEXT_H
#define BERTH_RUNTIME_JSON_TEXT_H

#include <inttypes.h>
#include <stdbool.h>

#include "base/strbuf.h"

static inline void json_text_comma(struct strbuf *sb)
{
	char last = sb->length ? sb->data[sb->length - 1] : '{';

	if (last != '{' && last != '[' && last != ':')
		strbuf_append_char(sb, ',');
}

static inline void json_text_key(struct strbuf *sb, const char *key)
{
	json_text_comma(sb);
	strbuf_append_json(sb, key);
	strbuf_append_char(sb, ':');
}

/* `key` NULL: an item of an array. */
static inline void json_text_open(struct strbuf *sb, const char *key, char bracket)
{
	if (key)
		json_text_key(sb, key);
	else
		json_text_comma(sb);
	strbuf_append_char(sb, bracket);
}

static inline void json_text_close(struct strbuf *sb, char bracket)
{
	strbuf_append_char(sb, bracket);
}

static inline void json_text_string(struct strbuf *sb, const char *key, const char *value)
{
	if (key)
		json_text_key(sb, key);
	else
		json_text_comma(sb);
	strbuf_append_json(sb, value);
}

static inline void json_text_number(struct strbuf *sb, const char *key, int64_t value)
{
	if (key)
		json_text_key(sb, key);
	else
		json_text_comma(sb);
	strbuf_appendf(sb, "%" PRId64, value);
}

static inline void json_text_unsigned(struct strbuf *sb, const char *key, uint64_t value)
{
	json_text_key(sb, key);
	strbuf_appendf(sb, "%" PRIu64, value);
}

static inline void json_text_bool(struct strbuf *sb, const char *key, bool value)
{
	json_text_key(sb, key);
	strbuf_append(sb, value ? "true" : "false");
}

/* A NULL-terminated list (NULL: empty). */
static inline void json_text_strings(struct strbuf *sb, const char *key, const char *const *values)
{
	json_text_open(sb, key, '[');
	for (; values && *values; values++)
		json_text_string(sb, NULL, *values);
	json_text_close(sb, ']');
}

#endif
