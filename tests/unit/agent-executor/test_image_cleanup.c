/* SPDX-License-Identifier: Apache-2.0 */
/* Whole passes over images that tasks used. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/executor/image_disk.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "image_place.h"

/* eng-88 */
static void five_of_six_go_and_the_used_one_stays(void **state)
{
	place_pulled("r.io/a:1", 'a', 30);
	place_pulled("r.io/b:1", 'b', 80);
	place_pulled("r.io/c:1", 'c', 20);
	place_pulled("r.io/d:1", 'd', 60);
	place_pulled("r.io/e:1", 'e', 10);
	place_pulled("r.io/f:1", 'f', 40);
	place_pulled("r.io/used:1", '1', 99);
	place_task_arrives("r.io/used:1", '1');
	place_one_pass();
	place_assert_removed("r.io/b:1 r.io/d:1 r.io/f:1 r.io/a:1 r.io/c:1");
	assert_false(place_tracks('b'));
	assert_true(place_tracks('e'));
	assert_true(place_logged("removed=5"));
	place_one_pass();
	place_assert_removed("r.io/e:1");
	place_one_pass();
	place_assert_removed("");
	assert_true(place_tracks('1'));
	place_forget_tasks();
	place_one_pass();
	place_assert_removed("r.io/used:1");
}

static void names_then_pin_go_and_containerd_collects(void **state)
{
	_cleanup_free_ char *text = NULL;

	place_pulled("r.io/a:1", 'a', 30);
	place_pulled("r.io/a:2", 'a', 30);
	place_one_pass();
	text = place_read("done");
	assert_string_equal(text, "name r.io/a:1\nname r.io/a:2\n"
				  "pin berth-hold-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\ncollect\n");
}

/* eng-21: what the name led to before goes too. */
static void an_image_without_a_name_goes(void **state)
{
	place_pulled("r.io/a:1", 'a', 30);
	place_pulled("r.io/a:1", 'b', 20);
	place_task_arrives("r.io/a:1", 'b');
	place_one_pass();
	place_assert_removed("");
	assert_false(place_tracks('a'));
	assert_true(place_tracks('b'));
}

/* Before it is known which image that is, and after its name has moved. */
static void what_a_task_names_is_used(void **state)
{
	place_pulled("docker.io/library/busybox:latest", 'a', 30);
	place_pulled("r.io/b:1", 'b', 20);
	place_task_arrives("busybox", 0);
	place_task_arrives("r.io/gone:1", 'b');
	place_one_pass();
	place_assert_removed("");
	place_forget_tasks();
	place_one_pass();
	place_assert_removed("docker.io/library/busybox:latest r.io/b:1");
}

static void young_images_stay(void **state)
{
	place.config.image_minimum_age_ms = PLACE_HOUR;
	place_pulled("r.io/old:1", 'a', 2 * 3600);
	place_pulled("r.io/young:1", 'b', 1800);
	place_one_pass();
	place_assert_removed("r.io/old:1");
}

static void excluded_images_stay(void **state)
{
	str_list_add(&place.config.excluded_images, "busybox");
	str_list_add(&place.config.excluded_images, "r.io/a:1");
	str_list_add(&place.config.excluded_images, "What is this");
	place_pulled("docker.io/library/busybox:latest", 'a', 30);
	place_pulled("r.io/a:1", 'b', 30);
	place_pulled("r.io/a:10", 'c', 30);
	place_one_pass();
	place_assert_removed("r.io/a:10");
	assert_true(place_logged("ECS_EXCLUDE_UNTRACKED_IMAGE has what is no name of an image"));
}

/* It neither ends the pass nor counts. */
static void a_busy_image_is_passed_over(void **state)
{
	place.config.images_per_cleanup = 2;
	place_pulled("r.io/a:1", 'a', 50);
	place_pulled("r.io/b:1", 'b', 40);
	place_pulled("r.io/c:1", 'c', 30);
	place_pulled("r.io/d:1", 'd', 20);
	place_write("busy", "r.io/a:1\n");
	place_one_pass();
	place_assert_removed("r.io/b:1 r.io/c:1");
	assert_true(place_tracks('a'));
	assert_true(place_logged("device or resource busy"));
	assert_true(place_logged("removed=2 failed=1"));
	/* Next time perhaps. */
	place_write("busy", "");
	place_one_pass();
	place_assert_removed("r.io/a:1 r.io/d:1");
}

