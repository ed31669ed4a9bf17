/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_TEXT_H
#define BERTH_WIRE_TEXT_H

#include <stddef.h>

/*
 * Lists of a decoded message. They and their strings belong to what was decoded (its arena): read
 * only, never freed by themselves.
 */
struct text_list {
	const char *const *items;
	size_t count;
};

struct text_pair {
	const char *name;
	const char *value; /* never NULL */
};

/* In the order of the message. Of a name that is there twice the first one counts. */
struct text_map {
	const struct text_pair *items;
	size_t count;
};

/* The value under `name` (exact), or NULL. */
const char *text_map_get(const struct text_map *map, const char *name);

#endif
