/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/pause.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/pause_child.h"

#define STOP_WAIT_MS 2000

int process_start_time(pid_t pid, uint64_t *ret, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/stat", (int)pid);
	_cleanup_free_ char *text = NULL;
	const char *at;

	if (file_read(AT_FDCWD, path, 4096, &text, NULL, NULL) < 0)
		return error_say(err, ESRCH, "process %d is not there", (int)pid);
	/* Field 2, the name, stands in parentheses and may hold anything. */
	at = strrchr(text, ')');
	/* Z, X: dead, and somebody has yet to reap it. */
	if (at && (str_starts_with(at, ") Z") || str_starts_with(at, ") X")))
		return error_say(err, ESRCH, "process %d is dead", (int)pid);
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at, ' ');
		if (at)
			at++;
	}
	if (!at || *at < '0' || *at > '9')
		return error_say(err, EINVAL, "%s has no start time", path);
	*ret = strtoull(at, NULL, 10);
	return 0;
}

/* ---- starting */

static int wait_for_exec(int status_fd, pid_t pid, struct error *err)
{
	struct pause_failure failure;
	ssize_t got;

	do {
		got = read(status_fd, &failure, sizeof(failure));
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		return 0; /* closed by the exec */
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	if (got == (ssize_t)sizeof(failure))
		return error_set(err, failure.code, "start the pause container: %s",
				 pause_step_name(failure.step));
	return error_say(err, EIO, "start the pause container: it ended without a word");
}

static int open_inputs(const struct pause_spec *spec, struct pause_child *child, int *ret_netns,
		       struct error *err)
{
	child->program_fd = open(spec->program, O_RDONLY | O_CLOEXEC);
	if (child->program_fd < 0)
		return error_set(err, errno, "open the pause program %s", spec->program);
	child->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (child->null_fd < 0)
		return error_set(err, errno, "open /dev/null");
	child->netns_fd = spec->netns_fd;
	if (!spec->netns_path)
		return 0;
	*ret_netns = open(spec->netns_path, O_RDONLY | O_CLOEXEC);
	if (*ret_netns < 0)
		return error_set(err, errno, "open the network namespace %s", spec->netns_path);
	child->netns_fd = *ret_netns;
	return 0;
}

static int open_cgroups(const struct pause_spec *spec, struct pause_child *child, struct error *err)
{
	int result;

	if (!spec->cgroup_host)
		return 0;
	result = cgroup_create(spec->cgroup_host, spec->cgroup_path, NULL, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < spec->cgroup_host->count; i++) {
		_cleanup_free_ char *procs =
			xasprintf("%s%s/cgroup.procs",
				  spec->cgroup_host->hierarchies[i].mount_point, spec->cgroup_path);
		int fd = open(procs, O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return error_set(err, errno, "open %s", procs);
		child->cgroup_fds[child->cgroup_count++] = fd;
	}
	return 0;
}

int pause_start_now(const struct pause_spec *spec, struct pause_process *ret, struct error *err)
{
	struct pause_child child = {
		.program_fd = -1,
		.null_fd = -1,
		.hostname = spec->hostname && *spec->hostname ? spec->hostname : "pause",
		.oom_score_adj = spec->oom_score_adj,
	};
	struct pause_process process = { .pidfd = -1 };
	_cleanup_close_ int netns_fd = -1, status_read = -1, status_write = -1;
	int pipe_fds[2];
	int result = open_inputs(spec, &child, &netns_fd, err);

	if (result == 0)
		result = open_cgroups(spec, &child, err);
	if (result == 0 && pipe2(pipe_fds, O_CLOEXEC) < 0)
		result = error_set(err, errno, "start the pause container: make a pipe");
	if (result == 0) {
		status_read = pipe_fds[0];
		status_write = pipe_fds[1];
		child.status_fd = status_write;
		process.pid = pause_clone(&child, &process.pidfd);
		if (process.pid < 0)
			result = error_set(err, -process.pid, "start the pause container: clone3");
	}
	close(TAKE_FD(status_write));
	if (result == 0)
		result = wait_for_exec(status_read, process.pid, err);
	if (result == 0)
		result = process_start_time(process.pid, &process.start_time, err);

	cleanup_close(&child.program_fd);
	cleanup_close(&child.null_fd);
	for (size_t i = 0; i < child.cgroup_count; i++)
		close(child.cgroup_fds[i]);
	if (result < 0) {
		cleanup_close(&process.pidfd);
		if (spec->cgroup_host)
			cgroup_remove(spec->cgroup_host, spec->cgroup_path, 100, NULL);
		return result;
	}
	*ret = process;
	return 0;
}

/* ---- finding again */

static bool is_pause(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/comm", (int)pid);
	_cleanup_free_ char *name = NULL;

	return file_read(AT_FDCWD, path, 64, &name, NULL, NULL) == 0 &&
	       str_eq(name, PAUSE_NAME "\n");
}

int pause_observe(const struct cgroup_host *host, const char *cgroup_path,
		  struct pause_process *ret, struct error *err)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t count;
	int result = cgroup_processes(host, cgroup_path, &pids, &count, err);

	if (result < 0)
		return result;
	for (size_t i = 0; i < count; i++) {
		struct pause_process process = { .pid = pids[i], .pidfd = -1 };
		_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pids[i], 0);

		/* The process that the pidfd holds cannot be replaced by another while we look. */
		if (pidfd < 0 || !is_pause(pids[i]) ||
		    process_start_time(pids[i], &process.start_time, NULL) < 0)
			continue;
		process.pidfd = TAKE_FD(pidfd);
		*ret = process;
		return 0;
	}
	return error_say(err, ENOENT, "no pause container lives in cgroup %s", cgroup_path);
}

