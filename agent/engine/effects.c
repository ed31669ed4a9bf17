/* SPDX-License-Identifier: Apache-2.0 */
/* The list of effects of one step, and copies of effects for those who must keep them. */
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"

static struct engine_effect *append(struct engine_effect **items, size_t *count, size_t *capacity)
{
	if (*count == *capacity) {
		*capacity = *capacity ? *capacity * 2 : 16;
		*items = xreallocarray(*items, *capacity, sizeof(**items));
	}
	struct engine_effect *effect = &(*items)[(*count)++];

	*effect = (struct engine_effect){ 0 };
	return effect;
}

static void name_task(struct engine_effect *effect, enum engine_effect_type type,
		      const struct task *task)
{
	effect->type = type;
	if (!task)
		return;
	effect->task_id = task->state->spec->id;
	effect->spec = task->state->spec;
}

static void name_container(struct engine_effect *effect, const struct task *task, size_t index)
{
	effect->container = task->state->containers[index].spec->name;
	effect->attempt = task->state->containers[index].attempt;
	effect->container_index = index;
}

struct engine_effect *effect_add(struct engine *engine, enum engine_effect_type type,
				 const struct task *task)
{
	struct engine_effect *effect =
		append(&engine->effects, &engine->effect_count, &engine->effect_capacity);

	name_task(effect, type, task);
	return effect;
}

struct engine_effect *effect_add_container(struct engine *engine, enum engine_effect_type type,
					   const struct task *task, size_t index)
{
	struct engine_effect *effect = effect_add(engine, type, task);

	name_container(effect, task, index);
	return effect;
}

struct engine_effect *effect_start(struct engine *engine, enum engine_effect_type type,
				   struct task *task)
{
	task->flight |= flight_bit(type);
	return effect_add(engine, type, task);
}

struct engine_effect *effect_start_container(struct engine *engine, enum engine_effect_type type,
					     struct task *task, size_t index)
{
	task->containers[index].flight |= flight_bit(type);
	task->containers[index].flight_since_ms = engine->now_ms;
	return effect_add_container(engine, type, task, index);
}

void effects_begin(struct engine *engine)
{
	engine->effect_count = engine->persist_count = 0;
	for (size_t i = 0; i < engine->scratch_count; i++)
		free(engine->scratch[i]);
	engine->scratch_count = 0;
	while (engine->graves) {
		struct task *next = engine->graves->next;

		task_free(engine->graves);
		engine->graves = next;
	}
}

void *scratch_keep(struct engine *engine, void *memory)
{
	if (engine->scratch_count == engine->scratch_capacity) {
		engine->scratch_capacity =
			engine->scratch_capacity ? engine->scratch_capacity * 2 : 16;
		engine->scratch = xreallocarray(engine->scratch, engine->scratch_capacity,
						sizeof(*engine->scratch));
	}
	engine->scratch[engine->scratch_count++] = memory;
	return memory;
}

void effects_persist(struct engine *engine, struct task *task)
{
	if (task->dirty)
		name_task(append(&engine->persists, &engine->persist_count,
				 &engine->persist_capacity),
			  EFFECT_PERSIST_TASK, task);
	for (size_t i = 0; i < task->state->container_count; i++) {
		if (!task->containers[i].dirty)
			continue;
		struct engine_effect *effect = append(&engine->persists, &engine->persist_count,
						      &engine->persist_capacity);

		name_task(effect, EFFECT_PERSIST_CONTAINER, task);
		name_container(effect, task, i);
		task->containers[i].dirty = false;
	}
	task->dirty = task->dirty_now = false;
	task->persist_at_ms = ENGINE_NEVER;
}

/* What must be durable goes in front. */
const struct engine_effects *effects_end(struct engine *engine)
{
	if (engine->persist_count > 0) {
		for (size_t i = 0; i < engine->effect_count; i++)
			*append(&engine->persists, &engine->persist_count,
				&engine->persist_capacity) = engine->effects[i];
		engine->result.items = engine->persists;
		engine->result.count = engine->persist_count;
	} else {
		engine->result.items = engine->effects;
		engine->result.count = engine->effect_count;
	}
	return &engine->result;
}

/* ---- copies: one block of memory holds all strings ---- */

struct copy {
	struct engine_effect effect; /* first */
	struct task_spec *spec;
	char *task_arn, *message_id, *cluster_arn, *reason;
	char **arns;
	struct engine_report_container *containers;
};

static const struct port_binding *copy_bindings(const struct engine_report_container *container)
{
	struct port_binding *copy = xcalloc(container->binding_count + 1, sizeof(*copy));

	for (size_t i = 0; i < container->binding_count; i++)
		copy[i] = container->bindings[i];
	return copy;
}

