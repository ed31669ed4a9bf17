/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_READER_H
#define BERTH_WIRE_READER_H

#include "base/arena.h"
#include "base/json.h"
#include "wire/text.h"

/*
 * Reading members as the protocol takes them: names in any case, null as absent, results in an
 * arena.
 *
 * All return 0, or -EBADMSG with an error that names the member when it has the wrong JSON type or
 * is outside what its type can hold. An absent member leaves *ret as it was.
 */

/* Items of a list, entries of a map: more are refused. */
#define READ_LIST_LIMIT 10000

/* "" is as good as absent. */
int read_text(const struct json_at *object, const char *name, struct arena *arena, const char **ret,
	      struct error *err);
int read_i64(const struct json_at *object, const char *name, int64_t min, int64_t max, int64_t *ret,
	     struct error *err);
int read_double(const struct json_at *object, const char *name, double *ret, struct error *err);
int read_bool(const struct json_at *object, const char *name, bool *ret, struct error *err);
/* ret->value is NULL when absent. */
int read_object(const struct json_at *object, const char *name, struct json_at *ret,
		struct error *err);
int read_list(const struct json_at *object, const char *name, size_t max, struct json_at *ret,
	      struct error *err);
/* *ret_given (may be NULL): whether the member is there, even if empty. A null item is "". */
int read_texts(const struct json_at *object, const char *name, struct arena *arena,
	       struct text_list *ret, bool *ret_given, struct error *err);
/* As read_texts(), and a text alone is a list of one. */
int read_text_or_texts(const struct json_at *object, const char *name, struct arena *arena,
		       struct text_list *ret, bool *ret_given, struct error *err);
/* A null value is "". */
int read_map(const struct json_at *object, const char *name, struct arena *arena,
	     struct text_map *ret, struct error *err);
/* A list of objects {<key>: text, "value": text}; an absent text is "". */
int read_pairs(const struct json_at *object, const char *name, const char *key, size_t max,
	       struct arena *arena, struct text_map *ret, struct error *err);
/* -EBADMSG unless the item is an object. */
int read_is_object(const struct json_at *item, struct error *err);

#endif
