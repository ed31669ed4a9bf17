/* SPDX-License-Identifier: Apache-2.0 */
#include "init/supervise.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static int exited(int code)
{
	return code << 8;
}

/* cfg-I12, cfg-I13 */
static void verdicts(void **state)
{
	assert_int_equal(supervise_judge(exited(0)), SUPERVISE_DONE);
	assert_int_equal(supervise_judge(exited(5)), SUPERVISE_TERMINAL);
	assert_int_equal(supervise_judge(exited(42)), SUPERVISE_AT_ONCE);
	assert_int_equal(supervise_judge(exited(1)), SUPERVISE_LATER);
	assert_int_equal(supervise_judge(SIGKILL), SUPERVISE_LATER);
}

/* A program that counts its starts in `<script>.count`, and ends with the code that its line of the
 * list gives. */
static char *script(const char *codes)
{
	static char path[] = "/tmp/berth-supervise-XXXXXX";
	FILE *file;
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	file = fdopen(fd, "w");
	fprintf(file,
		"#!/bin/sh\necho x >>%s.count\nset -- %s\nn=$(wc -l <%s.count)\nshift $((n - "
		"1))\n[ $1 = wait ] && exec sleep "
		"60\nexit $1\n",
		path, codes, path);
	fclose(file);
	chmod(path, 0755);
	return path;
}

static void forget(const char *path)
{
	char count[64];

	snprintf(count, sizeof(count), "%s.count", path);
	unlink(path);
	unlink(count);
}

static int run_in_child(const char *path, int64_t *ret_took_ms, int64_t kill_after_ms)
{
	int64_t began = clock_monotonic_ms();
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(supervise(path));
	if (kill_after_ms > 0) {
		usleep((useconds_t)kill_after_ms * 1000);
		kill(pid, SIGTERM);
	}
	waitpid(pid, &status, 0);
	*ret_took_ms = clock_monotonic_ms() - began;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* cfg-I11: one wait of half a second, then it is done. */
static void a_failed_agent_is_started_again(void **state)
{
	char *path = script("1 0");
	int64_t took;

	assert_int_equal(run_in_child(path, &took, 0), 0);
	assert_in_range(took, 500, 2000);
	forget(path);
}

/* cfg-I12, cfg-I13: 42 starts at once, 5 ends. */
static void a_terminal_agent_is_not(void **state)
{
	char *path = script("42 5");
	int64_t took;

	assert_int_equal(run_in_child(path, &took, 0), 5);
	assert_in_range(took, 0, 400);
	forget(path);
}

/* cfg-I21 */
static void to_be_told_to_stop_ends_both(void **state)
{
	char *path = script("wait");
	int64_t took;

	assert_int_equal(run_in_child(path, &took, 200), 0);
	assert_in_range(took, 0, 3000);
	forget(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(a_failed_agent_is_started_again),
		cmocka_unit_test(a_terminal_agent_is_not),
		cmocka_unit_test(to_be_told_to_stop_ends_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
