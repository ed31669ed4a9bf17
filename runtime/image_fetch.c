/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps from a reference to an image, each one call of ctr:
 *
 *	pull -> list (digest) -> content get manifest (twice for an index) -> content get config ->
 *prepare (layers, pin)
 *
 * An inspection begins at the list. After a pull that brought nothing new, what is known is used.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/image_internal.h"

#define STEP_TIMEOUT_MS 60000
/* Only whether it answers: most of it is the start of the program that asks. */
#define PING_TIMEOUT_MS 5000
/* ctr waits for ever for a containerd that has died, and goes on with the next one. */
#define LOOK_INTERVAL_MS 1000
#define CONTENT_LIMIT    (8 << 20)

struct image_fetch *image_fetch_new(struct image_store *store, enum image_fetch_kind kind,
				    const char *reference)
{
	struct image_fetch *fetch = xcalloc(1, sizeof(*fetch));
	struct image_fetch **at = &store->fetches;

	fetch->store = store;
	fetch->kind = kind;
	fetch->reference = xstrdup(reference);
	fetch->progress.progress.state = "resolving";
	/* Last in line. */
	while (*at)
		at = &(*at)->next;
	*at = fetch;
	return fetch;
}

static void unlink_fetch(struct image_fetch *fetch)
{
	struct image_fetch **at = &fetch->store->fetches;

	while (*at != fetch)
		at = &(*at)->next;
	*at = fetch->next;
}

static void forget(const char **secret)
{
	if (*secret)
		explicit_bzero((char *)*secret, strlen(*secret));
	free((char *)*secret);
	*secret = NULL;
}

static void destroy(struct image_fetch *fetch)
{
	if (fetch->process)
		process_cancel(fetch->process);
	image_hosts_remove(fetch);
	loop_timer_free(fetch->timer);
	forget(&fetch->registry.user);
	forget(&fetch->registry.password);
	free((char *)fetch->registry.ca_file);
	image_unref(fetch->image);
	free(fetch->reference);
	free(fetch->server);
	free(fetch->manifest);
	free(fetch->chain);
	free(fetch);
}

void image_fetch_free(struct image_fetch *fetch)
{
	struct image_store *store = fetch->store;

	unlink_fetch(fetch);
	destroy(fetch);
	image_fetch_wake(store);
}

void image_fetch_finish(struct image_fetch *fetch, enum image_failure failure, const char *text)
{
	struct image_store *store = fetch->store;
	struct error err = ERROR_INIT;
	struct image_result result = { .failure = failure, .err = &err };

	unlink_fetch(fetch);
	if (failure == IMAGE_OK)
		result.image = fetch->image;
	else
		error_say(&err, image_failure_errno(failure), "%s", text);
	/* A callback may cancel, or ask for, others. */
	while (fetch->operations) {
		struct image_operation *operation = fetch->operations;

		fetch->operations = operation->next;
		loop_timer_free(operation->timer);
		operation->on_done(operation->data, &result);
		free(operation);
	}
	destroy(fetch);
	image_fetch_wake(store);
}

static void finish_error(struct image_fetch *fetch, enum image_failure failure,
			 const struct error *err)
{
	image_fetch_finish(fetch, failure, err->text);
}

/* ---- running ctr */

static void step_done(void *data, const struct process_result *result);

static void on_line(void *data, bool is_stderr, const char *line)
{
	struct image_fetch *fetch = data;

	if (is_stderr || !image_progress_line(&fetch->progress, line))
		return;
	fetch->progress_due_ms = clock_monotonic_ms() + fetch->inactivity_timeout_ms;
	for (struct image_operation *operation = fetch->operations; operation;) {
		struct image_operation *next = operation->next;

		if (operation->on_progress)
			operation->on_progress(operation->data, &fetch->progress.progress);
		operation = next;
	}
}

