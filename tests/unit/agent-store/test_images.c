/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/store/internal.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/strbuf.h"

#define X "sha256:x"
#define Y "sha256:y"

static struct store *open_memory(void)
{
	struct store *store = NULL;

	assert_int_equal(store_open(NULL, &store, NULL), 0);
	return store;
}

static void see(struct store *store, const char *name, const char *id, int64_t at_ms, bool pulled)
{
	_cleanup_free_ char *digest = xasprintf("%s-manifest", id);
	const struct store_image_seen seen = {
		.name = name,
		.id = id,
		.digest = digest,
		.size_bytes = 1000,
		.at_ms = at_ms,
		.pull_succeeded = pulled,
	};
	struct error err = ERROR_INIT;

	if (store_track_image(store, &seen, &err) < 0)
		fail_msg("%s", err.text);
}

/* "ID[NAMES] pulled-used YES; ..." in order of the ids. */
static void expect(struct store *store, const char *wanted)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct store_images images;

	assert_int_equal(store_load_images(store, &images, NULL), 0);
	for (size_t i = 0; i < images.count; i++) {
		const struct store_image *image = &images.items[i];
		_cleanup_free_ char *names = str_list_join(&image->names, " ");
		_cleanup_free_ char *digest = xasprintf("%s-manifest", image->id);

		assert_string_equal(image->digest, digest);
		assert_int_equal(image->size_bytes, 1000);
		strbuf_appendf(&text, "%s%s[%s] %lld-%lld %s", i > 0 ? "; " : "", image->id, names,
			       (long long)image->pulled_at_ms, (long long)image->last_used_at_ms,
			       image->pull_succeeded ? "yes" : "no");
	}
	assert_string_equal(strbuf_text(&text), wanted);
	store_images_free(&images);
}

static void an_image_is_tracked_from_when_it_is_first_seen(void **state)
{
	struct store *store = open_memory();

	expect(store, "");
	see(store, "r/a:1", X, 10, true);
	expect(store, X "[r/a:1] 10-10 yes");
	see(store, "r/a:1", X, 20, true);
	see(store, "r/b:1", X, 30, true);
	expect(store, X "[r/a:1 r/b:1] 10-10 yes");
	store_close(store);
}

/* eng-21 */
static void a_name_that_moves_leaves_the_image_that_had_it(void **state)
{
	struct store *store = open_memory();

	see(store, "r/a:1", X, 10, true);
	see(store, "r/a:10", X, 11, true);
	see(store, "r/a:2", X, 12, true);
	see(store, "r/a:1", Y, 20, true);
	expect(store, X "[r/a:10 r/a:2] 10-10 yes; " Y "[r/a:1] 20-20 yes");
	see(store, "r/a:2", Y, 21, true);
	see(store, "r/a:10", Y, 22, true);
	expect(store, X "[] 10-10 yes; " Y "[r/a:1 r/a:2 r/a:10] 20-20 yes");
	/* And back again. */
	see(store, "r/a:2", X, 30, true);
	expect(store, X "[r/a:2] 10-10 yes; " Y "[r/a:1 r/a:10] 20-20 yes");
	store_close(store);
}

/* What is found here may be pulled later; what was pulled stays so. */
static void a_pull_is_remembered(void **state)
{
	struct store *store = open_memory();
	bool pulled = true;

	assert_int_equal(store_image_was_pulled(store, "r/a:1", &pulled, NULL), 0);
	assert_false(pulled);
	see(store, "r/a:1", X, 10, false);
	assert_int_equal(store_image_was_pulled(store, "r/a:1", &pulled, NULL), 0);
	assert_false(pulled);
	expect(store, X "[r/a:1] 10-10 no");
	see(store, "r/a:1", X, 20, true);
	see(store, "r/a:1", X, 30, false);
	see(store, "r/b:1", X, 40, false); /* under another name */
	assert_int_equal(store_image_was_pulled(store, "r/a:1", &pulled, NULL), 0);
	assert_true(pulled);
	/* No more than that very name. */
	assert_int_equal(store_image_was_pulled(store, "r/a", &pulled, NULL), 0);
	assert_false(pulled);
	assert_int_equal(store_image_was_pulled(store, "r/a:11", &pulled, NULL), 0);
	assert_false(pulled);
	store_close(store);
}