static void an_image_that_is_missing_counts_as_removed(void **state)
{
	place.config.images_per_cleanup = 1;
	place_pulled("r.io/a:1", 'a', 50);
	place_pulled("r.io/b:1", 'b', 40);
	place_write("images", "");
	place_one_pass();
	assert_false(place_tracks('a'));
	assert_true(place_tracks('b'));
}

/* What was chosen before a task came is checked again, image by image. */
static void a_task_that_arrives_during_a_pass_keeps_its_image(void **state)
{
	int64_t until = clock_monotonic_ms() + PLACE_WAIT_MS;

	place_pulled("r.io/a:1", 'a', 50);
	place_pulled("r.io/b:1", 'b', 40);
	place_write("hold", "");
	place_start();
	while (!place_has("holding")) {
		assert_true(clock_monotonic_ms() < until);
		loop_run_once(place.loop, false);
	}
	place_task_arrives("r.io/b:1", 0);
	place_remove("hold");
	place_wait_for_pass();
	place_assert_removed("r.io/a:1");
	assert_true(place_tracks('b'));
}

static void without_containerd_a_pass_ends_at_once(void **state)
{
	_cleanup_free_ char *text = NULL;

	place_pulled("r.io/a:1", 'a', 50);
	place_pulled("r.io/b:1", 'b', 40);
	place_remove("containerd.sock");
	place_one_pass();
	place_assert_removed("");
	text = place_read("log");
	assert_int_equal(place_count(text, "cannot be removed"), 1);
	assert_true(place_tracks('a'));
}

static void nothing_is_removed_when_the_settings_say_so(void **state)
{
	int64_t until;

	place_pulled("r.io/a:1", 'a', 50);
	for (int i = 0; i < 2; i++) {
		place.config.disable_image_cleanup = i == 0;
		place.config.image_pull_behavior =
			i == 0 ? CONFIG_PULL_DEFAULT : CONFIG_PULL_PREFER_CACHED;
		place_start();
		until = clock_monotonic_ms() + 100;
		while (clock_monotonic_ms() < until)
			loop_run_once(place.loop, false);
		assert_int_equal(place_passes(), 0);
		place_stop();
	}
	assert_true(place_tracks('a'));
}

static void the_settings_may_change_between_passes(void **state)
{
	int64_t until;

	place_pulled("r.io/a:1", 'a', 50);
	place_pulled("r.io/b:1", 'b', 40);
	place.config.images_per_cleanup = 1;
	place_start();
	place_wait_for_pass();
	place_assert_removed("r.io/a:1");
	place.config.disable_image_cleanup = true;
	image_cleanup_settings_changed(place.cleanup);
	until = clock_monotonic_ms() + 100;
	while (clock_monotonic_ms() < until)
		loop_run_once(place.loop, false);
	assert_int_equal(place_passes(), 1);
	place.config.disable_image_cleanup = false;
	str_list_add(&place.config.excluded_images, "r.io/b:1");
	image_cleanup_settings_changed(place.cleanup);
	place_wait_for_pass();
	assert_true(place_tracks('b'));
	str_list_free(&place.config.excluded_images);
	image_cleanup_settings_changed(place.cleanup);
	place_wait_for_pass();
	assert_false(place_tracks('b'));
	place_stop();
}

static void the_agent_may_end_in_the_middle(void **state)
{
	int64_t until = clock_monotonic_ms() + PLACE_WAIT_MS;

	place_pulled("r.io/a:1", 'a', 50);
	place_write("hold", "");
	place_start();
	while (!place_has("holding")) {
		assert_true(clock_monotonic_ms() < until);
		loop_run_once(place.loop, false);
	}
	place_stop();
	place_remove("hold");
	assert_true(place_tracks('a'));
	place_one_pass();
	place_assert_removed("r.io/a:1");
}

/* ---- the disk ---- */

