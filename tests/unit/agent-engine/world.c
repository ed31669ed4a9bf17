/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

static struct world *unrecovered(void (*change)(struct engine_config *config))
{
	struct world *world = xcalloc(1, sizeof(*world));

	engine_config_defaults(&world->config);
	world->config.cpu_units = 2048;
	world->config.memory_mib = 1024;
	if (change)
		change(&world->config);
	world->engine = engine_new(&world->config);
	world->now_ms = 1000;
	world->wall_ms = WORLD_START_MS;
	return world;
}

struct world *world_before_recovery(void)
{
	return unrecovered(NULL);
}

void world_recover(struct world *world, struct task_state *task,
		   struct engine_observation container, struct engine_observation pause)
{
	struct engine_event event = { .type = EVENT_TASK_RECOVERED };

	event.recovered = (struct engine_recovered){
		.task = task, .pause = pause, .containers = &container, .rebooted = world->rebooted
	};
	world_step(world, &event);
}

void world_finish_recovery(struct world *world)
{
	struct engine_event event = { .type = EVENT_RECOVERY_FINISHED,
				      .recovery_end = { .sequence_number = -1 } };

	world_step(world, &event);
}

struct world *world_recovered(struct task_state *task, struct engine_observation container)
{
	struct world *world = world_before_recovery();

	world_recover(world, task, container, (struct engine_observation){ 0 });
	world_drop(world, EFFECT_STATUS_CHANGED);
	assert_int_equal(world->effect_count, 0);
	world_finish_recovery(world);
	return world;
}

struct task_state *saved_task(const char *id, const char *more, enum container_status known,
			      bool start_intended)
{
	char *container = container_json("app", true, more);
	char *json = task_json(id, "RUNNING", "", container);
	struct task_spec *spec = spec_of(json);
	struct task_state *task = task_state_new(spec);
	struct container_state *state = &task->containers[0];

	task->arrival = 1;
	task->desired = TASK_STATUS_RUNNING;
	task->admitted = true;
	task->received_at_ms = WORLD_START_MS - 60000;
	state->desired = CONTAINER_STATUS_RUNNING;
	state->known = known;
	state->start_intended = start_intended;
	state->runtime_id = xstrdup("t-app-1");
	memcpy(state->endpoint_id, "11111111-1111-4111-8111-111111111111", ENDPOINT_ID_SIZE);
	if (known >= CONTAINER_STATUS_RUNNING) {
		state->started_at_ms = WORLD_START_MS - 50000;
		task->known = task->sent = TASK_STATUS_RUNNING;
		state->sent = CONTAINER_STATUS_RUNNING;
	}
	task_spec_unref(spec);
	free(container);
	free(json);
	return task;
}

struct world *world_new_with(void (*change)(struct engine_config *config))
{
	struct world *world = unrecovered(change);

	world_finish_recovery(world);
	return world;
}

struct world *world_new(void)
{
	return world_new_with(NULL);
}

void world_free(struct world *world)
{
	for (size_t i = 0; i < world->effect_count; i++)
		engine_effect_free(world->effects[i]);
	while (world->resource_count > 0)
		engine_effect_free(world->resources[--world->resource_count]);
	free(world->effects);
	engine_free(world->engine);
	free(world);
}

static void gather(struct world *world, const struct engine_effect *effect)
{
	if (world->effect_count == world->effect_capacity) {
		world->effect_capacity = world->effect_capacity ? world->effect_capacity * 2 : 64;
		world->effects = xreallocarray(world->effects, world->effect_capacity,
					       sizeof(struct engine_effect *));
	}
	world->effects[world->effect_count++] = engine_effect_copy(effect);
}

static void step_once(struct world *world, struct engine_event *event)
{
	const struct engine_effects *effects;

	event->wall_ms = world->wall_ms;
	effects = engine_step(world->engine, world->now_ms, event, &world->wake_ms);
	world->last = *effects;
	for (size_t i = 0; i < effects->count; i++) {
		if (effects->items[i].type == EFFECT_CREATE_RESOURCE && !world->holds_resources &&
		    world->resource_count < 8)
			world->resources[world->resource_count++] =
				engine_effect_copy(&effects->items[i]);
		else
			gather(world, &effects->items[i]);
	}
}

static void resource_done(struct world *world, const struct engine_effect *effect,
			  const char *failure)
{
	struct engine_event event = { .type = EVENT_EFFECT_DONE,
				      .task_id = effect->task_id,
				      .done = { .type = EFFECT_CREATE_RESOURCE,
						.failed = failure,
						.error_text = failure,
						.resource = effect->resource.index } };

	step_once(world, &event);
}

