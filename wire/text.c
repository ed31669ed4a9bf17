/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/text.h"

#include <string.h>

const char *text_map_get(const struct text_map *map, const char *name)
{
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->items[i].name, name) == 0)
			return map->items[i].value;
	}
	return NULL;
}