static void run_step(struct image_fetch *fetch, enum image_step step, const struct str_list *argv)
{
	bool is_pull = step == IMAGE_STEP_PULL;
	const struct process_spec spec = {
		.argv = (const char *const *)argv->items,
		.env = (const char *const *)fetch->store->environment.items,
		.output_limit = CONTENT_LIMIT,
		.timeout_ms = is_pull                   ? fetch->timeout_ms
			      : step == IMAGE_STEP_PING ? PING_TIMEOUT_MS
							: STEP_TIMEOUT_MS,
		.on_line = is_pull ? on_line : NULL,
	};
	struct error err = ERROR_INIT;

	fetch->step = step;
	if (process_run(fetch->store->loop, &spec, step_done, fetch, &fetch->process, &err) < 0) {
		error_prefix(&err, "run %s", argv->items[0]);
		finish_error(fetch, IMAGE_FAILED, &err);
	}
}

static void run_list(struct image_fetch *fetch)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;

	image_command(fetch->store, &argv);
	str_list_add(&argv, "images");
	str_list_add(&argv, "ls");
	str_list_add_owned(&argv, xasprintf("name==\"%s\"", fetch->reference));
	run_step(fetch, IMAGE_STEP_LIST, &argv);
}

static void run_content(struct image_fetch *fetch, enum image_step step, const char *digest)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;

	image_command(fetch->store, &argv);
	str_list_add(&argv, "content");
	str_list_add(&argv, "get");
	str_list_add(&argv, digest);
	run_step(fetch, step, &argv);
}

static void run_prepare(struct image_fetch *fetch)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;

	image_command(fetch->store, &argv);
	str_list_add(&argv, "snapshots");
	str_list_add(&argv, "--snapshotter");
	str_list_add(&argv, fetch->store->snapshotter);
	str_list_add(&argv, "prepare");
	str_list_add(&argv, "--mounts");
	str_list_add_owned(&argv, image_pin_name(fetch->store, fetch->image->id));
	str_list_add(&argv, fetch->chain);
	run_step(fetch, IMAGE_STEP_PREPARE, &argv);
}

/* The pin is there, from an earlier life of ours. */
static void run_mounts(struct image_fetch *fetch)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;

	image_command(fetch->store, &argv);
	str_list_add(&argv, "snapshots");
	str_list_add(&argv, "--snapshotter");
	str_list_add(&argv, fetch->store->snapshotter);
	str_list_add(&argv, "mounts");
	str_list_add(&argv, "/mnt");
	str_list_add_owned(&argv, image_pin_name(fetch->store, fetch->image->id));
	run_step(fetch, IMAGE_STEP_MOUNTS, &argv);
}

/* ---- the steps' results */

static void done_ok(struct image_fetch *fetch)
{
	image_cache_put(fetch->store, fetch->image);
	image_fetch_finish(fetch, IMAGE_OK, NULL);
}

static void listed(struct image_fetch *fetch, const char *table)
{
	struct image *cached = image_cache_find(fetch->store, fetch->reference);
	_cleanup_free_ char *digest = image_list_find(table, fetch->reference);
	struct error err = ERROR_INIT;

	if (!digest) {
		error_say(&err, ENOENT, "%s: the image is not on this host", fetch->reference);
		finish_error(fetch, IMAGE_NOT_FOUND, &err);
		return;
	}
	if (cached && str_eq(cached->digest, digest)) {
		fetch->image = image_ref(cached);
		image_fetch_finish(fetch, IMAGE_OK, NULL);
		return;
	}
	fetch->image = xcalloc(1, sizeof(*fetch->image));
	fetch->image->references_ = 1;
	fetch->image->reference = xstrdup(fetch->reference);
	fetch->image->digest = xstrdup(digest);
	fetch->manifest = TAKE(digest);
	run_content(fetch, IMAGE_STEP_MANIFEST, fetch->manifest);
}

static void got_manifest(struct image_fetch *fetch, const char *text, size_t size)
{
	struct image_manifest manifest;
	const char *variant, *architecture = image_host_architecture(&variant);
	struct error err = ERROR_INIT;
	int result =
		image_manifest_parse(text, size, "linux", architecture, variant, &manifest, &err);

	if (result < 0) {
		error_prefix(&err, "%s", fetch->reference);
		finish_error(fetch, result == -ENOENT ? IMAGE_WRONG_PLATFORM : IMAGE_CORRUPT, &err);
		return;
	}
	if (manifest.child) {
		free(fetch->manifest);
		fetch->manifest = manifest.child;
		if (fetch->index_followed) {
			image_fetch_finish(fetch, IMAGE_CORRUPT,
					   "an image index that leads to another index");
			return;
		}
		fetch->index_followed = true;
		run_content(fetch, IMAGE_STEP_MANIFEST, fetch->manifest);
		return;
	}
	fetch->image->id = manifest.config;
	fetch->image->size = manifest.size;
	run_content(fetch, IMAGE_STEP_CONFIG, fetch->image->id);
}

