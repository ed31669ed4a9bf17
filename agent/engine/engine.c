/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/engine/engine.h"

#include <stdlib.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

void engine_config_defaults(struct engine_config *config)
{
	*config = (struct engine_config){
		.stop_timeout_ms = 30000,
		.cleanup_wait_ms = INT64_C(3) * 60 * 60 * 1000,
		.start_report_delay_ms = 1000,
		.exit_report_delay_ms = 100,
		.time_scale = 1,
		.task_limit = 5000,
	};
}

static void reserve(uint64_t *reserved, uint64_t *used, const uint16_t *ports, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		reserved[ports[i] / 64] |= UINT64_C(1) << (ports[i] % 64);
		used[ports[i] / 64] |= UINT64_C(1) << (ports[i] % 64);
	}
}

#define STOP_TIMEOUT_MIN_MS 1000

void engine_set_habits(struct engine *engine, const struct engine_habits *habits)
{
	struct engine_config *config = &engine->config;

	config->stop_timeout_ms = habits->stop_timeout_ms < STOP_TIMEOUT_MIN_MS
					  ? STOP_TIMEOUT_MIN_MS
					  : habits->stop_timeout_ms;
	config->cleanup_wait_ms = habits->cleanup_wait_ms;
	config->cleanup_jitter_ms = habits->cleanup_jitter_ms;
	config->pull_failure_stops_task = habits->pull_failure_stops_task;
	config->pull_dependents_upfront = habits->pull_dependents_upfront;
}

struct engine *engine_new(const struct engine_config *config)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));

	engine->config = *config;
	if (engine->config.stop_timeout_ms < STOP_TIMEOUT_MIN_MS)
		engine->config.stop_timeout_ms = STOP_TIMEOUT_MIN_MS;
	reserve(engine->reserved_tcp, engine->used_tcp, config->reserved_tcp,
		config->reserved_tcp_count);
	reserve(engine->reserved_udp, engine->used_udp, config->reserved_udp,
		config->reserved_udp_count);
	engine->config.reserved_tcp = engine->config.reserved_udp = NULL; /* the sets have them */
	engine->gpu_count = config->gpu_count < GPU_LIMIT ? config->gpu_count : GPU_LIMIT;
	engine->gpus = xcalloc(engine->gpu_count + 1, sizeof(*engine->gpus));
	for (size_t i = 0; i < engine->gpu_count; i++)
		engine->gpus[i] = xstrdup(config->gpus[i]);
	engine->config.gpus = NULL;
	engine->sequence_number = -1;
	return engine;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	effects_begin(engine);
	while (engine->first) {
		struct task *task = engine->first;

		table_remove(engine, task);
		task_free(task);
	}
	while (engine->refused) {
		struct refused *next = engine->refused->next;

		free(engine->refused->arn);
		free(engine->refused->reason);
		free(engine->refused);
		engine->refused = next;
	}
	ended_clear(engine);
	for (size_t i = 0; i < engine->gpu_count; i++)
		free(engine->gpus[i]);
	free(engine->gpus);
	free(engine->tasks_by_id);
	free(engine->endpoints);
	free(engine->heap);
	free(engine->manifest_id);
	free(engine->effects);
	free(engine->persists);
	free(engine->scratch);
	free(engine);
}

static void image_resolved(struct engine *engine, struct task *task, size_t index,
			   const struct engine_image *image)
{
	struct container_state *state = &task->state->containers[index];

	if (!image->digest || state->known != CONTAINER_STATUS_NONE ||
	    !(task->containers[index].flight & flight_bit(EFFECT_PULL_IMAGE)))
		return;
	str_replace(&state->image_digest, image->digest);
	state->digest_resolved = !reference_has_digest(state->spec);
	container_reach(engine, task, index, CONTAINER_STATUS_MANIFEST_PULLED, PERSIST_SOON);
}

static void container_has_exited(struct engine *engine, struct task *task, size_t index,
				 const struct engine_exit *exit)
{
	struct container *container = &task->containers[index];
	const struct container_state *state = &task->state->containers[index];

	if (state->known == CONTAINER_STATUS_STOPPED) {
		/* It had been declared so; the true code, if it can still be told. */
		if (state->started_at_ms != 0 && exit->code_known && !state->has_exit_code &&
		    state->sent < CONTAINER_STATUS_STOPPED)
			container_exited(engine, task, index, exit);
	} else if (state->known == CONTAINER_STATUS_RUNNING && !state->restarting) {
		container_ended(engine, task, index, exit);
	} else if (!container->exit_waits) {
		/* Its start is under way, or has ended in doubt. */
		container->exit_waits = true;
		container->early_exit = *exit;
	}
}

