/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that have ended, were reported and cleaned up: for a while their names are kept, so that a
 * payload that was late, or that comes a second time, does not run them again. Bounded in time and
 * in number: the oldest goes first.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"

static size_t bucket_of(const char *arn)
{
	return table_hash(arn) % ENDED_BUCKETS;
}

bool engine_has_ended(const struct engine *engine, const char *arn)
{
	for (const struct ended *ended = engine->ended_buckets[bucket_of(arn)]; ended;
	     ended = ended->next_hashed)
		if (strcmp(ended->arn, arn) == 0)
			return engine->now_ms - ended->at_ms < ENDED_KEPT_MS;
	return false;
}

static void drop_oldest(struct engine *engine)
{
	struct ended *oldest = engine->ended_first;
	struct ended **at = &engine->ended_buckets[bucket_of(oldest->arn)];

	while (*at != oldest)
		at = &(*at)->next_hashed;
	*at = oldest->next_hashed;
	engine->ended_first = oldest->next;
	if (!engine->ended_first)
		engine->ended_last = NULL;
	engine->ended_count--;
	free(oldest->arn);
	free(oldest);
}

void ended_add(struct engine *engine, const char *arn, uint64_t serial)
{
	struct ended *ended = xcalloc(1, sizeof(*ended));
	struct ended **bucket = &engine->ended_buckets[bucket_of(arn)];

	while (engine->ended_first &&
	       (engine->ended_count >= ENDED_LIMIT ||
		engine->now_ms - engine->ended_first->at_ms >= ENDED_KEPT_MS))
		drop_oldest(engine);
	if (serial > engine->ended_serial)
		engine->ended_serial = serial;
	ended->arn = xstrdup(arn);
	ended->serial = serial;
	ended->at_ms = engine->now_ms;
	ended->next_hashed = *bucket;
	*bucket = ended;
	*(engine->ended_last ? &engine->ended_last->next : &engine->ended_first) = ended;
	engine->ended_last = ended;
	engine->ended_count++;
}

void ended_clear(struct engine *engine)
{
	while (engine->ended_first)
		drop_oldest(engine);
}
