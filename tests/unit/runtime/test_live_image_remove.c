/* SPDX-License-Identifier: Apache-2.0 */
/* What holds an image on a host, and its removal, with a containerd and a registry of our own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "live.h"
#include "live_registry.h"
#include "runtime/image.h"

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define CTR_ARGS(...)                                                                              \
	ARGS("ctr", "--address", host.containerd.address, "--namespace", "test", __VA_ARGS__)
#define CTR(...) live_command(CTR_ARGS(__VA_ARGS__))

static struct {
	struct loop *loop;
	struct image_store *store;
	struct live_containerd containerd;
	struct live_registry registry;
	char *dir;
	char *first, *second; /* names of the same image */
} host;

/* `ctr_path` NULL: the real one. */
static void new_store(const char *ctr_path)
{
	_cleanup_free_ char *run_dir = xasprintf("%s/run", host.dir);
	const struct image_store_config config = {
		.ctr_path = ctr_path,
		.address = host.containerd.address,
		.name_space = "test",
		.run_dir = run_dir,
	};

	if (host.store)
		image_store_free(host.store);
	assert_int_equal(image_store_new(host.loop, &config, &host.store, NULL), 0);
}

/*
 * A ctr that waits before it runs what has `words` in its arguments, until the file `go` is there;
 * it makes the file `waits` meanwhile.
 */
static char *slow_ctr(const char *words)
{
	char *path = xasprintf("%s/slow-ctr", host.dir);
	_cleanup_free_ char *waits = xasprintf("%s/waits", host.dir);
	_cleanup_free_ char *go = xasprintf("%s/go", host.dir);
	_cleanup_free_ char *text =
		xasprintf("#!/bin/sh\ncase \"$*\" in *\"%s\"*) touch %s/waits\n"
			  "while [ ! -e %s/go ]; do sleep 0.01; done;; esac\nexec ctr \"$@\"\n",
			  words, host.dir, host.dir);

	unlink(waits);
	unlink(go);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0755, false, NULL),
			 0);
	return path;
}

static void wait_until_it_waits(void)
{
	_cleanup_free_ char *path = xasprintf("%s/waits", host.dir);
	int64_t until = clock_monotonic_ms() + 20000;

	while (access(path, F_OK) < 0) {
		assert_true(clock_monotonic_ms() < until);
		loop_run_once(host.loop, false);
	}
}

static void let_it_go(void)
{
	_cleanup_free_ char *path = xasprintf("%s/go", host.dir);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, "", 0, 0644, false, NULL), 0);
}

static struct image *pull(const char *reference)
{
	struct live_fetch fetch;

	live_pull_begin(&fetch, host.store, reference, NULL, 0);
	live_wait(host.loop, &fetch.done);
	if (fetch.failure)
		fail_msg("%s", fetch.err.text);
	return fetch.image;
}

static enum image_failure inspect(const char *reference)
{
	struct live_fetch fetch = { 0 };

	assert_int_equal(image_inspect(host.store, reference, live_fetch_done, &fetch, NULL, NULL),
			 0);
	live_wait(host.loop, &fetch.done);
	if (fetch.image)
		image_unref(fetch.image);
	return fetch.failure;
}

struct removal {
	bool done;
	struct error err;
};

static void removed(void *data, const struct error *err)
{
	struct removal *removal = data;

	removal->done = true;
	if (err)
		removal->err = *err;
}

static int remove_begin(struct removal *removal, const char *image_id, const char *const *names)
{
	struct str_list list = STR_LIST_INIT;
	int result;

	*removal = (struct removal){ 0 };
	for (; *names; names++)
		str_list_add(&list, *names);
	result = image_remove(host.store, image_id, &list, removed, removal, &removal->err);
	assert_false(removal->done);
	str_list_free(&list);
	return result;
}

static void remove_all(const char *image_id, const char *const *names)
{
	struct removal removal;

	if (remove_begin(&removal, image_id, names) < 0)
		fail_msg("%s", removal.err.text);
	live_wait(host.loop, &removal.done);
	if (removal.err.code)
		fail_msg("%s", removal.err.text);
}

static char *program_of(const struct image *image)
{
	return xasprintf("%s/bin/busybox", image->layers.items[1]);
}