static void task_event(struct engine *engine, const struct engine_event *event)
{
	struct task *task = table_find(engine, event->task_id);

	if (!task)
		return;
	touch(engine, task);
	switch (event->type) {
	case EVENT_EFFECT_DONE:
		effect_done(engine, task, event);
		return;
	case EVENT_PAUSE_EXITED:
		pause_exited(engine, task, &event->exit);
		return;
	case EVENT_REPORT_ACCEPTED:
		report_accepted(task, event->report);
		return;
	case EVENT_REPORT_REFUSED:
		report_refused(task, event->report);
		return;
	default:
		break;
	}
	size_t index = event_container(task, event);

	if (index == SIZE_MAX)
		return;
	if (event->type == EVENT_IMAGE_RESOLVED)
		image_resolved(engine, task, index, &event->image);
	else
		container_has_exited(engine, task, index, &event->exit);
}

static void apply(struct engine *engine, const struct engine_event *event)
{
	switch (event->type) {
	case EVENT_PAYLOAD:
		payload_apply(engine, &event->payload);
		break;
	case EVENT_MANIFEST:
		manifest_apply(engine, &event->manifest);
		break;
	case EVENT_STOP_VERIFIED:
		stop_verified_apply(engine, &event->stop_verified);
		break;
	case EVENT_TASK_RECOVERED:
		task_recover(engine, &event->recovered);
		break;
	case EVENT_RECOVERY_FINISHED:
		recovery_finish(engine, &event->recovery_end);
		break;
	case EVENT_REPORT_ACCEPTED:
	case EVENT_REPORT_REFUSED:
		/* Serials are unique: it is the one or the other. */
		refused_end(engine, event->report);
		task_event(engine, event);
		break;
	case EVENT_TIME_PASSED:
		break;
	default:
		task_event(engine, event);
		break;
	}
	while (engine->heap_count > 0 && engine->heap[0]->wake_ms <= engine->now_ms) {
		struct task *task = engine->heap[0];

		wake_remove(engine, task);
		touch(engine, task);
	}
}

const struct engine_effects *engine_step(struct engine *engine, int64_t now_ms,
					 const struct engine_event *event, int64_t *ret_wake_ms)
{
	effects_begin(engine);
	if (now_ms > engine->now_ms)
		engine->now_ms = now_ms;
	engine->wall_ms = event->wall_ms;
	apply(engine, event);
	while (engine->recovered && (engine->touched || engine->admission_due)) {
		struct task *task = engine->touched;

		if (!task) {
			admission_run(engine);
			continue;
		}
		engine->touched = task->next_touched;
		task->touched = false;
		task_advance(engine, task);
	}
	if (ret_wake_ms)
		*ret_wake_ms = wake_next(engine);
	return effects_end(engine);
}

const struct task_state *engine_task(const struct engine *engine, const char *task_id)
{
	const struct task *task = table_find(engine, task_id);

	return task ? task->state : NULL;
}

const struct task_state *engine_task_by_arn(const struct engine *engine, const char *arn)
{
	const struct task *task = arn ? table_find(engine, task_id_of_arn(arn)) : NULL;

	return task && str_eq(task->state->spec->arn, arn) ? task->state : NULL;
}

const struct task_state *engine_next_task(const struct engine *engine,
					  const struct task_state *previous)
{
	const struct task *task = previous ? table_find(engine, previous->spec->id) : NULL;

	task = previous ? (task ? task->next : NULL) : engine->first;
	return task ? task->state : NULL;
}

const struct container_state *engine_find_endpoint(const struct engine *engine,
						   const char *endpoint_id,
						   const struct task_state **ret_task)
{
	const struct container *container = table_find_endpoint(engine, endpoint_id);

	if (!container)
		return NULL;
	if (ret_task)
		*ret_task = container->task->state;
	return &container->task->state->containers[container - container->task->containers];
}

size_t engine_task_count(const struct engine *engine)
{
	return engine->task_count;
}

int64_t engine_sequence_number(const struct engine *engine)
{
	return engine->sequence_number;
}

void engine_ledger(const struct engine *engine, struct engine_ledger *ret)
{
	*ret = (struct engine_ledger){
		.cpu_units = engine->config.cpu_units,
		.memory_mib = engine->config.memory_mib,
		.cpu_units_used = engine->cpu_units_used,
		.memory_mib_used = engine->memory_mib_used,
		.gpus = engine->gpu_count,
		.gpus_used = (size_t)__builtin_popcountll(engine->used_gpus),
		.waiting = engine->waiting,
	};
}
