/* SPDX-License-Identifier: Apache-2.0 */
/* Several containers at once, and what they cost, with each OCI runtime of this host. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "live.h"
#include "runtime/container_record.h"

static struct live live;

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static double pss_kb(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/smaps_rollup", (int)pid);
	_cleanup_free_ char *text = NULL;
	const char *at;

	assert_int_equal(file_read(AT_FDCWD, path, 65536, &text, NULL, NULL), 0);
	at = strstr(text, "\nPss:");
	return at ? strtod(at + 5, NULL) : -1;
}

#define CROWD 15

static void crowd_created(void *data, pid_t pid, const struct error *err)
{
	struct live_container *container = data;

	if (pid <= 0)
		fail_msg("%s", err->text);
	container->pid = pid;
	container->created = true;
}

/* Created side by side, ended at one moment, while nobody reads messages (the kernel queues ten):
 * none is missed or told twice. */
static void a_crowd_of_exits_is_told_in_full(void **state)
{
	(void)state;
	static struct live_container containers[CROWD];

	for (size_t i = 0; i < CROWD; i++) {
		live_container_init(&live, &containers[i], ARGS("/bin/sleep", "1000"));
		assert_int_equal(bundle_create(containers[i].bundle, &containers[i].config, NULL),
				 0);
		const struct container_create_spec spec = {
			.id = containers[i].id,
			.bundle_dir = containers[i].bundle,
			.state_dir = containers[i].state,
		};

		assert_int_equal(
			container_create(live.runtime, &spec, crowd_created, &containers[i], NULL),
			0);
	}
	for (size_t i = 0; i < CROWD; i++)
		live_wait(live.loop, &containers[i].created);
	for (size_t i = 0; i < CROWD; i++)
		live_start(&containers[i]);
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(container_kill(live.runtime, containers[i].id, containers[i].state,
						SIGKILL, NULL),
				 0);
	for (size_t i = 0; i < CROWD; i++) {
		_cleanup_free_ char *record = xasprintf("%s/exit.json", containers[i].state);
		int64_t until = clock_monotonic_ms() + 60000;

		while (access(record, F_OK) < 0 && clock_monotonic_ms() < until)
			usleep(200);
	}
	for (size_t i = 0; i < CROWD; i++)
		live_wait_exit(&containers[i]);
	for (size_t i = 0; i < CROWD; i++) {
		assert_int_equal(containers[i].exit.exit_code, 137);
		live_delete(&containers[i]);
		assert_int_equal(containers[i].exits, 1);
	}
}

#define MANY 20

static void many_live_side_by_side(void **state)
{
	(void)state;
	static struct live_container containers[MANY];
	double create_ms[MANY], start_ms[MANY], kill_ms[MANY], told_ms[MANY], delete_ms[MANY],
		pss[MANY];

	for (size_t i = 0; i < MANY; i++) {
		int64_t begin = clock_monotonic_ns(), mid;

		live_container_init(&live, &containers[i], ARGS("/bin/sleep", "1000"));
		containers[i].config.memory_limit = 32 << 20;
		live_create(&containers[i], false);
		mid = clock_monotonic_ns();
		live_start(&containers[i]);
		start_ms[i] = (double)(clock_monotonic_ns() - mid) / 1e6;
		create_ms[i] = (double)(mid - begin) / 1e6;
		pss[i] = (double)live_state(&containers[i]).monitor;
	}
	for (size_t i = 0; i < MANY; i++)
		pss[i] = pss_kb((pid_t)pss[i]);
	for (size_t i = 0; i < MANY; i++) {
		_cleanup_free_ char *record = xasprintf("%s/exit.json", containers[i].state);
		int64_t begin = clock_monotonic_ns(), until = clock_monotonic_ms() + 60000;

		assert_int_equal(container_kill(live.runtime, containers[i].id, containers[i].state,
						SIGKILL, NULL),
				 0);
		while (access(record, F_OK) < 0 && clock_monotonic_ms() < until)
			usleep(20);
		kill_ms[i] = (double)(clock_monotonic_ns() - begin) / 1e6;
		live_wait_exit(&containers[i]);
		told_ms[i] = (double)(clock_monotonic_ns() - begin) / 1e6;
		begin = clock_monotonic_ns();
		live_delete(&containers[i]);
		delete_ms[i] = (double)(clock_monotonic_ns() - begin) / 1e6;
	}
	printf("%s: bundle+create %.1f ms, start %.2f ms, kill to record %.2f ms, kill to on_exit "
	       "%.2f ms, "
	       "delete %.1f ms, monitor PSS %.0f kB (medians of %d)\n",
	       live.runtime_path, median(create_ms, MANY), median(start_ms, MANY),
	       median(kill_ms, MANY), median(told_ms, MANY), median(delete_ms, MANY),
	       median(pss, MANY), MANY);
	assert_true(median(pss, MANY) < 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_of_exits_is_told_in_full),
		cmocka_unit_test(many_live_side_by_side),
	};

	return live_with_each_runtime(&live, tests, sizeof(tests) / sizeof(tests[0]));
}
