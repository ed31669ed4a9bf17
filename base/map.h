/* SPDX-License-Identifier: Apache-2.0 */
/* A table from strings to pointers. Keys are copied, values are the caller's. */
#ifndef BERTH_BASE_MAP_H
#define BERTH_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map;

struct map *map_new(void);
/* Not the values. NULL does nothing. */
void map_free(struct map *map);

/* NULL when there is none. */
void *map_get(const struct map *map, const char *key);
/* Replaces what was there, and returns it (NULL: nothing). `value` is not NULL. */
void *map_set(struct map *map, const char *key, void *value);
/* Takes it out and returns it; NULL when there is none. */
void *map_remove(struct map *map, const char *key);
size_t map_count(const struct map *map);

/*
 * Goes through all values in no order: *cursor starts at 0; NULL at the end. The map must not
 * change meanwhile, but the value just returned may be removed: begin again from 0 then.
 */
void *map_next(const struct map *map, size_t *cursor, const char **ret_key);

#endif
