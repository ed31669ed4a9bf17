/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_BACKOFF_H
#define BERTH_BASE_BACKOFF_H

#include <stdint.h>

/*
 * Waits between attempts: min, min*multiplier, ... up to max, each lengthened by a random share of
 * at most `jitter` (never shortened), so that many agents that lost the same server do not return
 * together.
 *
 * Pure: the caller brings the randomness, and sleeps.
 */
struct backoff_policy {
	int64_t min_ms;    /* first wait, > 0 */
	int64_t max_ms;    /* bound before jitter, >= min_ms */
	double multiplier; /* >= 1 */
	double jitter;     /* 0 .. 1: longest wait is max_ms * (1 + jitter) */
};

struct backoff {
	const struct backoff_policy *policy; /* borrowed, outlives the backoff */
	double current_ms;
};

/* ACS reconnects; the first wait after a lost session is 250 ms, the last 2 min. */
extern const struct backoff_policy backoff_acs;

void backoff_reset(struct backoff *backoff, const struct backoff_policy *policy);

/* The wait before the next attempt, in milliseconds. `random` is uniform in [0, 1). */
int64_t backoff_next_ms(struct backoff *backoff, double random);

#endif