static void got_config(struct image_fetch *fetch, const char *text, size_t size)
{
	const char *variant, *architecture = image_host_architecture(&variant);
	struct image *image = fetch->image;
	struct error err = ERROR_INIT;

	if (image_config_parse(text, size, image, &fetch->chain, &err) < 0) {
		error_prefix(&err, "%s", fetch->reference);
		finish_error(fetch, IMAGE_CORRUPT, &err);
		return;
	}
	/* ctr takes an image of a single platform whatever that is. */
	if ((*image->os && !str_eq(image->os, "linux")) ||
	    (*image->architecture && !str_eq(image->architecture, architecture))) {
		error_say(&err, ENOEXEC,
			  "%s: the image is made for %s/%s, and this host is linux/%s; use an "
			  "image for this host's "
			  "architecture",
			  fetch->reference, image->os, image->architecture, architecture);
		/* Of no use here, and nobody would ever think of removing it. */
		if (fetch->kind == IMAGE_FETCH_PULL)
			image_remove_name(fetch->store, fetch->reference);
		finish_error(fetch, IMAGE_WRONG_PLATFORM, &err);
		return;
	}
	if (fetch->kind == IMAGE_FETCH_DESCRIBE)
		image_fetch_finish(fetch, IMAGE_OK, NULL);
	else if (!fetch->chain)
		done_ok(fetch);
	else if (image_is_being_removed(fetch->store, image->id, NULL))
		fetch->held = true; /* under another name: the pin that is there will go */
	else
		run_prepare(fetch);
}

static void got_mounts(struct image_fetch *fetch, const char *text)
{
	struct error err = ERROR_INIT;

	if (image_mounts_parse(text, &fetch->image->layers, &err) < 0) {
		error_prefix(&err, "%s", fetch->reference);
		finish_error(fetch, IMAGE_FAILED, &err);
		return;
	}
	done_ok(fetch);
}

static void step_failed(struct image_fetch *fetch, const struct process_result *result)
{
	_cleanup_free_ char *text = NULL;
	enum image_failure failure;

	if (result->timed_out) {
		if (fetch->step == IMAGE_STEP_PULL)
			image_fetch_finish(fetch, IMAGE_TIMEOUT,
					   "the pull did not end within its time limit");
		else
			image_fetch_finish(fetch, IMAGE_STALLED,
					   "containerd did not answer within 60 seconds");
		return;
	}
	failure = image_failure_from_ctr(result->errors, &text);
	if (fetch->step == IMAGE_STEP_PREPARE && strstr(text, "already exists")) {
		run_mounts(fetch);
		return;
	}
	/* Content that the name promises, and that is not there. */
	if (failure == IMAGE_NOT_FOUND && fetch->step != IMAGE_STEP_PULL) {
		_cleanup_free_ char *more =
			xasprintf("%s: not all of the image is on this host (%s): pull it again",
				  fetch->reference, text);

		image_fetch_finish(fetch, IMAGE_NOT_FOUND, more);
		return;
	}
	image_fetch_finish(fetch, failure, text);
}

static void step_done(void *data, const struct process_result *result)
{
	struct image_fetch *fetch = data;

	fetch->process = NULL;
	if (fetch->step == IMAGE_STEP_PULL) {
		loop_timer_stop(fetch->timer);
		image_hosts_remove(fetch);
	}
	if (result->exit_code != 0) {
		step_failed(fetch, result);
		return;
	}
	if (result->out_cut && fetch->step != IMAGE_STEP_PULL) {
		image_fetch_finish(fetch, IMAGE_CORRUPT, "the image's description is too large");
		return;
	}
	switch (fetch->step) {
	case IMAGE_STEP_PULL:
		run_list(fetch);
		break;
	case IMAGE_STEP_LIST:
		listed(fetch, result->out);
		break;
	case IMAGE_STEP_MANIFEST:
		got_manifest(fetch, result->out, result->out_size);
		break;
	case IMAGE_STEP_CONFIG:
		got_config(fetch, result->out, result->out_size);
		break;
	case IMAGE_STEP_PREPARE:
	case IMAGE_STEP_MOUNTS:
		got_mounts(fetch, result->out);
		break;
	case IMAGE_STEP_PING:
		image_fetch_finish(fetch, IMAGE_OK, NULL);
		break;
	}
}

