/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/endpoints/rate.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

/* A thousandth of a token is what flows in within a millisecond at one token a second. */
#define TOKEN 1000

struct bucket {
	uint64_t key;
	int64_t tokens; /* thousandths, at `at_ms` */
	int64_t at_ms;
};

struct rate_limiter {
	int64_t per_second, burst;
	size_t bound;
	struct bucket *buckets;
	size_t count, capacity;
};

struct rate_limiter *rate_limiter_new(int64_t per_second, int64_t burst, size_t bound)
{
	struct rate_limiter *limiter = xcalloc(1, sizeof(*limiter));

	limiter->per_second = per_second;
	limiter->burst = burst;
	limiter->bound = bound;
	return limiter;
}

void rate_limiter_set(struct rate_limiter *limiter, int64_t per_second, int64_t burst)
{
	limiter->per_second = per_second;
	limiter->burst = burst;
}

void rate_limiter_free(struct rate_limiter *limiter)
{
	if (!limiter)
		return;
	free(limiter->buckets);
	free(limiter);
}

/* Pairs that meet in a bucket share its tokens; a limiter belongs to one task, or to the
 * host. */
static uint64_t key_of(const char *peer, const char *path)
{
	uint64_t of_peer = hash64_text(hash64_text(HASH64_START, peer), "|");

	return hash64_text(of_peer, path);
}

static void fill(const struct rate_limiter *limiter, struct bucket *bucket, int64_t now_ms)
{
	int64_t full = limiter->burst * TOKEN;
	int64_t passed_ms = now_ms - bucket->at_ms;

	bucket->at_ms = now_ms;
	if (passed_ms > (full - bucket->tokens) / limiter->per_second)
		bucket->tokens = full;
	else
		bucket->tokens += passed_ms * limiter->per_second;
}

static void drop_full(struct rate_limiter *limiter, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < limiter->count; i++) {
		fill(limiter, &limiter->buckets[i], now_ms);
		if (limiter->buckets[i].tokens < limiter->burst * TOKEN)
			limiter->buckets[kept++] = limiter->buckets[i];
	}
	limiter->count = kept;
}

static struct bucket *add(struct rate_limiter *limiter, uint64_t key, int64_t now_ms)
{
	struct bucket *bucket;

	if (limiter->count == limiter->capacity)
		drop_full(limiter, now_ms);
	if (limiter->count == limiter->bound)
		return NULL;
	if (limiter->count == limiter->capacity) {
		limiter->capacity = limiter->capacity ? limiter->capacity * 2 : 8;
		if (limiter->capacity > limiter->bound)
			limiter->capacity = limiter->bound;
		limiter->buckets = xreallocarray(limiter->buckets, limiter->capacity,
						 sizeof(*limiter->buckets));
	}
	bucket = &limiter->buckets[limiter->count++];
	*bucket = (struct bucket){ key, limiter->burst * TOKEN, now_ms };
	return bucket;
}

bool rate_limiter_take(struct rate_limiter *limiter, const char *peer, const char *path,
		       int64_t now_ms)
{
	uint64_t key = key_of(peer, path);
	struct bucket *bucket = NULL;

	for (size_t i = 0; i < limiter->count && !bucket; i++) {
		if (limiter->buckets[i].key == key)
			bucket = &limiter->buckets[i];
	}
	if (!bucket)
		bucket = add(limiter, key, now_ms);
	if (!bucket)
		return false;
	fill(limiter, bucket, now_ms);
	if (bucket->tokens < TOKEN)
		return false;
	bucket->tokens -= TOKEN;
	return true;
}
