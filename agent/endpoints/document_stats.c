/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "agent/endpoints/document.h"
#include "base/clock.h"
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

static void write_cpu(struct writer *writer, const struct document_reading *reading)
{
	const struct container_stats *stats = reading->stats;

	write_object(writer, "cpu_stats");
	write_object(writer, "cpu_usage");
	write_u64(writer, "total_usage", stats->cpu_total_ns);
	if (stats->cpu_per_cpu_count > 0) {
		write_list(writer, "percpu_usage");
		for (size_t i = 0; i < stats->cpu_per_cpu_count; i++)
			write_u64(writer, NULL, stats->cpu_per_cpu_ns[i]);
		write_list_end(writer);
	}
	write_u64(writer, "usage_in_kernelmode", stats->cpu_system_ns);
	write_u64(writer, "usage_in_usermode", stats->cpu_user_ns);
	write_object_end(writer);
	write_nonzero(writer, "system_cpu_usage", reading->host_cpu_ns);
	write_nonzero(writer, "online_cpus", reading->online_cpus);
	write_object(writer, "throttling_data");
	write_u64(writer, "periods", stats->throttling_periods);
	write_u64(writer, "throttled_periods", stats->throttled_periods);
	write_u64(writer, "throttled_time", stats->throttled_time_ns);
	write_object_end(writer);
	write_object_end(writer);
}

static void write_previous_cpu(struct writer *writer, const struct document_previous *previous)
{
	write_object(writer, "precpu_stats");
	write_object(writer, "cpu_usage");
	write_u64(writer, "total_usage", previous->cpu_total_ns);
	write_u64(writer, "usage_in_kernelmode", previous->cpu_system_ns);
	write_u64(writer, "usage_in_usermode", previous->cpu_user_ns);
	write_object_end(writer);
	write_nonzero(writer, "system_cpu_usage", previous->host_cpu_ns);
	write_raw(writer, "throttling_data",
		  "{\"periods\":0,\"throttled_periods\":0,\"throttled_time\":0}");
	write_object_end(writer);
}

static void write_memory(struct writer *writer, const struct container_stats *stats)
{
	write_object(writer, "memory_stats");
	write_nonzero(writer, "usage", stats->memory_usage);
	write_nonzero(writer, "max_usage", stats->memory_max_usage);
	if (stats->memory_stats_count > 0) {
		write_object(writer, "stats");
		for (size_t i = 0; i < stats->memory_stats_count; i++)
			write_u64(writer, stats->memory_stats[i].name,
				  stats->memory_stats[i].value);
		write_object_end(writer);
	}
	write_nonzero(writer, "failcnt", stats->memory_fail_count);
	write_nonzero(writer, "limit", stats->memory_limit);
	write_object_end(writer);
}

static void total_bytes(const struct network_stats *network, uint64_t *ret_rx, uint64_t *ret_tx)
{
	*ret_rx = *ret_tx = 0;
	for (size_t i = 0; i < network->count; i++) {
		*ret_rx += network->interfaces[i].rx_bytes;
		*ret_tx += network->interfaces[i].tx_bytes;
	}
}

static void write_networks(struct writer *writer, const struct network_stats *network,
			   const struct document_previous *previous)
{
	uint64_t rx, tx;
	double seconds;

	write_object(writer, "networks");
	for (size_t i = 0; i < network->count; i++) {
		const struct stats_interface *interface = &network->interfaces[i];

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
	write_object_end(writer);

	total_bytes(network, &rx, &tx);
	seconds = (double)(network->read_ns - previous->network_read_ns) / 1e9;
	/* Counters that went back are those of another interface: there is no rate then. */
	if (!previous->valid || seconds <= 0 || rx < previous->rx_bytes || tx < previous->tx_bytes)
		return;
	write_object(writer, "network_rate_stats");
	write_double(writer, "rx_bytes_per_sec",
		     (double)(float)((double)(rx - previous->rx_bytes) / seconds));
	write_double(writer, "tx_bytes_per_sec",
		     (double)(float)((double)(tx - previous->tx_bytes) / seconds));
	write_object_end(writer);
}

void document_stats(const struct document_reading *reading,
		    const struct document_previous *previous, struct strbuf *out)
{
	const struct container_stats *stats = reading->stats;
	struct writer writer = writer_to(out);

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
	write_cpu(&writer, reading);
	write_previous_cpu(&writer, previous);
	write_memory(&writer, stats);
	write_text(&writer, "name", reading->name);
	write_text(&writer, "id", reading->runtime_id);
	if (reading->network && reading->network->count > 0)
		write_networks(&writer, reading->network, previous);
	write_object_end(&writer);
}

void document_remember(const struct document_reading *reading, struct document_previous *previous)
{
	*previous = (struct document_previous){
		.valid = true,
		.read_ns = reading->stats->read_ns,
		.cpu_total_ns = reading->stats->cpu_total_ns,
		.cpu_user_ns = reading->stats->cpu_user_ns,
		.cpu_system_ns = reading->stats->cpu_system_ns,
		.host_cpu_ns = reading->host_cpu_ns,
		.network_read_ns = reading->network ? reading->network->read_ns : 0,
	};
	if (reading->network)
		total_bytes(reading->network, &previous->rx_bytes, &previous->tx_bytes);
}