/* Every disk that holds something is fuller than nothing. */
static void on_a_full_disk_all_that_is_unused_goes(void **state)
{
	_cleanup_free_ char *roots = xasprintf("Exports:\n    root   %s\n", place.dir);
	_cleanup_free_ char *asked = NULL;
	double percent = -1;

	assert_int_equal(image_disk_percent(place.dir, &percent, NULL), 0);
	if (percent <= 1)
		skip();
	place.config.image_disk_percent = 1;
	place.config.image_minimum_age_ms = PLACE_HOUR;
	place.config.images_per_cleanup = 1;
	str_list_add(&place.config.excluded_images, "r.io/kept:1");
	place_pulled("r.io/a:1", 'a', 50);
	place_pulled("r.io/b:1", 'b', 40);
	place_pulled("r.io/c:1", 'c', 30);
	place_pulled("r.io/kept:1", 'd', 99);
	place_pulled("r.io/used:1", 'e', 99);
	place_task_arrives("r.io/used:1", 'e');
	place_write("roots", roots);
	place_one_pass();
	place_assert_removed("r.io/a:1 r.io/b:1 r.io/c:1");
	assert_true(place_logged("why=\"the disk is full\""));
	/* containerd was asked once. */
	asked = place_read("plugins");
	assert_string_equal(asked, "asked\n");
}

static void with_room_on_the_disk_age_and_number_count(void **state)
{
	_cleanup_free_ char *roots = xasprintf("Exports:\n    root   %s\n", place.dir);

	place.config.image_disk_percent = 100;
	place.config.images_per_cleanup = 1;
	place_pulled("r.io/a:1", 'a', 50);
	place_pulled("r.io/b:1", 'b', 40);
	place_write("roots", roots);
	place_one_pass();
	place_assert_removed("r.io/a:1");
}

/* Whatever is wrong with it, the ordinary pass goes on; and what was wrong may have changed. */
static void a_disk_that_cannot_be_looked_at_is_not_full(void **state)
{
	_cleanup_free_ char *asked = NULL;

	place.config.image_disk_percent = 1;
	place.config.images_per_cleanup = 1;
	place_pulled("r.io/a:1", 'a', 50);
	place_pulled("r.io/b:1", 'b', 40);
	place_pulled("r.io/c:1", 'c', 30);
	place_one_pass();
	place_assert_removed("r.io/a:1");
	assert_true(place_logged("containerd does not say where it keeps its content"));
	place_write("roots", "  root  /nonexistent/content\n");
	place_one_pass();
	place_assert_removed("r.io/b:1");
	assert_true(
		place_logged("look how full /nonexistent/content is: No such file or directory"));
	place_one_pass();
	place_assert_removed("r.io/c:1");
	asked = place_read("plugins");
	assert_string_equal(asked, "asked\nasked\nasked\n");
}

static void how_full_a_disk_is_is_what_df_says(void **state)
{
	struct error err = ERROR_INIT;
	double percent = -1;

	assert_int_equal(image_disk_percent("/", &percent, NULL), 0);
	assert_true(percent > 0 && percent <= 100);
	assert_int_equal(image_disk_percent("/nonexistent", &percent, &err), -ENOENT);
	/* It has no blocks at all. */
	assert_int_equal(image_disk_percent("/proc", &percent, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(five_of_six_go_and_the_used_one_stays),
		PLACE_TEST(names_then_pin_go_and_containerd_collects),
		PLACE_TEST(an_image_without_a_name_goes),
		PLACE_TEST(what_a_task_names_is_used),
		PLACE_TEST(young_images_stay),
		PLACE_TEST(excluded_images_stay),
		PLACE_TEST(a_busy_image_is_passed_over),
		PLACE_TEST(an_image_that_is_missing_counts_as_removed),
		PLACE_TEST(a_task_that_arrives_during_a_pass_keeps_its_image),
		PLACE_TEST(without_containerd_a_pass_ends_at_once),
		PLACE_TEST(nothing_is_removed_when_the_settings_say_so),
		PLACE_TEST(the_settings_may_change_between_passes),
		PLACE_TEST(the_agent_may_end_in_the_middle),
		PLACE_TEST(on_a_full_disk_all_that_is_unused_goes),
		PLACE_TEST(with_room_on_the_disk_age_and_number_count),
		PLACE_TEST(a_disk_that_cannot_be_looked_at_is_not_full),
		PLACE_TEST(how_full_a_disk_is_is_what_df_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