/* ---- beginning */

static void look_later(struct image_fetch *fetch)
{
	int64_t left_ms = fetch->progress_due_ms - clock_monotonic_ms();

	loop_timer_start(fetch->timer, left_ms < 0                  ? 0
				       : left_ms < LOOK_INTERVAL_MS ? left_ms
								    : LOOK_INTERVAL_MS);
}

static void give_up(struct image_fetch *fetch, enum image_failure failure, const char *text)
{
	process_cancel(TAKE(fetch->process));
	image_fetch_finish(fetch, failure, text);
}

static void look_after_pull(void *data)
{
	struct image_fetch *fetch = data;
	struct error err = ERROR_INIT;

	if (image_containerd_check(fetch->store, &err) < 0)
		give_up(fetch, IMAGE_NO_CONTAINERD, err.text);
	else if (clock_monotonic_ms() >= fetch->progress_due_ms)
		give_up(fetch, IMAGE_STALLED,
			"inactivity time exceeded timeout while pulling image");
	else
		look_later(fetch);
}

static void begin(void *data)
{
	struct image_fetch *fetch = data;
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;
	struct error err = ERROR_INIT;

	loop_timer_free(TAKE(fetch->timer));
	if (image_containerd_check(fetch->store, &err) < 0) {
		finish_error(fetch, IMAGE_NO_CONTAINERD, &err);
		return;
	}
	if (fetch->kind == IMAGE_FETCH_PING) {
		image_command(fetch->store, &argv);
		str_list_add(&argv, "version");
		run_step(fetch, IMAGE_STEP_PING, &argv);
		return;
	}
	if (fetch->kind != IMAGE_FETCH_PULL) {
		run_list(fetch);
		return;
	}
	if (image_hosts_make(fetch, &err) < 0) {
		finish_error(fetch, err.code == ENOSPC ? IMAGE_NO_SPACE : IMAGE_FAILED, &err);
		return;
	}
	fetch->timer = loop_timer_new(fetch->store->loop, look_after_pull, fetch);
	fetch->progress_due_ms = clock_monotonic_ms() + fetch->begin_timeout_ms;
	look_later(fetch);
	image_command_pull(fetch, &argv);
	run_step(fetch, IMAGE_STEP_PULL, &argv);
}

void image_fetch_schedule(struct image_fetch *fetch)
{
	unsigned pulling = 0;

	for (struct image_fetch *other = fetch->store->fetches; other; other = other->next)
		pulling += other->running && other->kind == IMAGE_FETCH_PULL;
	if (fetch->kind == IMAGE_FETCH_PULL && pulling >= fetch->store->parallel_pulls)
		return;
	if (image_is_being_removed(fetch->store, NULL, fetch->reference))
		return;
	fetch->running = true;
	/* On the next turn: nobody is called back from within his own call. */
	fetch->timer = loop_timer_new(fetch->store->loop, begin, fetch);
	loop_timer_start(fetch->timer, 0);
}

/* False: nobody may go on. The fetch may be gone, and others with it. */
static bool resume_one(struct image_store *store)
{
	for (struct image_fetch *fetch = store->fetches; fetch; fetch = fetch->next) {
		if (fetch->held && !image_is_being_removed(store, fetch->image->id, NULL)) {
			fetch->held = false;
			run_prepare(fetch);
			return true;
		}
	}
	return false;
}

void image_fetch_wake(struct image_store *store)
{
	for (struct image_fetch *fetch = store->fetches; fetch; fetch = fetch->next) {
		if (!fetch->running)
			image_fetch_schedule(fetch);
	}
	while (resume_one(store))
		;
}