/* ---- stopping */

static void reap(const struct pause_process *process)
{
	siginfo_t info;

	/* Ours when we started it; when an earlier process of ours did, init reaps it. */
	while (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG | __WALL) < 0 &&
	       errno == EINTR)
		;
}

int pause_stop_now(const struct pause_process *process, const struct cgroup_host *host,
		   const char *cgroup_path, struct error *err)
{
	struct pollfd wait = { .fd = process->pidfd, .events = POLLIN };
	int ready;

	if (syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return error_set(err, errno, "kill the pause container (process %d)",
				 (int)process->pid);
	do {
		ready = poll(&wait, 1, STOP_WAIT_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return error_say(err, ETIMEDOUT, "the pause container (process %d) does not die",
				 (int)process->pid);
	reap(process);
	return host ? cgroup_remove(host, cgroup_path, STOP_WAIT_MS, err) : 0;
}

/* ---- on the pool */

struct pause_job {
	struct pause_spec spec;
	char *program, *hostname, *netns_path, *cgroup_path;
	struct pause_process process;
	const struct cgroup_host *host;
	int result;
	struct error err;
	void (*on_started)(void *data, int result, const struct pause_process *process,
			   const struct error *err);
	void (*on_stopped)(void *data, int result, const struct error *err);
	void *data;
};

static void job_free(struct pause_job *job)
{
	free(job->program);
	free(job->hostname);
	free(job->netns_path);
	free(job->cgroup_path);
	free(job);
}

static void start_work(void *data)
{
	struct pause_job *job = data;

	job->result = pause_start_now(&job->spec, &job->process, &job->err);
}

static void start_done(void *data)
{
	struct pause_job *job = data;

	job->on_started(job->data, job->result, job->result < 0 ? NULL : &job->process, &job->err);
	job_free(job);
}

int pause_start(struct loop *loop, const struct pause_spec *spec,
		void (*on_done)(void *data, int result, const struct pause_process *process,
				const struct error *err),
		void *data, struct error *err)
{
	struct pause_job *job;

	if (!spec->program || spec->program[0] != '/')
		return error_say(err, EINVAL,
				 "the pause program must be given with an absolute path");
	job = xcalloc(1, sizeof(*job));
	job->spec = *spec;
	job->spec.program = job->program = xstrdup(spec->program);
	job->spec.hostname = job->hostname = xstrdup_null(spec->hostname);
	job->spec.netns_path = job->netns_path = xstrdup_null(spec->netns_path);
	job->spec.cgroup_path = job->cgroup_path = xstrdup_null(spec->cgroup_path);
	job->on_started = on_done;
	job->data = data;
	loop_work(loop, start_work, start_done, job);
	return 0;
}

static void stop_work(void *data)
{
	struct pause_job *job = data;

	job->result = pause_stop_now(&job->process, job->host, job->cgroup_path, &job->err);
}

static void stop_done(void *data)
{
	struct pause_job *job = data;

	close(job->process.pidfd);
	job->on_stopped(job->data, job->result, &job->err);
	job_free(job);
}

int pause_stop(struct loop *loop, const struct pause_process *process,
	       const struct cgroup_host *host, const char *cgroup_path,
	       void (*on_done)(void *data, int result, const struct error *err), void *data,
	       struct error *err)
{
	int pidfd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 3);
	struct pause_job *job;

	if (pidfd < 0)
		return error_set(err, errno, "stop the pause container");
	job = xcalloc(1, sizeof(*job));
	job->process = *process;
	job->process.pidfd = pidfd;
	job->host = host;
	job->cgroup_path = xstrdup_null(cgroup_path);
	job->on_stopped = on_done;
	job->data = data;
	loop_work(loop, stop_work, stop_done, job);
	return 0;
}

/* ---- watching */

struct pause_watch {
	struct loop_fd *fd;
	struct pause_process process;
	void (*on_death)(void *data, pid_t pid);
	void *data;
};

static void watch_ready(void *data, int events)
{
	struct pause_watch *watch = data;

	(void)events;
	loop_fd_free(TAKE(watch->fd));
	reap(&watch->process);
	watch->on_death(watch->data, watch->process.pid);
}

int pause_watch(struct loop *loop, const struct pause_process *process,
		void (*on_death)(void *data, pid_t pid), void *data, struct pause_watch **ret,
		struct error *err)
{
	struct pause_watch *watch = xcalloc(1, sizeof(*watch));
	int result;

	*watch = (struct pause_watch){ .process = *process, .on_death = on_death, .data = data };
	result = loop_fd_new(loop, process->pidfd, LOOP_READ, watch_ready, watch, &watch->fd, err);
	if (result < 0) {
		free(watch);
		return result;
	}
	*ret = watch;
	return 0;
}

void pause_unwatch(struct pause_watch *watch)
{
	if (!watch)
		return;
	if (watch->fd)
		loop_fd_free(watch->fd);
	free(watch);
}
