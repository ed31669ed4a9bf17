/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/stats_text.h"

#define TEXT_MAX 65536

enum stats_file {
	/* version 1 */
	CPUACCT_USAGE,
	CPUACCT_STAT,
	CPUACCT_PERCPU,
	BLKIO_BYTES,
	BLKIO_SERVICED,
	/* both, under names of their own */
	CPU_STAT,
	MEMORY_USAGE,
	MEMORY_MAX_USAGE,
	MEMORY_LIMIT,
	MEMORY_FAILCNT, /* v2: memory.events */
	MEMORY_STAT,
	PIDS_CURRENT,
	PIDS_MAX,
	/* version 2 */
	IO_STAT,
	STATS_FILES,
};

static const struct {
	const char *controller;
	const char *v1;
	const char *v2;
} files[STATS_FILES] = {
	[CPUACCT_USAGE] = { "cpuacct", "cpuacct.usage", NULL },
	[CPUACCT_STAT] = { "cpuacct", "cpuacct.stat", NULL },
	[CPUACCT_PERCPU] = { "cpuacct", "cpuacct.usage_percpu", NULL },
	[BLKIO_BYTES] = { "blkio", "blkio.throttle.io_service_bytes_recursive", NULL },
	[BLKIO_SERVICED] = { "blkio", "blkio.throttle.io_serviced_recursive", NULL },
	[CPU_STAT] = { "cpu", "cpu.stat", "cpu.stat" },
	[MEMORY_USAGE] = { "memory", "memory.usage_in_bytes", "memory.current" },
	[MEMORY_MAX_USAGE] = { "memory", "memory.max_usage_in_bytes", "memory.peak" },
	[MEMORY_LIMIT] = { "memory", "memory.limit_in_bytes", "memory.max" },
	[MEMORY_FAILCNT] = { "memory", "memory.failcnt", "memory.events" },
	[MEMORY_STAT] = { "memory", "memory.stat", "memory.stat" },
	[PIDS_CURRENT] = { "pids", "pids.current", "pids.current" },
	[PIDS_MAX] = { "pids", "pids.max", "pids.max" },
	[IO_STAT] = { "io", NULL, "io.stat" },
};

struct stats_source {
	bool v2;
	int fds[STATS_FILES]; /* -1: this host has no such file */
	uint64_t host_memory;
	uint64_t tick_ns; /* of cpuacct.stat */
};

int stats_open(const struct cgroup_host *host, const char *cgroup_path, struct stats_source **ret,
	       struct error *err)
{
	struct stats_source *source = xcalloc(1, sizeof(*source));
	size_t opened = 0;

	source->v2 = host->v2;
	source->host_memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	source->tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	for (size_t i = 0; i < STATS_FILES; i++) {
		const char *name = host->v2 ? files[i].v2 : files[i].v1;
		_cleanup_free_ char *path = NULL;

		source->fds[i] = -1;
		if (!name)
			continue;
		path = cgroup_file_path(host, files[i].controller, cgroup_path, name);
		if (path)
			source->fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		opened += source->fds[i] >= 0;
	}
	if (!opened) {
		stats_close(source);
		return error_say(err, ENOENT,
				 "cgroup %s: there are no statistics, it does not exist",
				 cgroup_path);
	}
	*ret = source;
	return 0;
}

void stats_close(struct stats_source *source)
{
	if (!source)
		return;
	for (size_t i = 0; i < STATS_FILES; i++)
		cleanup_close(&source->fds[i]);
	free(source);
}

/* The file's text, or NULL. `text` has TEXT_MAX bytes. */
static const char *read_text(const struct stats_source *source, enum stats_file file, char *text)
{
	ssize_t got;

	if (source->fds[file] < 0)
		return NULL;
	got = pread(source->fds[file], text, TEXT_MAX - 1, 0);
	if (got < 0)
		return NULL;
	text[got] = '\0';
	return text;
}

static uint64_t read_number(const struct stats_source *source, enum stats_file file)
{
	char text[TEXT_MAX];
	const char *at = read_text(source, file, text);

	return at ? stats_text_number(&at) : 0;
}

/* "max", and version 1's "no limit" (the largest number of pages), are no limit. */
static uint64_t read_limit(const struct stats_source *source, enum stats_file file,
			   uint64_t no_limit)
{
	char text[64];
	const char *at = text;
	ssize_t got;
	uint64_t limit;

	if (source->fds[file] < 0)
		return no_limit;
	got = pread(source->fds[file], text, sizeof(text) - 1, 0);
	if (got <= 0)
		return no_limit;
	text[got] = '\0';
	if (text[0] < '0' || text[0] > '9')
		return no_limit;
	limit = stats_text_number(&at);
	return limit >= (uint64_t)INT64_MAX - 65536 ? no_limit : limit;
}

static void read_cpu_v1(const struct stats_source *source, char *text, struct container_stats *ret)
{
	const char *at;

	ret->cpu_total_ns = read_number(source, CPUACCT_USAGE);
	at = read_text(source, CPUACCT_STAT, text);
	if (at) {
		ret->cpu_user_ns = stats_text_find(at, "user") * source->tick_ns;
		ret->cpu_system_ns = stats_text_find(at, "system") * source->tick_ns;
	}
	at = read_text(source, CPUACCT_PERCPU, text);
	while (at && *at >= '0' && *at <= '9' && ret->cpu_per_cpu_count < STATS_CPUS_MAX) {
		ret->cpu_per_cpu_ns[ret->cpu_per_cpu_count++] = stats_text_number(&at);
		while (*at == ' ')
			at++;
	}
	at = read_text(source, CPU_STAT, text);
	if (at) {
		ret->throttling_periods = stats_text_find(at, "nr_periods");
		ret->throttled_periods = stats_text_find(at, "nr_throttled");
		ret->throttled_time_ns = stats_text_find(at, "throttled_time");
	}
}

