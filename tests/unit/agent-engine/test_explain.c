/* SPDX-License-Identifier: Apache-2.0 */
/* Why a task is where it is. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

static void append(void *data, const char *container, const char *sentence)
{
	strbuf_appendf(data, "%s: %s\n", container ? container : "task", sentence);
}

static void expect(struct world *world, const char *id, const char *sentences)
{
	struct strbuf text = STRBUF_INIT;

	engine_waits(world->engine, id, append, &text);
	assert_string_equal(strbuf_text(&text), sentences);
	strbuf_free(&text);
}

static char *depends(const char *name, const char *on, const char *condition)
{
	char *more = xasprintf(",\"dependsOn\":[{\"containerName\":\"%s\",\"condition\":\"%s\"}]",
			       on, condition);
	char *json = container_json(name, true, more);

	free(more);
	return json;
}

/* From its arrival to its clean-up. */
static void each_step_is_explained(void **state)
{
	struct world *world = world_new();
	char *app = depends("app", "db", "COMPLETE");
	char *db = container_json("db", false, "");

	world_run(world, "t", "", xasprintf("%s,%s", app, db));
	free(app);
	free(db);
	world_wait(world, 12000);
	expect(world, "t",
	       "app: container db to exit: it is NONE\n"
	       "db: the pull of its image, for 12 s\n");
	world_done(world, EFFECT_PULL_IMAGE, "t", "db");
	world_accept_all(world);
	expect(world, "t",
	       "app: container db to exit: it is PULLED\n"
	       "db: the runtime to create it, for 0 s\n");
	world_done(world, EFFECT_CREATE_CONTAINER, "t", "db");
	expect(world, "t",
	       "app: container db to exit: it is CREATED\n"
	       "db: the runtime to start it, for 0 s\n");
	world_done(world, EFFECT_START_CONTAINER, "t", "db");
	expect(world, "t", "app: container db to exit: it is RUNNING\n");
	world_exited_with(world, "t", "db", 0);
	world_start(world, "t", "app");
	expect(world, "t", "task: the control plane to take 2 reports\n");
	world_accept_all(world);
	expect(world, "t", "");
	world_stop(world, "t");
	expect(world, "t", "app: its process to end, for 0 s\n");
	world_exited_with(world, "t", "app", 0);
	world_done(world, EFFECT_STOP_CONTAINER, "t", "app");
	expect(world, "t", "task: the control plane to take the report of its end\n");
	world_accept_all(world);
	expect(world, "t", "task: its clean-up, in 10800 s\n");
	expect(world, "unknown", "");
	world_free(world);
}

static void a_task_that_waits_for_room_says_so(void **state)
{
	struct world *world = world_new();

	world_run(world, "a", ",\"memory\":1000,\"cpu\":1", container_json("x", true, ""));
	world_run(world, "b", ",\"memory\":100,\"cpu\":0.5", container_json("x", true, ""));
	world_run(world, "c", ",\"memory\":50", container_json("x", true, ""));
	expect(world, "b",
	       "task: room on this host: it asks for 512 CPU units and 100 MiB, in use are 1024 of "
	       "2048 and 1000 of "
	       "1024\n");
	expect(world, "c",
	       "task: room on this host: it asks for 10 CPU units and 50 MiB, in use are 1024 of "
	       "2048 and 1000 of "
	       "1024\n"
	       "task: 1 tasks that came before it and wait too\n");
	world_free(world);

	world = world_new();
	world_run(world, "a", "",
		  container_json("x", true, ",\"portMappings\":[{\"containerPort\":80}]"));
	world_run(world, "b", "",
		  container_json("x", true, ",\"portMappings\":[{\"containerPort\":80}]"));
	expect(world, "b",
	       "task: room on this host: it asks for 10 CPU units and 16 MiB, in use are 10 of "
	       "2048 and 16 of 1024\n"
	       "task: a host port that another task has\n");
	world_free(world);
}

static void what_it_runs_on_is_named(void **state)
{
	struct world *world = world_new();

	world->holds_resources = true;
	world_run(
		world, "t",
		",\"networkMode\":\"awsvpc\",\"elasticNetworkInterfaces\":[{\"attachmentArn\":"
		"\"a\",\"ec2Id\":\"e\","
		"\"macAddress\":\"0a:00:00:00:00:01\",\"ipv4Addresses\":[{\"primary\":true,"
		"\"privateAddress\":\"10.0.0.7\"}],\"subnetGatewayIpv4Address\":\"10.0.0.1/24\"}]",
		container_json("x", true, ""));
	world_done(world, EFFECT_PULL_IMAGE, "t", "x");
	world_accept_all(world);
	expect(world, "t",
	       "task: its network namespace to be made\n"
	       "x: the task's network\n"
	       "x: the task's control group and volumes\n");
	world_free(world);
}

static void who_stops_first_is_said(void **state)
{
	struct world *world = world_new();
	char *app = depends("app", "db", "START");
	char *db = container_json("db", true, "");

	world_run(world, "t", "", xasprintf("%s,%s", app, db));
	free(app);
	free(db);
	world_start(world, "t", "db");
	world_start(world, "t", "app");
	world_accept_all(world);
	world_stop(world, "t");
	world_failed(world, EFFECT_STOP_CONTAINER, "t", "app", NULL, "no");
	expect(world, "t",
	       "app: the next attempt, in 1 s\n"
	       "db: the containers that depend on it to stop first\n");
	world_free(world);
}

/* Since when is saved with the status. */
static void each_status_has_its_time(void **state)
{
	struct world *world = world_new();
	int64_t begun_ms = world->wall_ms;

	world_run(world, "t", "", container_json("x", true, ""));
	assert_int_equal(world_task(world, "t")->known_since_ms, 0);
	assert_int_equal(world_task(world, "t")->received_at_ms, begun_ms);
	world_wait(world, 5000);
	world_done(world, EFFECT_PULL_IMAGE, "t", "x");
	assert_int_equal(world_container(world, "t", "x")->known_since_ms, begun_ms + 5000);
	assert_int_equal(world_task(world, "t")->known_since_ms, begun_ms + 5000);
	world_free(world);
}

static void all_of_it_is_a_text_too(void **state)
{
	struct world *world = world_new();
	struct strbuf text = STRBUF_INIT;

	world_run(world, "t", "", container_json("x", true, ""));
	engine_explain(world->engine, "t", &text);
	assert_string_equal(
		strbuf_text(&text),
		"task t: NONE, wanted RUNNING, last reported NONE\n"
		"  container x: NONE, wanted RUNNING, waits for the pull of its image, for 0 s\n");
	strbuf_reset(&text);
	engine_explain(world->engine, "unknown", &text);
	assert_string_equal(strbuf_text(&text), "");
	strbuf_free(&text);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_explained),
		cmocka_unit_test(a_task_that_waits_for_room_says_so),
		cmocka_unit_test(what_it_runs_on_is_named),
		cmocka_unit_test(who_stops_first_is_said),
		cmocka_unit_test(each_status_has_its_time),
		cmocka_unit_test(all_of_it_is_a_text_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
