/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define MIB 1048576

struct counters {
	uint64_t max, min, sum;
	int64_t count;
};

enum network_counter {
	RX_BYTES,
	RX_DROPPED,
	RX_ERRORS,
	RX_PACKETS,
	TX_BYTES,
	TX_DROPPED,
	TX_ERRORS,
	TX_PACKETS,
	NETWORK_COUNTERS
};

/* Not a number: the sample gives none. */
struct rates {
	double cpu_percent, rx, tx;
};

struct metrics {
	int64_t cpus;
	int64_t samples;                /* ever */
	struct metrics_sample as_read;  /* the last, as it was read */
	struct metrics_sample base;     /* of its counters: what the runs before had counted */
	struct metrics_sample previous; /* the last, with the base */
	struct rates previous_rates;
	uint64_t restarts_sent; /* at the newest sample that was sent, else at the first one */

	/* over the samples that were not sent */
	struct tcs_double_set cpu, memory, rx_rate, tx_rate;
	struct counters read, write;
	struct counters network[NETWORK_COUNTERS];
	bool has_restarts;
};

struct metrics *metrics_new(int64_t cpus)
{
	struct metrics *metrics = xcalloc(1, sizeof(*metrics));

	metrics->cpus = cpus > 0 ? cpus : 1;
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	free(metrics);
}

static void add_double(struct tcs_double_set *set, double value)
{
	if (isnan(value))
		return;
	if (set->sample_count == 0 || value > set->max)
		set->max = value;
	if (set->sample_count == 0 || value < set->min)
		set->min = value;
	set->sum += value;
	set->sample_count++;
}

static void add_counter(struct counters *set, uint64_t value)
{
	if (set->count == 0 || value > set->max)
		set->max = value;
	if (set->count == 0 || value < set->min)
		set->min = value;
	if (__builtin_add_overflow(set->sum, value, &set->sum))
		set->sum = UINT64_MAX;
	set->count++;
}

/* Single precision on purpose: the same rounding as the reference, bit for bit. */
static double per_time(float factor, uint64_t before, uint64_t now, int64_t elapsed_ns)
{
	if (now < before)
		return NAN;
	return (double)(factor * (float)(now - before) / (float)elapsed_ns);
}

static struct rates rates_of(const struct metrics *metrics, const struct metrics_sample *sample)
{
	const struct metrics_sample *previous = &metrics->previous;
	struct rates rates = { .cpu_percent = NAN, .rx = NAN, .tx = NAN };
	uint64_t cpus = (uint64_t)metrics->cpus;
	int64_t elapsed;

	if (metrics->samples == 0)
		return rates;
	if (__builtin_sub_overflow(sample->time_ns, previous->time_ns, &elapsed) || elapsed <= 0)
		return metrics->previous_rates;
	rates.cpu_percent =
		per_time(100, previous->cpu_total_ns / cpus, sample->cpu_total_ns / cpus, elapsed);
	if (sample->has_network && previous->has_network) {
		rates.rx = per_time(1e9F, previous->rx_bytes, sample->rx_bytes, elapsed);
		rates.tx = per_time(1e9F, previous->tx_bytes, sample->tx_bytes, elapsed);
	}
	return rates;
}

static double memory_mib(const struct metrics_sample *sample)
{
	uint64_t bytes = sample->memory_usage_bytes;

	if (sample->memory_inactive_file_bytes < bytes)
		bytes -= sample->memory_inactive_file_bytes;
	bytes /= MIB;
	return (double)bytes;
}

static void add_network(struct metrics *metrics, const struct metrics_sample *sample)
{
	const uint64_t values[NETWORK_COUNTERS] = {
		[RX_BYTES] = sample->rx_bytes,   [RX_DROPPED] = sample->rx_dropped,
		[RX_ERRORS] = sample->rx_errors, [RX_PACKETS] = sample->rx_packets,
		[TX_BYTES] = sample->tx_bytes,   [TX_DROPPED] = sample->tx_dropped,
		[TX_ERRORS] = sample->tx_errors, [TX_PACKETS] = sample->tx_packets,
	};

	for (int i = 0; i < NETWORK_COUNTERS; i++)
		add_counter(&metrics->network[i], values[i]);
}

/* A counter that went back belongs to another run of the container. */
static void go_on(uint64_t before, uint64_t *base, uint64_t *value)
{
	if (*value < before)
		*base += before;
	*value += *base;
}

