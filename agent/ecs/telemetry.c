/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/telemetry.h"

#include <stdlib.h>
#include <string.h>

#include "agent/ecs/host.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/random.h"

#define INTERVAL_MS 20000
#define QUEUE_MAX   15
#define SAMPLE_MS   1000

struct watched_container {
	char *name;
	bool health_checked;
	enum health_status health;
	int64_t health_since_ms; /* 0: never set */
	struct metrics *metrics; /* NULL: metrics are disabled */
};

struct watched_task {
	char *arn, *family, *version;
	struct watched_container *containers;
	size_t count;
};

/* One interval's figures or health, until it is sent. */
struct interval {
	struct interval *next;
	struct arena *arena;
	bool is_health;
	struct tcs_metrics metrics;
	struct tcs_health health;
};

struct interval_queue {
	struct interval *first, **end;
	size_t count;
};

struct runtime_check {
	bool ran;
	bool healthy;
	bool reported;
	int64_t updated_ms, changed_ms;
};

struct telemetry {
	const struct agent_config *config;
	const struct ecs_instance *instance;
	int64_t cpus;
	struct map *tasks; /* of watched_task, by ARN */
	size_t container_count;
	struct interval_queue metrics, health;
	struct runtime_check runtime;
	struct loop_timer *timer;
	int64_t due_ms;
	void (*on_ready)(void *data);
	void *on_ready_data;
};

static void interval_free(struct interval *interval)
{
	arena_free(interval->arena);
	free(interval);
}

static void queue_add(struct interval_queue *queue, struct interval *interval)
{
	if (queue->count == QUEUE_MAX) {
		log_warn("The telemetry session does not take what is measured; an interval is "
			 "dropped",
			 "kind", interval->is_health ? "health" : "metrics");
		interval_free(interval);
		return;
	}
	*queue->end = interval;
	queue->end = &interval->next;
	queue->count++;
}

static struct interval *queue_take(struct interval_queue *queue)
{
	struct interval *interval = queue->first;

	if (!interval)
		return NULL;
	queue->first = interval->next;
	if (!queue->first)
		queue->end = &queue->first;
	queue->count--;
	return interval;
}

