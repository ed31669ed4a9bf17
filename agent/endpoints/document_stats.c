/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/endpoints/document.h"
#include "base/clock.h"
#include "base/str.h"
#include "wire/writer.h"

static void write_u64(struct writer *writer, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	write_raw(writer, key, text);
}

static void write_nonzero(struct writer *writer, const char *key, uint64_t value)
{
	if (value)
		write_u64(writer, key, value);
}

static void write_read_time(struct writer *writer, const char *key, int64_t wall_ns)
{
	char text[CLOCK_ISO8601_SIZE];

	write_text(writer, key,
		   wall_ns > 0 ? format_iso8601_ns(wall_ns, text) : "0001-01-01T00:00:00Z");
}

static void write_blocks(struct writer *writer, const char *key,
			 const struct stats_block_list *list)
{
	if (!list || !list->present) {
		write_raw(writer, key, "null");
		return;
	}
	write_list(writer, key);
	for (size_t i = 0; i < list->count; i++) {
		write_object(writer, NULL);
		write_u64(writer, "major", list->entries[i].major);
		write_u64(writer, "minor", list->entries[i].minor);
		write_text(writer, "op", list->entries[i].operation);
		write_u64(writer, "value", list->entries[i].value);
		write_object_end(writer);
	}
	write_list_end(writer);
}

static void write_blkio(struct writer *writer, const struct container_stats *stats)
{
	write_object(writer, "blkio_stats");
	write_blocks(writer, "io_service_bytes_recursive", &stats->io_service_bytes);
	write_blocks(writer, "io_serviced_recursive", &stats->io_serviced);
	write_blocks(writer, "io_queue_recursive", NULL);
	write_blocks(writer, "io_service_time_recursive", NULL);
	write_blocks(writer, "io_wait_time_recursive", NULL);
	write_blocks(writer, "io_merged_recursive", NULL);
	write_blocks(writer, "io_time_recursive", NULL);
	write_blocks(writer, "sectors_recursive", NULL);
	write_object_end(writer);
}

static void write_cpu(struct writer *writer, const char *key, const struct document_cpu *cpu)
{
	write_object(writer, key);
	write_object(writer, "cpu_usage");
	write_u64(writer, "total_usage", cpu->total_ns);
	if (cpu->per_cpu_count > 0) {
		write_list(writer, "percpu_usage");
		for (size_t i = 0; i < cpu->per_cpu_count; i++)
			write_u64(writer, NULL, cpu->per_cpu_ns[i]);
		write_list_end(writer);
	}
	write_u64(writer, "usage_in_kernelmode", cpu->system_ns);
	write_u64(writer, "usage_in_usermode", cpu->user_ns);
	write_object_end(writer);
	write_nonzero(writer, "system_cpu_usage", cpu->host_ns);
	write_nonzero(writer, "online_cpus", cpu->online);
	write_object(writer, "throttling_data");
	write_u64(writer, "periods", cpu->periods);
	write_u64(writer, "throttled_periods", cpu->throttled_periods);
	write_u64(writer, "throttled_time", cpu->throttled_ns);
	write_object_end(writer);
	write_object_end(writer);
}

static void read_cpu(const struct document_reading *reading, struct document_cpu *cpu)
{
	const struct container_stats *stats = reading->stats;

	*cpu = (struct document_cpu){
		.total_ns = stats->cpu_total_ns,
		.user_ns = stats->cpu_user_ns,
		.system_ns = stats->cpu_system_ns,
		.per_cpu_count = stats->cpu_per_cpu_count,
		.host_ns = reading->host_cpu_ns,
		.online = reading->online_cpus,
		.periods = stats->throttling_periods,
		.throttled_periods = stats->throttled_periods,
		.throttled_ns = stats->throttled_time_ns,
	};
	memcpy(cpu->per_cpu_ns, stats->cpu_per_cpu_ns,
	       stats->cpu_per_cpu_count * sizeof(cpu->per_cpu_ns[0]));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct stats_named *)a)->name, ((const struct stats_named *)b)->name);
}

static void write_memory(struct writer *writer, const struct container_stats *stats)
{
	struct stats_named sorted[STATS_MEMORY_ENTRIES_MAX];

	write_object(writer, "memory_stats");
	write_nonzero(writer, "usage", stats->memory_usage);
	write_nonzero(writer, "max_usage", stats->memory_max_usage);
	if (stats->memory_stats_count > 0) {
		memcpy(sorted, stats->memory_stats, stats->memory_stats_count * sizeof(*sorted));
		qsort(sorted, stats->memory_stats_count, sizeof(*sorted), by_name);
		write_object(writer, "stats");
		for (size_t i = 0; i < stats->memory_stats_count; i++)
			write_u64(writer, sorted[i].name, sorted[i].value);
		write_object_end(writer);
	}
	write_nonzero(writer, "failcnt", stats->memory_fail_count);
	write_nonzero(writer, "limit", stats->memory_limit);
	write_object_end(writer);
}

