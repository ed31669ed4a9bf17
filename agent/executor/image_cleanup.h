/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_IMAGE_CLEANUP_H
#define BERTH_AGENT_EXECUTOR_IMAGE_CLEANUP_H

#include "agent/config/config.h"
#include "agent/engine/state.h"
#include "agent/executor/operation.h"
#include "agent/store/store.h"
#include "base/loop.h"
#include "runtime/image.h"

/*
 * The removal of images that no task needs, in a pass now and then, one image after the other. What
 * tasks need is not kept here: it is asked of those that are known, before each removal.
 */
struct image_cleanup;

struct image_cleanup_config {
	struct loop *loop;
	const struct agent_config *config;
	struct store *store;
	struct image_store *images;
	struct operations *operations;
	/* All tasks that are known, as engine_next_task(). */
	const struct task_state *(*next_task)(void *data, const struct task_state *previous);
	void *data;
};

struct image_cleanup *image_cleanup_new(const struct image_cleanup_config *config);
/* The first pass begins one interval from now; none does when the settings say so. */
void image_cleanup_start(struct image_cleanup *cleanup);
/* The settings are others: the next pass begins one new interval from now, and keeps to them. */
void image_cleanup_settings_changed(struct image_cleanup *cleanup);
/* After operations_abandon(); `images` is freed next. NULL does nothing. */
void image_cleanup_free(struct image_cleanup *cleanup);

#endif
