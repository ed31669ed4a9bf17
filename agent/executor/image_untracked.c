/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a pass: images in our namespace of containerd that nothing is known of. Each
 * is looked at when its turn comes, and not before. */
#include <errno.h>
#include <stdlib.h>

#include "agent/executor/image_cleanup_internal.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/image_reference.h"

static void step(struct image_cleanup *cleanup);

/* What tasks need, and all that is tracked. */
static int known(const struct image_cleanup *cleanup, struct map **ret, struct error *err)
{
	struct store_images tracked;
	struct map *set;
	int r = store_load_images(cleanup->config.store, &tracked, err);

	if (r < 0)
		return r;
	set = image_cleanup_needed(cleanup);
	for (size_t i = 0; i < tracked.count; i++) {
		const struct store_image *image = &tracked.items[i];

		image_cleanup_put(set, image->id);
		for (size_t j = 0; j < image->names.count; j++)
			image_cleanup_put(set, image->names.items[j]);
	}
	store_images_free(&tracked);
	*ret = set;
	return 0;
}

static void give_up(struct image_cleanup *cleanup, const struct error *err)
{
	log_warn("images that no task ever used are not removed in this cleanup", "error",
		 err->text);
	image_cleanup_end(cleanup);
}

static void removed(void *data, const struct error *err)
{
	struct image_cleanup *cleanup = data;

	if (!err)
		image_cleanup_removed(cleanup, "no task ever used it");
	else if (!image_cleanup_failed(cleanup, err)) {
		image_cleanup_end(cleanup);
		return;
	}
	step(cleanup);
}

/* An image that does not say when it was made, or says nonsense, is old. */
static int64_t created_at_ms(const struct image *image)
{
	int64_t at_ms = 0;

	parse_iso8601(image->created, &at_ms, NULL);
	return at_ms;
}

/* It is known by now what is behind the name. */
static void described(void *data, const struct image_result *result)
{
	struct image_cleanup *cleanup = data;
	const char *name = cleanup->names.items[0];
	struct image_situation situation;
	struct map *set = NULL;
	struct error err = ERROR_INIT;
	bool goes;

	image_cleanup_put(cleanup->skipped, name);
	if (result->failure != IMAGE_OK) {
		log_debug("an image that no task ever used is left alone", "name", name, "error",
			  result->err->text);
		step(cleanup);
		return;
	}
	if (known(cleanup, &set, &err) < 0) {
		give_up(cleanup, &err);
		return;
	}
	situation = image_cleanup_situation(cleanup, set);
	goes = image_policy_takes_untracked(&cleanup->policy, &situation, name, result->image->id,
					    created_at_ms(result->image));
	map_free(set);
	if (!goes) {
		step(cleanup);
		return;
	}
	str_replace(&cleanup->id, result->image->id);
	if (image_cleanup_remove(cleanup, removed, &err) < 0)
		removed(cleanup, &err);
}

/* *ret_found is false when none may go. */
static int choose(struct image_cleanup *cleanup, bool *ret_found, struct error *err)
{
	_cleanup_free_ struct image_name_facts *facts =
		xcalloc(cleanup->untracked.count + 1, sizeof(*facts));
	const struct image_name_facts *next;
	struct image_situation situation;
	struct map *set = NULL;
	int r = known(cleanup, &set, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < cleanup->untracked.count; i++)
		facts[i] = (struct image_name_facts){ cleanup->untracked.items[i].reference,
						      cleanup->untracked.items[i].size };
	situation = image_cleanup_situation(cleanup, set);
	next = image_policy_next_untracked(&cleanup->policy, &situation, facts,
					   cleanup->untracked.count);
	map_free(set);
	*ret_found = next != NULL;
	if (next) {
		_cleanup_str_list_ struct str_list names = STR_LIST_INIT;

		str_list_add(&names, next->name);
		image_cleanup_target(cleanup, NULL, &names);
	}
	return 0;
}

static void step(struct image_cleanup *cleanup)
{
	struct error err = ERROR_INIT;
	bool found = false;

	if (choose(cleanup, &found, &err) < 0 ||
	    (found && image_describe(cleanup->config.images, cleanup->names.items[0], described,
				     cleanup, NULL, &err) < 0))
		give_up(cleanup, &err);
	else if (!found)
		image_cleanup_end(cleanup);
}

static void listed(void *data, const struct image_rows *rows, const struct error *err)
{
	struct image_cleanup *cleanup = data;
	struct image_rows *kept = &cleanup->untracked;

	if (err) {
		give_up(cleanup, err);
		return;
	}
	kept->items = xcalloc(rows->count + 1, sizeof(*kept->items));
	for (size_t i = 0; i < rows->count; i++) {
		const struct image_row *row = &rows->items[i];

		/* A name that no task could have is somebody's own affair. */
		if (image_name_check(row->reference, NULL) == 0)
			kept->items[kept->count++] = (struct image_row){
				.reference = xstrdup(row->reference),
				.size = row->size,
			};
	}
	step(cleanup);
}

void image_untracked_begin(struct image_cleanup *cleanup)
{
	struct error err = ERROR_INIT;

	if (!cleanup->config.config->untracked_image_cleanup)
		image_cleanup_end(cleanup);
	else if (image_store_list(cleanup->config.images, listed, cleanup, &err) < 0)
		give_up(cleanup, &err);
}