/* Whatever nothing holds goes. */
static void collect_garbage(void)
{
	CTR("leases", "create", "--id", "berth-test-collect");
	CTR("leases", "delete", "--sync", "berth-test-collect");
}

/* ---- */

/* Whoever takes the names away behind our back takes no running container's files. */
static void the_pin_holds_the_layers(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *file = program_of(image);

	CTR("images", "rm", host.first);
	collect_garbage();
	assert_int_equal(access(file, R_OK), 0);
	/* Its names are gone, which is no error. */
	remove_all(image->id, ARGS(host.first));
	assert_int_equal(access(file, R_OK), -1);
	image_unref(image);
}

static void a_removal_leaves_nothing(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *file = program_of(image);

	image_unref(pull(host.second));
	remove_all(image->id, ARGS(host.first, host.second));
	/* containerd has collected already. */
	assert_int_equal(access(file, R_OK), -1);
	assert_null(image_cached(host.store, host.first));
	assert_null(image_cached(host.store, host.second));
	assert_int_equal(inspect(host.first), IMAGE_NOT_FOUND);
	assert_int_equal(inspect(host.second), IMAGE_NOT_FOUND);
	/* Again is no error; nor is an image that has no name any more. */
	remove_all(image->id, ARGS(host.first, host.second));
	remove_all(image->id, ARGS(NULL));
	image_unref(image);
}

/* After a restart of ours, which remembers nothing of the image. */
static void an_image_that_is_not_known_is_removed_with_its_pin(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *file = program_of(image);

	new_store(NULL);
	remove_all(image->id, ARGS(host.first));
	assert_int_equal(access(file, R_OK), -1);
	image_unref(image);
}

static void a_name_alone_can_be_removed(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *file = program_of(image);

	remove_all(NULL, ARGS(host.first));
	assert_int_equal(inspect(host.first), IMAGE_NOT_FOUND);
	assert_int_equal(access(file, R_OK), 0);
	remove_all(image->id, ARGS(NULL));
	image_unref(image);
}

/* What must not happen has the time to. */
static void go_as_far_as_it_may(const struct live_fetch *fetch)
{
	int64_t until = clock_monotonic_ms() + 700;

	while (!fetch->done && clock_monotonic_ms() < until)
		loop_run_once(host.loop, false);
	assert_false(fetch->done);
}

static void end_fetch(struct live_fetch *fetch)
{
	live_wait(host.loop, &fetch->done);
	if (fetch->failure)
		fail_msg("%s", fetch->err.text);
	image_unref(fetch->image);
}

/* Its files, if it is there and held, stay whoever removes the name. */
static void assert_is_held(const char *reference)
{
	struct image *image = pull(reference);
	_cleanup_free_ char *file = program_of(image);

	CTR("images", "rm", reference);
	collect_garbage();
	assert_int_equal(access(file, R_OK), 0);
	remove_all(image->id, ARGS(NULL));
	image_unref(image);
}

/* Half removed it would be found, and gone a moment later. */
static void who_asks_for_an_image_that_is_being_removed_waits(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *ctr = slow_ctr(" rm ");
	struct live_fetch fetch, look = { 0 };
	struct removal removal;

	new_store(ctr);
	assert_int_equal(remove_begin(&removal, image->id, ARGS(host.first)), 0);
	wait_until_it_waits();
	assert_int_equal(image_inspect(host.store, host.first, live_fetch_done, &look, NULL, NULL),
			 0);
	live_pull_begin(&fetch, host.store, host.first, NULL, 0);
	go_as_far_as_it_may(&fetch);
	let_it_go();
	live_wait(host.loop, &look.done);
	if (look.image)
		image_unref(look.image);
	end_fetch(&fetch);
	assert_true(removal.done);
	assert_int_equal(removal.err.code, 0);
	new_store(NULL);
	assert_int_equal(inspect(host.first), IMAGE_OK);
	assert_is_held(host.first);
	image_unref(image);
}

