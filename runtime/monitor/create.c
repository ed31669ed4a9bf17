/* SPDX-License-Identifier: Apache-2.0 */
#include "create.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record.h"
#include "text.h"

int hide_unified(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	/* Slave, not private: what is unmounted on the host must go away here too, or it would live
	 * as long as we do. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	if (umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
		return -errno;
	return 0;
}

static const char log_name[] = "runtime.log";
static const char pid_name[] = "pid";

static void join(char *out, size_t size, const char *dir, const char *name)
{
	struct text_line line;

	text_line_init(&line, out, size);
	text_add(&line, dir);
	text_add(&line, "/");
	text_add(&line, name);
}

__attribute__((noreturn)) static void exec_runtime(const struct options *options, int in, int out,
						   int err)
{
	char log_path[4096], pid_path[4096];
	struct sigaction defaults = { .sa_handler = SIG_DFL };
	sigset_t none;
	const char *argv[] = { options->runtime, "--root",     options->root,
			       "--log",          log_path,     "--log-format",
			       "json",           "create",     "--bundle",
			       options->bundle,  "--pid-file", pid_path,
			       options->id,      NULL };

	join(log_path, sizeof(log_path), options->state, log_name);
	join(pid_path, sizeof(pid_path), options->state, pid_name);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	if (options->without_unified && hide_unified() < 0)
		_exit(126);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &defaults, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(options->runtime, (char **)argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* -ETIMEDOUT: it was killed. */
static int wait_runtime(pid_t runtime, int64_t timeout_ms, int *ret_status)
{
	int pidfd = (int)syscall(SYS_pidfd_open, runtime, 0);
	struct pollfd wait = { .fd = pidfd, .events = POLLIN };
	struct timespec start, now;
	int result = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		int64_t left;
		int ready;

		clock_gettime(CLOCK_MONOTONIC, &now);
		left = timeout_ms - ((now.tv_sec - start.tv_sec) * 1000 +
				     (now.tv_nsec - start.tv_nsec) / 1000000);
		ready = pidfd < 0 || left <= 0 ? 0
					       : poll(&wait, 1, left > 60000 ? 60000 : (int)left);
		if (ready > 0)
			break;
		if (ready < 0 && errno != EINTR)
			break;
		if (left <= 0 || pidfd < 0) {
			result = pidfd < 0 ? 0 : -ETIMEDOUT;
			break;
		}
	}
	if (result < 0)
		kill(runtime, SIGKILL);
	while (waitpid(runtime, ret_status, 0) < 0 && errno == EINTR)
		;
	if (pidfd >= 0)
		close(pidfd);
	return result;
}

static pid_t read_pid(int state_fd)
{
	char text[32];

	if (record_read_file(state_fd, pid_name, text, sizeof(text)) <= 0)
		return 0;
	return (pid_t)text_to_u64(text);
}

/* What the runtime said: its log, or else what it wrote to standard error, which is the container's
 * pipe. */
static void explain(int state_fd, int err, int status, char *reason, size_t size)
{
	ssize_t length = record_read_file(state_fd, log_name, reason, size);
	struct text_line line;

	if (length > 0)
		return;
	length = read(err, reason, size - 1);
	if (length > 0) {
		reason[length] = '\0';
		return;
	}
	text_line_init(&line, reason, size);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		text_add(&line, "the runtime's program was not found");
	else if (WIFSIGNALED(status)) {
		text_add(&line, "the runtime was killed by signal ");
		text_add_i64(&line, WTERMSIG(status));
	} else {
		text_add(&line, "the runtime ended without a word, exit status ");
		text_add_i64(&line, WEXITSTATUS(status));
	}
}

/* A container that was half made must not stay: its first process waits for a start that never
 * comes. */
static void kill_leftover(int state_fd)
{
	pid_t pid = read_pid(state_fd);

	if (pid > 0)
		kill(pid, SIGKILL);
	unlinkat(state_fd, pid_name, 0);
	/* We are the subreaper of all that the runtime left behind. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int create_container(const struct options *options, int state_fd, struct streams *streams,
		     pid_t *ret_pid, char *reason, size_t reason_size)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, in[2] = { -1, -1 }, status = 0, result;
	struct text_line line;
	pid_t runtime, pid;

	text_line_init(&line, reason, reason_size);
	unlinkat(state_fd, log_name, 0);
	unlinkat(state_fd, pid_name, 0);
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
	    (options->stdin_open && pipe2(in, O_CLOEXEC) < 0)) {
		text_add(&line, "pipe2 failed");
		return -errno;
	}
	if (!options->stdin_open)
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);

	runtime = fork();
	if (runtime == 0)
		exec_runtime(options, in[0], out[1], err[1]);
	result = runtime < 0 ? -errno : 0;
	close(in[0]);
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);

	if (result < 0) {
		text_add(&line, "fork failed");
	} else {
		result = wait_runtime(runtime, options->timeout_ms, &status);
		if (result < 0)
			text_add(&line, "the runtime did not end in time");
	}
	if (result == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		explain(state_fd, err[0], status, reason, reason_size);
		result = -EIO;
	}
	pid = result == 0 ? read_pid(state_fd) : 0;
	if (result == 0 && pid <= 0) {
		text_add(&line, "the runtime wrote no pid file");
		result = -EIO;
	}
	if (result < 0) {
		kill_leftover(state_fd);
		close(out[0]);
		close(err[0]);
		if (in[1] >= 0)
			close(in[1]);
		return result;
	}
	*streams = (struct streams){ .out = out[0], .err = err[0], .in = in[1] };
	*ret_pid = pid;
	return 0;
}
