/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a task that has STOPPED. */
#include <stdlib.h>

#include "agent/engine/internal.h"
#include "base/hash.h"

/* Spread by the task's id, so that tasks that stopped together are not cleaned together. */
static int64_t jitter(const struct engine *engine, const struct task *task)
{
	uint64_t value = hash64_text(HASH64_START, task->state->spec->id);

	if (engine->config.cleanup_jitter_ms <= 0)
		return 0;
	return (int64_t)((value >> 11) % (uint64_t)engine->config.cleanup_jitter_ms);
}

void cleanup_schedule(struct engine *engine, struct task *task, int64_t stopped_ms_ago)
{
	int64_t wait_ms = engine->config.cleanup_wait_ms + jitter(engine, task) - stopped_ms_ago;

	task->cleanup_at_ms = engine->now_ms + (wait_ms > 0 ? wait_ms : 0);
}

/* Stopped tasks are kept for people to look at, not at the cost of new ones: at half the limit each
 * new one ends a wait. */
void cleanup_hasten(struct engine *engine)
{
	if (engine->task_count * 2 < engine->config.task_limit)
		return;
	for (struct task *task = engine->first; task; task = task->next)
		if (task->state->known == TASK_STATUS_STOPPED &&
		    task->cleanup_at_ms > engine->now_ms) {
			task->cleanup_at_ms = engine->now_ms;
			touch(engine, task);
			return;
		}
}

bool cleanup_due(const struct engine *engine, const struct task *task)
{
	const struct task_state *state = task->state;

	return state->known == TASK_STATUS_STOPPED && engine->now_ms >= task->cleanup_at_ms &&
	       (state->sent == TASK_STATUS_STOPPED || state->report_refused);
}

bool container_left_behind(const struct task *task, size_t index)
{
	const struct container_state *state = &task->state->containers[index];

	return state->known == CONTAINER_STATUS_STOPPED && task->containers[index].may_exist &&
	       !state->removed &&
	       (state->started_at_ms == 0 || task->containers[index].half_restarted);
}

/* A container that never ran, or not again, is removed at once: the runtime holds a process for it,
 * in the task's namespace. */
bool container_removal_advance(struct engine *engine, struct task *task, size_t index)
{
	struct container *container = &task->containers[index];

	if (!container->may_exist || task->state->containers[index].removed ||
	    (container->flight & ~flight_bit(EFFECT_PULL_IMAGE)))
		return false;
	if (!container_left_behind(task, index) && !cleanup_due(engine, task))
		return false;
	if (engine->now_ms < container->retry_at_ms) {
		wake_at(task, container->retry_at_ms);
		return false;
	}
	effect_start_container(engine, EFFECT_REMOVE_CONTAINER, task, index);
	return false;
}

/* Nothing of it is on the host but what belongs to the task as a whole. */
static bool emptied(const struct task *task)
{
	const struct task_state *state = task->state;

	for (size_t i = 0; i < state->container_count; i++)
		if (task->containers[i].flight || !connection_gone(task, i) ||
		    (task->containers[i].may_exist && !state->containers[i].removed))
			return false;
	return !task->flight && !resources_in_flight(task) &&
	       (state->network.status == NETWORK_NONE || state->network.status == NETWORK_GONE);
}

static void forget(struct engine *engine, struct task *task)
{
	struct engine_effect *effect = effect_add(engine, EFFECT_FORGET_TASK, task);

	ended_add(engine, task->state->spec->arn, engine->ended_serial + 1);
	effect->forget.serial = engine->ended_serial;
	effect->forget.oldest_kept = engine->ended_first->serial;
	wake_remove(engine, task);
	table_remove(engine, task);
	task->dead = true;
	task->next = engine->graves;
	engine->graves = task;
}

void cleanup_advance(struct engine *engine, struct task *task)
{
	if (task->state->known != TASK_STATUS_STOPPED)
		return;
	if (!cleanup_due(engine, task)) {
		if (engine->now_ms < task->cleanup_at_ms)
			wake_at(task, task->cleanup_at_ms);
		return;
	}
	if (!emptied(task))
		return;
	if (task->cleaned || !task->state->begun) {
		forget(engine, task);
		return;
	}
	if (engine->now_ms < task->cleanup_retry_at_ms) {
		wake_at(task, task->cleanup_retry_at_ms);
		return;
	}
	effect_start(engine, EFFECT_CLEAN_UP_TASK, task);
}