/* The pin is that of the image, whatever its name: it must not go after it was found. */
static void another_name_of_an_image_that_is_being_removed_gets_a_pin_of_its_own(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *ctr = slow_ctr(" snapshots --snapshotter overlayfs rm ");
	_cleanup_free_ char *pin = xasprintf("berth-hold-%.32s", image->id + strlen("sha256:"));
	struct live_fetch fetch;
	struct removal removal;

	new_store(ctr);
	assert_int_equal(remove_begin(&removal, image->id, ARGS(host.first)), 0);
	wait_until_it_waits();
	live_pull_begin(&fetch, host.store, host.second, NULL, 0);
	go_as_far_as_it_may(&fetch);
	let_it_go();
	end_fetch(&fetch);
	assert_true(removal.done);
	assert_true(live_command_succeeds(CTR_ARGS("snapshots", "info", pin)));
	new_store(NULL);
	assert_is_held(host.second);
	image_unref(image);
}

static void what_is_being_fetched_is_not_removed(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *ctr = slow_ctr(" prepare ");
	struct live_fetch fetch;
	struct removal removal;

	new_store(ctr);
	live_pull_begin(&fetch, host.store, host.second, NULL, 0);
	assert_int_equal(remove_begin(&removal, NULL, ARGS(host.second)), -EBUSY);
	assert_non_null(strstr(removal.err.text, "being fetched"));
	wait_until_it_waits();
	/* Now it is known which image that is. */
	assert_int_equal(remove_begin(&removal, image->id, ARGS(host.first)), -EBUSY);
	let_it_go();
	end_fetch(&fetch);
	new_store(NULL);
	remove_all(image->id, ARGS(host.first, host.second));
	image_unref(image);
}

static void the_store_may_go_while_it_removes(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *ctr = slow_ctr(" rm ");
	struct live_fetch fetch;
	struct removal removal;

	new_store(ctr);
	assert_int_equal(remove_begin(&removal, image->id, ARGS(host.first)), 0);
	live_pull_begin(&fetch, host.store, host.first, NULL, 0);
	wait_until_it_waits();
	new_store(NULL);
	loop_run_once(host.loop, false);
	assert_false(removal.done);
	assert_false(fetch.done);
	remove_all(image->id, ARGS(host.first));
	image_unref(image);
}

static void nonsense_is_refused_at_once(void **state)
{
	(void)state;
	static const char id[] =
		"sha256:1111111111111111111111111111111111111111111111111111111111111111";
	static const struct {
		const char *id, *name, *what;
	} wrong[] = {
		{ NULL, NULL, "neither an id nor a name" },
		{ "sha256:1", NULL, "no image id" },
		{ id, "busybox", "the complete name is docker.io/library/busybox:latest" },
		{ id, "--sync", "invalid reference format" },
	};
	struct removal removal;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(remove_begin(&removal, wrong[i].id, ARGS(wrong[i].name)), -EINVAL);
		assert_non_null(strstr(removal.err.text, wrong[i].what));
	}
}

static void without_containerd_nothing_is_removed(void **state)
{
	(void)state;
	struct live_containerd real = host.containerd;
	struct removal removal;

	host.containerd.address = (char *)"/nonexistent/containerd.sock";
	new_store(NULL);
	assert_int_equal(remove_begin(&removal, NULL, ARGS(host.first)), -ECONNREFUSED);
	host.containerd = real;
	new_store(NULL);
}

/* ---- what is there */

struct answer {
	bool done;
	struct image_row row; /* of the first name */
	size_t count;
	struct str_list directories;
};

static void listed(void *data, const struct image_rows *rows, const struct error *err)
{
	struct answer *answer = data;

	assert_null(err);
	answer->done = true;
	answer->count = rows->count;
	for (size_t i = 0; i < rows->count; i++) {
		if (str_eq(rows->items[i].reference, host.first))
			answer->row = (struct image_row){
				.digest = xstrdup(rows->items[i].digest),
				.size = rows->items[i].size,
			};
	}
}

static void names_are_listed(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	struct answer answer = { 0 };

	assert_int_equal(image_store_list(host.store, listed, &answer, NULL), 0);
	assert_false(answer.done);
	live_wait(host.loop, &answer.done);
	assert_int_equal(answer.count, 1);
	assert_string_equal(answer.row.digest, image->digest);
	assert_true(answer.row.size > image->size * 9 / 10 &&
		    answer.row.size < image->size * 11 / 10);
	free(answer.row.digest);
	remove_all(image->id, ARGS(host.first));
	image_unref(image);
}

