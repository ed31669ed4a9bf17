/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/engine/image_policy.h"

#include <string.h>

bool image_policy_disk_is_full(const struct image_policy *policy,
			       const struct image_situation *situation)
{
	return policy->disk_percent > 0 && situation->disk_percent > (double)policy->disk_percent;
}

static bool may_go(const struct image_policy *policy, const struct image_situation *situation,
		   const struct image_facts *image)
{
	if (map_get(situation->needed, image->id) || map_get(situation->skipped, image->id))
		return false;
	for (size_t i = 0; i < image->names->count; i++) {
		if (map_get(situation->needed, image->names->items[i]) ||
		    map_get(policy->excluded, image->names->items[i]))
			return false;
	}
	if (image_policy_disk_is_full(policy, situation))
		return true;
	return situation->removed < policy->limit &&
	       situation->now_ms - image->pulled_at_ms > policy->minimum_age_ms;
}

/* Of two that were never used again, or at the same time, the one that is here longer; then by id,
 * so that the order does not depend on that of the list. */
static bool goes_before(const struct image_facts *a, const struct image_facts *b)
{
	if (a->last_used_at_ms != b->last_used_at_ms)
		return a->last_used_at_ms < b->last_used_at_ms;
	if (a->pulled_at_ms != b->pulled_at_ms)
		return a->pulled_at_ms < b->pulled_at_ms;
	return strcmp(a->id, b->id) < 0;
}

const struct image_facts *image_policy_next(const struct image_policy *policy,
					    const struct image_situation *situation,
					    const struct image_facts *images, size_t count)
{
	const struct image_facts *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if ((!found || goes_before(&images[i], found)) &&
		    may_go(policy, situation, &images[i]))
			found = &images[i];
	}
	return found;
}

const struct image_name_facts *image_policy_next_untracked(const struct image_policy *policy,
							   const struct image_situation *situation,
							   const struct image_name_facts *names,
							   size_t count)
{
	const struct image_name_facts *found = NULL;

	if (situation->removed >= policy->limit)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const struct image_name_facts *one = &names[i];

		if (map_get(situation->needed, one->name) ||
		    map_get(situation->skipped, one->name) || map_get(policy->excluded, one->name))
			continue;
		if (!found || one->size_bytes < found->size_bytes ||
		    (one->size_bytes == found->size_bytes && strcmp(one->name, found->name) < 0))
			found = one;
	}
	return found;
}

bool image_policy_takes_untracked(const struct image_policy *policy,
				  const struct image_situation *situation, const char *name,
				  const char *id, int64_t created_at_ms)
{
	return !map_get(situation->needed, name) && !map_get(situation->needed, id) &&
	       situation->now_ms - created_at_ms > policy->untracked_minimum_age_ms;
}
