/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by image_cleanup.c and image_untracked.c alone. */
#ifndef BERTH_AGENT_EXECUTOR_IMAGE_CLEANUP_INTERNAL_H
#define BERTH_AGENT_EXECUTOR_IMAGE_CLEANUP_INTERNAL_H

#include "agent/engine/image_policy.h"
#include "agent/executor/image_cleanup.h"
#include "agent/executor/image_disk.h"

struct image_cleanup {
	struct image_cleanup_config config;
	struct image_policy policy;
	bool stale;   /* the settings have changed since it was read */
	bool started; /* passes are begun, when the settings say so */
	struct map *excluded;
	struct loop_timer *timer;
	struct image_disk *disk;

	/* The pass under way. */
	int64_t removed, failed;
	double disk_percent; /* negative: not known */
	struct map *skipped; /* NULL: there is none */

	/* What is being removed. */
	char *id;
	struct str_list names;

	struct image_rows untracked; /* names that may be of images that nothing is known of */
};

/* What is true now; `needed` is borrowed. */
struct image_situation image_cleanup_situation(const struct image_cleanup *cleanup,
					       const struct map *needed);
/* Ids and names of what the known tasks use, or will. The caller frees the map. */
struct map *image_cleanup_needed(const struct image_cleanup *cleanup);
/* The key is in the set from now on. */
void image_cleanup_put(struct map *set, const char *key);

/* Chooses what is removed next. */
void image_cleanup_target(struct image_cleanup *cleanup, const char *id,
			  const struct str_list *names);
/* Begins with it; `done` gets `cleanup`. */
int image_cleanup_remove(struct image_cleanup *cleanup,
			 void (*done)(void *data, const struct error *err), struct error *err);
/* How that ended. Failed: false when the pass must end, because nothing can be removed. */
void image_cleanup_removed(struct image_cleanup *cleanup, const char *why);
bool image_cleanup_failed(struct image_cleanup *cleanup, const struct error *err);

/* The end of the pass. */
void image_cleanup_end(struct image_cleanup *cleanup);

/* image_untracked.c: the second half of a pass, and its end. */
void image_untracked_begin(struct image_cleanup *cleanup);

#endif
