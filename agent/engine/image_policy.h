/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENGINE_IMAGE_POLICY_H
#define BERTH_AGENT_ENGINE_IMAGE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/str.h"

/*
 * Which image is removed from this host next, in a pass that removes one after the other. Pure.
 * Asked anew before each removal: what tasks use, and how full the disk is, may have changed during
 * the one before.
 */
struct image_policy {
	int64_t limit;          /* of what one pass removes */
	int64_t minimum_age_ms; /* since it was first pulled */
	int64_t disk_percent;   /* on a disk fuller than this neither of these counts; 0: never */
	int64_t untracked_minimum_age_ms; /* since it was built */
	const struct map *excluded;       /* names, exactly */
};

struct image_situation {
	int64_t now_ms;            /* wall clock */
	int64_t removed;           /* in this pass so far */
	double disk_percent;       /* how full it is; negative: not known */
	const struct map *needed;  /* ids and names that must stay: those of the known tasks */
	const struct map *skipped; /* ids or names that could not be removed in this pass */
};

/* An image that was pulled or used for tasks. */
struct image_facts {
	const char *id;
	const struct str_list *names;
	int64_t pulled_at_ms, last_used_at_ms;
};

/* True when images go whatever their age and number. */
bool image_policy_disk_is_full(const struct image_policy *policy,
			       const struct image_situation *situation);

/* Of those that may go, the one that was used longest ago; NULL: none may. */
const struct image_facts *image_policy_next(const struct image_policy *policy,
					    const struct image_situation *situation,
					    const struct image_facts *images, size_t count);

/*
 * Images of which nothing is tracked: by name, for what is behind one is known only when containerd
 * is asked. `needed` then has what is tracked, too.
 */
struct image_name_facts {
	const char *name;
	int64_t size_bytes;
};

/* The smallest that may go as far as its name tells; NULL: none may. A full disk makes no
 * difference: whoever brought them is not asked. */
const struct image_name_facts *image_policy_next_untracked(const struct image_policy *policy,
							   const struct image_situation *situation,
							   const struct image_name_facts *names,
							   size_t count);

/* Whether it does, now that is known what it is. `created_at_ms` 0: it does not say, and is old. */
bool image_policy_takes_untracked(const struct image_policy *policy,
				  const struct image_situation *situation, const char *name,
				  const char *id, int64_t created_at_ms);

#endif
