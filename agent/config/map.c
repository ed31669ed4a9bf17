/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/config/settings.h"
#include "base/alloc.h"

const char *config_map_get(const struct config_map *map, const char *name)
{
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->items[i].name, name) == 0)
			return map->items[i].value;
	return NULL;
}

void config_map_set(struct config_map *map, const char *name, const char *value)
{
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->items[i].name, name) == 0) {
			str_replace(&map->items[i].value, value);
			return;
		}
	}
	map->items = xreallocarray(map->items, map->count + 1, sizeof(*map->items));
	map->items[map->count].name = xstrdup(name);
	map->items[map->count].value = xstrdup(value);
	map->count++;
}

void config_map_free(struct config_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		free(map->items[i].name);
		explicit_bzero(map->items[i].value, strlen(map->items[i].value));
		free(map->items[i].value);
	}
	free(map->items);
	*map = (struct config_map){ 0 };
}