/* The kernel puts devices of its own into each namespace (tunl0, sit0, ...): those of the task are
 * eth<n>. */
static bool is_of_the_task(const struct stats_interface *interface)
{
	return str_starts_with(interface->name, "eth");
}

static int by_interface(const void *a, const void *b)
{
	const struct stats_interface *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static void write_interface(struct writer *writer, const struct stats_interface *interface)
{
	write_object(writer, interface->name);
	write_u64(writer, "rx_bytes", interface->rx_bytes);
	write_u64(writer, "rx_packets", interface->rx_packets);
	write_u64(writer, "rx_errors", interface->rx_errors);
	write_u64(writer, "rx_dropped", interface->rx_dropped);
	write_u64(writer, "tx_bytes", interface->tx_bytes);
	write_u64(writer, "tx_packets", interface->tx_packets);
	write_u64(writer, "tx_errors", interface->tx_errors);
	write_u64(writer, "tx_dropped", interface->tx_dropped);
	write_object_end(writer);
}

/* Bytes a second since the last reading, in single precision; without a step of time the last rate
 * stays. Counters that went back are those of another interface: there is no new rate then. */
static void take_rate(struct document_previous *previous, int64_t read_ns, uint64_t rx, uint64_t tx)
{
	float seconds = (float)((double)(read_ns - previous->network_read_ns) / 1e9);

	if (read_ns == previous->network_read_ns)
		return;
	if (previous->network_read_ns > 0 && seconds > 0 && rx >= previous->rx_bytes &&
	    tx >= previous->tx_bytes) {
		previous->has_rate = true;
		previous->rx_per_second = (double)((float)(rx - previous->rx_bytes) / seconds);
		previous->tx_per_second = (double)((float)(tx - previous->tx_bytes) / seconds);
	}
	previous->network_read_ns = read_ns;
	previous->rx_bytes = rx;
	previous->tx_bytes = tx;
}

static void write_networks(struct writer *writer, const struct network_stats *network,
			   struct document_previous *previous)
{
	const struct stats_interface *interfaces[STATS_INTERFACES_MAX];
	uint64_t rx = 0, tx = 0;
	size_t count = 0;

	for (size_t i = 0; i < network->count; i++) {
		if (!is_of_the_task(&network->interfaces[i]))
			continue;
		interfaces[count++] = &network->interfaces[i];
		rx += network->interfaces[i].rx_bytes;
		tx += network->interfaces[i].tx_bytes;
	}
	if (count == 0)
		return;
	qsort(interfaces, count, sizeof(interfaces[0]), by_interface);
	write_object(writer, "networks");
	for (size_t i = 0; i < count; i++)
		write_interface(writer, interfaces[i]);
	write_object_end(writer);

	take_rate(previous, network->read_ns, rx, tx);
	if (!previous->has_rate)
		return;
	write_object(writer, "network_rate_stats");
	write_double(writer, "rx_bytes_per_sec", previous->rx_per_second);
	write_double(writer, "tx_bytes_per_sec", previous->tx_per_second);
	write_object_end(writer);
}

void document_stats(const struct document_reading *reading, struct document_previous *previous,
		    struct strbuf *out)
{
	const struct container_stats *stats = reading->stats;
	struct writer writer = writer_to(out);
	struct document_cpu cpu;

	read_cpu(reading, &cpu);
	write_object(&writer, NULL);
	write_read_time(&writer, "read", stats->read_ns);
	write_read_time(&writer, "preread", previous->read_ns);
	write_object(&writer, "pids_stats");
	write_nonzero(&writer, "current", stats->pids_current);
	write_nonzero(&writer, "limit", stats->pids_limit);
	write_object_end(&writer);
	write_blkio(&writer, stats);
	write_u64(&writer, "num_procs", 0);
	write_raw(&writer, "storage_stats", "{}");
	write_cpu(&writer, "cpu_stats", &cpu);
	write_cpu(&writer, "precpu_stats", &previous->cpu);
	write_memory(&writer, stats);
	write_text(&writer, "name", reading->name);
	write_text(&writer, "id", reading->runtime_id);
	if (reading->network)
		write_networks(&writer, reading->network, previous);
	write_object_end(&writer);
	previous->read_ns = stats->read_ns;
	previous->cpu = cpu;
}
