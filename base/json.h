/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON that comes from outside, with errors that name the field:
 *
 *	containers[2].name: must be a string, got a number
 *
 *	struct json_at root = json_root(value), containers;
 *	json_get_array(&root, "containers", JSON_REQUIRED, 100, &containers, err);
 *	for (size_t i = 0; i < json_count(&containers); i++) {
 *		struct json_at container = json_item(&containers, i);
 *		json_get_string(&container, "name", JSON_REQUIRED, &name, err);
 *	}
 *
 * A json_at borrows its parent (keep it on the same stack) and the jansson value. All getters
 *return 0 or -EINVAL and say why in err. An absent optional member is no error and leaves *ret as
 *it was, so preset it; for objects and arrays ret->value is then NULL (json_present() tells).
 */
#ifndef BERTH_BASE_JSON_H
#define BERTH_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/str.h"
#include "base/strbuf.h"

struct json_at {
	json_t *value;                /* borrowed; NULL: absent */
	const struct json_at *parent; /* NULL: the root */
	const char *key;              /* member of the parent; NULL: item `index` of it */
	size_t index;
};

struct json_limits {
	size_t size;    /* bytes of text; 0: 1 MiB */
	unsigned depth; /* nesting; 0: 64 */
};

enum json_flags {
	JSON_OPTIONAL = 0,
	JSON_REQUIRED = 1 << 0, /* absent is an error */
	JSON_NULLABLE = 1 << 1, /* null is taken as absent; without it null is an error of type */
	JSON_ANY_CASE =
		1 << 2, /* the member's name matches in any case; the exact one goes first */
	JSON_NOT_EMPTY = 1 << 3, /* strings, arrays, objects: "" / [] / {} is an error */
};

/*
 * One JSON value of any type and nothing after it. `limits` NULL: the defaults. The caller owns
 * *ret (json_decref, or _cleanup_json_). -EINVAL with line and column, -EFBIG too long or too deep.
 * Strings with \u0000, and text that is not UTF-8, are refused. Of members named twice the last one
 * counts.
 */
int json_parse(const char *text, size_t size, const struct json_limits *limits, json_t **ret,
	       struct error *err);

struct json_at json_root(json_t *value);
static inline bool json_present(const struct json_at *at)
{
	return at->value && !json_is_null(at->value);
}
/* -EINVAL unless it is an object ("must be an object, got a string"): for roots and items. */
int json_expect_object(const struct json_at *at, struct error *err);
/* Items of an array, 0 when absent. */
size_t json_count(const struct json_at *array);
struct json_at json_item(const struct json_at *array, size_t index);
/* The member, value NULL when there is none; never fails. `flags`: JSON_ANY_CASE. */
struct json_at json_member(const struct json_at *object, const char *name, unsigned flags);

/* *ret borrows from the value. */
int json_get_string(const struct json_at *object, const char *name, unsigned flags,
		    const char **ret, struct error *err);
/* Whole numbers only: 1.0 and 1e3 are refused, as the reference does. */
int json_get_i64(const struct json_at *object, const char *name, unsigned flags, int64_t min,
		 int64_t max, int64_t *ret, struct error *err);
/* Whole numbers and others. */
int json_get_double(const struct json_at *object, const char *name, unsigned flags, double min,
		    double max, double *ret, struct error *err);
int json_get_bool(const struct json_at *object, const char *name, unsigned flags, bool *ret,
		  struct error *err);
int json_get_object(const struct json_at *object, const char *name, unsigned flags,
		    struct json_at *ret, struct error *err);
/* -EINVAL over `max` items. */
int json_get_array(const struct json_at *object, const char *name, unsigned flags, size_t max,
		   struct json_at *ret, struct error *err);
/* Appends copies; -EINVAL when an item is no string, or over `max` items. On failure *ret is as it
 * was. */
int json_get_string_list(const struct json_at *object, const char *name, unsigned flags, size_t max,
			 struct str_list *ret, struct error *err);

/* The same readers for an item of an array (or the root) itself. */
int json_as_string(const struct json_at *at, const char **ret, struct error *err);
int json_as_i64(const struct json_at *at, int64_t min, int64_t max, int64_t *ret,
		struct error *err);
int json_as_double(const struct json_at *at, double min, double max, double *ret,
		   struct error *err);
int json_as_bool(const struct json_at *at, bool *ret, struct error *err);

/*
 * A map of strings: calls each(data, key, value) in the document's order; a non-zero return ends it
 * and is returned. -EINVAL when a value is no string, or over `max` members (before the first
 * call).
 */
int json_get_string_map(const struct json_at *object, const char *name, unsigned flags, size_t max,
			int (*each)(void *data, const char *key, const char *value), void *data,
			struct error *err);

/* -EINVAL and "<path>: <sentence>". The path of the root is "" (no colon then). */
int json_fail(const struct json_at *at, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The path, e.g. "containers[2].name"; the caller frees. */
char *json_path(const struct json_at *at);

enum json_dump_flags {
	JSON_DUMP_INSERTION_ORDER = 0,
	JSON_DUMP_SORTED = 1, /* members by name, as AWS's clients write them */
};
/* Compact text, strings and numbers as strbuf_append_json() and strbuf_append_json_double() write
 * them. */
char *json_dump_compact(const json_t *value);
char *json_dump_sorted(const json_t *value);
void json_append(struct strbuf *sb, const json_t *value, unsigned dump_flags);

static inline void json_decref_cleanup(json_t **value)
{
	if (*value)
		json_decref(*value);
}
#define _cleanup_json_ __attribute__((cleanup(json_decref_cleanup)))

#endif