static void found(void *data, const struct str_list *directories, const struct error *err)
{
	struct answer *answer = data;

	assert_null(err);
	answer->done = true;
	for (size_t i = 0; i < directories->count; i++)
		str_list_add(&answer->directories, directories->items[i]);
}

static void containerd_tells_its_directories(void **state)
{
	(void)state;
	struct answer answer = { 0 };
	_cleanup_free_ char *root = xasprintf("%s/root/", host.dir);

	assert_int_equal(image_store_directories(host.store, found, &answer, NULL), 0);
	live_wait(host.loop, &answer.done);
	assert_int_equal(answer.directories.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(str_starts_with(answer.directories.items[i], root));
		assert_int_equal(access(answer.directories.items[i], R_OK), 0);
	}
	str_list_free(&answer.directories);
}

/* An image that is only looked at goes when its name goes. */
static void a_description_leaves_no_trace(void **state)
{
	(void)state;
	struct image *image = pull(host.first);
	_cleanup_free_ char *pin = xasprintf("berth-hold-%.32s", image->id + strlen("sha256:"));
	struct live_fetch fetch = { 0 };

	CTR("snapshots", "rm", pin);
	new_store(NULL);
	assert_int_equal(
		image_describe(host.store, host.first, live_fetch_done, &fetch, NULL, NULL), 0);
	live_wait(host.loop, &fetch.done);
	assert_int_equal(fetch.failure, IMAGE_OK);
	assert_string_equal(fetch.image->id, image->id);
	assert_string_equal(fetch.image->created, "2026-01-02T03:04:05Z");
	assert_int_equal(fetch.image->layers.count, 0);
	assert_null(image_cached(host.store, host.first));
	assert_false(live_command_succeeds(CTR_ARGS("snapshots", "info", pin)));
	/* Who means to run it gets layers and pin. */
	assert_int_equal(inspect(host.first), IMAGE_OK);
	assert_int_equal(image_cached(host.store, host.first)->layers.count, 2);
	remove_all(image->id, ARGS(host.first));
	image_unref(fetch.image);
	image_unref(image);
}

static int set_up(void **state)
{
	(void)state;
	_cleanup_free_ char *layout = NULL;
	_cleanup_free_ char *registry_dir = NULL;

	host.dir = live_directory();
	layout = xasprintf("%s/layout", host.dir);
	registry_dir = xasprintf("%s/registry", host.dir);
	live_make_images(layout);
	live_containerd_start(&host.containerd, host.dir);
	live_registry_start(&host.registry, registry_dir, 0, NULL, NULL);
	live_push(layout, "native", &host.registry, "a/native:1", NULL);
	live_push(layout, "native", &host.registry, "a/native:2", NULL);
	host.first = xasprintf("127.0.0.1:%d/a/native:1", host.registry.port);
	host.second = xasprintf("127.0.0.1:%d/a/native:2", host.registry.port);
	assert_int_equal(loop_new(&host.loop, NULL), 0);
	new_store(NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	image_store_free(host.store);
	loop_free(host.loop);
	live_registry_stop(&host.registry);
	live_containerd_stop(&host.containerd);
	live_remove_directory(host.dir);
	free(host.first);
	free(host.second);
	free(host.dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pin_holds_the_layers),
		cmocka_unit_test(a_removal_leaves_nothing),
		cmocka_unit_test(an_image_that_is_not_known_is_removed_with_its_pin),
		cmocka_unit_test(a_name_alone_can_be_removed),
		cmocka_unit_test(who_asks_for_an_image_that_is_being_removed_waits),
		cmocka_unit_test(
			another_name_of_an_image_that_is_being_removed_gets_a_pin_of_its_own),
		cmocka_unit_test(what_is_being_fetched_is_not_removed),
		cmocka_unit_test(the_store_may_go_while_it_removes),
		cmocka_unit_test(nonsense_is_refused_at_once),
		cmocka_unit_test(without_containerd_nothing_is_removed),
		cmocka_unit_test(names_are_listed),
		cmocka_unit_test(containerd_tells_its_directories),
		cmocka_unit_test(a_description_leaves_no_trace),
	};

	live_need(ARGS("/usr/bin/ctr", "/usr/bin/containerd", "/usr/bin/docker-registry",
		       "/usr/bin/skopeo", "/usr/bin/busybox"));
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
