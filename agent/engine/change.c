/* SPDX-License-Identifier: Apache-2.0 */
/* The only places where the statuses, exit codes and reasons of tasks and containers change. */
#include <assert.h>
#include <stdlib.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"

void touch(struct engine *engine, struct task *task)
{
	if (task->touched || task->dead)
		return;
	task->touched = true;
	task->next_touched = NULL;
	*(engine->touched ? &engine->touched_last->next_touched : &engine->touched) = task;
	engine->touched_last = task;
}

static void mark(struct task *task, enum persist when)
{
	if (when == PERSIST_NOW)
		task->dirty_now = true;
	else if (task->persist_at_ms == ENGINE_NEVER)
		task->persist_at_ms = PERSIST_AT_UNSET;
}

void mark_task(struct task *task, enum persist when)
{
	task->dirty = true;
	mark(task, when);
}

void mark_container(struct task *task, size_t index, enum persist when)
{
	task->containers[index].dirty = true;
	mark(task, when);
}

void container_reach(struct engine *engine, struct task *task, size_t index,
		     enum container_status status, enum persist when)
{
	struct container_state *container = &task->state->containers[index];

	assert(status > container->known);
	container->known = status;
	container->known_since_ms = engine->wall_ms;
	mark_container(task, index, when);
	if (status == CONTAINER_STATUS_STOPPED) {
		struct task_state *state = task->state;

		container->pid = 0;
		if (container->desired != CONTAINER_STATUS_STOPPED)
			container->desired = CONTAINER_STATUS_STOPPED;
		if (container->spec->essential && state->execution_stopped_at_ms == 0) {
			state->execution_stopped_at_ms = container->finished_at_ms
								 ? container->finished_at_ms
								 : engine->wall_ms;
			mark_task(task, PERSIST_SOON);
		}
	}
	effect_add_container(engine, EFFECT_STATUS_CHANGED, task, index);
}

void container_want_stop(struct task *task, size_t index, enum persist when)
{
	struct container_state *container = &task->state->containers[index];

	if (container->desired == CONTAINER_STATUS_STOPPED)
		return;
	container->desired = CONTAINER_STATUS_STOPPED;
	mark_container(task, index, when);
}

void container_set_reason(struct task *task, size_t index, const char *name, const char *text)
{
	struct container_state *container = &task->state->containers[index];

	if (container->reason)
		return;
	container->reason = reason_make(name, text);
	mark_container(task, index, PERSIST_NOW);
}

void container_fail(struct task *task, size_t index, const char *name, const char *text)
{
	container_set_reason(task, index, name, text);
	container_want_stop(task, index, PERSIST_NOW);
}

int engine_exit_code(const struct engine_exit *exit)
{
	return exit->signal > 0 ? 128 + exit->signal : exit->exit_code;
}

/* Of the exit codes the first that is known stays. */
void container_exited(struct engine *engine, struct task *task, size_t index,
		      const struct engine_exit *exit)
{
	struct container_state *container = &task->state->containers[index];

	if (!container->has_exit_code && exit->code_known) {
		container->has_exit_code = true;
		container->exit_code = engine_exit_code(exit);
		mark_container(task, index, PERSIST_SOON);
	}
	if (container->finished_at_ms == 0) {
		container->finished_at_ms =
			exit->finished_at_ms ? exit->finished_at_ms : engine->wall_ms;
		mark_container(task, index, PERSIST_SOON);
	}
	if (exit->oom) {
		container->oom_killed = true;
		container_set_reason(task, index, "OutOfMemoryError",
				     "Container killed due to memory usage");
	}
	if (!exit->code_known)
		container_set_reason(
			task, index, "ContainerVanishedError",
			"The container's process is gone and nothing recorded how it ended");
	if (container->known != CONTAINER_STATUS_STOPPED)
		container_reach(engine, task, index, CONTAINER_STATUS_STOPPED, PERSIST_SOON);
}

void container_ended_early(struct engine *engine, struct task *task, size_t index,
			   const struct engine_exit *exit)
{
	struct container_state *state = &task->state->containers[index];

	task->containers[index].must_stop = false;
	if (exit->started_at_ms != 0) {
		state->started_at_ms = exit->started_at_ms;
		container_ended_after(engine, task, index, exit);
		return;
	}
	container_set_reason(task, index, "CannotStartContainerError",
			     "the container's first process ended before it was started");
	container_want_stop(task, index, PERSIST_NOW);
}

void task_reach(struct engine *engine, struct task *task, enum task_status status)
{
	struct task_state *state = task->state;

	assert(status > state->known);
	state->known = status;
	state->known_since_ms = engine->wall_ms;
	if (status == TASK_STATUS_RUNNING)
		state->running_at_ms = engine->wall_ms;
	if (status == TASK_STATUS_STOPPED) {
		state->stopped_at_ms = engine->wall_ms;
		admission_leave(engine, task);
		admission_release(engine, task);
		cleanup_schedule(engine, task, 0);
	}
	/*
	 * What is told must not be taken back after a crash; and what a STOPPED task gave up may be
	 * another's in the next moment.
	 */
	mark_task(task, status >= TASK_STATUS_RUNNING ? PERSIST_NOW : PERSIST_SOON);
	effect_add(engine, EFFECT_STATUS_CHANGED, task);
	report_task_status(task);
}

void task_want_stop(struct engine *engine, struct task *task, enum persist when)
{
	if (task->state->desired == TASK_STATUS_STOPPED) {
		/* Decided before, and perhaps not saved yet; now somebody relies on it. */
		if (when == PERSIST_NOW && task->persist_at_ms != ENGINE_NEVER) {
			task->dirty_now = true;
			touch(engine, task);
		}
		return;
	}
	task->state->desired = TASK_STATUS_STOPPED;
	mark_task(task, when);
	for (size_t i = 0; i < task->state->container_count; i++)
		container_want_stop(task, i, when);
	admission_leave(engine, task);
	touch(engine, task);
}

void task_set_reason(struct task *task, const char *reason)
{
	if (task->state->reason)
		return;
	task->state->reason = reason_cut(reason);
	mark_task(task, PERSIST_NOW);
}