static void queue_init(struct interval_queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static struct interval *interval_new(const struct telemetry *telemetry, bool is_health)
{
	struct interval *interval = xcalloc(1, sizeof(*interval));
	char id[UUID_SIZE];

	uuid4(id);
	interval->arena = arena_new();
	interval->is_health = is_health;
	interval->metrics.cluster = interval->health.cluster = telemetry->instance->cluster;
	interval->metrics.container_instance = telemetry->instance->container_instance;
	interval->health.container_instance = telemetry->instance->container_instance;
	interval->metrics.message_id = interval->health.message_id =
		arena_strdup(interval->arena, id);
	return interval;
}

static struct tcs_task_metric *task_metric(struct arena *arena, const struct watched_task *task,
					   struct tcs_task_metric *ret)
{
	struct tcs_container_metric *containers =
		arena_calloc(arena, task->count, sizeof(*containers));

	for (size_t i = 0; i < task->count; i++) {
		struct tcs_container_metric *container = &containers[ret->container_count];

		if (!metrics_collect(task->containers[i].metrics, container))
			continue;
		metrics_mark_sent(task->containers[i].metrics);
		container->name = arena_strdup(arena, task->containers[i].name);
		ret->container_count++;
	}
	if (ret->container_count == 0)
		return NULL;
	ret->containers = containers;
	ret->task_arn = arena_strdup(arena, task->arn);
	ret->family = arena_strdup(arena, task->family);
	ret->version = arena_strdup(arena, task->version);
	return ret;
}

static void collect_metrics(struct telemetry *telemetry)
{
	struct interval *interval = interval_new(telemetry, false);
	struct tcs_task_metric *tasks =
		arena_calloc(interval->arena, map_count(telemetry->tasks), sizeof(*tasks));
	const struct watched_task *task;
	size_t cursor = 0;

	/* With metrics disabled nothing is watched for them, and the instance reports itself idle.
	 */
	interval->metrics.idle =
		telemetry->container_count == 0 || telemetry->config->disable_metrics;
	interval->metrics.tasks = tasks;
	while (!interval->metrics.idle && (task = map_next(telemetry->tasks, &cursor, NULL)))
		if (task_metric(interval->arena, task, &tasks[interval->metrics.task_count]))
			interval->metrics.task_count++;
	if (interval->metrics.idle || interval->metrics.task_count > 0)
		queue_add(&telemetry->metrics, interval);
	else
		interval_free(interval);
}

static bool task_health(struct arena *arena, const struct watched_task *task, int64_t now_ms,
			struct tcs_task_health *ret)
{
	struct tcs_container_health *containers =
		arena_calloc(arena, task->count, sizeof(*containers));

	for (size_t i = 0; i < task->count; i++) {
		const struct watched_container *container = &task->containers[i];

		if (!container->health_checked)
			continue;
		containers[ret->container_count++] = (struct tcs_container_health){
			.name = arena_strdup(arena, container->name),
			.status = container->health,
			.status_since_ms =
				container->health_since_ms ? container->health_since_ms : now_ms,
		};
	}
	if (ret->container_count == 0)
		return false;
	ret->containers = containers;
	ret->task_arn = arena_strdup(arena, task->arn);
	ret->family = arena_strdup(arena, task->family);
	ret->version = arena_strdup(arena, task->version);
	return true;
}

static void collect_health(struct telemetry *telemetry)
{
	struct interval *interval = interval_new(telemetry, true);
	struct tcs_task_health *tasks =
		arena_calloc(interval->arena, map_count(telemetry->tasks), sizeof(*tasks));
	int64_t now_ms = clock_wall_ms();
	const struct watched_task *task;
	size_t cursor = 0;

	interval->health.tasks = tasks;
	while ((task = map_next(telemetry->tasks, &cursor, NULL)))
		if (task_health(interval->arena, task, now_ms, &tasks[interval->health.task_count]))
			interval->health.task_count++;
	if (interval->health.task_count > 0)
		queue_add(&telemetry->health, interval);
	else
		interval_free(interval);
}

static void on_interval(void *data)
{
	struct telemetry *telemetry = data;
	int64_t now = clock_monotonic_ms(),
		interval = config_scaled_ms(telemetry->config, INTERVAL_MS);

	collect_metrics(telemetry);
	collect_health(telemetry);
	if (telemetry->on_ready)
		telemetry->on_ready(telemetry->on_ready_data);
	/* On the beat, not after it; beats that were missed (a suspended machine) are left out. */
	telemetry->due_ms += interval;
	if (telemetry->due_ms <= now)
		telemetry->due_ms = now + interval;
	loop_timer_start(telemetry->timer, telemetry->due_ms - now);
}

struct telemetry *telemetry_new(struct loop *loop, const struct agent_config *config,
				const struct ecs_instance *instance)
{
	struct telemetry *telemetry = xcalloc(1, sizeof(*telemetry));

	telemetry->config = config;
	telemetry->instance = instance;
	telemetry->cpus = host_cpu_count();
	telemetry->tasks = map_new();
	telemetry->timer = loop_timer_new(loop, on_interval, telemetry);
	queue_init(&telemetry->metrics);
	queue_init(&telemetry->health);
	return telemetry;
}

static void container_clear(struct watched_container *container)
{
	metrics_free(container->metrics);
	free(container->name);
}

static void task_free(struct watched_task *task)
{
	for (size_t i = 0; i < task->count; i++)
		container_clear(&task->containers[i]);
	free(task->containers);
	free(task->arn);
	free(task->family);
	free(task->version);
	free(task);
}

void telemetry_free(struct telemetry *telemetry)
{
	struct watched_task *task;
	struct interval *interval;
	size_t cursor = 0;

	if (!telemetry)
		return;
	while ((task = map_next(telemetry->tasks, &cursor, NULL)))
		task_free(task);
	map_free(telemetry->tasks);
	while ((interval = queue_take(&telemetry->metrics)) ||
	       (interval = queue_take(&telemetry->health)))
		interval_free(interval);
	loop_timer_free(telemetry->timer);
	free(telemetry);
}

void telemetry_start(struct telemetry *telemetry)
{
	telemetry->due_ms = clock_monotonic_ms();
	on_interval(telemetry);
}

static struct watched_container *find(const struct telemetry *telemetry, const char *task_arn,
				      const char *name)
{
	struct watched_task *task = map_get(telemetry->tasks, task_arn);

	for (size_t i = 0; task && i < task->count; i++)
		if (strcmp(task->containers[i].name, name) == 0)
			return &task->containers[i];
	return NULL;
}

void telemetry_watch(struct telemetry *telemetry, const struct telemetry_container *container)
{
	struct watched_task *task = map_get(telemetry->tasks, container->task_arn);

	if (find(telemetry, container->task_arn, container->name))
		return;
	if (!task) {
		task = xcalloc(1, sizeof(*task));
		task->arn = xstrdup(container->task_arn);
		task->family = xstrdup(container->family ? container->family : "");
		task->version = xstrdup(container->version ? container->version : "");
		map_set(telemetry->tasks, task->arn, task);
	}
	task->containers =
		xreallocarray(task->containers, task->count + 1, sizeof(*task->containers));
	task->containers[task->count++] = (struct watched_container){
		.name = xstrdup(container->name),
		.health_checked =
			container->health_checked && !telemetry->config->disable_health_check,
		.metrics = telemetry->config->disable_metrics ? NULL : metrics_new(telemetry->cpus),
	};
	telemetry->container_count++;
}

void telemetry_unwatch(struct telemetry *telemetry, const char *task_arn, const char *name)
{
	struct watched_task *task = map_get(telemetry->tasks, task_arn);

	for (size_t i = 0; task && i < task->count; i++) {
		if (strcmp(task->containers[i].name, name) != 0)
			continue;
		container_clear(&task->containers[i]);
		task->containers[i] = task->containers[--task->count];
		telemetry->container_count--;
		if (task->count == 0) {
			map_remove(telemetry->tasks, task_arn);
			task_free(task);
		}
		return;
	}
}

void telemetry_add_sample(struct telemetry *telemetry, const char *task_arn, const char *name,
			  const struct metrics_sample *sample)
{
	struct watched_container *container = find(telemetry, task_arn, name);

	if (container && container->metrics)
		metrics_add(container->metrics, sample);
}

void telemetry_set_health(struct telemetry *telemetry, const char *task_arn, const char *name,
			  enum health_status health, int64_t since_wall_ms)
{
	struct watched_container *container = find(telemetry, task_arn, name);

	if (!container)
		return;
	container->health = health;
	container->health_since_ms = since_wall_ms;
}

void telemetry_set_runtime_status(struct telemetry *telemetry, bool healthy)
{
	struct runtime_check *check = &telemetry->runtime;
	int64_t now_ms = clock_wall_ms();

	if (!check->ran || check->healthy != healthy)
		check->changed_ms = now_ms;
	check->updated_ms = now_ms;
	check->ran = true;
	check->healthy = healthy;
	check->reported = false;
}

void telemetry_on_ready(struct telemetry *telemetry, void (*callback)(void *data), void *data)
{
	telemetry->on_ready = callback;
	telemetry->on_ready_data = data;
}

bool telemetry_take(struct telemetry *telemetry, struct tcs_requests *ret)
{
	struct interval *interval = queue_take(&telemetry->metrics);

	if (!interval)
		interval = queue_take(&telemetry->health);
	if (!interval)
		return false;
	if (interval->is_health)
		tcs_encode_health(&interval->health, clock_wall_ms(), ret);
	else
		tcs_encode_metrics(&interval->metrics, clock_wall_ms(), ret);
	interval_free(interval);
	return true;
}

char *telemetry_instance_status(const struct telemetry *telemetry)
{
	const struct runtime_check *check = &telemetry->runtime;
	char id[UUID_SIZE];
	struct tcs_instance_check sent = {
		.type = "ContainerRuntime",
		.status = !check->ran      ? "INITIALIZING"
			  : check->healthy ? "OK"
					   : "IMPAIRED",
		.has_last_updated = check->ran,
		.last_updated_ms = check->updated_ms,
		.has_last_status_change = check->ran,
		.last_status_change_ms = check->changed_ms,
	};

	if (check->reported)
		return NULL;
	uuid4(id);
	return tcs_encode_instance_status(
		&(struct tcs_instance_status){
			.cluster = telemetry->instance->cluster,
			.container_instance = telemetry->instance->container_instance,
			.request_id = id,
			.checks = &sent,
			.check_count = 1,
		},
		clock_wall_ms());
}

void telemetry_instance_status_sent(struct telemetry *telemetry)
{
	telemetry->runtime.reported = true;
}

int64_t telemetry_sample_interval_ms(const struct agent_config *config)
{
	return config->poll_metrics ? config->polling_metrics_wait_ms : SAMPLE_MS;
}
