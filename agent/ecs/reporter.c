/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/reporter.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/map.h"
#include "base/random.h"

#define IN_FLIGHT_MAX 10
#define HURRY_MS      1000
/* Of a container with a range of ports: the control plane takes no more. */
#define BINDINGS_MAX 100

static const struct backoff_policy policy = {
	.min_ms = 1000, .max_ms = 30000, .multiplier = 1.3, .jitter = 0.2
};

struct report {
	struct report *next;
	uint64_t serial;
	char *body;
};

/* One task's reports. It is in one place: ready, in flight, or waiting for its timer. */
struct task_queue {
	struct reporter *reporter;
	struct task_queue *next_ready;
	char *arn;
	struct report *first, **end;
	struct backoff backoff;
	struct ecs_call *call;
	struct loop_timer *timer;
	bool busy;       /* not idle: in one of the three places */
	bool unanswered; /* why it waits */
};

struct reporter {
	struct loop *loop;
	struct ecs_client *client;
	const struct agent_config *config;
	const struct host_resources *host;
	const struct ecs_instance *instance;
	reporter_callback *callback;
	void *data;
	struct map *queues; /* by task ARN */
	struct task_queue *ready, **ready_end;
	size_t in_flight;
	size_t pending;
};

static void report_free(struct report *report)
{
	free(report->body);
	free(report);
}

static void queue_free(struct task_queue *queue)
{
	while (queue->first) {
		struct report *report = queue->first;

		queue->first = report->next;
		report_free(report);
	}
	ecs_call_cancel(queue->call);
	loop_timer_free(queue->timer);
	free(queue->arn);
	free(queue);
}

static void pump(struct reporter *reporter);

static void make_ready(struct task_queue *queue)
{
	struct reporter *reporter = queue->reporter;

	queue->busy = true;
	queue->next_ready = NULL;
	*reporter->ready_end = queue;
	reporter->ready_end = &queue->next_ready;
}

static void on_wait_over(void *data)
{
	struct task_queue *queue = data;
	struct reporter *reporter = queue->reporter;

	if (!queue->first) { /* it only held back what might have come */
		map_remove(reporter->queues, queue->arn);
		queue_free(queue);
		return;
	}
	make_ready(queue);
	pump(reporter);
}

static void wait_a_step(struct task_queue *queue)
{
	int64_t wait = backoff_next_ms(&queue->backoff, random_unit());

	loop_timer_start(queue->timer, config_scaled_ms(queue->reporter->config, wait));
}

static struct report *take_first(struct task_queue *queue)
{
	struct report *report = queue->first;

	queue->first = report->next;
	if (!queue->first)
		queue->end = &queue->first;
	queue->reporter->pending--;
	return report;
}

static void on_response(void *data, const struct ecs_response *response)
{
	struct task_queue *queue = data;
	struct reporter *reporter = queue->reporter;
	bool refused = str_eq(response->failure.name, "InvalidParameterException");
	_cleanup_free_ char *arn = xstrdup(queue->arn);
	struct report *report;

	queue->call = NULL;
	reporter->in_flight--;
	if (response->error && !refused) {
		log_warn("A status change could not be reported and is tried again", "task",
			 queue->arn, "error", response->err.text);
		queue->unanswered = response->error != -EPROTO || response->quota_exhausted;
		wait_a_step(queue);
		pump(reporter);
		return;
	}
	queue->unanswered = false;
	report = take_first(queue);
	if (refused) {
		log_error("The control plane refuses a status change for good; it is left out",
			  "task", queue->arn, "error", response->err.text);
		wait_a_step(queue);
	} else {
		backoff_reset(&queue->backoff, &policy);
		queue->busy = false;
		if (queue->first) {
			make_ready(queue);
		} else {
			map_remove(reporter->queues, queue->arn);
			queue_free(queue);
		}
	}
	/* It may bring the next report of the same task. */
	reporter->callback(reporter->data, arn, report->serial, !refused);
	report_free(report);
	pump(reporter);
}

static void pump(struct reporter *reporter)
{
	while (reporter->in_flight < IN_FLIGHT_MAX && reporter->ready) {
		struct task_queue *queue = reporter->ready;

		reporter->ready = queue->next_ready;
		if (!reporter->ready)
			reporter->ready_end = &reporter->ready;
		reporter->in_flight++;
		ecs_call(reporter->client, "SubmitTaskStateChange", queue->first->body,
			 ECS_RETRY_SUBMIT, on_response, queue, &queue->call);
	}
}

struct reporter *reporter_new(struct loop *loop, struct ecs_client *client,
			      const struct agent_config *config, const struct host_resources *host,
			      const struct ecs_instance *instance, reporter_callback *callback,
			      void *data)
{
	struct reporter *reporter = xcalloc(1, sizeof(*reporter));

	reporter->loop = loop;
	reporter->client = client;
	reporter->config = config;
	reporter->host = host;
	reporter->instance = instance;
	reporter->callback = callback;
	reporter->data = data;
	reporter->queues = map_new();
	reporter->ready_end = &reporter->ready;
	return reporter;
}

