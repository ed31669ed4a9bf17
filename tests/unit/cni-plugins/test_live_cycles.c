/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What grows when tasks come and go, and what many of them cost whoever ends them. As many cycles
 * as BERTH_TEST_CYCLES says (10000 take some minutes); in the test run a few hundred.
 */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/number.h"
#include "call.h"
#include "cni-plugins/eni.h"
#include "live.h"
#include "netns/namespace.h"

enum { WARM_UP = 50, FEW = 200, BULK = 500, CROWD = 1100 };

static int cycles(void)
{
	const char *text = getenv("BERTH_TEST_CYCLES");
	uint64_t count = FEW;

	if (text)
		assert_int_equal(number_parse_u64(text, 1, 10000000, &count, NULL), 0);
	return (int)count;
}

static char *config_of(int number)
{
	return xasprintf("{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":\"ecs-eni\","
			 "\"driver\":\"veth\",\"eni\":\"eni-1\",\"mac\":\"02:1f:00:00:%02x:%02x\","
			 "\"ip-addresses\":[\"10.7.%d.%d/16\"],\"gateway-ip-addresses\":["
			 "\"10.7.255.254\"],\"loopback-addresses\":[\"169.254.170.2/32\"],"
			 "\"runtimeConfig\":{\"leaveToNetns\":true}}",
			 (unsigned)number / 200, (unsigned)number % 200, number / 200,
			 number % 200 + 1);
}

/* In this process, so that what it keeps is seen. */
static void run_here(const char *command, const struct task *task, int number)
{
	char *config = config_of(number);
	struct call call = call_good(command);

	call.container_id = task->id;
	call.netns = task->path;
	call.config = config;
	call_expect_success(&call, &eni_plugin);
	call_free(&call);
	free(config);
}

/* Each has a name of its own, as tasks have: the pair of the one before may be there yet. */
static void cycle(void)
{
	static int count;
	char id[32];
	struct task task;

	snprintf(id, sizeof(id), "cycle-%d", count++);
	task = task_new(id);

	run_here("ADD", &task, 0);
	run_here("DEL", &task, 0);
	task_free(&task);
}

/* Until no more than that many are there. */
static void await_links(size_t most, int64_t most_ms)
{
	int64_t end_ms = clock_monotonic_ms() + most_ms;
	struct netlink *netlink = NULL;
	struct link_list links;
	size_t count;

	assert_int_equal(netlink_open(&netlink, NULL), 0);
	do {
		assert_int_equal(link_list(netlink, LINK_GROUP_BERTH, &links, NULL), 0);
		count = links.count;
		link_list_free(&links);
		usleep(1000);
	} while (count > most && clock_monotonic_ms() < end_ms);
	assert_int_equal(count, most);
	netlink_close(netlink);
}

static void await_links_gone(int64_t most_ms)
{
	await_links(0, most_ms);
}

struct sizes {
	size_t memory_kib, files, links, mounts, slab_kib;
};

/* Those that hold `what`. */
static size_t lines_of(const char *path, const char *what)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	size_t count = 0;

	while (fgets(line, sizeof(line), file))
		count += strstr(line, what) != NULL;
	fclose(file);
	return count;
}

static size_t field_of(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256];
	size_t value = 0;

	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoul(line + strlen(name), NULL, 10);
	fclose(file);
	return value;
}

