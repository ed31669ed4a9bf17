/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is freed all at once: for what one decoded message consists of. Never returns NULL;
 * whoever fills one from outside bounds the input first.
 */
#ifndef BERTH_BASE_ARENA_H
#define BERTH_BASE_ARENA_H

#include <stddef.h>

#include "base/cleanup.h"

struct arena;

struct arena *arena_new(void);
/* NULL is allowed. */
void arena_free(struct arena *arena);
DEFINE_CLEANUP(struct arena, arena_free);

/* Zeroed, aligned for any type; n * size is checked for overflow. Never NULL, also for 0 bytes. */
void *arena_calloc(struct arena *arena, size_t n, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *arena, const char *text) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *arena, const char *text, size_t size)
	__attribute__((returns_nonnull));

#endif
