/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/image_cleanup.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/executor/image_cleanup_internal.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/image_reference.h"

/* ---- what both halves of a pass need ---- */

void image_cleanup_put(struct map *set, const char *key)
{
	map_set(set, key, set);
}

struct map *image_cleanup_needed(const struct image_cleanup *cleanup)
{
	const struct image_cleanup_config *config = &cleanup->config;
	struct map *needed = map_new();

	for (const struct task_state *task = NULL;
	     (task = config->next_task(config->data, task));) {
		for (size_t i = 0; i < task->container_count; i++) {
			const struct container_state *container = &task->containers[i];
			_cleanup_free_ char *name =
				image_name_complete(container_spec_image(container->spec));

			/* By name also when the id is known: after a restart of the agent it is by
			 * its name that a container's image is found. */
			image_cleanup_put(needed, name);
			if (container->image_id)
				image_cleanup_put(needed, container->image_id);
		}
	}
	return needed;
}

struct image_situation image_cleanup_situation(const struct image_cleanup *cleanup,
					       const struct map *needed)
{
	return (struct image_situation){
		.now_ms = clock_wall_ms(),
		.removed = cleanup->removed,
		.disk_percent = cleanup->disk_percent,
		.needed = needed,
		.skipped = cleanup->skipped,
	};
}

void image_cleanup_target(struct image_cleanup *cleanup, const char *id,
			  const struct str_list *names)
{
	str_replace(&cleanup->id, id);
	str_list_free(&cleanup->names);
	for (size_t i = 0; i < names->count; i++)
		str_list_add(&cleanup->names, names->items[i]);
}

int image_cleanup_remove(struct image_cleanup *cleanup,
			 void (*done)(void *data, const struct error *err), struct error *err)
{
	return image_remove(cleanup->config.images, cleanup->id, &cleanup->names, done, cleanup,
			    err);
}

/* Gone or not, it is not asked for again in this pass. */
static void pass_over(struct image_cleanup *cleanup)
{
	image_cleanup_put(cleanup->skipped, cleanup->id);
	for (size_t i = 0; i < cleanup->names.count; i++)
		image_cleanup_put(cleanup->skipped, cleanup->names.items[i]);
}

void image_cleanup_removed(struct image_cleanup *cleanup, const char *why)
{
	_cleanup_free_ char *names = str_list_join(&cleanup->names, " ");

	log_info("image removed", "image", cleanup->id, "names", names, "why", why);
	cleanup->removed++;
	pass_over(cleanup);
}

bool image_cleanup_failed(struct image_cleanup *cleanup, const struct error *err)
{
	_cleanup_free_ char *names = str_list_join(&cleanup->names, " ");

	log_warn("an unused image cannot be removed, and stays until the next cleanup", "image",
		 cleanup->id, "names", names, "error", err->text);
	cleanup->failed++;
	pass_over(cleanup);
	return err->code != ECONNREFUSED;
}

static bool is_wanted(const struct agent_config *config)
{
	return !config->disable_image_cleanup &&
	       config->image_pull_behavior != CONFIG_PULL_PREFER_CACHED;
}

static void schedule(struct image_cleanup *cleanup)
{
	const struct agent_config *config = cleanup->config.config;

	if (is_wanted(config))
		loop_timer_start(cleanup->timer,
				 config_scaled_ms(config, config->image_cleanup_interval_ms));
	else
		loop_timer_stop(cleanup->timer);
}

static void clear(struct image_cleanup *cleanup)
{
	map_free(TAKE(cleanup->skipped));
	free(TAKE(cleanup->id));
	str_list_free(&cleanup->names);
	image_rows_free(&cleanup->untracked);
}

void image_cleanup_end(struct image_cleanup *cleanup)
{
	log_write(cleanup->removed + cleanup->failed > 0 ? LOG_INFO : LOG_DEBUG, __FILE_NAME__,
		  "image cleanup done", "removed", LOG_NUM(cleanup->removed), "failed",
		  LOG_NUM(cleanup->failed), "disk_percent", LOG_NUM(cleanup->disk_percent), NULL);
	clear(cleanup);
	schedule(cleanup);
}

/* ---- the first half: images that tasks used ---- */

static void step(struct image_cleanup *cleanup);

/* *ret_found is false when none may go. */
static int choose(struct image_cleanup *cleanup, bool *ret_found, struct error *err)
{
	struct store_images tracked;
	_cleanup_free_ struct image_facts *facts = NULL;
	const struct image_facts *next;
	struct image_situation situation;
	struct map *needed;
	int r = store_load_images(cleanup->config.store, &tracked, err);

	if (r < 0)
		return r;
	needed = image_cleanup_needed(cleanup);
	situation = image_cleanup_situation(cleanup, needed);
	facts = xcalloc(tracked.count + 1, sizeof(*facts));
	for (size_t i = 0; i < tracked.count; i++)
		facts[i] = (struct image_facts){
			.id = tracked.items[i].id,
			.names = &tracked.items[i].names,
			.pulled_at_ms = tracked.items[i].pulled_at_ms,
			.last_used_at_ms = tracked.items[i].last_used_at_ms,
		};
	next = image_policy_next(&cleanup->policy, &situation, facts, tracked.count);
	if (next)
		image_cleanup_target(cleanup, next->id, next->names);
	*ret_found = next != NULL;
	map_free(needed);
	store_images_free(&tracked);
	return 0;
}

