/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics are read when they are asked for; what was read last gives differences and rates. */
#include <stdlib.h>
#include <string.h>

#include "agent/endpoints/internal.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "wire/writer.h"

#define FEWEST_READINGS 64

struct reading {
	char *task_id;
	struct document_previous previous;
};

static void reading_free(struct reading *reading)
{
	free(reading->task_id);
	free(reading);
}

void statistics_forget(struct endpoints *endpoints, const char *task_id)
{
	struct reading *reading;
	const char *id;
	size_t cursor = 0;

	while ((reading = map_next(endpoints->readings, &cursor, &id))) {
		if (!str_eq(reading->task_id, task_id))
			continue;
		map_remove(endpoints->readings, id);
		reading_free(reading);
		cursor = 0;
	}
}

void statistics_free(struct endpoints *endpoints)
{
	struct reading *reading;
	size_t cursor = 0;

	while ((reading = map_next(endpoints->readings, &cursor, NULL)))
		reading_free(reading);
	map_free(endpoints->readings);
}

static void forget_the_gone(struct endpoints *endpoints)
{
	struct reading *reading;
	size_t cursor = 0;

	while ((reading = map_next(endpoints->readings, &cursor, NULL))) {
		_cleanup_free_ char *task_id = NULL;

		if (engine_task(endpoints->config.engine, reading->task_id))
			continue;
		task_id = xstrdup(reading->task_id);
		statistics_forget(endpoints, task_id);
		cursor = 0;
	}
}

static struct document_previous *previous_of(struct endpoints *endpoints,
					     const struct task_state *task,
					     const struct container_state *container)
{
	struct reading *reading = map_get(endpoints->readings, container->runtime_id);
	size_t count = map_count(endpoints->readings);

	if (reading)
		return &reading->previous;
	if (count >= FEWEST_READINGS && count >= endpoints->readings_limit) {
		forget_the_gone(endpoints);
		endpoints->readings_limit = 2 * map_count(endpoints->readings);
	}
	reading = xcalloc(1, sizeof(*reading));
	reading->task_id = xstrdup(task->spec->id);
	map_set(endpoints->readings, container->runtime_id, reading);
	return &reading->previous;
}

/* Statistics are of what runs. */
static bool is_tracked(const struct endpoints *endpoints, const struct container_state *container)
{
	return !endpoints->config.config->disable_metrics &&
	       (container->known == CONTAINER_STATUS_RUNNING ||
		container->known == CONTAINER_STATUS_RESOURCES_PROVISIONED);
}

/* Appends the document, or {} when there is none. */
static void append(struct endpoints *endpoints, const struct task_state *task,
		   const struct container_state *container, struct strbuf *out)
{
	_cleanup_free_ struct container_stats *stats = xmalloc(sizeof(*stats));
	_cleanup_free_ struct network_stats *network = xcalloc(1, sizeof(*network));
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	struct document_reading reading = {
		.stats = stats,
		.network = task_has_interfaces(task->spec) ? network : NULL,
		.runtime_id = container->runtime_id,
	};

	if (!is_tracked(endpoints, container) ||
	    endpoints->config.read_stats(endpoints->config.data, task->spec->id,
					 container->spec->name, stats,
					 reading.network ? network : NULL, NULL) < 0) {
		strbuf_append(out, "{}");
		return;
	}
	stats_host_cpu(&reading.host_cpu_ns, &reading.online_cpus, NULL);
	strbuf_append_char(&name, '/');
	document_runtime_name(task, container, &name);
	reading.name = strbuf_text(&name);
	document_stats(&reading, previous_of(endpoints, task, container), out);
}

void statistics_of_container(struct endpoints *endpoints, struct asking *asking,
			     const struct task_state *task, const struct container_state *container)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;

	if (!is_tracked(endpoints, container)) {
		answer_message(asking, 500,
			       "Unable to get container stats for: ", container->runtime_id);
		return;
	}
	append(endpoints, task, container, &body);
	answer_json(asking, 200, strbuf_text(&body));
}

struct entry {
	const char *id;
	const struct container_state *container; /* NULL: the pause container */
};

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

void statistics_of_task(struct endpoints *endpoints, struct asking *asking,
			const struct task_state *task)
{
	_cleanup_free_ struct entry *entries = xcalloc(task->container_count + 1, sizeof(*entries));
	_cleanup_free_ char *pause = document_pause_id(task);
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct writer writer = writer_to(&body);
	size_t count = 0;

	for (size_t i = 0; i < task->container_count; i++) {
		const struct container_state *container = &task->containers[i];

		if (document_has(container))
			entries[count++] = (struct entry){ container->runtime_id, container };
	}
	if (pause)
		entries[count++] = (struct entry){ pause, NULL };
	qsort(entries, count, sizeof(*entries), by_id);
	write_object(&writer, NULL);
	for (size_t i = 0; i < count; i++) {
		_cleanup_strbuf_ struct strbuf one = STRBUF_INIT;

		if (entries[i].container)
			append(endpoints, task, entries[i].container, &one);
		else
			strbuf_append(&one, "{}");
		write_raw(&writer, entries[i].id, strbuf_text(&one));
	}
	write_object_end(&writer);
	answer_json(asking, 200, strbuf_text(&body));
}
