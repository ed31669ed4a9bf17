/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_METRICS_H
#define BERTH_AGENT_ECS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/tcs.h"

/*
 * From raw counters of a container to the statistics sets that the telemetry channel carries. Pure:
 * no clock, no file.
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

/*
 * One container's figures since they were last handed over. Sets are kept up to date with each
 * sample, so that nothing but the previous sample is remembered.
 */
struct metrics;

/* `cpus`: CPUs that the agent may use, >= 1. */
struct metrics *metrics_new(int64_t cpus);
void metrics_free(struct metrics *metrics);

/*
 * A sample whose counters went back (the container's cgroup is a new one) gives no CPU figure and
 * no rates; but with a restart policy they go on from where the run before left them. One whose
 * time did not advance repeats the figures of the sample before it.
 */
void metrics_add(struct metrics *metrics, const struct metrics_sample *sample);

/*
 * The sets over the samples that were not yet sent, into all of *ret but its name. False when there
 * is nothing to report: fewer than two samples so far, or no unsent one with a CPU figure.
 */
bool metrics_collect(const struct metrics *metrics, struct tcs_container_metric *ret);

/* Everything added so far has been handed over. */
void metrics_mark_sent(struct metrics *metrics);

#endif