void world_step(struct world *world, struct engine_event *event)
{
	while (world->resource_count > 0) {
		struct engine_effect *effect = world->resources[--world->resource_count];

		resource_done(world, effect, NULL);
		engine_effect_free(effect);
	}
	step_once(world, event);
}

void world_resource_done(struct world *world, const char *id, enum engine_resource_kind kind,
			 const char *failure)
{
	for (size_t i = 0; i < world->effect_count; i++) {
		struct engine_effect *effect = world->effects[i];

		if (effect->type != EFFECT_CREATE_RESOURCE || !str_eq(effect->task_id, id) ||
		    effect->resource.kind != kind)
			continue;
		memmove(&world->effects[i], &world->effects[i + 1],
			(world->effect_count - i - 1) * sizeof(struct engine_effect *));
		world->effect_count--;
		resource_done(world, effect, failure);
		engine_effect_free(effect);
		return;
	}
	fail_msg("nobody asked for that resource");
}

void world_wait(struct world *world, int64_t ms)
{
	int64_t end = world->now_ms + ms;

	for (;;) {
		struct engine_event event = { .type = EVENT_TIME_PASSED };
		int64_t next = world->wake_ms < end ? world->wake_ms : end;

		if (next > world->now_ms) {
			world->wall_ms += next - world->now_ms;
			world->now_ms = next;
		}
		world_step(world, &event);
		if (world->now_ms >= end && world->wake_ms > end)
			return;
	}
}

char *container_json(const char *name, bool essential, const char *more)
{
	return xasprintf(
		"{\"name\":\"%s\",\"image\":\"img:1\",\"cpu\":10,\"memory\":16,\"essential\":%s%s}",
		name, essential ? "true" : "false", more);
}

char *task_json(const char *id, const char *desired, const char *more, const char *containers)
{
	return xasprintf("{\"arn\":\"arn:aws:ecs:here:1:task/c/"
			 "%s\",\"desiredStatus\":\"%s\",\"family\":\"f\","
			 "\"version\":\"1\",\"networkMode\":\"host\"%s,\"containers\":[%s]}",
			 id, desired, more, containers);
}

struct task_spec *spec_of(const char *json)
{
	struct task_spec *spec = NULL;
	struct error err = ERROR_INIT;

	if (task_spec_decode_text(json, strlen(json), &spec, &err) < 0)
		fail_msg("%s: %s", json, err.text);
	return spec;
}

void world_payload(struct world *world, char *json)
{
	struct task_spec *spec = spec_of(json);
	struct engine_event event = { .type = EVENT_PAYLOAD };

	event.payload = (struct engine_payload){
		.message_id = "message",
		.sequence_number = ++world->sequence,
		.tasks = &spec,
		.task_count = 1,
		.random = { 11, (uint64_t)world->sequence },
	};
	world_step(world, &event);
	task_spec_unref(spec);
	free(json);
}

void world_run(struct world *world, const char *id, const char *more, char *containers)
{
	world_payload(world, task_json(id, "RUNNING", more, containers));
	free(containers);
}

void world_stop(struct world *world, const char *id)
{
	world_payload(world, task_json(id, "STOPPED", "", ""));
}

static bool matches(const struct engine_effect *effect, enum engine_effect_type type,
		    const char *id, const char *container)
{
	return effect->type == type && (!id || str_eq(effect->task_id, id)) &&
	       (!container || str_eq(effect->container, container));
}

const struct engine_effect *world_find(struct world *world, enum engine_effect_type type,
				       const char *id, const char *container)
{
	for (size_t i = 0; i < world->effect_count; i++)
		if (matches(world->effects[i], type, id, container))
			return world->effects[i];
	return NULL;
}

size_t world_count(struct world *world, enum engine_effect_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < world->effect_count; i++)
		count += world->effects[i]->type == type;
	return count;
}

static struct engine_effect *take_at(struct world *world, size_t index)
{
	struct engine_effect *effect = world->effects[index];

	memmove(&world->effects[index], &world->effects[index + 1],
		(world->effect_count - index - 1) * sizeof(struct engine_effect *));
	world->effect_count--;
	return effect;
}

struct engine_effect *world_take(struct world *world, enum engine_effect_type type, const char *id,
				 const char *container)
{
	for (size_t i = 0; i < world->effect_count; i++)
		if (matches(world->effects[i], type, id, container))
			return take_at(world, i);
	struct strbuf text = STRBUF_INIT;

	engine_explain(world->engine, id, &text);
	print_error("no %s of task %s container %s was asked for\n%s", engine_effect_name(type),
		    id ? id : "-", container ? container : "-", strbuf_text(&text));
	strbuf_free(&text);
	fail();
	return NULL;
}