static void read_cpu_v2(const struct stats_source *source, char *text, struct container_stats *ret)
{
	const char *at = read_text(source, CPU_STAT, text);

	if (!at)
		return;
	ret->cpu_total_ns = stats_text_find(at, "usage_usec") * 1000;
	ret->cpu_user_ns = stats_text_find(at, "user_usec") * 1000;
	ret->cpu_system_ns = stats_text_find(at, "system_usec") * 1000;
	ret->throttling_periods = stats_text_find(at, "nr_periods");
	ret->throttled_periods = stats_text_find(at, "nr_throttled");
	ret->throttled_time_ns = stats_text_find(at, "throttled_usec") * 1000;
}

static void read_memory(const struct stats_source *source, char *text, struct container_stats *ret)
{
	uint64_t limit = read_limit(source, MEMORY_LIMIT, source->host_memory);
	uint64_t cache;
	const char *at;

	ret->memory_usage = read_number(source, MEMORY_USAGE);
	ret->memory_max_usage = read_number(source, MEMORY_MAX_USAGE);
	ret->memory_limit = limit < source->host_memory ? limit : source->host_memory;
	at = read_text(source, MEMORY_FAILCNT, text);
	if (at)
		ret->memory_fail_count =
			source->v2 ? stats_text_find(at, "oom") : stats_text_number(&at);
	at = read_text(source, MEMORY_STAT, text);
	if (at)
		stats_parse_memory_stat(at, ret, NULL);
	cache = stats_memory_value(ret, source->v2 ? "inactive_file" : "cache");
	ret->memory_used =
		cache < ret->memory_usage ? ret->memory_usage - cache : ret->memory_usage;
}

int stats_read(struct stats_source *source, struct container_stats *ret, struct error *err)
{
	char text[TEXT_MAX];
	const char *at;

	/* Not the whole struct: its arrays are large and their counts say what counts. */
	memset(ret, 0, offsetof(struct container_stats, cpu_per_cpu_ns));
	ret->cpu_per_cpu_count = 0;
	ret->throttling_periods = ret->throttled_periods = ret->throttled_time_ns = 0;
	ret->memory_usage = ret->memory_max_usage = ret->memory_limit = ret->memory_fail_count = 0;
	ret->memory_stats_count = 0;
	ret->memory_used = 0;
	ret->io_service_bytes.count = ret->io_serviced.count = 0;
	ret->io_service_bytes.present = ret->io_serviced.present = false;

	if (pread(source->fds[MEMORY_USAGE] >= 0 ? source->fds[MEMORY_USAGE]
						 : source->fds[CPU_STAT],
		  text, sizeof(text), 0) < 0)
		return error_set(err, errno == ENODEV ? ENODEV : errno,
				 "read a container's statistics");
	ret->v2 = source->v2;
	ret->read_ns = clock_wall_ns();
	if (source->v2)
		read_cpu_v2(source, text, ret);
	else
		read_cpu_v1(source, text, ret);
	read_memory(source, text, ret);
	ret->pids_current = read_number(source, PIDS_CURRENT);
	ret->pids_limit = read_limit(source, PIDS_MAX, 0);

	at = read_text(source, source->v2 ? IO_STAT : BLKIO_BYTES, text);
	if (at && source->v2)
		stats_parse_io_stat(at, &ret->io_service_bytes, NULL);
	else if (at)
		stats_parse_blkio(at, &ret->io_service_bytes, NULL);
	at = read_text(source, BLKIO_SERVICED, text);
	if (at)
		stats_parse_blkio(at, &ret->io_serviced, NULL);
	return 0;
}

uint64_t stats_memory_value(const struct container_stats *stats, const char *name)
{
	for (size_t i = 0; i < stats->memory_stats_count; i++) {
		if (str_eq(stats->memory_stats[i].name, name))
			return stats->memory_stats[i].value;
	}
	return 0;
}

int stats_host_cpu(uint64_t *ret_total_ns, unsigned *ret_online, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int result = file_read(AT_FDCWD, "/proc/stat", 4 << 20, &text, NULL, err);

	if (result == 0)
		result = stats_parse_host_cpu(text, ret_total_ns, err);
	if (result == 0)
		*ret_online = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	return result;
}

int stats_read_network(pid_t pid, struct network_stats *ret, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/net/dev", (int)pid);
	char text[TEXT_MAX];
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got;

	if (fd < 0)
		return error_set(err, errno == ENOENT ? ESRCH : errno,
				 "read the interfaces of process %d", (int)pid);
	while ((got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	if (got < 0)
		return error_set(err, errno == EINVAL ? ESRCH : errno,
				 "read the interfaces of process %d", (int)pid);
	text[length] = '\0';
	ret->read_ns = clock_wall_ns();
	return stats_parse_net_dev(text, ret, err);
}
