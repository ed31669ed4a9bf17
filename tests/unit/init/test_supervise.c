/* SPDX-License-Identifier: Apache-2.0 */
#include "init/supervise.h"

#include <fcntl.h>
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

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"

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

/* A program that notes the time of each of its starts in `<script>.starts`, and ends with the code
 * that stands at the number of the start; for "wait", when it is told to, of which it makes a note
 * too. */
static char *script(const char *codes)
{
	static char path[] = "/tmp/berth-supervise-XXXXXX";
	FILE *file;
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	file = fdopen(fd, "w");
	fprintf(file,
		"#!/bin/sh\n"
		"read -r now rest </proc/uptime\n"
		"set -- %s\n"
		"[ -e %s.starts ] && shift $(wc -l <%s.starts)\n"
		"[ \"$1\" = wait ] && trap 'echo told >>%s.starts; exit 1' TERM\n"
		"[ \"$1\" = wait ] && trap 'echo reload >>%s.starts' HUP\n"
		"echo $now >>%s.starts\n"
		"while [ \"$1\" = wait ]; do sleep 0.05; done\n"
		"exit $1\n",
		codes, path, path, path, path, path);
	fclose(file);
	chmod(path, 0755);
	return path;
}

static char *notes(const char *path)
{
	_cleanup_free_ char *name = xasprintf("%s.starts", path);
	char *text = NULL;

	return file_read(AT_FDCWD, name, 4096, &text, NULL, NULL) < 0 ? xstrdup("") : text;
}

#define MAX_STARTS 16

/* How many there were, and the seconds between them. */
static size_t count_starts(const char *path, double gaps[MAX_STARTS])
{
	_cleanup_free_ char *text = notes(path);
	double before = 0;
	size_t count = 0;

	for (char *at = text; *at; count++) {
		double now = strtod(at, &at);

		assert_int_equal(*at++, '\n');
		assert_true(count < MAX_STARTS);
		if (count > 0)
			gaps[count - 1] = now - before;
		before = now;
	}
	return count;
}

static void forget(const char *path)
{
	_cleanup_free_ char *name = xasprintf("%s.starts", path);

	unlink(path);
	unlink(name);
}

static pid_t supervise_in_child(const char *path)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(supervise(path));
	return pid;
}

static int exit_code_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* cfg-I11: a wait of half a second, then one of a second; then it is done. /proc/uptime is in
 * hundredths. */
static void a_failed_agent_is_started_again(void **state)
{
	char *path = script("1 1 0");
	double gaps[MAX_STARTS];

	assert_int_equal(exit_code_of(supervise_in_child(path)), 0);
	assert_int_equal(count_starts(path, gaps), 3);
	assert_true(gaps[0] >= 0.48 && gaps[1] >= 0.98);
	/* The longest wait is 15 s. */
	assert_true(gaps[0] < 10 && gaps[1] < 10);
	forget(path);
}

/* cfg-I12, cfg-I13: 42 starts at once, 5 ends. The shortest of several, for a busy machine: after a
 * wait of any length none is below half a second. */
static void a_terminal_agent_is_not(void **state)
{
	char *path = script("42 42 42 42 42 42 5 0");
	double gaps[MAX_STARTS], shortest = 100;

	assert_int_equal(exit_code_of(supervise_in_child(path)), 5);
	assert_int_equal(count_starts(path, gaps), 7);
	for (size_t i = 0; i < 6; i++)
		shortest = gaps[i] < shortest ? gaps[i] : shortest;
	assert_true(shortest < 0.48);
	forget(path);
}

/* cfg-I21: the agent is told, and its end is that of both. */
static void to_be_told_to_stop_ends_both(void **state)
{
	char *path = script("wait 7");
	pid_t pid = supervise_in_child(path);
	_cleanup_free_ char *text = notes(path);

	while (!strchr(text, '\n')) {
		usleep(1000);
		free(text);
		text = notes(path);
	}
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 0);
	free(text);
	text = notes(path);
	assert_string_equal(strchr(text, '\n'), "\ntold\n");
	forget(path);
}

static void wait_for_lines(const char *path, size_t count)
{
	for (size_t lines = 0; lines < count; usleep(1000)) {
		_cleanup_free_ char *text = notes(path);

		lines = 0;
		for (const char *at = text; *at; at++)
			lines += *at == '\n';
	}
}

static void to_be_told_to_reload_is_for_the_agent(void **state)
{
	char *path = script("wait 7");
	pid_t pid = supervise_in_child(path);
	_cleanup_free_ char *text = NULL;

	wait_for_lines(path, 1);
	kill(pid, SIGHUP);
	wait_for_lines(path, 2);
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 0);
	text = notes(path);
	assert_string_equal(strchr(text, '\n'), "\nreload\ntold\n");
	forget(path);
}

/* One that came while there was no agent is not for the next one. */
static void to_be_told_to_reload_between_two_agents_is_for_none(void **state)
{
	char *path = script("1 wait 7");
	pid_t pid = supervise_in_child(path);
	_cleanup_free_ char *text = NULL;

	wait_for_lines(path, 1);
	usleep(200000); /* of a wait of half a second */
	kill(pid, SIGHUP);
	wait_for_lines(path, 2);
	usleep(50000);
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 0);
	text = notes(path);
	assert_null(strstr(text, "reload"));
	assert_non_null(strstr(text, "told"));
	forget(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(a_failed_agent_is_started_again),
		cmocka_unit_test(a_terminal_agent_is_not),
		cmocka_unit_test(to_be_told_to_stop_ends_both),
		cmocka_unit_test(to_be_told_to_reload_is_for_the_agent),
		cmocka_unit_test(to_be_told_to_reload_between_two_agents_is_for_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