static void what_is_known_is_not_written_again(void **state)
{
	struct store *store = open_memory();
	int64_t changes;

	see(store, "r/a:1", X, 10, true);
	see(store, "r/b:1", Y, 10, true);
	assert_int_equal(db_exec(store->db,
				 "CREATE TRIGGER t BEFORE UPDATE ON image BEGIN SELECT RAISE "
				 "(ABORT, 'written'); END",
				 NULL),
			 0);
	changes = db_changes(store->db);
	see(store, "r/a:1", X, 20, true);
	see(store, "r/a:1", X, 30, false);
	assert_int_equal(db_changes(store->db), changes);
	store_close(store);
}

/* A task of two containers, one whose image is known. */
static void save_task(struct store *store, const char *id, const char *image_id)
{
	_cleanup_free_ char *json = xasprintf(
		"{\"arn\":\"arn:aws:ecs:here:1:task/c/%s\",\"desiredStatus\":\"RUNNING\","
		"\"containers\":[{\"name\":\"a\",\"image\":\"i\"},{\"name\":\"b\",\"image\":\"i\"}]"
		"}",
		id);
	struct task_spec *spec = NULL;
	struct task_state *task;

	assert_int_equal(task_spec_decode_text(json, strlen(json), &spec, NULL), 0);
	task = task_state_new(spec);
	task_spec_unref(spec);
	assert_int_equal(store_save_task(store, task, NULL), 0);
	for (int i = 0; i < 2; i++) {
		task->containers[i].runtime_id = xasprintf("%s-%d", id, i);
		task->containers[i].image_id = i == 0 ? xstrdup(image_id) : NULL;
		assert_int_equal(store_save_container(store, task, &task->containers[i], NULL), 0);
	}
	task_state_free(task);
}

/* At cleanup, not at STOPPED; and with the rows, so that neither is without the other. */
static void an_image_was_last_used_when_a_task_of_it_is_deleted(void **state)
{
	struct store *store = open_memory();

	see(store, "r/a:1", X, 10, true);
	see(store, "r/b:1", Y, 11, true);
	save_task(store, "t1", X);
	save_task(store, "t2", X);
	save_task(store, "t3", Y);
	expect(store, X "[r/a:1] 10-10 yes; " Y "[r/b:1] 11-11 yes");
	assert_int_equal(store_delete_task(store, "t1", 50, NULL), 0);
	expect(store, X "[r/a:1] 10-50 yes; " Y "[r/b:1] 11-11 yes");
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(store_delete_task(store, "t2", 60, NULL), 0);
	store_rollback(store);
	expect(store, X "[r/a:1] 10-50 yes; " Y "[r/b:1] 11-11 yes");
	assert_int_equal(store_delete_task(store, "t2", 70, NULL), 0);
	assert_int_equal(store_delete_task(store, "t2", 80, NULL), 0);
	expect(store, X "[r/a:1] 10-70 yes; " Y "[r/b:1] 11-11 yes");
	store_close(store);
}

static void a_deleted_image_is_unknown(void **state)
{
	struct store *store = open_memory();
	bool pulled = true;

	see(store, "r/a:1", X, 10, true);
	see(store, "r/b:1", Y, 11, true);
	assert_int_equal(store_delete_image(store, X, NULL), 0);
	assert_int_equal(store_delete_image(store, X, NULL), 0);
	expect(store, Y "[r/b:1] 11-11 yes");
	assert_int_equal(store_image_was_pulled(store, "r/a:1", &pulled, NULL), 0);
	assert_false(pulled);
	see(store, "r/a:1", X, 20, false);
	expect(store, X "[r/a:1] 20-20 no; " Y "[r/b:1] 11-11 yes");
	assert_int_equal(store_clear(store, NULL), 0);
	expect(store, "");
	store_close(store);
}

static void images_outlive_the_agent(void **state)
{
	char directory[] = "/tmp/berth-store-XXXXXX";
	struct store *store = NULL;

	assert_non_null(mkdtemp(directory));
	assert_int_equal(store_open(directory, &store, NULL), 0);
	see(store, "r/a:1", X, 10, true);
	store_close(store);
	assert_int_equal(store_open(directory, &store, NULL), 0);
	expect(store, X "[r/a:1] 10-10 yes");
	store_close(store);
	assert_int_equal(file_remove_tree(AT_FDCWD, directory, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_tracked_from_when_it_is_first_seen),
		cmocka_unit_test(a_name_that_moves_leaves_the_image_that_had_it),
		cmocka_unit_test(a_pull_is_remembered),
		cmocka_unit_test(what_is_known_is_not_written_again),
		cmocka_unit_test(an_image_was_last_used_when_a_task_of_it_is_deleted),
		cmocka_unit_test(a_deleted_image_is_unknown),
		cmocka_unit_test(images_outlive_the_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
