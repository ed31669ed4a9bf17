/* SPDX-License-Identifier: Apache-2.0 */
/* Figures from files as the kernel writes them; the cgroup is a directory that stands for one. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "runtime/stats.h"

static char top[32];

static int set_up(void **state)
{
	(void)state;
	strcpy(top, "/tmp/berth-stats-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, top, NULL);
}

static void put(const char *path, const char *text)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", top, path);
	char *slash = strrchr(full, '/');

	*slash = '\0';
	assert_int_equal(file_mkdirs(full, 0755, NULL), 0);
	*slash = '/';
	assert_int_equal(file_write_atomic(AT_FDCWD, full, text, strlen(text), 0644, false, NULL),
			 0);
}

static struct container_stats *read_stats(const char *mountinfo_format)
{
	_cleanup_free_ char *text = NULL;
	struct container_stats *stats = xcalloc(1, sizeof(*stats));
	struct stats_source *source;
	struct cgroup_host host;
	struct error err = ERROR_INIT;

	text = mountinfo_format ? xasprintf("1 1 0:1 / %s rw - cgroup2 cgroup2 rw\n", top)
				: xasprintf("1 1 0:1 / %s/cpu rw - cgroup cgroup rw,cpu\n2 1 0:1 / "
					    "%s/cpuacct rw - cgroup cgroup "
					    "rw,cpuacct\n3 1 0:1 / %s/memory rw - cgroup cgroup "
					    "rw,memory\n4 1 0:1 / %s/pids rw - "
					    "cgroup cgroup rw,pids\n5 1 0:1 / %s/blkio rw - cgroup "
					    "cgroup rw,blkio\n",
					    top, top, top, top, top);
	assert_int_equal(cgroup_host_parse(text, &host, NULL), 0);
	if (stats_open(&host, "/ecs/t/c", &source, &err) < 0)
		fail_msg("%s", err.text);
	/* Twice: the files stay open and are read from their start. */
	assert_int_equal(stats_read(source, stats, NULL), 0);
	assert_int_equal(stats_read(source, stats, NULL), 0);
	stats_close(source);
	cgroup_host_free(&host);
	return stats;
}

static void version_1_is_read(void **state)
{
	(void)state;
	_cleanup_free_ struct container_stats *stats = NULL;
	uint64_t tick = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);

	put("cpuacct/ecs/t/c/cpuacct.usage", "123456789\n");
	put("cpuacct/ecs/t/c/cpuacct.stat", "user 7\nsystem 5\n");
	put("cpuacct/ecs/t/c/cpuacct.usage_percpu", "100000000 23456789 \n");
	put("cpu/ecs/t/c/cpu.stat",
	    "nr_periods 10\nnr_throttled 3\nthrottled_time 999\nwait_sum 5\n");
	put("memory/ecs/t/c/memory.usage_in_bytes", "5000000\n");
	put("memory/ecs/t/c/memory.max_usage_in_bytes", "6000000\n");
	put("memory/ecs/t/c/memory.limit_in_bytes", "67108864\n");
	put("memory/ecs/t/c/memory.failcnt", "2\n");
	put("memory/ecs/t/c/memory.stat",
	    "cache 1000000\nrss 4000000\ninactive_file 300\ntotal_cache 1000000\n");
	put("pids/ecs/t/c/pids.current", "4\n");
	put("pids/ecs/t/c/pids.max", "100\n");
	put("blkio/ecs/t/c/blkio.throttle.io_service_bytes_recursive",
	    "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 1\n254:0 Async 2\n254:0 Discard "
	    "0\n254:0 Total 12288\nTotal 12288\n");
	put("blkio/ecs/t/c/blkio.throttle.io_serviced_recursive", "254:0 Read 1\nTotal 1\n");
	stats = read_stats(NULL);
	assert_false(stats->v2);
	assert_true(stats->read_ns > INT64_C(1600000000000000000));
	assert_int_equal(stats->cpu_total_ns, 123456789);
	assert_int_equal(stats->cpu_user_ns, 7 * tick);
	assert_int_equal(stats->cpu_system_ns, 5 * tick);
	assert_int_equal(stats->cpu_per_cpu_count, 2);
	assert_int_equal(stats->cpu_per_cpu_ns[1], 23456789);
	assert_int_equal(stats->throttling_periods, 10);
	assert_int_equal(stats->throttled_periods, 3);
	assert_int_equal(stats->throttled_time_ns, 999);
	assert_int_equal(stats->memory_usage, 5000000);
	assert_int_equal(stats->memory_max_usage, 6000000);
	assert_int_equal(stats->memory_limit, 67108864);
	assert_int_equal(stats->memory_fail_count, 2);
	assert_int_equal(stats->memory_stats_count, 4);
	assert_int_equal(stats_memory_value(stats, "rss"), 4000000);
	assert_int_equal(stats_memory_value(stats, "nothing"), 0);
	/* Version 1: usage less cache. */
	assert_int_equal(stats->memory_used, 4000000);
	assert_int_equal(stats->pids_current, 4);
	assert_int_equal(stats->pids_limit, 100);
	assert_true(stats->io_service_bytes.present);
	/* The line of all devices together is none of Docker's entries. */
	assert_int_equal(stats->io_service_bytes.count, 6);
	assert_int_equal(stats->io_service_bytes.entries[1].major, 254);
	assert_string_equal(stats->io_service_bytes.entries[1].operation, "Write");
	assert_int_equal(stats->io_service_bytes.entries[1].value, 8192);
	assert_int_equal(stats->io_serviced.count, 1);
}

