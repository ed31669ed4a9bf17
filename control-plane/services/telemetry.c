/* SPDX-License-Identifier: Apache-2.0 */
/* What agents publish on TCS: the health of containers, and their figures. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "control-plane/services/private.h"
#include "control-plane/services/report.h"
#include "wire/writer.h"

#define METRICS_TEXT_MAX 65536

/*
 * Of the essential containers that have a health check: UNHEALTHY if any is, else UNKNOWN if any
 * is, else HEALTHY; UNKNOWN when there is none.
 */
static enum health_status health_of(const struct task *task)
{
	size_t checked = 0, unknown = 0;

	for (size_t i = 0; i < task->container_count; i++) {
		const struct task_container *container = &task->containers[i];

		if (!container->essential || !container->has_health_check)
			continue;
		checked++;
		if (container->health == HEALTH_STATUS_UNHEALTHY)
			return HEALTH_STATUS_UNHEALTHY;
		unknown += container->health == HEALTH_STATUS_UNKNOWN;
	}
	return checked == 0 || unknown > 0 ? HEALTH_STATUS_UNKNOWN : HEALTH_STATUS_HEALTHY;
}

static struct task *task_on(struct services *services, const char *instance_arn,
			    const char *task_arn)
{
	struct task *task = task_arn ? services_find_task(services, task_arn) : NULL;

	return task && str_eq(task->instance_arn, instance_arn) ? task : NULL;
}

void services_report_health(struct services *services, const char *instance_arn,
			    const struct tcs_health *health)
{
	for (size_t i = 0; i < health->task_count; i++) {
		const struct tcs_task_health *from = &health->tasks[i];
		struct task *task = task_on(services, instance_arn, from->task_arn);
		bool changed = false;

		if (!task || task->state == TASK_STOPPED)
			continue;
		for (size_t k = 0; k < from->container_count; k++) {
			struct task_container *container =
				from->containers[k].name
					? task_find_container(task, from->containers[k].name)
					: NULL;

			if (!container || container->health == from->containers[k].status)
				continue;
			container->health = from->containers[k].status;
			container->health_since_ms = from->containers[k].status_since_ms;
			changed = true;
		}
		if (!changed)
			continue;
		task->health = health_of(task);
		task->version++;
		services_write_later(services, task);
	}
}

static void write_double_set(struct writer *writer, const char *key,
			     const struct tcs_double_set *set)
{
	write_object(writer, key);
	write_double(writer, "max", set->max);
	write_double(writer, "min", set->min);
	write_i64(writer, "sampleCount", set->sample_count);
	write_double(writer, "sum", set->sum);
	write_object_end(writer);
}

/* Sums beyond 2^63-1 are shown at that bound. */
static void write_ulong_set(struct writer *writer, const char *key, const struct tcs_ulong_set *set)
{
	write_object(writer, key);
	write_i64(writer, "max", set->max);
	write_i64(writer, "min", set->min);
	write_i64(writer, "sampleCount", set->sample_count);
	write_i64(writer, "sum", set->sum);
	write_object_end(writer);
}

static void write_network(struct writer *writer, const struct tcs_network_sets *network)
{
	write_object(writer, "network");
	if (network->has_bytes) {
		write_ulong_set(writer, "rxBytes", &network->rx_bytes);
		write_ulong_set(writer, "rxDropped", &network->rx_dropped);
		write_ulong_set(writer, "rxErrors", &network->rx_errors);
		write_ulong_set(writer, "rxPackets", &network->rx_packets);
		write_ulong_set(writer, "txBytes", &network->tx_bytes);
		write_ulong_set(writer, "txDropped", &network->tx_dropped);
		write_ulong_set(writer, "txErrors", &network->tx_errors);
		write_ulong_set(writer, "txPackets", &network->tx_packets);
	}
	if (network->has_rates) {
		write_double_set(writer, "rxBytesPerSecond", &network->rx_bytes_per_second);
		write_double_set(writer, "txBytesPerSecond", &network->tx_bytes_per_second);
	}
	write_object_end(writer);
}

static void write_container(struct writer *writer, const struct tcs_container_metric *container)
{
	write_object(writer, NULL);
	write_text(writer, "containerName", container->name);
	write_double_set(writer, "cpuPercent", &container->cpu);
	write_double_set(writer, "memoryMiB", &container->memory);
	if (container->has_network)
		write_network(writer, &container->network);
	if (container->has_restarts)
		write_i64(writer, "restartCount", container->restart_count);
	if (container->has_storage) {
		write_ulong_set(writer, "storageReadBytes", &container->read_size_bytes);
		write_ulong_set(writer, "storageWriteBytes", &container->write_size_bytes);
	}
	write_object_end(writer);
}

static char *metrics_text(const struct tcs_task_metric *metric)
{
	struct strbuf text = STRBUF_INIT;
	struct writer writer = writer_to(&text);

	write_object(&writer, NULL);
	write_list(&writer, "containers");
	for (size_t i = 0; i < metric->container_count; i++)
		write_container(&writer, &metric->containers[i]);
	write_list_end(&writer);
	write_epoch(&writer, "receivedAt", clock_wall_ms());
	write_text(&writer, "taskArn", metric->task_arn);
	write_object_end(&writer);
	return strbuf_take(&text);
}

void services_report_metrics(struct services *services, const char *instance_arn,
			     const struct tcs_metrics *metrics)
{
	for (size_t i = 0; i < metrics->task_count; i++) {
		const struct tcs_task_metric *from = &metrics->tasks[i];
		char *text;

		/* Only tasks that we know: their number bounds what is kept. */
		if (!task_on(services, instance_arn, from->task_arn))
			continue;
		text = metrics_text(from);
		if (strlen(text) > METRICS_TEXT_MAX) {
			free(text);
			continue;
		}
		free(map_set(services->metrics, from->task_arn, text));
	}
}

const char *services_task_metrics(const struct services *services, const char *task_arn)
{
	return map_get(services->metrics, task_arn);
}
