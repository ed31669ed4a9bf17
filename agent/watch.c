/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/agent.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

static bool is_running(const struct container_state *container)
{
	return container->known == CONTAINER_STATUS_RUNNING ||
	       container->known == CONTAINER_STATUS_RESOURCES_PROVISIONED;
}

void watch_status(struct agent *agent, const struct engine_effect *effect)
{
	const struct task_state *task = engine_task(agent->engine, effect->task_id);
	const struct container_state *container =
		task && effect->container ? task_state_container(task, effect->container) : NULL;
	struct telemetry_container watched;

	if (!container || !agent->telemetry)
		return;
	watched = (struct telemetry_container){
		.task_arn = task->spec->arn,
		.family = task->spec->family,
		.version = task->spec->version,
		.name = effect->container,
		.health_checked = container->spec->health_check_docker,
	};
	if (is_running(container))
		telemetry_watch(agent->telemetry, &watched);
	else if (container->known == CONTAINER_STATUS_STOPPED)
		telemetry_unwatch(agent->telemetry, task->spec->arn, effect->container);
}

void watch_health(struct agent *agent, const struct engine_effect *effect)
{
	const struct task_state *task = engine_task(agent->engine, effect->task_id);
	const struct container_state *container =
		task && effect->container ? task_state_container(task, effect->container) : NULL;
	enum health_status health = HEALTH_STATUS_UNKNOWN;

	if (!container || !agent->telemetry)
		return;
	if (container->health == CONTAINER_HEALTH_HEALTHY)
		health = HEALTH_STATUS_HEALTHY;
	else if (container->health == CONTAINER_HEALTH_UNHEALTHY)
		health = HEALTH_STATUS_UNHEALTHY;
	log_info("container health", "task", effect->task_id, "container", effect->container,
		 "health", health_status_name(health));
	telemetry_set_health(agent->telemetry, task->spec->arn, effect->container, health,
			     container->health_since_ms);
}

/* ---- samples ---- */

static void add_network(struct metrics_sample *sample, const struct network_stats *network)
{
	sample->has_network = true;
	for (size_t i = 0; i < network->count; i++) {
		const struct stats_interface *interface = &network->interfaces[i];

		sample->rx_bytes += interface->rx_bytes;
		sample->rx_packets += interface->rx_packets;
		sample->rx_dropped += interface->rx_dropped;
		sample->rx_errors += interface->rx_errors;
		sample->tx_bytes += interface->tx_bytes;
		sample->tx_packets += interface->tx_packets;
		sample->tx_dropped += interface->tx_dropped;
		sample->tx_errors += interface->tx_errors;
	}
}

static void add_storage(struct metrics_sample *sample, const struct stats_block_list *list)
{
	sample->has_storage = true;
	for (size_t i = 0; i < list->count; i++) {
		if (str_eq_nocase(list->entries[i].operation, "read"))
			sample->read_bytes += list->entries[i].value;
		else if (str_eq_nocase(list->entries[i].operation, "write"))
			sample->write_bytes += list->entries[i].value;
	}
}

static void sample_container(struct agent *agent, const struct task_state *task,
			     const struct container_state *container, struct container_stats *stats)
{
	bool has_interfaces = task_has_interfaces(task->spec);
	struct network_stats network = { 0 };
	struct metrics_sample sample = { .time_ns = clock_monotonic_ns() };

	/* One that is just ending has no files any more. */
	if (executor_read_stats(agent->executor, task->spec->id, container->spec->name, stats,
				has_interfaces ? &network : NULL, NULL) < 0)
		return;
	sample.cpu_total_ns = stats->cpu_total_ns;
	sample.memory_usage_bytes = stats->memory_usage;
	sample.memory_inactive_file_bytes =
		stats_memory_value(stats, stats->v2 ? "inactive_file" : "cache");
	add_storage(&sample, &stats->io_service_bytes);
	if (has_interfaces)
		add_network(&sample, &network);
	sample.has_restarts = container->spec->restart_policy.enabled;
	sample.restarts = container->attempt - 1;
	telemetry_add_sample(agent->telemetry, task->spec->arn, container->spec->name, &sample);
}

static void sample_all(void *data)
{
	struct agent *agent = data;
	_cleanup_free_ struct container_stats *stats = xmalloc(sizeof(*stats));

	for (const struct task_state *task = NULL;
	     (task = engine_next_task(agent->engine, task));) {
		for (size_t i = 0; i < task->container_count; i++) {
			if (is_running(&task->containers[i]))
				sample_container(agent, task, &task->containers[i], stats);
		}
	}
	loop_timer_start(
		agent->sampling,
		config_scaled_ms(agent->config, telemetry_sample_interval_ms(agent->config)));
}

void watch_start(struct agent *agent)
{
	const struct engine_effect no_effect = { .type = EFFECT_STATUS_CHANGED };

	agent->telemetry = telemetry_new(agent->loop, agent->config, &agent->instance);
	/* Those that were recovered. */
	for (const struct task_state *task = NULL;
	     (task = engine_next_task(agent->engine, task));) {
		for (size_t i = 0; i < task->container_count; i++) {
			struct engine_effect effect = no_effect;

			effect.task_id = task->spec->id;
			effect.container = task->containers[i].spec->name;
			watch_status(agent, &effect);
			if (task->containers[i].health != CONTAINER_HEALTH_NONE)
				watch_health(agent, &effect);
		}
	}
	telemetry_start(agent->telemetry);
	agent->sampling = loop_timer_new(agent->loop, sample_all, agent);
	if (!agent->config->disable_metrics)
		loop_timer_start(agent->sampling, 0);
}

void watch_free(struct agent *agent)
{
	loop_timer_free(agent->sampling);
	agent->sampling = NULL;
	if (agent->telemetry)
		telemetry_free(agent->telemetry);
	agent->telemetry = NULL;
}

static void runtime_answered(void *data, bool healthy)
{
	struct agent *agent = data;

	if (!healthy)
		log_error("containerd does not answer: images cannot be pulled, running containers "
			  "go on",
			  "address", agent->config->containerd_address);
	if (agent->telemetry)
		telemetry_set_runtime_status(agent->telemetry, healthy);
	condition_runtime(agent, healthy);
}

void watch_runtime(struct agent *agent)
{
	executor_ping(agent->executor, runtime_answered, agent);
}
