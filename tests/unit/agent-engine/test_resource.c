/* SPDX-License-Identifier: Apache-2.0 */
/* What a task needs beside containers and network. */
#include "world.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

#define VOLUMES ",\"volumes\":[{\"name\":\"used\",\"host\":{}},{\"name\":\"idle\",\"host\":{}}]"
#define MOUNT   ",\"mountPoints\":[{\"sourceVolume\":\"used\",\"containerPath\":\"/v\"}]"

static struct world *begun(void)
{
	struct world *world = world_new();
	char *a = container_json("a", true, MOUNT);
	char *b = container_json("b", true, "");

	world->holds_resources = true;
	world_run(world, "t", VOLUMES, xasprintf("%s,%s", a, b));
	free(a);
	free(b);
	return world;
}

/* As soon as the task is let in, and only those that somebody uses. */
static void resources_are_made_beside_the_pulls(void **state)
{
	struct world *world = begun();

	assert_non_null(world_find(world, EFFECT_PULL_IMAGE, "t", "a"));
	assert_int_equal(world_count(world, EFFECT_CREATE_RESOURCE), 2);
	for (size_t i = 0; i < world->effect_count; i++)
		if (world->effects[i]->type == EFFECT_CREATE_RESOURCE &&
		    world->effects[i]->resource.kind == RESOURCE_VOLUME)
			assert_int_equal(world->effects[i]->resource.volume, 0);
	world_free(world);
}

/* Each container waits for what it uses, and for nothing else. */
static void a_container_waits_for_what_it_uses(void **state)
{
	struct world *world = begun();

	world_done(world, EFFECT_PULL_IMAGE, "t", "a");
	world_done(world, EFFECT_PULL_IMAGE, "t", "b");
	assert_int_equal(world_count(world, EFFECT_CREATE_CONTAINER), 0);
	world_resource_done(world, "t", RESOURCE_CGROUP, NULL);
	assert_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "a"));
	assert_non_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "b"));
	world_resource_done(world, "t", RESOURCE_VOLUME, NULL);
	assert_non_null(world_find(world, EFFECT_CREATE_CONTAINER, "t", "a"));
	world_free(world);
}

/* The task stops, and its reason is the resource's: white space as single blanks. */
static void a_resource_that_cannot_be_made_stops_the_task(void **state)
{
	struct world *world = begun();

	world_resource_done(world, "t", RESOURCE_CGROUP, "mkdir  /ecs/t:\n no space");
	assert_string_equal(world_task(world, "t")->reason,
			    "CgroupError: Agent could not create task's platform resources: mkdir "
			    "/ecs/t: no space");
	assert_int_equal(world_task(world, "t")->known, TASK_STATUS_STOPPED);
	world_free(world);

	world = begun();
	world_resource_done(world, "t", RESOURCE_VOLUME, "no");
	assert_string_equal(world_task(world, "t")->reason,
			    "VolumeError: Agent could not create task's volume resources: no");
	world_free(world);
}

/* What is still being made would come after the clean-up. */
static void the_clean_up_waits_for_what_is_being_made(void **state)
{
	struct world *world = begun();

	world_stop(world, "t");
	world_done(world, EFFECT_PULL_IMAGE, "t", "a");
	world_done(world, EFFECT_PULL_IMAGE, "t", "b");
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms);
	assert_null(world_find(world, EFFECT_CLEAN_UP_TASK, "t", NULL));
	world_resource_done(world, "t", RESOURCE_CGROUP, NULL);
	assert_null(world_find(world, EFFECT_CLEAN_UP_TASK, "t", NULL));
	world_resource_done(world, "t", RESOURCE_VOLUME, NULL);
	assert_non_null(world_find(world, EFFECT_CLEAN_UP_TASK, "t", NULL));
	world_free(world);
}

/* An agent that dies right after it let the task in has perhaps made them already. */
static void what_may_have_been_made_is_cleaned_up_after_a_restart(void **state)
{
	struct task_state *task = saved_task("t", "", CONTAINER_STATUS_NONE, false);
	struct world *world;

	task->begun = true;
	task->desired = TASK_STATUS_STOPPED;
	task->containers[0].desired = CONTAINER_STATUS_STOPPED;
	world = world_recovered(task, (struct engine_observation){ 0 });
	world_accept_all(world);
	world_wait(world, world->config.cleanup_wait_ms);
	world_done(world, EFFECT_REMOVE_CONTAINER, "t", "app");
	world_done(world, EFFECT_CLEAN_UP_TASK, "t", NULL);
	assert_non_null(world_find(world, EFFECT_FORGET_TASK, "t", NULL));
	world_free(world);
}

static void resources_are_made_again_after_a_restart_if_they_are_needed(void **state)
{
	struct world *world = world_before_recovery();

	world->holds_resources = true;
	world_recover(world, saved_task("t", "", CONTAINER_STATUS_PULLED, false),
		      (struct engine_observation){ 0 }, (struct engine_observation){ 0 });
	world_finish_recovery(world);
	assert_int_equal(world_count(world, EFFECT_CREATE_RESOURCE), 1);
	world_free(world);

	world = world_before_recovery();
	world->holds_resources = true;
	world_recover(world, saved_task("t", "", CONTAINER_STATUS_RUNNING, true),
		      (struct engine_observation){ .seen = SEEN_RUNNING, .pid = 5 },
		      (struct engine_observation){ 0 });
	world_finish_recovery(world);
	assert_int_equal(world_count(world, EFFECT_CREATE_RESOURCE), 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resources_are_made_beside_the_pulls),
		cmocka_unit_test(a_container_waits_for_what_it_uses),
		cmocka_unit_test(a_resource_that_cannot_be_made_stops_the_task),
		cmocka_unit_test(the_clean_up_waits_for_what_is_being_made),
		cmocka_unit_test(what_may_have_been_made_is_cleaned_up_after_a_restart),
		cmocka_unit_test(resources_are_made_again_after_a_restart_if_they_are_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
