/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of one container, volume or service: their shapes on the wire. */
#include "wire/tcs_out.h"

static int64_t bounded(uint64_t value, int64_t *ret_overflow)
{
	if (value <= INT64_MAX) {
		*ret_overflow = 0;
		return (int64_t)value;
	}
	*ret_overflow = (int64_t)(value % INT64_MAX);
	return INT64_MAX;
}

struct tcs_ulong_set tcs_ulong_set_of(uint64_t max, uint64_t min, uint64_t sum,
				      int64_t sample_count)
{
	struct tcs_ulong_set set = { .sample_count = sample_count };

	set.max = bounded(max, &set.overflow_max);
	set.min = bounded(min, &set.overflow_min);
	set.sum = bounded(sum, &set.overflow_sum);
	return set;
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

static void write_ulong_set(struct writer *writer, const char *key, const struct tcs_ulong_set *set)
{
	write_object(writer, key);
	write_i64(writer, "max", set->max);
	write_i64(writer, "min", set->min);
	write_i64(writer, "overflowMax", set->overflow_max);
	write_i64(writer, "overflowMin", set->overflow_min);
	write_i64(writer, "overflowSum", set->overflow_sum);
	write_i64(writer, "sampleCount", set->sample_count);
	write_i64(writer, "sum", set->sum);
	write_object_end(writer);
}

static void write_network(struct writer *writer, const struct tcs_network_sets *network)
{
	write_object(writer, "networkStatsSet");
	if (network->has_bytes)
		write_ulong_set(writer, "rxBytes", &network->rx_bytes);
	if (network->has_rates)
		write_double_set(writer, "rxBytesPerSecond", &network->rx_bytes_per_second);
	if (network->has_bytes) {
		write_ulong_set(writer, "rxDropped", &network->rx_dropped);
		write_ulong_set(writer, "rxErrors", &network->rx_errors);
		write_ulong_set(writer, "rxPackets", &network->rx_packets);
		write_ulong_set(writer, "txBytes", &network->tx_bytes);
	}
	if (network->has_rates)
		write_double_set(writer, "txBytesPerSecond", &network->tx_bytes_per_second);
	if (network->has_bytes) {
		write_ulong_set(writer, "txDropped", &network->tx_dropped);
		write_ulong_set(writer, "txErrors", &network->tx_errors);
		write_ulong_set(writer, "txPackets", &network->tx_packets);
	}
	write_object_end(writer);
}

void write_container_metric(struct writer *writer, const struct tcs_container_metric *container)
{
	write_object(writer, NULL);
	write_text(writer, "containerName", container->name);
	write_double_set(writer, "cpuStatsSet", &container->cpu);
	write_double_set(writer, "memoryStatsSet", &container->memory);
	if (container->has_network)
		write_network(writer, &container->network);
	if (container->has_restarts) {
		write_object(writer, "restartStatsSet");
		write_i64(writer, "restartCount", container->restart_count);
		write_object_end(writer);
	}
	if (container->has_storage) {
		write_object(writer, "storageStatsSet");
		write_ulong_set(writer, "readSizeBytes", &container->read_size_bytes);
		write_ulong_set(writer, "writeSizeBytes", &container->write_size_bytes);
		write_object_end(writer);
	}
	write_object_end(writer);
}

void write_volume_metric(struct writer *writer, const struct tcs_volume_metric *volume)
{
	write_object(writer, NULL);
	write_double_set(writer, "size", &volume->size);
	write_double_set(writer, "utilized", &volume->utilized);
	write_text(writer, "volumeId", volume->volume_id);
	write_text(writer, "volumeName", volume->volume_name);
	write_object_end(writer);
}

void write_general_metrics(struct writer *writer, const struct tcs_general_metrics *metrics)
{
	write_object(writer, NULL);
	write_list(writer, "dimensions");
	for (size_t i = 0; i < metrics->dimensions.count; i++) {
		write_object(writer, NULL);
		write_text(writer, "key", metrics->dimensions.items[i].name);
		write_text(writer, "value", metrics->dimensions.items[i].value);
		write_object_end(writer);
	}
	write_list_end(writer);
	write_list(writer, "generalMetrics");
	for (size_t i = 0; i < metrics->metric_count; i++) {
		const struct tcs_general_metric *metric = &metrics->metrics[i];

		write_object(writer, NULL);
		write_list(writer, "metricCounts");
		for (size_t at = 0; at < metric->value_count; at++)
			write_i64(writer, NULL, metric->counts[at]);
		write_list_end(writer);
		write_text(writer, "metricName", metric->name);
		write_list(writer, "metricValues");
		for (size_t at = 0; at < metric->value_count; at++)
			write_double(writer, NULL, metric->values[at]);
		write_list_end(writer);
		write_object_end(writer);
	}
	write_list_end(writer);
	write_text(writer, "metricType", metrics->type ? metrics->type : "");
	write_object_end(writer);
}