void world_drop(struct world *world, enum engine_effect_type type)
{
	for (size_t i = world->effect_count; i-- > 0;)
		if (world->effects[i]->type == type)
			engine_effect_free(take_at(world, i));
}

void world_answer(struct world *world, const char *id, const char *container,
		  struct engine_done done)
{
	struct engine_effect *effect = world_take(world, done.type, id, container);
	struct engine_event event = { .type = EVENT_EFFECT_DONE,
				      .task_id = id,
				      .container = container,
				      .attempt = effect->attempt,
				      .done = done };

	world_step(world, &event);
	engine_effect_free(effect);
}

void world_done(struct world *world, enum engine_effect_type type, const char *id,
		const char *container)
{
	static const struct port_binding published = { .container_port = 80,
						       .host_port = 49153,
						       .count = 1 };
	struct engine_done done = { .type = type };

	if (type == EFFECT_PULL_IMAGE)
		done.image = (struct engine_image){ .digest = "sha256:d", .id = "sha256:i" };
	if (type == EFFECT_START_CONTAINER)
		done.pid = 4711;
	if (type == EFFECT_OPEN_NETNS)
		done.network =
			(struct engine_network){ .pause_pid = 99, .netns_path = "/run/netns/t" };
	if (type == EFFECT_ATTACH_NETWORK)
		done.network =
			(struct engine_network){ .interface = "eth0", .address = "10.0.0.7" };
	if (type == EFFECT_CONNECT_CONTAINER)
		done.connection = (struct engine_connection){ .address = "172.29.0.2",
							      .bindings = &published,
							      .binding_count = 1 };
	world_answer(world, id, container, done);
}

void world_failed(struct world *world, enum engine_effect_type type, const char *id,
		  const char *container, const char *name, const char *text)
{
	world_answer(
		world, id, container,
		(struct engine_done){
			.type = type, .failed = true, .error_name = name, .error_text = text });
}

void world_exited(struct world *world, const char *id, const char *container,
		  struct engine_exit exit)
{
	struct engine_event event = { .type = EVENT_CONTAINER_EXITED,
				      .task_id = id,
				      .container = container,
				      .attempt = world_container(world, id, container)->attempt,
				      .exit = exit };

	world_step(world, &event);
}

void world_exited_with(struct world *world, const char *id, const char *container, int code)
{
	world_exited(world, id, container,
		     (struct engine_exit){ .code_known = true, .exit_code = code });
}

void world_probed(struct world *world, const char *id, const char *container, int exit_code,
		  const char *output)
{
	world_answer(world, id, container,
		     (struct engine_done){ .type = EFFECT_PROBE_HEALTH,
					   .probe = { .exit_code = exit_code, .output = output } });
}

void world_start(struct world *world, const char *id, const char *container)
{
	world_done(world, EFFECT_PULL_IMAGE, id, container);
	world_done(world, EFFECT_CREATE_CONTAINER, id, container);
	world_done(world, EFFECT_START_CONTAINER, id, container);
}

struct engine_effect *world_report(struct world *world, const char *id)
{
	return world_take(world, EFFECT_REPORT, id, NULL);
}

static void accept(struct world *world, const struct engine_effect *effect)
{
	struct engine_event event = { .type = EVENT_REPORT_ACCEPTED,
				      .task_id = effect->task_id,
				      .report = effect->report.serial };

	world_step(world, &event);
}

void world_accept(struct world *world, const char *id)
{
	struct engine_effect *effect = world_report(world, id);

	accept(world, effect);
	engine_effect_free(effect);
}

void world_accept_all(struct world *world)
{
	while (world_find(world, EFFECT_REPORT, NULL, NULL))
		world_accept(world, NULL);
}

void expect_report(struct world *world, const char *id, const char *status, const char *containers)
{
	struct engine_effect *effect = world_report(world, id);
	struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < effect->report.container_count; i++) {
		const struct engine_report_container *container = &effect->report.containers[i];

		strbuf_appendf(&text, "%s%s=%s", i ? " " : "", container->name,
			       container_status_wire(container->status));
		if (container->has_exit_code)
			strbuf_appendf(&text, "(%d)", container->exit_code);
	}
	assert_string_equal(task_status_wire(effect->report.status), status);
	assert_string_equal(strbuf_text(&text), containers);
	strbuf_free(&text);
	accept(world, effect);
	engine_effect_free(effect);
}

const struct task_state *world_task(struct world *world, const char *id)
{
	const struct task_state *task = engine_task(world->engine, id);

	assert_non_null(task);
	return task;
}

const struct container_state *world_container(struct world *world, const char *id,
					      const char *container)
{
	const struct container_state *state =
		task_state_container(world_task(world, id), container);

	assert_non_null(state);
	return state;
}
