/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of a container, read from its cgroup's files, which stay open: about 10 microseconds per
 * sample. The shape is that of Docker's statistics, with the differences between cgroup versions
 * kept.
 */
#ifndef BERTH_RUNTIME_STATS_H
#define BERTH_RUNTIME_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtime/cgroup.h"

#define STATS_CPUS_MAX           256
#define STATS_BLOCK_ENTRIES_MAX  128
#define STATS_MEMORY_ENTRIES_MAX 64
#define STATS_INTERFACES_MAX     16

struct stats_block_entry {
	uint64_t major, minor;
	char operation[12]; /* v1: "Read", "Write", "Sync", "Async", "Discard", "Total"; v2: "read",
			       "write" */
	uint64_t value;
};

struct stats_block_list {
	struct stats_block_entry entries[STATS_BLOCK_ENTRIES_MAX];
	size_t count;
	bool present; /* false: Docker gives null */
};

struct stats_named {
	char name[32];
	uint64_t value;
};

struct container_stats {
	bool v2;
	int64_t read_ns; /* wall time of the sample */

	uint64_t cpu_total_ns, cpu_user_ns, cpu_system_ns;
	uint64_t cpu_per_cpu_ns[STATS_CPUS_MAX]; /* version 1 only */
	size_t cpu_per_cpu_count;
	uint64_t throttling_periods, throttled_periods, throttled_time_ns;

	uint64_t memory_usage, memory_max_usage, memory_limit,
		memory_fail_count; /* limit: at most the host's memory */
	struct stats_named memory_stats[STATS_MEMORY_ENTRIES_MAX]; /* memory.stat */
	size_t memory_stats_count;
	/* usage minus cache (version 1: total_cache... as "cache"; version 2: inactive_file), only
	 * if smaller than usage */
	uint64_t memory_used;

	uint64_t pids_current, pids_limit; /* limit 0: none */

	struct stats_block_list io_service_bytes; /* io_service_bytes_recursive */
	struct stats_block_list io_serviced;      /* io_serviced_recursive; version 1 only */
};

struct stats_source;

/* Opens the files of the group. -ENOENT when it does not exist; single files that are missing read
 * as zero. */
int stats_open(const struct cgroup_host *host, const char *cgroup_path, struct stats_source **ret,
	       struct error *err);
void stats_close(struct stats_source *source);

/* -ENODEV when the group is gone. */
int stats_read(struct stats_source *source, struct container_stats *ret, struct error *err);

/* 0 when it is not in memory.stat. */
uint64_t stats_memory_value(const struct container_stats *stats, const char *name);

/* CPU time of the whole host (all states, all CPUs) in ns, and CPUs online: Docker's
 * system_cpu_usage, online_cpus. */
int stats_host_cpu(uint64_t *ret_total_ns, unsigned *ret_online, struct error *err);

struct stats_interface {
	char name[16];
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

struct network_stats {
	int64_t read_ns;                                         /* wall time */
	struct stats_interface interfaces[STATS_INTERFACES_MAX]; /* without lo */
	size_t count;
};

/* Counters of all interfaces but lo in the network namespace of a process. -ESRCH when it is gone.
 */
int stats_read_network(pid_t pid, struct network_stats *ret, struct error *err);

/* Pure parts, over the texts of the files. Unknown lines are skipped; -EINVAL when the file is not
 * one of its kind. */
int stats_parse_memory_stat(const char *text, struct container_stats *ret, struct error *err);
int stats_parse_net_dev(const char *text, struct network_stats *ret, struct error *err);
int stats_parse_blkio(const char *text, struct stats_block_list *ret, struct error *err);
int stats_parse_io_stat(const char *text, struct stats_block_list *ret, struct error *err);
int stats_parse_host_cpu(const char *text, uint64_t *ret_ns, struct error *err);

#endif