static void copy_report(struct copy *copy, const struct engine_report *report)
{
	copy->effect.report.task_arn = copy->task_arn = xstrdup_null(report->task_arn);
	copy->effect.report.reason = copy->reason = xstrdup_null(report->reason);
	copy->containers = xcalloc(report->container_count, sizeof(*copy->containers));
	copy->effect.report.containers = copy->containers;
	for (size_t i = 0; i < report->container_count; i++) {
		copy->containers[i] = report->containers[i];
		copy->containers[i].name = xstrdup_null(report->containers[i].name);
		copy->containers[i].runtime_id = xstrdup_null(report->containers[i].runtime_id);
		copy->containers[i].image_digest = xstrdup_null(report->containers[i].image_digest);
		copy->containers[i].reason = xstrdup_null(report->containers[i].reason);
		copy->containers[i].bindings = copy_bindings(&report->containers[i]);
	}
}

struct engine_effect *engine_effect_copy(const struct engine_effect *effect)
{
	struct copy *copy = xcalloc(1, sizeof(*copy));

	copy->effect = *effect;
	/* Names of task and container live in the spec, which the copy keeps alive. */
	if (effect->spec)
		copy->spec = task_spec_ref((struct task_spec *)effect->spec);
	switch (effect->type) {
	case EFFECT_ACKNOWLEDGE:
		copy->effect.message_id = copy->message_id = xstrdup_null(effect->message_id);
		break;
	case EFFECT_STOP_CANDIDATES:
		copy->effect.candidates.message_id = copy->message_id =
			xstrdup_null(effect->candidates.message_id);
		copy->effect.candidates.cluster_arn = copy->cluster_arn =
			xstrdup_null(effect->candidates.cluster_arn);
		copy->arns = xcalloc(effect->candidates.count, sizeof(*copy->arns));
		copy->effect.candidates.arns = (const char *const *)copy->arns;
		for (size_t i = 0; i < effect->candidates.count; i++)
			copy->arns[i] = xstrdup(effect->candidates.arns[i]);
		break;
	case EFFECT_REPORT:
		copy_report(copy, &effect->report);
		break;
	default:
		break;
	}
	return &copy->effect;
}

void engine_effect_free(struct engine_effect *effect)
{
	if (!effect)
		return;
	struct copy *copy = (struct copy *)effect;

	if (effect->type == EFFECT_STOP_CANDIDATES)
		for (size_t i = 0; i < effect->candidates.count; i++)
			free(copy->arns[i]);
	free(copy->arns);
	if (effect->type == EFFECT_REPORT)
		for (size_t i = 0; i < effect->report.container_count; i++) {
			free((char *)copy->containers[i].name);
			free((char *)copy->containers[i].runtime_id);
			free((char *)copy->containers[i].image_digest);
			free((char *)copy->containers[i].reason);
			free((struct port_binding *)copy->containers[i].bindings);
		}
	free(copy->containers);
	free(copy->task_arn);
	free(copy->message_id);
	free(copy->cluster_arn);
	free(copy->reason);
	task_spec_unref(copy->spec);
	free(copy);
}

const char *engine_effect_name(enum engine_effect_type type)
{
	static const char *const names[] = {
		[EFFECT_PERSIST_TASK] = "PERSIST_TASK",
		[EFFECT_PERSIST_CONTAINER] = "PERSIST_CONTAINER",
		[EFFECT_PERSIST_SEQUENCE] = "PERSIST_SEQUENCE",
		[EFFECT_FORGET_TASK] = "FORGET_TASK",
		[EFFECT_ACKNOWLEDGE] = "ACKNOWLEDGE",
		[EFFECT_STOP_CANDIDATES] = "STOP_CANDIDATES",
		[EFFECT_REPORT] = "REPORT",
		[EFFECT_CREATE_RESOURCE] = "CREATE_RESOURCE",
		[EFFECT_OPEN_NETNS] = "OPEN_NETNS",
		[EFFECT_ATTACH_NETWORK] = "ATTACH_NETWORK",
		[EFFECT_TEAR_DOWN_NETWORK] = "TEAR_DOWN_NETWORK",
		[EFFECT_CONNECT_CONTAINER] = "CONNECT_CONTAINER",
		[EFFECT_DISCONNECT_CONTAINER] = "DISCONNECT_CONTAINER",
		[EFFECT_PULL_IMAGE] = "PULL_IMAGE",
		[EFFECT_CREATE_CONTAINER] = "CREATE_CONTAINER",
		[EFFECT_START_CONTAINER] = "START_CONTAINER",
		[EFFECT_RESTART_CONTAINER] = "RESTART_CONTAINER",
		[EFFECT_STOP_CONTAINER] = "STOP_CONTAINER",
		[EFFECT_PROBE_HEALTH] = "PROBE_HEALTH",
		[EFFECT_REMOVE_CONTAINER] = "REMOVE_CONTAINER",
		[EFFECT_CLEAN_UP_TASK] = "CLEAN_UP_TASK",
		[EFFECT_STATUS_CHANGED] = "STATUS_CHANGED",
		[EFFECT_HEALTH_CHANGED] = "HEALTH_CHANGED",
	};

	return (size_t)type < sizeof(names) / sizeof(*names) ? names[type] : "?";
}
