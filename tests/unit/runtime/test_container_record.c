/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor writes, and what is read of it, in one test. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/container.h"
#include "runtime/container_error.h"
#include "runtime/container_record.h"
#include "runtime/monitor/record.c"
#include "runtime/monitor/text.c"

static char dir[32];
static int dir_fd;

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/berth-record-XXXXXX");
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(dir_fd);
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

/* A state whose monitor and process are this test. */
static struct record_state living(void)
{
	struct record_state state = {
		.monitor = getpid(),
		.monitor_start = record_start_time(getpid()),
		.pid = getpid(),
		.pid_start = record_start_time(getpid()),
		.created_ms = 1767323045000,
	};
	ssize_t got = record_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", state.boot_id,
				       sizeof(state.boot_id));

	assert_true(got > 30);
	state.boot_id[strcspn(state.boot_id, "\n")] = '\0';
	return state;
}

static struct container_observation observe(void)
{
	struct container_observation seen;
	struct error err = ERROR_INIT;

	if (container_observe(dir, &seen, &err) < 0)
		fail_msg("%s", err.text);
	return seen;
}

static void nothing_there_is_none(void **state)
{
	(void)state;
	struct container_observation seen;

	assert_int_equal(observe().state, CONTAINER_NONE);
	assert_int_equal(container_observe("/nonexistent/state", &seen, NULL), 0);
	assert_int_equal(seen.state, CONTAINER_NONE);
}

static void a_monitor_without_a_record_is_creating(void **state)
{
	(void)state;
	_cleanup_close_ int lock = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(observe().state, CONTAINER_CREATING);
	flock(lock, LOCK_UN);
	assert_int_equal(observe().state, CONTAINER_NONE);
}

static void creation_start_and_end_are_seen(void **state)
{
	(void)state;
	struct record_state record = living();
	const struct record_exit exit = {
		.exit_code = 137,
		.signal = 9,
		.oom_killed = true,
		.started_ms = 1767323046123,
		.finished_ms = 1767323047000,
		.log_bytes_lost = 17,
	};
	struct container_observation seen;

	assert_int_equal(record_write_state(dir_fd, &record), 0);
	seen = observe();
	assert_int_equal(seen.state, CONTAINER_CREATED);
	assert_int_equal(seen.pid, getpid());
	assert_true(seen.monitor_lives);
	assert_int_equal(seen.created_ms, 1767323045000);
	assert_int_equal(seen.started_ms, 0);

	assert_int_equal(record_write_started(dir_fd, 1767323046123), 0);
	seen = observe();
	assert_int_equal(seen.state, CONTAINER_RUNNING);
	assert_int_equal(seen.started_ms, 1767323046123);

	assert_int_equal(record_write_exit(dir_fd, &exit), 0);
	seen = observe();
	assert_int_equal(seen.state, CONTAINER_EXITED);
	assert_true(seen.exit.known);
	assert_int_equal(seen.exit.exit_code, 137);
	assert_int_equal(seen.exit.signal, 9);
	assert_true(seen.exit.oom_killed);
	assert_int_equal(seen.exit.started_ms, 1767323046123);
	assert_int_equal(seen.exit.finished_ms, 1767323047000);
	assert_int_equal(seen.exit.log_bytes_lost, 17);
	assert_int_equal(faccessat(dir_fd, "exit.json.tmp", F_OK, 0), -1);
}

/* The time of the start needs no new block: the file keeps its size and its inode. */
static void the_start_is_recorded_in_place(void **state)
{
	(void)state;
	struct record_state record = living();
	struct stat before, after;

	assert_int_equal(record_write_state(dir_fd, &record), 0);
	assert_int_equal(fstatat(dir_fd, "state.json", &before, 0), 0);
	assert_int_equal(record_write_started(dir_fd, 1767323046123), 0);
	assert_int_equal(fstatat(dir_fd, "state.json", &after, 0), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_ino, after.st_ino);
}

/* Numbers of processes are given again: who it is, is number and start time, within one boot. */
static void another_process_of_the_same_number_is_not_ours(void **state)
{
	(void)state;
	struct record_state record = living();
	struct container_observation seen;

	record.pid_start++;
	record.monitor_start++;
	record.started_ms = 1767323046000;
	assert_int_equal(record_write_state(dir_fd, &record), 0);
	seen = observe();
	assert_int_equal(seen.state, CONTAINER_LOST);
	assert_int_equal(seen.pid, 0);
	assert_false(seen.exit.known);
	assert_int_equal(seen.exit.exit_code, -1);
	assert_int_equal(seen.started_ms, 1767323046000);

	record = living();
	strcpy(record.boot_id, "00000000-0000-0000-0000-000000000000");
	assert_int_equal(record_write_state(dir_fd, &record), 0);
	assert_int_equal(observe().state, CONTAINER_LOST);
}

