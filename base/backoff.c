/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <assert.h>

const struct backoff_policy backoff_acs = {
	.min_ms = 250,
	.max_ms = 120000,
	.multiplier = 1.5,
	.jitter = 0.2,
};

void backoff_reset(struct backoff *backoff, const struct backoff_policy *policy)
{
	assert(policy->min_ms > 0);
	assert(policy->max_ms >= policy->min_ms);
	assert(policy->multiplier >= 1);
	assert(policy->jitter >= 0 && policy->jitter <= 1);

	backoff->policy = policy;
	backoff->current_ms = (double)policy->min_ms;
}

int64_t backoff_next_ms(struct backoff *backoff, double random)
{
	const struct backoff_policy *policy = backoff->policy;
	double wait_ms = backoff->current_ms * (1 + policy->jitter * random);

	assert(random >= 0 && random < 1);

	backoff->current_ms *= policy->multiplier;
	if (backoff->current_ms > (double)policy->max_ms)
		backoff->current_ms = (double)policy->max_ms;

	return (int64_t)wait_ms;
}
