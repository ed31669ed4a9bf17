/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a pass: images that no task ever used. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "image_place.h"

static void untracked_images_go_when_asked_for_smallest_first(void **state)
{
	place.config.images_per_cleanup = 3;
	place_pulled("r.io/tracked:1", 'a', 50);
	place_add_row("r.io/big:1", '1', "9.0 MiB");
	place_add_row("r.io/small:1", '2', "1.0 KiB");
	place_add_row("r.io/middle:1", '3', "3.0 MiB");
	place_add_row("r.io/kept:1", '4', "1.0 B");
	place_add_row("r.io/needed:1", '5', "1.0 B");
	str_list_add(&place.config.excluded_images, "r.io/kept:1");
	place_task_arrives("r.io/needed:1", 0);
	place_add_blobs('1', 'b', "2020-01-02T03:04:05Z");
	place_add_blobs('2', 'c', "");
	place_add_blobs('3', 'd', "long ago");
	place_add_blobs('4', 'e', "");
	place_add_blobs('5', 'f', "");
	place_one_pass();
	place_assert_removed("r.io/tracked:1");
	place_stop();
	place.config.untracked_image_cleanup = true;
	place_pulled("r.io/tracked:1", 'a', 50);
	place_one_pass();
	/* What tasks left of three. */
	place_assert_removed("r.io/tracked:1 r.io/small:1 r.io/middle:1");
	assert_true(place_logged("why=\"no task ever used it\""));
	place_one_pass();
	place_assert_removed("r.io/big:1");
	place_one_pass();
	place_assert_removed("");
}

static void untracked_images_that_are_young_or_unreadable_stay(void **state)
{
	char now[CLOCK_ISO8601_SIZE];

	place.config.untracked_image_cleanup = true;
	place.config.untracked_image_minimum_age_ms = PLACE_HOUR;
	place_add_row("r.io/young:1", '1', "1.0 KiB");
	place_add_row("r.io/unreadable:1", '2', "1.0 KiB");
	place_add_row("r.io/old:1", '3', "1.0 MiB");
	/* Names as nobody's tasks have them. */
	place_add_row("import-2026-01-01@sha256:1234", '3', "1.0 KiB");
	place_add_row("busybox", '3', "1.0 KiB");
	place_add_blobs('1', 'b', format_iso8601(clock_wall_ms(), now));
	place_add_blobs('3', 'c', "2020-01-02T03:04:05Z");
	place_one_pass();
	place_assert_removed("r.io/old:1");
}

/* Its files are the task's, whatever else somebody calls it. */
static void another_name_of_a_tracked_image_is_not_untracked(void **state)
{
	place.config.untracked_image_cleanup = true;
	place_pulled("r.io/a:1", 'a', 50);
	place_task_arrives("r.io/a:1", 'a');
	place_add_row("r.io/alias:1", '1', "1.0 KiB");
	place_add_blobs('1', 'a', "2020-01-02T03:04:05Z");
	place_one_pass();
	place_assert_removed("");
	place_stop();
	place_forget_tasks();
	place.config.image_minimum_age_ms = PLACE_HOUR;
	place_one_pass();
	place_assert_removed("");
	place_stop();
	place.config.image_minimum_age_ms = 0;
	place_one_pass();
	place_assert_removed("r.io/a:1 r.io/alias:1");
}

static void a_busy_untracked_image_is_passed_over(void **state)
{
	place.config.untracked_image_cleanup = true;
	place.config.images_per_cleanup = 1;
	place_add_row("r.io/a:1", '1', "1.0 KiB");
	place_add_row("r.io/b:1", '2', "1.0 MiB");
	place_add_blobs('1', 'a', "");
	place_add_blobs('2', 'b', "");
	place_write("busy", "r.io/a:1\n");
	place_one_pass();
	place_assert_removed("r.io/b:1");
	assert_true(place_logged("removed=1 failed=1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(untracked_images_go_when_asked_for_smallest_first),
		PLACE_TEST(untracked_images_that_are_young_or_unreadable_stay),
		PLACE_TEST(another_name_of_a_tracked_image_is_not_untracked),
		PLACE_TEST(a_busy_untracked_image_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
