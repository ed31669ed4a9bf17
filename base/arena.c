/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

/* Blocks grow, so that a small message costs little and a large one few allocations. */
#define ARENA_FIRST_BLOCK 1024
#define ARENA_LAST_BLOCK  (64 * 1024UL)

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) unsigned char data[];
};

struct arena {
	struct arena_block *blocks; /* the newest first: only it has room */
	size_t next_size;
};

struct arena *arena_new(void)
{
	struct arena *arena = xcalloc(1, sizeof(*arena));

	arena->next_size = ARENA_FIRST_BLOCK;
	return arena;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
	free(arena);
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
	struct arena_block *block = xmalloc(sizeof(*block) + size);

	block->size = size;
	block->used = 0;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

static void *take(struct arena *arena, size_t size, size_t alignment)
{
	struct arena_block *block = arena->blocks;
	size_t start = 0;

	if (block)
		start = (block->used + alignment - 1) / alignment * alignment;
	if (!block || start > block->size || size > block->size - start) {
		size_t block_size = arena->next_size;

		if (arena->next_size < ARENA_LAST_BLOCK)
			arena->next_size *= 2;
		if (size > block_size)
			block_size = size;
		block = add_block(arena, block_size);
		start = 0;
	}
	block->used = start + size;
	return block->data + start;
}

void *arena_calloc(struct arena *arena, size_t n, size_t size)
{
	size_t total;
	void *memory;

	/* More than can be asked for: let the allocator say so and end. */
	if (__builtin_mul_overflow(n, size, &total) || total > SIZE_MAX / 4)
		total = SIZE_MAX / 4;
	memory = take(arena, total, alignof(max_align_t));
	return memset(memory, 0, total);
}

char *arena_strndup(struct arena *arena, const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	char *copy = take(arena, length + 1, 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}
