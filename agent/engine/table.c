/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks by id and containers by endpoint id: chained hash tables that double when they are full. */
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/hash.h"

#define FIRST_BUCKETS 64

size_t table_hash(const char *text)
{
	uint64_t value = hash64_text(HASH64_START, text);

	return (size_t)(value ^ (value >> 29));
}

static void grow_tasks(struct engine *engine)
{
	size_t count = engine->bucket_count ? engine->bucket_count * 2 : FIRST_BUCKETS;
	struct task **buckets = xcalloc(count, sizeof(struct task *));

	for (struct task *task = engine->first; task; task = task->next) {
		struct task **bucket = &buckets[table_hash(task->state->spec->id) & (count - 1)];

		task->next_hashed = *bucket;
		*bucket = task;
	}
	free(engine->tasks_by_id);
	engine->tasks_by_id = buckets;
	engine->bucket_count = count;
}

static const char *endpoint_of(const struct container *container)
{
	return container->task->state->containers[container - container->task->containers]
		.endpoint_id;
}

static void grow_endpoints(struct engine *engine)
{
	size_t count =
		engine->endpoint_bucket_count ? engine->endpoint_bucket_count * 2 : FIRST_BUCKETS;
	struct container **buckets = xcalloc(count, sizeof(struct container *));

	for (size_t i = 0; i < engine->endpoint_bucket_count; i++) {
		struct container *next;

		for (struct container *container = engine->endpoints[i]; container;
		     container = next) {
			struct container **bucket =
				&buckets[table_hash(endpoint_of(container)) & (count - 1)];

			next = container->next_endpoint;
			container->next_endpoint = *bucket;
			*bucket = container;
		}
	}
	free(engine->endpoints);
	engine->endpoints = buckets;
	engine->endpoint_bucket_count = count;
}

struct task *table_find(const struct engine *engine, const char *id)
{
	if (!id || engine->bucket_count == 0)
		return NULL;
	struct task *task = engine->tasks_by_id[table_hash(id) & (engine->bucket_count - 1)];

	while (task && strcmp(task->state->spec->id, id) != 0)
		task = task->next_hashed;
	return task;
}

struct container *table_find_endpoint(const struct engine *engine, const char *endpoint_id)
{
	if (!endpoint_id || engine->endpoint_bucket_count == 0)
		return NULL;
	struct container *container =
		engine->endpoints[table_hash(endpoint_id) & (engine->endpoint_bucket_count - 1)];

	while (container && strcmp(endpoint_of(container), endpoint_id) != 0)
		container = container->next_endpoint;
	return container;
}

/* Almost always at the end: tasks are recovered in order of arrival too. */
static void link_by_arrival(struct engine *engine, struct task *task)
{
	struct task *before = engine->last;

	while (before && before->state->arrival > task->state->arrival)
		before = before->previous;
	task->previous = before;
	task->next = before ? before->next : engine->first;
	*(before ? &before->next : &engine->first) = task;
	*(task->next ? &task->next->previous : &engine->last) = task;
}

void table_add(struct engine *engine, struct task *task)
{
	if (engine->task_count >= engine->bucket_count)
		grow_tasks(engine);
	struct task **bucket = &engine->tasks_by_id[table_hash(task->state->spec->id) &
						    (engine->bucket_count - 1)];

	task->next_hashed = *bucket;
	*bucket = task;
	link_by_arrival(engine, task);
	engine->task_count++;

	for (size_t i = 0; i < task->state->container_count; i++) {
		if (engine->endpoint_count >= engine->endpoint_bucket_count)
			grow_endpoints(engine);
		struct container *container = &task->containers[i];
		struct container **slot = &engine->endpoints[table_hash(endpoint_of(container)) &
							     (engine->endpoint_bucket_count - 1)];

		container->next_endpoint = *slot;
		*slot = container;
		engine->endpoint_count++;
	}
}

void table_remove(struct engine *engine, struct task *task)
{
	struct task **bucket = &engine->tasks_by_id[table_hash(task->state->spec->id) &
						    (engine->bucket_count - 1)];

	while (*bucket != task)
		bucket = &(*bucket)->next_hashed;
	*bucket = task->next_hashed;
	*(task->previous ? &task->previous->next : &engine->first) = task->next;
	*(task->next ? &task->next->previous : &engine->last) = task->previous;
	engine->task_count--;

	for (size_t i = 0; i < task->state->container_count; i++) {
		struct container *container = &task->containers[i];
		struct container **slot = &engine->endpoints[table_hash(endpoint_of(container)) &
							     (engine->endpoint_bucket_count - 1)];

		while (*slot != container)
			slot = &(*slot)->next_endpoint;
		*slot = container->next_endpoint;
		engine->endpoint_count--;
	}
}