static void version_2_is_read(void **state)
{
	(void)state;
	_cleanup_free_ struct container_stats *stats = NULL;
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	put("ecs/t/c/cpu.stat",
	    "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 1\nnr_throttled 2\n"
	    "throttled_usec 3\n");
	put("ecs/t/c/memory.current", "3000\n");
	put("ecs/t/c/memory.peak", "4000\n");
	put("ecs/t/c/memory.max", "max\n");
	put("ecs/t/c/memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n");
	put("ecs/t/c/memory.stat", "anon 1000\nfile 900\ninactive_file 500\n");
	put("ecs/t/c/pids.current", "1\n");
	put("ecs/t/c/pids.max", "max\n");
	put("ecs/t/c/io.stat", "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n8:16 \n");
	stats = read_stats("v2");
	assert_true(stats->v2);
	assert_int_equal(stats->cpu_total_ns, 5000000);
	assert_int_equal(stats->cpu_user_ns, 3000000);
	assert_int_equal(stats->cpu_per_cpu_count, 0);
	assert_int_equal(stats->throttled_time_ns, 3000);
	assert_int_equal(stats->memory_usage, 3000);
	assert_int_equal(stats->memory_max_usage, 4000);
	/* No limit is the host's memory, as Docker gives it. */
	assert_true(stats->memory_limit == memory);
	assert_int_equal(stats->memory_fail_count, 2);
	/* Version 2: usage less inactive_file. */
	assert_int_equal(stats->memory_used, 2500);
	assert_int_equal(stats->pids_limit, 0);
	assert_int_equal(stats->io_service_bytes.count, 2);
	assert_string_equal(stats->io_service_bytes.entries[0].operation, "read");
	assert_int_equal(stats->io_service_bytes.entries[0].value, 4096);
	assert_false(stats->io_serviced.present);
}

