/* SPDX-License-Identifier: Apache-2.0 */
/* Durable first, done afterwards; with a real engine and a real store. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/store/internal.h"
#include "agent/store/outbox.h"
#include "base/alloc.h"
#include "base/str.h"

struct world {
	struct engine *engine;
	struct store *store;
	struct outbox *outbox;
	struct strbuf done; /* names of the effects that were carried out */
	size_t saved_when_acknowledged;
};

static size_t saved(struct store *store)
{
	struct store_tasks tasks;
	size_t count;

	assert_int_equal(store_load_tasks(store, &tasks, NULL), 0);
	count = tasks.count;
	store_tasks_free(&tasks);
	return count;
}

static void act(void *data, const struct engine_effect *effect)
{
	struct world *world = data;

	if (effect->type == EFFECT_ACKNOWLEDGE)
		world->saved_when_acknowledged = saved(world->store);
	if (effect->type != EFFECT_STATUS_CHANGED)
		strbuf_appendf(&world->done, "%s ", engine_effect_name(effect->type));
}

static void step(struct world *world, struct engine_event event)
{
	event.wall_ms = 1700000000000;
	outbox_add(world->outbox, engine_step(world->engine, 1000, &event, NULL));
}

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct engine_config config;

	engine_config_defaults(&config);
	config.cpu_units = config.memory_mib = 1000000;
	config.cleanup_wait_ms = 0;
	world->engine = engine_new(&config);
	if (store_open(NULL, &world->store, NULL) < 0)
		return -1;
	world->outbox = outbox_new(world->engine, world->store, act, world);
	step(world, (struct engine_event){ .type = EVENT_RECOVERY_FINISHED,
					   .recovery_end = { .sequence_number = -1 } });
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	outbox_free(world->outbox);
	engine_free(world->engine);
	store_close(world->store);
	strbuf_free(&world->done);
	free(world);
	return 0;
}

static void payload_with(struct world *world, const char *id, const char *desired, const char *more)
{
	char *json = xasprintf(
		"{\"arn\":\"arn:aws:ecs:here:1:task/c/"
		"%s\",\"desiredStatus\":\"%s\",\"networkMode\":"
		"\"host\",\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"essential\":true}%s]}",
		id, desired, more);
	struct task_spec *spec = NULL;

	assert_int_equal(task_spec_decode_text(json, strlen(json), &spec, NULL), 0);
	step(world, (struct engine_event){
			    .type = EVENT_PAYLOAD,
			    .payload = { .message_id = "m", .tasks = &spec, .task_count = 1 } });
	task_spec_unref(spec);
	free(json);
}

static void payload(struct world *world, const char *id, const char *desired)
{
	payload_with(world, id, desired, "");
}

static void done(struct world *world, const char *container, enum engine_effect_type type)
{
	step(world, (struct engine_event){ .type = EVENT_EFFECT_DONE,
					   .task_id = "t",
					   .container = container,
					   .attempt = 1,
					   .done = { .type = type } });
}

/* What one event had saved at once is written later in the turn, when another, whose changes may
 * wait, has come in between: half of those would be written too. */
static void the_rows_of_a_task_are_of_one_moment(void **state)
{
	struct world *world = *state;
	struct store_tasks tasks;

	payload_with(world, "t", "RUNNING", ",{\"name\":\"b\",\"image\":\"i\"}");
	done(world, "a", EFFECT_PULL_IMAGE);
	done(world, "b", EFFECT_PULL_IMAGE);
	done(world, "a", EFFECT_CREATE_CONTAINER);
	done(world, "a", EFFECT_START_CONTAINER);
	done(world, "b", EFFECT_CREATE_CONTAINER);
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	done(world, "b", EFFECT_START_CONTAINER); /* RUNNING: the task and b are saved at once */
	step(world, (struct engine_event){ .type = EVENT_CONTAINER_EXITED,
					   .task_id = "t",
					   .container = "a",
					   .attempt = 1,
					   .exit = { .code_known = true } });
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	assert_int_equal(store_load_tasks(world->store, &tasks, NULL), 0);
	assert_int_equal(tasks.items[0]->desired, TASK_STATUS_STOPPED);
	assert_int_equal(tasks.items[0]->containers[0].desired, CONTAINER_STATUS_STOPPED);
	assert_int_equal(tasks.items[0]->containers[1].desired, CONTAINER_STATUS_STOPPED);
	store_tasks_free(&tasks);
}

