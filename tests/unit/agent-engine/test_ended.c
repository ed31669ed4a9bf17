/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads that come after their task's end was reported and everything of it was cleaned up. */
#include "world.h"

#include <stdio.h>

#include "base/alloc.h"

#define KEPT_MS INT64_C(900000)

/* A task that has run, ended, been reported and forgotten. */
static void live_and_be_forgotten(struct world *world, const char *id)
{
	world_stop(world, id); /* of a task that never was: it has no more to it */
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms);
	assert_null(engine_task(world->engine, id));
	world_drop(world, EFFECT_ACKNOWLEDGE);
	world_drop(world, EFFECT_FORGET_TASK);
}

/* The copy is acknowledged, nothing of it is done, and whoever sent it hears once more how it
 * stands. */
static void a_task_that_has_ended_is_not_run_again(void **state)
{
	struct world *world = world_new();

	live_and_be_forgotten(world, "t");
	world_run(world, "t", "", container_json("app", true, ""));
	assert_null(engine_task(world->engine, "t"));
	assert_null(world_find(world, EFFECT_PULL_IMAGE, "t", NULL));
	assert_non_null(world_find(world, EFFECT_ACKNOWLEDGE, NULL, NULL));
	assert_string_equal(world_find(world, EFFECT_REPORT, NULL, NULL)->report.task_arn,
			    ARN("t"));
	assert_int_equal(world_find(world, EFFECT_REPORT, NULL, NULL)->report.status,
			 TASK_STATUS_STOPPED);
	world_free(world);
}

static void a_name_is_not_kept_for_ever(void **state)
{
	struct world *world = world_new();

	live_and_be_forgotten(world, "t");
	world_wait(world, KEPT_MS - 1);
	world_run(world, "t", "", container_json("app", true, ""));
	assert_null(engine_task(world->engine, "t"));
	world_accept_all(world);
	world_wait(world, 1);
	world_run(world, "t", "", container_json("app", true, ""));
	assert_non_null(engine_task(world->engine, "t"));
	world_free(world);
}

/* A step of the wall clock is not the passing of time. */
static void a_clock_that_steps_forgets_nothing(void **state)
{
	struct world *world = world_new();

	live_and_be_forgotten(world, "t");
	world->wall_ms += KEPT_MS * 10;
	world_run(world, "t", "", container_json("app", true, ""));
	assert_null(engine_task(world->engine, "t"));
	world->wall_ms -= KEPT_MS * 20;
	world_run(world, "t", "", container_json("app", true, ""));
	assert_null(engine_task(world->engine, "t"));
	world_free(world);
}

static void names_survive_a_restart(void **state)
{
	const struct engine_ended_task ended[] = { { ARN("old"), 3 }, { ARN("t"), 7 } };
	struct engine_event event = { .type = EVENT_RECOVERY_FINISHED,
				      .recovery_end = { -1, ended, 2 } };
	struct world *world = world_new();

	world_step(world, &event);
	world_run(world, "t", "", container_json("app", true, ""));
	assert_null(engine_task(world->engine, "t"));
	/* The next one that ends is younger than all of them. */
	world_accept_all(world);
	world_stop(world, "u");
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms);
	assert_int_equal(world_find(world, EFFECT_FORGET_TASK, "u", NULL)->forget.serial, 8);
	world_free(world);
}

/* Of too many the oldest goes, here and in the store. */
static void only_so_many_names_are_kept(void **state)
{
	struct world *world = world_new();
	uint64_t oldest_kept = 0;
	char id[16];

	live_and_be_forgotten(world, "first");
	for (int i = 0; i < 2048; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		world_stop(world, id);
	}
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms);
	assert_int_equal(engine_task_count(world->engine), 0);
	for (size_t i = 0; i < world->effect_count; i++)
		if (world->effects[i]->type == EFFECT_FORGET_TASK &&
		    world->effects[i]->forget.serial == 2049)
			oldest_kept = world->effects[i]->forget.oldest_kept;
	assert_int_equal(oldest_kept, 2);
	world_run(world, "t0", "", container_json("app", true, ""));
	assert_null(engine_task(world->engine, "t0"));
	world_run(world, "first", "", container_json("app", true, ""));
	assert_non_null(engine_task(world->engine, "first"));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_that_has_ended_is_not_run_again),
		cmocka_unit_test(a_name_is_not_kept_for_ever),
		cmocka_unit_test(a_clock_that_steps_forgets_nothing),
		cmocka_unit_test(names_survive_a_restart),
		cmocka_unit_test(only_so_many_names_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