static size_t open_files(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static struct sizes measure(void)
{
	await_links_gone(30000);
	return (struct sizes){
		.memory_kib = field_of("/proc/self/status", "VmRSS:"),
		.files = open_files(),
		.links = lines_of("/proc/thread-self/net/dev", ":"),
		.mounts = lines_of("/proc/self/mountinfo", live_directory()),
		.slab_kib = field_of("/proc/meminfo", "SUnreclaim:"),
	};
}

/* net-T43 */
static void cycles_leave_everything_as_large_as_it_was(void **state)
{
	int count = cycles();
	struct sizes before, after;

	for (int i = 0; i < WARM_UP; i++)
		cycle();
	before = measure();
	for (int i = 0; i < count; i++)
		cycle();
	after = measure();
	print_message("%d cycles: memory %zu to %zu KiB, slab of the machine %zu to %zu KiB\n",
		      count, before.memory_kib, after.memory_kib, before.slab_kib, after.slab_kib);
	assert_int_equal(after.files, before.files);
	assert_int_equal(after.links, before.links);
	assert_int_equal(after.mounts, before.mounts);
#ifndef __SANITIZE_ADDRESS__
	assert_true(after.memory_kib < before.memory_kib + 256);
#endif
	/* The machine's, which others use, too: so only where a little for each would be much. */
	if (count >= 10000)
		assert_true(after.slab_kib < before.slab_kib + 4 * (size_t)count);
}

static int64_t own_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* By their own addresses: from the host, and some from a task. Not all from there: of neighbours
 * that were asked for, the kernel's table has 1024 in five seconds, for all namespaces together. */
static void assert_all_are_reached(const struct task *tasks, int from, int to)
{
	int first = -1;

	assert_int_equal(netns_open(tasks[from].path, &first, NULL), 0);
	for (int i = from; i < to; i++) {
		char address[32];
		int netns = -1;

		snprintf(address, sizeof(address), "10.7.%d.%d", i / 200, i % 200 + 1);
		assert_int_equal(netns_open(tasks[i].path, &netns, NULL), 0);
		if (!reaches((i - from) % 10 == 1 ? first : -1, netns, address))
			fail_msg("task %d is not reached", i);
		close(netns);
	}
	close(first);
}

static void end_tasks(struct task *tasks, int from, int to)
{
	for (int i = from; i < to; i++) {
		run_here("DEL", &tasks[i], i);
		task_free(&tasks[i]);
	}
}

/*
 * net-T42: there are more than a bridge has ports for, and each has its way.
 * net-T44: what the caller spends when many are ended, not what a busy machine lets it wait.
 */
static void a_crowd_is_reached_and_many_are_ended_at_once(void **state)
{
	static struct task tasks[CROWD];
	int64_t own_ns, began_ns;

	for (int i = 0; i < CROWD; i++) {
		char id[16];

		snprintf(id, sizeof(id), "bulk-%d", i);
		tasks[i] = task_new(id);
		run_here("ADD", &tasks[i], i);
		/* There may be more tasks than descriptors. */
		close(tasks[i].netns);
		tasks[i].netns = -1;
	}
	assert_all_are_reached(tasks, 0, CROWD);
	end_tasks(tasks, BULK, CROWD);
	await_links(BULK, 30000);
	assert_all_are_reached(tasks, 0, BULK);
	own_ns = own_time_ns();
	began_ns = clock_monotonic_ns();
	end_tasks(tasks, 0, BULK);
	own_ns = own_time_ns() - own_ns;
	print_message("%d ended in %.0f ms, %.0f ms of which the caller's own\n", BULK,
		      (double)(clock_monotonic_ns() - began_ns) / 1e6, (double)own_ns / 1e6);
#ifndef __SANITIZE_ADDRESS__
	assert_true(own_ns < 1000000000);
#endif
	await_links_gone(5000);
}

/* ---- collection beside others ---- */

#define POOL                                                                                       \
	"\"cniVersion\":\"1.1.0\",\"name\":\"pool\",\"type\":\"ecs-eni\",\"driver\":\"veth\","     \
	"\"eni\":\"eni-1\",\"ipam\":{\"type\":\"ecs-ipam\",\"ipv4-subnet\":\"10.8.0.0/24\"}"

struct worker {
	struct task task;
	char *config;
	atomic_int *over;
	int rounds, failures;
};

static bool succeeds(const char *command, const struct task *task, const char *config)
{
	struct run run = run_of(command, task, config);
	bool good;

	run_execute(&run);
	good = run.status == 0;
	if (!good)
		print_message("%s of %s: %s\n", command, task->id, run.out);
	run_free(&run);
	return good;
}

static void *come_and_go(void *data)
{
	struct worker *worker = data;

	for (int i = 0; i < 25; i++) {
		worker->failures += !succeeds("ADD", &worker->task, worker->config);
		worker->failures += !succeeds("DEL", &worker->task, worker->config);
	}
	atomic_fetch_add(worker->over, 1);
	return NULL;
}

/* net-T45: what is being added or deleted meanwhile is left alone, what nobody wants goes. */
static void collection_does_not_disturb_others(void **state)
{
	atomic_int over = 0;
	struct worker workers[2] = { { .task = task_new("a"), .over = &over },
				     { .task = task_new("b"), .over = &over } };
	struct task stays = task_new("stays"), forgotten = task_new("forgotten");
	pthread_t threads[2];
	int collections = 0;
	static const char config[] = "{" POOL ",\"mac\":\"02:1f:00:00:01:03\"}";
	static const char config_forgotten[] = "{" POOL ",\"mac\":\"02:1f:00:00:01:04\"}";
	static const char collect[] =
		"{" POOL ",\"mac\":\"02:1f:00:00:01:05\",\"cni.dev/valid-attachments\":["
		"{\"containerID\":\"a\",\"ifname\":\"eth0\"},{\"containerID\":\"b\",\"ifname\":"
		"\"eth0\"},{\"containerID\":\"stays\",\"ifname\":\"eth0\"}]}";

	json_decref(run_good(run_of("ADD", &stays, config)));
	json_decref(run_good(run_of("ADD", &forgotten, config_forgotten)));
	for (int i = 0; i < 2; i++) {
		workers[i].config = xasprintf("{" POOL ",\"mac\":\"02:1f:00:00:01:0%d\"}", i + 1);
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &workers[i]), 0);
	}
	do {
		assert_true(succeeds("GC", &stays, collect));
		collections++;
	} while (atomic_load(&over) < 2);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].failures, 0);
		free(workers[i].config);
		task_free(&workers[i].task);
	}
	assert_true(collections > 1);
	assert_true(reaches(-1, stays.netns, "10.8.0.2"));
	assert_int_equal(census_of(forgotten.netns).links, 1);
	run_good(run_of("DEL", &stays, config));
	task_free(&stays);
	task_free(&forgotten);
	await_links_gone(30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cycles_leave_everything_as_large_as_it_was),
		cmocka_unit_test(a_crowd_is_reached_and_many_are_ended_at_once),
		cmocka_unit_test(collection_does_not_disturb_others),
	};
	int failed;

	live_enter("ecs-eni");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