void reporter_free(struct reporter *reporter)
{
	struct task_queue *queue;
	size_t cursor = 0;

	if (!reporter)
		return;
	while ((queue = map_next(reporter->queues, &cursor, NULL)))
		queue_free(queue);
	map_free(reporter->queues);
	free(reporter);
}

static const char *range_text(struct arena *arena, uint16_t first, uint16_t count)
{
	_cleanup_free_ char *text = xasprintf("%u-%u", first, first + count - 1U);

	return arena_strdup(arena, text);
}

static struct api_network_binding binding_of(struct arena *arena, const struct port_binding *from,
					     const char *bind_ip)
{
	struct api_network_binding binding = {
		.bind_ip = bind_ip,
		.container_port = from->container_port,
		.host_port = from->host_port,
		.protocol = transport_protocol_name(from->protocol),
	};

	if (from->is_range) {
		binding.container_port_range = range_text(arena, from->container_port, from->count);
		binding.host_port_range = range_text(arena, from->host_port, from->count);
	}
	return binding;
}

/* Each port once for each family that is told of. */
static void set_bindings(const struct reporter *reporter, struct arena *arena,
			 const struct engine_report_container *from,
			 struct api_container_change *change)
{
	struct api_network_binding *bindings =
		arena_calloc(arena, from->binding_count * 2 + 1, sizeof(*bindings));
	bool ipv6_only = reporter->host->ipv6_only;
	bool with_ipv6 = ipv6_only || !reporter->config->exclude_ipv6_port_bindings;
	bool has_range = false;

	change->bindings = bindings;
	for (size_t i = 0; i < from->binding_count; i++) {
		if (!ipv6_only || !from->has_ipv6)
			bindings[change->binding_count++] =
				binding_of(arena, &from->bindings[i], "0.0.0.0");
		if (from->has_ipv6 && with_ipv6)
			bindings[change->binding_count++] =
				binding_of(arena, &from->bindings[i], "::");
		has_range = has_range || from->bindings[i].is_range;
	}
	if (has_range && change->binding_count > BINDINGS_MAX) {
		log_warn("A container has more ports than can be reported; the first ones are",
			 "container", from->name, "ports", LOG_NUM(change->binding_count),
			 "reported", LOG_NUM(BINDINGS_MAX));
		change->binding_count = BINDINGS_MAX;
	}
}

static char *encode(const struct reporter *reporter, const struct engine_report *report)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	_cleanup_free_ struct api_container_change *containers =
		xcalloc(report->container_count + 1, sizeof(*containers));

	for (size_t i = 0; i < report->container_count; i++) {
		const struct engine_report_container *from = &report->containers[i];

		containers[i] = (struct api_container_change){
			.name = from->name,
			.status = from->status,
			.runtime_id = from->runtime_id,
			.image_digest = from->image_digest,
			.has_exit_code = from->has_exit_code,
			.exit_code = from->exit_code,
			.reason = from->reason,
		};
		set_bindings(reporter, arena, from, &containers[i]);
	}
	return api_encode_task_change(&(struct api_task_change){
		.cluster = reporter->instance->cluster,
		.task_arn = report->task_arn,
		.status = report->status,
		.reason = report->reason,
		.containers = containers,
		.container_count = report->container_count,
		.pull_started_at_ms = report->pull_started_at_ms,
		.pull_stopped_at_ms = report->pull_stopped_at_ms,
		.execution_stopped_at_ms = report->execution_stopped_at_ms,
	});
}

void reporter_submit(struct reporter *reporter, const struct engine_report *report)
{
	struct task_queue *queue = map_get(reporter->queues, report->task_arn);
	struct report *copy = xcalloc(1, sizeof(*copy));

	copy->serial = report->serial;
	copy->body = encode(reporter, report);
	if (!queue) {
		queue = xcalloc(1, sizeof(*queue));
		queue->reporter = reporter;
		queue->arn = xstrdup(report->task_arn);
		queue->end = &queue->first;
		queue->timer = loop_timer_new(reporter->loop, on_wait_over, queue);
		backoff_reset(&queue->backoff, &policy);
		map_set(reporter->queues, queue->arn, queue);
	}
	*queue->end = copy;
	queue->end = &copy->next;
	reporter->pending++;
	if (!queue->busy)
		make_ready(queue);
	pump(reporter);
}

void reporter_hurry(struct reporter *reporter)
{
	const struct task_queue *queue;
	size_t cursor = 0;

	if (!ecs_client_hurry(reporter->client))
		return;
	while ((queue = map_next(reporter->queues, &cursor, NULL)))
		if (queue->unanswered && loop_timer_is_running(queue->timer))
			loop_timer_start(queue->timer, (int64_t)(random_unit() * HURRY_MS));
}

size_t reporter_pending(const struct reporter *reporter)
{
	return reporter->pending;
}
