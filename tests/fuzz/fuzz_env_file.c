/* SPDX-License-Identifier: Apache-2.0 */
/* ecs.config, as people write it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	struct str_list warnings = STR_LIST_INIT;
	struct config_map map = { .count = 0 };
	size_t lines = 1;

	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	config_file_parse(text, "ecs.config", &map, &warnings);
	if (map.count + warnings.count > lines + 1)
		abort();
	for (size_t i = 0; i < map.count; i++)
		if (strpbrk(map.items[i].name, " \t=\n") || strchr(map.items[i].value, '\n') ||
		    !config_map_get(&map, map.items[i].name))
			abort();
	str_list_free(&warnings);
	config_map_free(&map);
	return 0;
}
