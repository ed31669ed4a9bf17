/* SPDX-License-Identifier: Apache-2.0 */
/* Which task wants to be looked at next: a binary heap by wake_ms. */
#include "agent/engine/internal.h"
#include "base/alloc.h"

static void place(struct engine *engine, struct task *task, size_t index)
{
	engine->heap[index] = task;
	task->heap_index = index;
}

static void sift_up(struct engine *engine, size_t index)
{
	struct task *task = engine->heap[index];

	while (index > 0) {
		size_t parent = (index - 1) / 2;

		if (engine->heap[parent]->wake_ms <= task->wake_ms)
			break;
		place(engine, engine->heap[parent], index);
		index = parent;
	}
	place(engine, task, index);
}

static void sift_down(struct engine *engine, size_t index)
{
	struct task *task = engine->heap[index];

	for (;;) {
		size_t child = index * 2 + 1;

		if (child >= engine->heap_count)
			break;
		if (child + 1 < engine->heap_count &&
		    engine->heap[child + 1]->wake_ms < engine->heap[child]->wake_ms)
			child++;
		if (engine->heap[child]->wake_ms >= task->wake_ms)
			break;
		place(engine, engine->heap[child], index);
		index = child;
	}
	place(engine, task, index);
}

void wake_remove(struct engine *engine, struct task *task)
{
	size_t index = task->heap_index;

	if (index == SIZE_MAX)
		return;
	task->heap_index = SIZE_MAX;
	engine->heap_count--;
	if (index == engine->heap_count)
		return;
	struct task *moved = engine->heap[engine->heap_count];

	place(engine, moved, index);
	sift_up(engine, index);
	sift_down(engine, moved->heap_index);
}

int64_t removal_wait_ms(int failed)
{
	int64_t wait_ms = 1000;

	for (int i = 1; i < failed && wait_ms < LONGEST_RETRY_MS; i++)
		wait_ms *= 2;
	return wait_ms < LONGEST_RETRY_MS ? wait_ms : LONGEST_RETRY_MS;
}

void wake_set(struct engine *engine, struct task *task)
{
	wake_remove(engine, task);
	if (task->wake_ms == ENGINE_NEVER)
		return;
	if (engine->heap_count == engine->heap_capacity) {
		engine->heap_capacity = engine->heap_capacity ? engine->heap_capacity * 2 : 16;
		engine->heap =
			xreallocarray(engine->heap, engine->heap_capacity, sizeof(struct task *));
	}
	place(engine, task, engine->heap_count);
	engine->heap_count++;
	sift_up(engine, task->heap_index);
}

int64_t wake_next(const struct engine *engine)
{
	return engine->heap_count ? engine->heap[0]->wake_ms : ENGINE_NEVER;
}
