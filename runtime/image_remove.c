/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The removal of an image, each step one call of ctr: its names, the snapshot that holds its
 * layers, and then a lease that is made only to be ended, for ctr knows no other way to have
 * collected at once what nothing holds any more.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/random.h"
#include "runtime/image_internal.h"
#include "runtime/image_reference.h"

#define STEP_TIMEOUT_MS 180000

enum removal_step {
	REMOVAL_NAMES,
	REMOVAL_PIN,
	REMOVAL_LEASE,
	REMOVAL_COLLECT,
	REMOVAL_DONE,
};

struct image_removal {
	struct image_removal *next;
	struct image_store *store;
	struct process *process;
	enum removal_step step;
	char *image_id; /* NULL: the names alone */
	struct str_list names;
	char *lease;
	void (*on_done)(void *data, const struct error *err);
	void *data;
};

static void removal_free(struct image_removal *removal)
{
	if (removal->process)
		process_cancel(removal->process);
	free(removal->image_id);
	str_list_free(&removal->names);
	free(removal->lease);
	free(removal);
}

void image_removals_free(struct image_store *store)
{
	while (store->removals) {
		struct image_removal *removal = store->removals;

		store->removals = removal->next;
		removal_free(removal);
	}
}

bool image_is_being_removed(const struct image_store *store, const char *image_id,
			    const char *reference)
{
	for (const struct image_removal *removal = store->removals; removal;
	     removal = removal->next) {
		if ((image_id && str_eq(removal->image_id, image_id)) ||
		    (reference && str_list_has(&removal->names, reference)))
			return true;
	}
	return false;
}

/* `err` NULL: well. Those who waited for this may go on. */
static void finish(struct image_removal *removal, const struct error *err)
{
	struct image_store *store = removal->store;
	struct image_removal **at = &store->removals;

	while (*at != removal)
		at = &(*at)->next;
	*at = removal->next;
	removal->on_done(removal->data, err);
	removal_free(removal);
	image_fetch_wake(store);
}

static void step_done(void *data, const struct process_result *result);

static int run_step(struct image_removal *removal, struct error *err)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;
	struct process_spec spec = {
		.env = (const char *const *)removal->store->environment.items,
		.timeout_ms = STEP_TIMEOUT_MS,
	};

	image_command(removal->store, &argv);
	switch (removal->step) {
	case REMOVAL_NAMES:
		str_list_add(&argv, "images");
		str_list_add(&argv, "rm");
		for (size_t i = 0; i < removal->names.count; i++)
			str_list_add(&argv, removal->names.items[i]);
		break;
	case REMOVAL_PIN:
		str_list_add(&argv, "snapshots");
		str_list_add(&argv, "--snapshotter");
		str_list_add(&argv, removal->store->snapshotter);
		str_list_add(&argv, "rm");
		str_list_add_owned(&argv, image_pin_name(removal->store, removal->image_id));
		break;
	case REMOVAL_LEASE:
		str_list_add(&argv, "leases");
		str_list_add(&argv, "create");
		str_list_add(&argv, "--expires");
		str_list_add(&argv, "10m");
		str_list_add(&argv, "--id");
		str_list_add(&argv, removal->lease);
		break;
	case REMOVAL_COLLECT:
		str_list_add(&argv, "leases");
		str_list_add(&argv, "delete");
		str_list_add(&argv, "--sync");
		str_list_add(&argv, removal->lease);
		break;
	case REMOVAL_DONE:
		break;
	}
	spec.argv = (const char *const *)argv.items;
	return process_run(removal->store->loop, &spec, step_done, removal, &removal->process, err);
}

static void step_done(void *data, const struct process_result *result)
{
	struct image_removal *removal = data;
	struct error err = ERROR_INIT;
	int r = image_command_check(result, &err);

	removal->process = NULL;
	if (r == -ENOENT)
		r = 0; /* it was to be removed anyway */
	if (r < 0 && removal->step >= REMOVAL_LEASE) {
		/* The image is gone; containerd collects by itself too, some time. */
		log_warn("containerd does not collect what was removed just yet", "error",
			 err.text);
		finish(removal, NULL);
		return;
	}
	if (r == 0) {
		removal->step++;
		if (removal->step == REMOVAL_PIN && !removal->image_id)
			removal->step++;
		if (removal->step == REMOVAL_DONE) {
			finish(removal, NULL);
			return;
		}
		r = run_step(removal, &err);
	}
	if (r < 0)
		finish(removal, &err);
}

static int begin(struct image_store *store, const char *image_id, const struct str_list *names,
		 void (*on_done)(void *data, const struct error *err), void *data,
		 struct error *err)
{
	struct image_removal *removal = xcalloc(1, sizeof(*removal));
	char unique[17];
	int result;

	random_hex(unique, 8);
	*removal = (struct image_removal){
		.store = store,
		.step = names->count ? REMOVAL_NAMES : REMOVAL_PIN,
		.image_id = xstrdup_null(image_id),
		.lease = xasprintf("berth-collect-%s", unique),
		.on_done = on_done,
		.data = data,
	};
	for (size_t i = 0; i < names->count; i++)
		str_list_add(&removal->names, names->items[i]);
	result = run_step(removal, err);
	if (result < 0) {
		removal_free(removal);
		return result;
	}
	image_cache_drop(store, image_id, NULL);
	for (size_t i = 0; i < names->count; i++)
		image_cache_drop(store, NULL, names->items[i]);
	removal->next = store->removals;
	store->removals = removal;
	return 0;
}

/* Somebody is just asking for it. */
static bool is_being_fetched(const struct image_store *store, const char *image_id,
			     const struct str_list *names)
{
	for (const struct image_fetch *fetch = store->fetches; fetch; fetch = fetch->next) {
		if (str_list_has(names, fetch->reference) ||
		    (image_id && fetch->image && str_eq(fetch->image->id, image_id)))
			return true;
	}
	return false;
}

int image_remove(struct image_store *store, const char *image_id, const struct str_list *names,
		 void (*on_done)(void *data, const struct error *err), void *data,
		 struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < names->count && result == 0; i++)
		result = image_name_check(names->items[i], err);
	if (result < 0)
		return result;
	if (image_id && !image_digest_is_valid(image_id))
		return error_say(err, EINVAL, "\"%.80s\" is no image id", image_id);
	if (!image_id && names->count == 0)
		return error_say(err, EINVAL, "neither an id nor a name says what to remove");
	if (is_being_fetched(store, image_id, names))
		return error_say(err, EBUSY, "it is being fetched");
	result = image_containerd_check(store, err);
	if (result < 0)
		return result;
	return begin(store, image_id, names, on_done, data, err);
}

static void name_removed(void *data, const struct error *err)
{
	(void)data;
	if (err)
		log_warn("an image for another platform cannot be removed", "error", err->text);
}

void image_remove_name(struct image_store *store, const char *reference)
{
	_cleanup_str_list_ struct str_list names = STR_LIST_INIT;
	struct error err = ERROR_INIT;

	str_list_add(&names, reference);
	if (begin(store, NULL, &names, name_removed, NULL, &err) < 0)
		name_removed(NULL, &err);
}
