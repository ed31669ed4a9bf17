/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: comparing, lists, hex and base64. */
#ifndef BERTH_BASE_STR_H
#define BERTH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL equals only NULL. */
bool str_eq(const char *a, const char *b);
/* ASCII letters of either case are the same; the locale does not matter. */
bool str_eq_nocase(const char *a, const char *b);
bool str_starts_with(const char *text, const char *prefix);
bool str_starts_with_nocase(const char *text, const char *prefix);
bool str_ends_with(const char *text, const char *suffix);
/* NULL or "". */
bool str_is_empty(const char *text);
/* True when `size` bytes are valid UTF-8. */
bool str_is_utf8(const char *text, size_t size);
/* A copy without the white space around it; the caller frees. */
char *str_trim(const char *text);
/* The same in place: cuts the end off, and returns where the rest begins. */
char *str_trim_in_place(char *text);
/* Replaces *pointer (freed) with a copy of `text` (NULL allowed). */
void str_replace(char **pointer, const char *text);

/* The value of a variable in NULL-terminated "NAME=value", such as environ; NULL: not set. */
const char *environment_get(char *const *environment, const char *name);

struct str_list {
	char **items; /* `count` strings and a final NULL; NULL while empty and fresh */
	size_t count;
};

#define STR_LIST_INIT                                                                              \
	{                                                                                          \
		.items = NULL, .count = 0                                                          \
	}

/* Appends a copy. */
void str_list_add(struct str_list *list, const char *text);
/* Appends `text` itself, which now belongs to the list. */
void str_list_add_owned(struct str_list *list, char *text);
bool str_list_has(const struct str_list *list, const char *text);
/* Appends each part of `text` between `separator`s; empty parts only when keep_empty. */
void str_list_split(struct str_list *list, const char *text, char separator, bool keep_empty);
/* The items with `separator` between them; the caller frees. */
char *str_list_join(const struct str_list *list, const char *separator);
/* Frees items and array; the list is empty and fresh again. */
void str_list_free(struct str_list *list);

#define _cleanup_str_list_ __attribute__((cleanup(str_list_free)))

/* Lower-case hex and NUL: `out` has 2 * size + 1 bytes. */
void hex_encode(const void *data, size_t size, char *out);
/* Of either case; -1 when `c` is none. */
int hex_digit_value(char c);
/* Exactly `size` bytes from 2 * size hex digits of either case; -EINVAL otherwise. */
int hex_decode(const char *text, void *out, size_t size);

/* Standard alphabet with padding; the caller frees. */
char *base64_encode(const void *data, size_t size);
/* Standard alphabet, padding needed, nothing else taken; -EINVAL. *ret is also NUL-terminated; the
 * caller frees. */
int base64_decode(const char *text, unsigned char **ret, size_t *ret_size);

#endif