static void measured(void *data, double percent, const struct error *err)
{
	struct image_cleanup *cleanup = data;

	if (err)
		log_warn("how full the disk with the images is cannot be known: images go by age "
			 "and number alone",
			 "error", err->text);
	cleanup->disk_percent = percent;
	step(cleanup);
}

static bool disk_is_full(const struct image_cleanup *cleanup)
{
	struct image_situation situation = image_cleanup_situation(cleanup, NULL);

	return image_policy_disk_is_full(&cleanup->policy, &situation);
}

/* Then goes on. */
static void measure(struct image_cleanup *cleanup)
{
	struct error err = ERROR_INIT;

	if (image_disk_measure(cleanup->disk, measured, cleanup, &err) < 0)
		measured(cleanup, -1, &err);
}

static void removed(void *data, const struct error *err)
{
	struct image_cleanup *cleanup = data;
	struct error store_err = ERROR_INIT;

	if (err) {
		if (image_cleanup_failed(cleanup, err))
			step(cleanup);
		else
			image_cleanup_end(cleanup);
		return;
	}
	if (store_delete_image(cleanup->config.store, cleanup->id, &store_err) < 0)
		log_error("that an image was removed cannot be saved: the next cleanup tries again",
			  "image", cleanup->id, "error", store_err.text);
	image_cleanup_removed(cleanup, disk_is_full(cleanup) ? "the disk is full" : "unused");
	if (disk_is_full(cleanup))
		measure(cleanup);
	else
		step(cleanup);
}

static void step(struct image_cleanup *cleanup)
{
	struct error err = ERROR_INIT;
	bool found = false;

	do {
		if (choose(cleanup, &found, &err) < 0) {
			log_error("the images that are known cannot be read", "error", err.text);
			image_cleanup_end(cleanup);
			return;
		}
		if (!found) {
			image_untracked_begin(cleanup);
			return;
		}
		if (image_cleanup_remove(cleanup, removed, &err) == 0)
			return;
	} while (image_cleanup_failed(cleanup, &err));
	image_cleanup_end(cleanup);
}

/* ---- the pass ---- */

static struct map *read_exclusions(const struct str_list *names)
{
	struct map *excluded = map_new();

	for (size_t i = 0; i < names->count; i++) {
		_cleanup_image_reference_ struct image_reference reference = { 0 };
		_cleanup_free_ char *complete = image_name_complete(names->items[i]);
		struct error err = ERROR_INIT;

		if (image_reference_parse(names->items[i], &reference, &err) < 0)
			log_warn("ECS_EXCLUDE_UNTRACKED_IMAGE has what is no name of an image",
				 "error", err.text);
		image_cleanup_put(excluded, complete);
	}
	return excluded;
}

/* A pass keeps to what was in force when it began. */
static void read_policy(struct image_cleanup *cleanup)
{
	const struct agent_config *settings = cleanup->config.config;

	map_free(cleanup->excluded);
	cleanup->excluded = read_exclusions(&settings->excluded_images);
	cleanup->policy = (struct image_policy){
		.limit = settings->images_per_cleanup,
		.minimum_age_ms = settings->image_minimum_age_ms,
		.disk_percent = settings->image_disk_percent,
		.untracked_minimum_age_ms = settings->untracked_image_minimum_age_ms,
		.excluded = cleanup->excluded,
	};
	cleanup->stale = false;
}

static void begin(void *data)
{
	struct image_cleanup *cleanup = data;

	if (cleanup->stale)
		read_policy(cleanup);
	cleanup->removed = cleanup->failed = 0;
	cleanup->disk_percent = -1;
	cleanup->skipped = map_new();
	if (cleanup->policy.disk_percent > 0)
		measure(cleanup);
	else
		step(cleanup);
}

struct image_cleanup *image_cleanup_new(const struct image_cleanup_config *config)
{
	struct image_cleanup *cleanup = xcalloc(1, sizeof(*cleanup));

	cleanup->config = *config;
	read_policy(cleanup);
	cleanup->timer = loop_timer_new(config->loop, begin, cleanup);
	cleanup->disk = image_disk_new(config->images, config->operations);
	return cleanup;
}

void image_cleanup_start(struct image_cleanup *cleanup)
{
	const struct agent_config *settings = cleanup->config.config;

	cleanup->started = true;
	if (!is_wanted(settings))
		return;
	log_debug("image cleanup is on", "interval_ms",
		  LOG_NUM(settings->image_cleanup_interval_ms));
	schedule(cleanup);
}

void image_cleanup_settings_changed(struct image_cleanup *cleanup)
{
	cleanup->stale = true;
	if (cleanup->started && !cleanup->skipped)
		schedule(cleanup);
}

void image_cleanup_free(struct image_cleanup *cleanup)
{
	if (!cleanup)
		return;
	loop_timer_free(cleanup->timer);
	image_disk_free(cleanup->disk);
	clear(cleanup);
	map_free(cleanup->excluded);
	free(cleanup);
}
