/* SPDX-License-Identifier: Apache-2.0 */
#include "base/header.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

void header_list_add_n(struct header_list *list, const char *name, size_t name_size,
		       const char *value, size_t value_size)
{
	struct header *header;

	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	header = &list->items[list->count++];
	header->name = xstrndup(name, name_size);
	header->value = xstrndup(value, value_size);
}

void header_list_add(struct header_list *list, const char *name, const char *value)
{
	header_list_add_n(list, name, strlen(name), value, strlen(value));
}

void header_list_free(struct header_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free((char *)list->items[i].name);
		free((char *)list->items[i].value);
	}
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

const char *header_find(const struct header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(headers[i].name, name))
			return headers[i].value;
	return NULL;
}