/* Half a record, or none of ours, is no record. */
static void an_exit_record_is_whole_or_not_there(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *error;
	} wrong[] = {
		{ "", "" },
		{ "{\"exit_code\":7", "" },
		{ "[]", "must be an object" },
		{ "{}", "exit_code" },
		{ "{\"exit_code\":256,\"signal\":0,\"oom_killed\":false,\"started_ms\":0,"
		  "\"finished_ms\":0}",
		  "exit_code" },
		{ "{\"exit_code\":\"0\",\"signal\":0,\"oom_killed\":false,\"started_ms\":0,"
		  "\"finished_ms\":0}",
		  "exit_code" },
		{ "{\"exit_code\":0,\"signal\":0,\"oom_killed\":1,\"started_ms\":0,\"finished_ms\":"
		  "0}",
		  "oom_killed" },
		{ "{\"exit_code\":0,\"signal\":0,\"oom_killed\":false,\"started_ms\":0}",
		  "finished_ms" },
	};
	struct container_exit exit;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(
			container_exit_parse(wrong[i].text, strlen(wrong[i].text), &exit, &err),
			-EINVAL);
		if (!strstr(err.text, wrong[i].error))
			fail_msg("\"%s\" does not speak of \"%s\"", err.text, wrong[i].error);
	}
}

/* A full disk: an error, no half file, and what was there stays. */
static void a_record_that_cannot_be_written_leaves_no_trace(void **state)
{
	(void)state;
	const struct record_exit exit = { .exit_code = 3 };
	struct rlimit old, limit;
	struct container_observation seen;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_true(record_write_exit(dir_fd, &exit) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(faccessat(dir_fd, "exit.json", F_OK, 0), -1);
	assert_int_equal(faccessat(dir_fd, "exit.json.tmp", F_OK, 0), -1);
	assert_int_equal(record_write_exit(dir_fd, &exit), 0);
	seen = observe();
	assert_int_equal(seen.exit.exit_code, 3);
}

/* ---- the OCI runtime's words */

static void a_runtimes_log_becomes_a_sentence(void **state)
{
	(void)state;
	static const struct {
		const char *log;
		int code;
		const char *text;
	} cases[] = {
		/* runc 1.1.5 */
		{ "{\"level\":\"warning\",\"msg\":\"careful\",\"time\":\"t\"}\n"
		  "{\"level\":\"error\",\"msg\":\"runc create failed: unable to start container "
		  "process: exec: "
		  "\\\"nope\\\": executable file not found in $PATH\",\"time\":\"t\"}\n",
		  ENOENT, "exec: \"nope\": executable file not found in $PATH" },
		{ "{\"level\":\"error\",\"msg\":\"runc create failed: unable to start container "
		  "process: exec: "
		  "\\\"/x\\\": stat /x: no such file or directory\"}",
		  ENOENT, "the command does not exist in the image" },
		{ "{\"level\":\"error\",\"msg\":\"runc create failed: unable to start container "
		  "process: exec: "
		  "\\\"/etc/passwd\\\": permission denied\"}",
		  EACCES, "the command cannot be executed" },
		/* crun 1.8.1 */
		{ "{\"msg\":\"executable file `nope` not found in $PATH: No such file or "
		  "directory\",\"level\":\"error\",\"time\":\"t\"}",
		  ENOENT, "`nope`" },
		{ "{\"msg\":\"open executable: Permission denied\",\"level\":\"error\"}", EACCES,
		  "open executable" },
		/* others */
		{ "{\"level\":\"error\",\"msg\":\"write /x: no space left on device\"}", ENOSPC,
		  "no space left" },
		{ "{\"level\":\"error\",\"msg\":\"container with given ID already exists\"}",
		  EEXIST, "given ID" },
		{ "{\"level\":\"error\",\"msg\":\"rootfs mount /a: no such file or directory\"}",
		  EIO, "rootfs" },
		{ "plain words\n", EIO, "plain words" },
		{ "{\"level\":\"warning\",\"msg\":\"only a warning\"}\n", EIO,
		  "it gave no reason" },
		{ "", EIO, "it gave no reason" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(container_error_from_log("create", cases[i].log, &err),
				 -cases[i].code);
		assert_non_null(strstr(err.text, "OCI runtime create failed: "));
		if (!strstr(err.text, cases[i].text))
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_there_is_none),
		TEST(a_monitor_without_a_record_is_creating),
		TEST(creation_start_and_end_are_seen),
		TEST(the_start_is_recorded_in_place),
		TEST(another_process_of_the_same_number_is_not_ours),
		TEST(an_exit_record_is_whole_or_not_there),
		TEST(a_record_that_cannot_be_written_leaves_no_trace),
		TEST(a_runtimes_log_becomes_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