static void nothing_is_done_before_it_is_durable(void **state)
{
	struct world *world = *state;

	payload(world, "t", "RUNNING");
	assert_true(outbox_waits(world->outbox));
	assert_true(outbox_commits(world->outbox));
	assert_string_equal(strbuf_text(&world->done), "");
	assert_int_equal(saved(world->store), 0);
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	assert_string_equal(strbuf_text(&world->done), "ACKNOWLEDGE PULL_IMAGE CREATE_RESOURCE ");
	assert_int_equal(world->saved_when_acknowledged, 1);
	assert_false(outbox_waits(world->outbox));
	assert_false(outbox_commits(world->outbox));
}

/* The disk is full: no acknowledgement, no deed, and nothing lost when there is room again. */
static void while_the_disk_is_full_nothing_is_done_or_lost(void **state)
{
	struct world *world = *state;
	struct error err = ERROR_INIT;
	char id[16];
	int failed = 0;

	assert_int_equal(db_exec(world->store->db, "PRAGMA max_page_count = 1", NULL), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		payload(world, id, "RUNNING");
		payload(world, id, "RUNNING"); /* and again, for want of an answer */
		if (outbox_flush(world->outbox, &err) < 0) {
			assert_int_equal(err.code, ENOSPC);
			failed++;
		}
	}
	assert_true(failed > 200);
	strbuf_reset(&world->done);
	assert_int_equal(db_exec(world->store->db, "PRAGMA max_page_count = 100000", NULL), 0);
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	assert_int_equal(saved(world->store), 300);
	assert_int_equal(world->saved_when_acknowledged, 300);
	/* One acknowledgement for all copies of one message. */
	char *first = strstr(strbuf_text(&world->done), "ACKNOWLEDGE");

	assert_non_null(first);
	assert_null(strstr(first + 1, "ACKNOWLEDGE"));
}

static void a_forgotten_task_is_deleted_and_then_told(void **state)
{
	struct world *world = *state;

	payload(world, "t", "STOPPED");
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	assert_int_equal(saved(world->store), 1);
	strbuf_reset(&world->done);
	step(world,
	     (struct engine_event){ .type = EVENT_REPORT_ACCEPTED, .task_id = "t", .report = 1 });
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	assert_string_equal(strbuf_text(&world->done), "FORGET_TASK ");
	assert_int_equal(saved(world->store), 0);
}

/* Also when it is asked for in the very turn in which it was forgotten. */
static void the_name_of_a_forgotten_task_is_saved_with_its_end(void **state)
{
	struct world *world = *state;
	struct store_ended ended;

	payload(world, "t", "STOPPED");
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	step(world,
	     (struct engine_event){ .type = EVENT_REPORT_ACCEPTED, .task_id = "t", .report = 1 });
	payload(world, "t", "RUNNING");
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	assert_int_equal(saved(world->store), 0);
	assert_int_equal(store_load_ended(world->store, &ended, NULL), 0);
	assert_int_equal(ended.count, 1);
	assert_string_equal(task_id_of_arn(ended.items[0].arn), "t");
	store_ended_free(&ended);
}

static void the_sequence_number_is_saved_before_the_manifest_is_acknowledged(void **state)
{
	struct world *world = *state;
	int64_t number = 0;

	step(world, (struct engine_event){ .type = EVENT_MANIFEST,
					   .manifest = { .message_id = "m", .timeline = 60 } });
	assert_string_equal(strbuf_text(&world->done), "");
	assert_int_equal(outbox_flush(world->outbox, NULL), 0);
	assert_string_equal(strbuf_text(&world->done), "ACKNOWLEDGE ");
	assert_int_equal(store_get_sequence_number(world->store, &number, NULL), 0);
	assert_int_equal(number, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_done_before_it_is_durable, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_rows_of_a_task_are_of_one_moment, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(while_the_disk_is_full_nothing_is_done_or_lost,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_forgotten_task_is_deleted_and_then_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_name_of_a_forgotten_task_is_saved_with_its_end,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_sequence_number_is_saved_before_the_manifest_is_acknowledged, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
