/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_RATE_H
#define BERTH_AGENT_ENDPOINTS_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Token buckets, one for each pair of a peer and a path. A bucket begins full with `burst` tokens
 * and gets `per_second` of them each second. Pure: the caller tells the time.
 *
 * At most `bound` buckets are kept. One that is full again says nothing that a new one would not,
 * and is dropped when its place is needed; with none such, a pair that is new is refused.
 */
struct rate_limiter;

/* Both rates above 0. */
struct rate_limiter *rate_limiter_new(int64_t per_second, int64_t burst, size_t bound);
/* From now on; what is in a bucket beyond the new burst is spilled when it is next looked at. */
void rate_limiter_set(struct rate_limiter *limiter, int64_t per_second, int64_t burst);
void rate_limiter_free(struct rate_limiter *limiter);

/* Takes a token; false: there is none. `now_ms` never goes back. */
bool rate_limiter_take(struct rate_limiter *limiter, const char *peer, const char *path,
		       int64_t now_ms);

#endif
