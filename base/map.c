/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"

/* Open addressing with linear probing. Keys come from outside, so the hash is seeded: nobody can
 * choose collisions. */
struct slot {
	char *key; /* NULL: free */
	void *value;
};

struct map {
	struct slot *slots;
	size_t capacity; /* a power of two */
	size_t count;
	uint64_t seed;
};

static uint64_t hash(const struct map *map, const char *key)
{
	uint64_t state = map->seed ^ 0xcbf29ce484222325u;

	for (; *key; key++) {
		state ^= (unsigned char)*key;
		state *= 0x100000001b3u;
		state ^= state >> 29;
	}
	return state;
}

struct map *map_new(void)
{
	struct map *map = xcalloc(1, sizeof(*map));

	map->capacity = 16;
	map->slots = xcalloc(map->capacity, sizeof(*map->slots));
	map->seed = random_u64();
	return map;
}

void map_free(struct map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->capacity; i++)
		free(map->slots[i].key);
	free(map->slots);
	free(map);
}

/* The slot of the key, or the free one where it would go. */
static size_t find(const struct map *map, const char *key)
{
	size_t i = hash(map, key) & (map->capacity - 1);

	while (map->slots[i].key && strcmp(map->slots[i].key, key) != 0)
		i = (i + 1) & (map->capacity - 1);
	return i;
}

static void grow(struct map *map)
{
	struct slot *old = map->slots;
	size_t capacity = map->capacity;

	map->capacity *= 2;
	map->slots = xcalloc(map->capacity, sizeof(*map->slots));
	for (size_t i = 0; i < capacity; i++) {
		if (old[i].key)
			map->slots[find(map, old[i].key)] = old[i];
	}
	free(old);
}

void *map_get(const struct map *map, const char *key)
{
	return map->slots[find(map, key)].value;
}

void *map_set(struct map *map, const char *key, void *value)
{
	size_t i;
	void *before;

	assert(value);
	if ((map->count + 1) * 4 > map->capacity * 3)
		grow(map);
	i = find(map, key);
	before = map->slots[i].value;
	if (!map->slots[i].key) {
		map->slots[i].key = xstrdup(key);
		map->count++;
	}
	map->slots[i].value = value;
	return before;
}

void *map_remove(struct map *map, const char *key)
{
	size_t hole = find(map, key);
	void *value = map->slots[hole].value;

	if (!map->slots[hole].key)
		return NULL;
	free(map->slots[hole].key);
	map->slots[hole] = (struct slot){ NULL, NULL };
	map->count--;
	/* Those behind the hole move up when it stands between them and where they belong. */
	for (size_t i = (hole + 1) & (map->capacity - 1); map->slots[i].key;
	     i = (i + 1) & (map->capacity - 1)) {
		size_t home = hash(map, map->slots[i].key) & (map->capacity - 1);

		if (((i - home) & (map->capacity - 1)) >= ((i - hole) & (map->capacity - 1))) {
			map->slots[hole] = map->slots[i];
			map->slots[i] = (struct slot){ NULL, NULL };
			hole = i;
		}
	}
	return value;
}

size_t map_count(const struct map *map)
{
	return map->count;
}

void *map_next(const struct map *map, size_t *cursor, const char **ret_key)
{
	while (*cursor < map->capacity) {
		const struct slot *slot = &map->slots[(*cursor)++];

		if (slot->key) {
			if (ret_key)
				*ret_key = slot->key;
			return slot->value;
		}
	}
	return NULL;
}
