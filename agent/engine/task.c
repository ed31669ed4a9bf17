/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"

struct task *task_new(struct task_state *state)
{
	struct task *task = xcalloc(1, sizeof(*task));

	task->state = state;
	task->containers = xcalloc(state->container_count, sizeof(*task->containers));
	for (size_t i = 0; i < state->container_count; i++) {
		task->containers[i].task = task;
		task->containers[i].enqueued = state->containers[i].sent;
		task->containers[i].next_probe_ms = ENGINE_NEVER;
	}
	task->enqueued = state->sent;
	task->flush_at_ms = task->cleanup_at_ms = task->persist_at_ms = task->wake_ms =
		ENGINE_NEVER;
	task->heap_index = SIZE_MAX;
	return task;
}

void task_free(struct task *task)
{
	for (size_t i = 0; i < task->state->container_count; i++)
		free(task->containers[i].dependencies);
	free(task->containers);
	ask_clear(&task->ask);
	free(task->resources);
	reports_free(task);
	task_state_free(task->state);
	free(task);
}

bool all_containers_stopped(const struct task *task)
{
	for (size_t i = 0; i < task->state->container_count; i++)
		if (task->state->containers[i].known != CONTAINER_STATUS_STOPPED)
			return false;
	return true;
}

bool essential_container_stopped(const struct task *task)
{
	for (size_t i = 0; i < task->state->container_count; i++)
		if (task->state->containers[i].spec->essential &&
		    task->state->containers[i].known == CONTAINER_STATUS_STOPPED)
			return true;
	return false;
}
