/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP header fields, as the client, the server and the signer pass them around. */
#ifndef BERTH_BASE_HEADER_H
#define BERTH_BASE_HEADER_H

#include <stddef.h>

struct header {
	const char *name; /* compared without regard to case */
	const char *value;
};

/* Owns its strings. */
struct header_list {
	struct header *items;
	size_t count;
};

#define HEADER_LIST_INIT                                                                           \
	{                                                                                          \
		.items = NULL, .count = 0                                                          \
	}

/* Appends copies. */
void header_list_add(struct header_list *list, const char *name, const char *value);
/* The same, over `size` bytes of a value. */
void header_list_add_n(struct header_list *list, const char *name, size_t name_size,
		       const char *value, size_t value_size);
void header_list_free(struct header_list *list);
/* The first value of that name, or NULL. */
const char *header_find(const struct header *headers, size_t count, const char *name);

#define _cleanup_header_list_ __attribute__((cleanup(header_list_free)))

#endif
