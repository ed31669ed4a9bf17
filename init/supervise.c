/* SPDX-License-Identifier: Apache-2.0 */
#include "init/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#define STOP_WAIT_MS 10000

const struct backoff_policy supervise_backoff = {
	.min_ms = 500, .max_ms = 15000, .multiplier = 2, .jitter = 0.1
};

enum supervise_verdict supervise_judge(int wait_status)
{
	if (!WIFEXITED(wait_status))
		return SUPERVISE_LATER;
	switch (WEXITSTATUS(wait_status)) {
	case 0:
		return SUPERVISE_DONE;
	case 5:
		return SUPERVISE_TERMINAL;
	case 42:
		return SUPERVISE_AT_ONCE;
	default:
		return SUPERVISE_LATER;
	}
}

static pid_t start(const char *program, const sigset_t *unblocked)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	/* Killed with us: a second supervisor must not find the agent of the first. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigprocmask(SIG_SETMASK, unblocked, NULL);
	execl(program, program, (char *)NULL);
	_exit(errno == ENOENT || errno == EACCES ? 5 : 1);
}

/* Waits for a signal of the set, at most until `end` (INT64_MAX: for ever). 0: the time is over. */
static int next_signal(const sigset_t *set, int64_t end)
{
	for (;;) {
		int64_t left = end == INT64_MAX ? INT64_C(3600000) : end - clock_monotonic_ms();
		struct timespec timeout;
		int signum;

		if (left < 0)
			left = 0;
		timeout = (struct timespec){ left / 1000, (left % 1000) * 1000000 };
		signum = sigtimedwait(set, NULL, &timeout);
		if (signum > 0)
			return signum;
		if (errno == EAGAIN && end != INT64_MAX)
			return 0;
	}
}

struct ended {
	int status;
	bool told; /* by SIGTERM or SIGINT */
};

static struct ended wait_for_end(pid_t pid, const sigset_t *set)
{
	struct ended ended = { 0 };
	int64_t end = INT64_MAX;

	for (;;) {
		int signum = next_signal(set, end);

		if (signum == SIGHUP) {
			kill(pid, SIGHUP);
		} else if (signum == SIGTERM || signum == SIGINT) {
			ended.told = true;
			kill(pid, SIGTERM);
			if (end == INT64_MAX)
				end = clock_monotonic_ms() + STOP_WAIT_MS;
		} else if (signum == 0) {
			log_error("the agent does not end: SIGKILL", "pid", LOG_NUM(pid));
			kill(pid, SIGKILL);
			end = INT64_MAX;
		}
		if (waitpid(pid, &ended.status, WNOHANG) == pid)
			return ended;
	}
}

/* To stop, until `end`. There is no agent: to read its settings again is what it does at its start,
 * and who has ended is known. */
static bool told_meanwhile(const sigset_t *set, int64_t end)
{
	int signum;

	do
		signum = next_signal(set, end);
	while (signum == SIGHUP || signum == SIGCHLD);
	return signum > 0;
}

static void log_end(int status)
{
	if (WIFSIGNALED(status))
		log_warn("the agent was ended by a signal", "signal", strsignal(WTERMSIG(status)));
	else
		log_info("the agent has ended", "exit_code", LOG_NUM(WEXITSTATUS(status)));
}

int supervise(const char *program)
{
	struct backoff backoff;
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP); /* the agent's */
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	backoff_reset(&backoff, &supervise_backoff);

	for (;;) {
		pid_t pid = start(program, &before);
		struct ended ended = { .status = 1 << 8 };
		int64_t wait_ms;

		if (pid < 0) {
			log_error("the agent cannot be started", "program", program, "error",
				  strerror(errno));
		} else {
			log_info("the agent is started", "program", program, "pid", LOG_NUM(pid));
			ended = wait_for_end(pid, &set);
			log_end(ended.status);
			if (ended.told)
				return 0;
		}
		switch (supervise_judge(ended.status)) {
		case SUPERVISE_DONE:
			return 0;
		case SUPERVISE_TERMINAL:
			log_critical(
				"starting the agent again cannot help: see its messages above");
			return 5;
		case SUPERVISE_AT_ONCE:
			continue;
		case SUPERVISE_LATER:
			break;
		}
		wait_ms = backoff_next_ms(&backoff, random_unit());
		log_warn("the agent is started again after a while", "wait_ms", LOG_NUM(wait_ms));
		if (told_meanwhile(&set, clock_monotonic_ms() + wait_ms))
			return 0;
	}
}
