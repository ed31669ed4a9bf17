/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_METRICS_H
#define BERTH_AGENT_ECS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/tcs.h"

/*
 * From raw counters of a container to the statistics sets that the telemetry channel carries. Pure:
 * no clock, no file. agent-control-plane-protocol.md §4.5.
 */

/* One reading of a container. Counters are cumulative since its start. */
struct metrics_sample {
	int64_t time_ns; /* any steady origin, the same for all samples of a container */
	uint64_t cpu_total_ns;
	uint64_t memory_usage_bytes;
	uint64_t memory_inactive_file_bytes; /* taken off when 0 < it < usage */
	bool has_storage;
	uint64_t read_bytes;
	uint64_t write_bytes;
	bool has_network; /* the container's own counters, or its task's in awsvpc mode */
	uint64_t rx_bytes, rx_packets, rx_dropped, rx_errors;
	uint64_t tx_bytes, tx_packets, tx_dropped, tx_errors;
	bool has_restarts; /* the container has a restart policy */
	uint64_t restarts;
};

/* The last samples of one container; at `capacity` the oldest goes. */
struct metrics_buffer;

/* `cpus`: CPUs that the agent may use, >= 1. `capacity` >= 2. */
struct metrics_buffer *metrics_buffer_new(int64_t cpus, size_t capacity);
void metrics_buffer_free(struct metrics_buffer *buffer);

void metrics_add(struct metrics_buffer *buffer, const struct metrics_sample *sample);

/*
 * The sets over the samples that were not yet sent, into all of *ret but its name. False when there
 * is nothing to report: fewer than two samples, or no unsent one with a CPU figure.
 */
bool metrics_collect(const struct metrics_buffer *buffer, struct tcs_container_metric *ret);

/* Everything added so far has been handed over. */
void metrics_mark_sent(struct metrics_buffer *buffer);

#endif