/* With a restart policy the counters of all runs are one. */
static void make_continuous(struct metrics *metrics, struct metrics_sample *sample)
{
	const struct metrics_sample now = *sample, *before = &metrics->as_read;
	struct metrics_sample *base = &metrics->base;

	go_on(before->cpu_total_ns, &base->cpu_total_ns, &sample->cpu_total_ns);
	if (sample->has_storage) {
		go_on(before->read_bytes, &base->read_bytes, &sample->read_bytes);
		go_on(before->write_bytes, &base->write_bytes, &sample->write_bytes);
	}
	if (sample->has_network) {
		go_on(before->rx_bytes, &base->rx_bytes, &sample->rx_bytes);
		go_on(before->rx_packets, &base->rx_packets, &sample->rx_packets);
		go_on(before->rx_dropped, &base->rx_dropped, &sample->rx_dropped);
		go_on(before->rx_errors, &base->rx_errors, &sample->rx_errors);
		go_on(before->tx_bytes, &base->tx_bytes, &sample->tx_bytes);
		go_on(before->tx_packets, &base->tx_packets, &sample->tx_packets);
		go_on(before->tx_dropped, &base->tx_dropped, &sample->tx_dropped);
		go_on(before->tx_errors, &base->tx_errors, &sample->tx_errors);
	}
	metrics->as_read = now;
}

void metrics_add(struct metrics *metrics, const struct metrics_sample *read)
{
	struct metrics_sample continuous = *read;
	const struct metrics_sample *sample = &continuous;
	struct rates rates;

	if (read->has_restarts)
		make_continuous(metrics, &continuous);
	rates = rates_of(metrics, sample);
	add_double(&metrics->cpu, rates.cpu_percent);
	add_double(&metrics->memory, memory_mib(sample));
	if (sample->has_storage) {
		add_counter(&metrics->read, sample->read_bytes);
		add_counter(&metrics->write, sample->write_bytes);
	}
	if (sample->has_network) {
		add_network(metrics, sample);
		add_double(&metrics->rx_rate, rates.rx);
		add_double(&metrics->tx_rate, rates.tx);
	}
	if (sample->has_restarts) {
		if (metrics->samples == 0)
			metrics->restarts_sent = sample->restarts;
		metrics->has_restarts = true;
	}
	metrics->previous = *sample;
	metrics->previous_rates = rates;
	metrics->samples++;
}

static struct tcs_ulong_set set_of(const struct counters *counters)
{
	return tcs_ulong_set_of(counters->max, counters->min, counters->sum, counters->count);
}

bool metrics_collect(const struct metrics *metrics, struct tcs_container_metric *ret)
{
	const struct counters *network = metrics->network;

	if (metrics->samples < 2 || metrics->cpu.sample_count == 0 ||
	    metrics->memory.sample_count == 0)
		return false;
	ret->cpu = metrics->cpu;
	ret->memory = metrics->memory;
	ret->has_storage = metrics->read.count > 0;
	ret->read_size_bytes = set_of(&metrics->read);
	ret->write_size_bytes = set_of(&metrics->write);
	ret->has_network = network[RX_BYTES].count > 0;
	ret->network = (struct tcs_network_sets){
		.has_bytes = network[RX_BYTES].count > 0,
		.rx_bytes = set_of(&network[RX_BYTES]),
		.rx_dropped = set_of(&network[RX_DROPPED]),
		.rx_errors = set_of(&network[RX_ERRORS]),
		.rx_packets = set_of(&network[RX_PACKETS]),
		.tx_bytes = set_of(&network[TX_BYTES]),
		.tx_dropped = set_of(&network[TX_DROPPED]),
		.tx_errors = set_of(&network[TX_ERRORS]),
		.tx_packets = set_of(&network[TX_PACKETS]),
		.has_rates = metrics->rx_rate.sample_count > 0 && metrics->tx_rate.sample_count > 0,
		.rx_bytes_per_second = metrics->rx_rate,
		.tx_bytes_per_second = metrics->tx_rate,
	};
	ret->has_restarts =
		metrics->has_restarts && metrics->previous.restarts >= metrics->restarts_sent;
	ret->restart_count =
		ret->has_restarts ? (int64_t)(metrics->previous.restarts - metrics->restarts_sent)
				  : 0;
	return true;
}

void metrics_mark_sent(struct metrics *metrics)
{
	metrics->restarts_sent = metrics->previous.restarts;
	metrics->has_restarts = false;
	memset(&metrics->cpu, 0, sizeof(metrics->cpu));
	memset(&metrics->memory, 0, sizeof(metrics->memory));
	memset(&metrics->rx_rate, 0, sizeof(metrics->rx_rate));
	memset(&metrics->tx_rate, 0, sizeof(metrics->tx_rate));
	memset(&metrics->read, 0, sizeof(metrics->read));
	memset(&metrics->write, 0, sizeof(metrics->write));
	memset(metrics->network, 0, sizeof(metrics->network));
}
