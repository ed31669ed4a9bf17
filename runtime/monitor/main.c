/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-monitor: the parent of one container's first process. It outlives the agent, and is as
 *small as can be.
 *
 *	berth-monitor create --runtime P ...	creates a container; prints "created <pid>" or
 *"failed <errno>\n<reason>" and ends, leaving the monitor behind berth-monitor without-unified P
 *...	runs a program where /sys/fs/cgroup/unified is not mounted
 *
 * While a monitor lives it holds a lock on <state>/lock. A second `create` for the same state
 *directory (the agent was killed within the first) waits for the first one's result and prints
 *that.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "create.h"
#include "monitor.h"
#include "options.h"
#include "record.h"
#include "text.h"

enum {
	EXIT_USAGE = 2,
};

static void say(int fd, const char *text)
{
	size_t length = strlen(text);

	while (length) {
		ssize_t wrote = write(fd, text, length);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return;
		text += wrote;
		length -= (size_t)wrote;
	}
}

static void say_created(pid_t pid)
{
	char text[64];
	struct text_line line;

	text_line_init(&line, text, sizeof(text));
	text_add(&line, "created ");
	text_add_i64(&line, pid);
	text_add(&line, "\n");
	say(1, text);
}

static void say_failed(int code, const char *reason)
{
	char text[64];
	struct text_line line;

	text_line_init(&line, text, sizeof(text));
	text_add(&line, "failed ");
	text_add_i64(&line, code);
	text_add(&line, "\n");
	say(1, text);
	say(1, reason);
}

/* The process that an earlier monitor created, or 0. */
static pid_t created_before(int state_fd)
{
	char text[512];
	const char *pid;

	if (record_read_file(state_fd, "state.json", text, sizeof(text)) <= 0)
		return 0;
	pid = strstr(text, "\"pid\":");
	return pid ? (pid_t)text_to_u64(pid + strlen("\"pid\":")) : 0;
}

static void sleep_ms(long ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Another monitor has the lock: its result is ours. Returns an exit status, or -1: it is gone, and
 * the lock is ours. */
static int wait_for_other(int lock, int state_fd, int64_t timeout_ms)
{
	for (int64_t waited = 0; waited < timeout_ms; waited += 5) {
		pid_t pid = created_before(state_fd);

		if (pid > 0) {
			say_created(pid);
			return 0;
		}
		sleep_ms(5);
		if (flock(lock, LOCK_EX | LOCK_NB) == 0)
			return -1;
	}
	say_failed(ETIMEDOUT, "an earlier create of the same container does not come to an end");
	return 1;
}

static int null_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close(null);
	return 0;
}

__attribute__((noreturn)) static void become_monitor(struct monitor *monitor, int report)
{
	static char reason[8192];
	char status = 1;
	int result;

	setsid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (chdir("/") < 0)
		_exit(1);

	result = monitor_create(monitor, reason, sizeof(reason));
	if (result < 0) {
		say_failed(-result, reason);
	} else {
		say_created(monitor->pid);
		status = 0;
	}
	/* Whoever started us reads until all have closed; so must the container not hold it. */
	null_streams();
	if (write(report, &status, 1) < 0 && status)
		_exit(1);
	close(report);
	if (status)
		_exit(1);
	monitor_run(monitor);
	_exit(0);
}

static int create(char **argv)
{
	static struct monitor monitor;
	const char *wrong = options_parse(argv, &monitor.options);
	int report[2], lock;
	char status = 1;
	pid_t child;

	if (wrong) {
		say(2, "berth-monitor: wrong or missing argument: ");
		say(2, wrong);
		say(2, "\n");
		return EXIT_USAGE;
	}
	monitor.state_fd = open(monitor.options.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lock = monitor.state_fd < 0
		       ? -1
		       : openat(monitor.state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0) {
		say_failed(errno, "the state directory cannot be used");
		return 1;
	}
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		int result = wait_for_other(lock, monitor.state_fd, monitor.options.timeout_ms);

		if (result >= 0)
			return result;
	}
	unlinkat(monitor.state_fd, "state.json", 0);
	unlinkat(monitor.state_fd, "exit.json", 0);

	if (pipe2(report, O_CLOEXEC) < 0) {
		say_failed(errno, "pipe2 failed");
		return 1;
	}
	child = fork();
	if (child < 0) {
		say_failed(errno, "fork failed");
		return 1;
	}
	if (child == 0) {
		close(report[0]);
		become_monitor(&monitor, report[1]);
	}
	close(report[1]);
	while (read(report[0], &status, 1) < 0 && errno == EINTR)
		;
	return status;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "create") == 0)
		return create(argv + 2);
	if (argc > 2 && strcmp(argv[1], "without-unified") == 0) {
		int result = hide_unified();

		if (result < 0) {
			say(2, "berth-monitor: cannot hide /sys/fs/cgroup/unified: ");
			say(2, strerror(-result));
			say(2, "\n");
			return 1;
		}
		execv(argv[2], argv + 2);
		say(2, "berth-monitor: cannot execute ");
		say(2, argv[2]);
		say(2, "\n");
		return 127;
	}
	say(2, "usage: berth-monitor create --runtime PATH --root DIR --bundle DIR --id ID --state "
	       "DIR\n"
	       "           --notify SOCKET --timeout MS [--log FILE] [--log-max-bytes N]\n"
	       "           [--log-max-files N] [--oom-events FILE] [--stdin-open] "
	       "[--without-unified]\n"
	       "       berth-monitor without-unified PROGRAM [ARGUMENT...]\n");
	return EXIT_USAGE;
}
