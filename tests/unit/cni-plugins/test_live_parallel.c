/* SPDX-License-Identifier: Apache-2.0 */
/* Many tasks at once and one after another: unique addresses, and nothing left. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "live.h"
#include "netns/link.h"
#include "netns/namespace.h"

enum { WORKERS = 4, EACH = 25 };

struct worker {
	int number;
	bool together; /* all stay until all are there */
	pthread_barrier_t *barrier;
	char addresses[EACH][32];
	int failures;
};

static char *config_of(int worker, int n)
{
	return xasprintf(
		"{\"cniVersion\":\"1.0.0\",\"name\":\"pool\",\"type\":\"ecs-eni\",\"driver\":"
		"\"veth\",\"eni\":\"eni-%d-%d\",\"mac\":\"02:1f:00:00:%02x:%02x\",\"ipam\":"
		"{\"type\":\"ecs-ipam\",\"ipv4-subnet\":\"10.7.0.0/24\"},"
		"\"loopback-addresses\":[\"169.254.170.2/32\"]}",
		worker, n, worker, n);
}

static void execute(struct worker *worker, const char *command, const struct task *task, int n)
{
	char *config = config_of(worker->number, n);
	struct run run = run_of(command, task, config);

	run_execute(&run);
	if (run.status != 0) {
		print_message("%s of %s: %s\n", command, task->id, run.out);
		worker->failures++;
	} else if (strcmp(command, "ADD") == 0) {
		snprintf(worker->addresses[n], sizeof(worker->addresses[n]), "%s",
			 text_at(run.answer, "ips.0.address"));
	}
	run_free(&run);
	free(config);
}

static void *work(void *data)
{
	struct worker *worker = data;
	struct task tasks[EACH];

	for (int n = 0; n < EACH; n++) {
		char id[32];

		snprintf(id, sizeof(id), "w%d-%d", worker->number, n);
		tasks[n] = task_new(id);
		execute(worker, "ADD", &tasks[n], n);
		if (!worker->together) {
			execute(worker, "DEL", &tasks[n], n);
			task_free(&tasks[n]);
		}
	}
	pthread_barrier_wait(worker->barrier);
	for (int n = 0; worker->together && n < EACH; n++) {
		execute(worker, "DEL", &tasks[n], n);
		task_free(&tasks[n]);
	}
	return NULL;
}

static void run_workers(struct worker workers[WORKERS], bool together)
{
	pthread_t threads[WORKERS];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, WORKERS);
	for (int i = 0; i < WORKERS; i++) {
		workers[i] =
			(struct worker){ .number = i, .together = together, .barrier = &barrier };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].failures, 0);
	}
	pthread_barrier_destroy(&barrier);
}

static size_t files_in(const char *name)
{
	char *path = xasprintf("%s/%s", live_directory(), name);
	DIR *directory = opendir(path);
	const struct dirent *entry;
	size_t count = 0;

	while (directory && (entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	free(path);
	return count;
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

/* Conformance C16 */
static void a_hundred_at_once_have_addresses_of_their_own(void **state)
{
	static struct worker workers[WORKERS];
	struct census before = census_of(-1), after;

	run_workers(workers, true);
	for (int a = 0; a < WORKERS * EACH; a++)
		for (int b = a + 1; b < WORKERS * EACH; b++)
			assert_string_not_equal(workers[a / EACH].addresses[a % EACH],
						workers[b / EACH].addresses[b % EACH]);
	after = census_of(-1);
	census_assert_equal(&before, &after);
	assert_int_equal(files_in("ipam/pool/leases"), 0);
	assert_int_equal(files_in("ipam/pool/owners"), 0);
}

static void a_hundred_rounds_leave_nothing(void **state)
{
	static struct worker workers[WORKERS];
	struct census before = census_of(-1), after;
	size_t files = open_files();
	struct netlink *netlink = NULL;
	struct link_list links = { 0 };

	run_workers(workers, false);
	after = census_of(-1);
	census_assert_equal(&before, &after);
	assert_int_equal(open_files(), files);
	assert_int_equal(files_in("ipam/pool/leases"), 0);
	assert_int_equal(files_in("ipam/pool/owners"), 0);
	assert_int_equal(netlink_open(&netlink, NULL), 0);
	assert_int_equal(link_list(netlink, LINK_GROUP_BERTH, &links, NULL), 0);
	assert_int_equal(links.count, 0);
	link_list_free(&links);
	netlink_close(netlink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_at_once_have_addresses_of_their_own),
		cmocka_unit_test(a_hundred_rounds_leave_nothing),
	};
	int failed;

	live_enter("ecs-eni");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_leave();
	return failed;
}