static void no_limit_of_version_1_is_the_hosts_memory(void **state)
{
	(void)state;
	_cleanup_free_ struct container_stats *stats = NULL;

	put("memory/ecs/t/c/memory.usage_in_bytes", "5000000\n");
	put("memory/ecs/t/c/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/ecs/t/c/memory.stat", "cache 6000000\n");
	stats = read_stats(NULL);
	assert_true(stats->memory_limit ==
		    (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
	/* A cache that seems larger than all is not subtracted. */
	assert_int_equal(stats->memory_used, 5000000);
	assert_int_equal(stats->cpu_total_ns, 0);
	assert_false(stats->io_service_bytes.present);
}

static void a_group_that_is_not_there_is_said(void **state)
{
	(void)state;
	_cleanup_free_ char *text = xasprintf("1 1 0:1 / %s rw - cgroup2 cgroup2 rw\n", top);
	struct stats_source *source;
	struct cgroup_host host;
	struct error err = ERROR_INIT;

	assert_int_equal(cgroup_host_parse(text, &host, NULL), 0);
	assert_int_equal(stats_open(&host, "/ecs/none", &source, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/ecs/none"));
	cgroup_host_free(&host);
}

static void interfaces_are_read_without_lo(void **state)
{
	(void)state;
	static const char text[] =
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		"packets errs drop fifo colls "
		"carrier compressed\n"
		"    lo:    10       1    0    0    0     0          0         0       10       1  "
		"  0    0    0     0       "
		"0          0\n"
		"  eth0:1000       20    3    4    0     0          0         0     5000      60   "
		" 7    8    0     0       0 "
		"         0\n";
	struct network_stats stats;
	struct error err = ERROR_INIT;

	assert_int_equal(stats_parse_net_dev(text, &stats, NULL), 0);
	assert_int_equal(stats.count, 1);
	assert_string_equal(stats.interfaces[0].name, "eth0");
	assert_int_equal(stats.interfaces[0].rx_bytes, 1000);
	assert_int_equal(stats.interfaces[0].rx_packets, 20);
	assert_int_equal(stats.interfaces[0].rx_errors, 3);
	assert_int_equal(stats.interfaces[0].rx_dropped, 4);
	assert_int_equal(stats.interfaces[0].tx_bytes, 5000);
	assert_int_equal(stats.interfaces[0].tx_packets, 60);
	assert_int_equal(stats.interfaces[0].tx_errors, 7);
	assert_int_equal(stats.interfaces[0].tx_dropped, 8);
	assert_int_equal(stats_parse_net_dev("rubbish", &stats, &err), -EINVAL);
	assert_int_equal(stats_parse_net_dev("Inter-|\n face\n eth0: 1 2 3\n", &stats, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "eth0 has 3 numbers"));
	assert_int_equal(stats_read_network(getpid(), &stats, NULL), 0);
	assert_int_equal(stats_read_network(INT32_MAX - 1, &stats, NULL), -ESRCH);
}

/* user + nice + system + idle + iowait + irq + softirq, as Docker sums them. */
static void the_hosts_cpu_time_is_dockers(void **state)
{
	(void)state;
	uint64_t ns, tick = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	unsigned online = 0;

	assert_int_equal(
		stats_parse_host_cpu("cpu  1 2 3 4 5 6 7 800 900 1000\ncpu0 1\n", &ns, NULL), 0);
	assert_true(ns == 28 * tick);
	assert_int_equal(stats_parse_host_cpu("intr 5", &ns, NULL), -EINVAL);
	assert_int_equal(stats_parse_host_cpu("cpu  1 2 3\n", &ns, NULL), -EINVAL);
	assert_int_equal(stats_host_cpu(&ns, &online, NULL), 0);
	assert_true(online >= 1 && ns > 0);
}

static void odd_files_are_survived(void **state)
{
	(void)state;
	struct container_stats *stats = xcalloc(1, sizeof(*stats));
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	assert_int_equal(stats_parse_memory_stat("", stats, NULL), -EINVAL);
	assert_int_equal(
		stats_parse_memory_stat(
			"cache 99999999999999999999999\nnovalue\na_name_that_is_longer_than_it_"
			"can_be_here 5\nrss 1",
			stats, NULL),
		0);
	assert_int_equal(stats->memory_stats_count, 2);
	assert_true(stats_memory_value(stats, "cache") == UINT64_MAX);
	assert_int_equal(stats_memory_value(stats, "rss"), 1);
	/* More devices than there is room for. */
	for (int i = 0; i < 200; i++)
		strbuf_appendf(&sb, "8:%d rbytes=1 wbytes=2\n", i);
	assert_int_equal(stats_parse_io_stat(sb.data, &stats->io_service_bytes, NULL), 0);
	assert_int_equal(stats->io_service_bytes.count, STATS_BLOCK_ENTRIES_MAX);
	assert_int_equal(stats_parse_blkio("8:0 \n", &stats->io_serviced, NULL), -EINVAL);
	free(stats);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(version_1_is_read),
		TEST(version_2_is_read),
		TEST(no_limit_of_version_1_is_the_hosts_memory),
		TEST(a_group_that_is_not_there_is_said),
		cmocka_unit_test(interfaces_are_read_without_lo),
		cmocka_unit_test(the_hosts_cpu_time_is_dockers),
		cmocka_unit_test(odd_files_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
