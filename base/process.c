/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children are started with posix_spawn (which does not copy our page tables) and their end is seen
 * by a pidfd on the loop: no SIGCHLD handler, no pid that could be another's.
 */
#include "base/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"

#define DEFAULT_OUTPUT_LIMIT (64 * 1024UL)
#define MAX_LINE             4096
#define LINGER_MS            100

/* One of the child's stdout and stderr. */
struct stream {
	struct process *process;
	bool is_stderr;
	int fd; /* our end; -1: closed or not captured */
	struct loop_fd *watch;
	struct strbuf kept;
	struct strbuf line;
	bool cut;
};

struct process {
	struct loop *loop;
	pid_t pid;
	bool reaped;
	bool cancelled;
	bool new_session;
	bool finishing;
	int wait_status;
	bool timed_out;
	size_t output_limit;
	int64_t started_ms;
	int pidfd;
	struct loop_fd *end_watch;
	struct loop_timer *deadline;
	struct loop_timer *linger;
	struct loop_last last;
	struct stream streams[2];
	int stdin_fd;
	struct loop_fd *stdin_watch;
	char *stdin_data;
	size_t stdin_size;
	size_t stdin_sent;
	void (*on_line)(void *data, bool is_stderr, const char *line);
	void (*callback)(void *data, const struct process_result *result);
	void *data;
};

static void finish_when_done(struct process *process);

static void close_stdin(struct process *process)
{
	loop_fd_free(process->stdin_watch);
	process->stdin_watch = NULL;
	if (process->stdin_fd >= 0)
		close(process->stdin_fd);
	process->stdin_fd = -1;
}

static void on_stdin(void *data, int events)
{
	struct process *process = data;
	/* SIGPIPE is ignored, see loop_new() */
	ssize_t sent = write(process->stdin_fd, process->stdin_data + process->stdin_sent,
			     process->stdin_size - process->stdin_sent);

	(void)events;
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (sent > 0)
		process->stdin_sent += (size_t)sent;
	/* a child that does not read its input is no failure: its exit status says what it thinks
	 */
	if (sent < 0 || process->stdin_sent == process->stdin_size)
		close_stdin(process);
}

static void close_stream(struct stream *stream)
{
	loop_fd_free(stream->watch);
	stream->watch = NULL;
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

static void give_line(struct stream *stream)
{
	struct process *process = stream->process;

	process->on_line(process->data, stream->is_stderr, strbuf_text(&stream->line));
	strbuf_reset(&stream->line);
}

/* Lines as they come; \r ends one too (progress bars). */
static void take_lines(struct stream *stream, const char *text, size_t size)
{
	for (size_t i = 0; i < size && !stream->process->cancelled; i++) {
		if (text[i] == '\n' || text[i] == '\r') {
			if (stream->line.length > 0)
				give_line(stream);
		} else if (stream->line.length < MAX_LINE && text[i] != '\0') {
			strbuf_append_char(&stream->line, text[i]);
		}
	}
}

static void take_output(struct stream *stream, const char *text, size_t size)
{
	size_t room = stream->process->output_limit - stream->kept.length;

	if (size > room)
		stream->cut = true;
	strbuf_append_n(&stream->kept, text, size < room ? size : room);
	if (stream->process->on_line)
		take_lines(stream, text, size);
}

/* Reads what is there; closes at its end. */
static void drain(struct stream *stream)
{
	char buffer[16 * 1024];

	while (stream->fd >= 0) {
		ssize_t got = read(stream->fd, buffer, sizeof(buffer));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			close_stream(stream);
			return;
		}
		take_output(stream, buffer, (size_t)got);
		if ((size_t)got < sizeof(buffer))
			return; /* the rest, and its end, at the next event */
	}
}

static void on_stream(void *data, int events)
{
	struct stream *stream = data;
	struct process *process = stream->process;

	(void)events;
	drain(stream);
	finish_when_done(process);
}

static void release(struct process *process)
{
	loop_last_remove(&process->last);
	close_stdin(process);
	for (int i = 0; i < 2; i++) {
		close_stream(&process->streams[i]);
		strbuf_free(&process->streams[i].kept);
		strbuf_free(&process->streams[i].line);
	}
	loop_fd_free(process->end_watch);
	if (process->pidfd >= 0)
		close(process->pidfd);
	loop_timer_free(process->deadline);
	loop_timer_free(process->linger);
	free(process->stdin_data);
	free(process);
}

static void finish(struct process *process)
{
	struct stream *out = &process->streams[0], *errors = &process->streams[1];
	struct process_result result = {
		.exit_code =
			WIFEXITED(process->wait_status) ? WEXITSTATUS(process->wait_status) : -1,
		.signal = WIFSIGNALED(process->wait_status) ? WTERMSIG(process->wait_status) : 0,
		.timed_out = process->timed_out,
		.duration_ms = clock_monotonic_ms() - process->started_ms,
	};

	process->finishing = true;
	for (int i = 0; i < 2; i++)
		if (process->on_line && process->streams[i].line.length > 0 && !process->cancelled)
			give_line(&process->streams[i]);
	result.out = strbuf_text(&out->kept);
	result.out_size = out->kept.length;
	result.out_cut = out->cut;
	result.errors = strbuf_text(&errors->kept);
	result.errors_size = errors->kept.length;
	result.errors_cut = errors->cut;
	if (!process->cancelled)
		process->callback(process->data, &result);
	release(process);
}

static void finish_when_done(struct process *process)
{
	if (!process->reaped || process->finishing)
		return;
	if (process->cancelled || (process->streams[0].fd < 0 && process->streams[1].fd < 0))
		finish(process);
}

static void on_linger(void *data)
{
	struct process *process = data;

	/* someone who inherited the output still has it open: what was written so far is what
	 * counts */
	for (int i = 0; i < 2; i++) {
		drain(&process->streams[i]);
		close_stream(&process->streams[i]);
	}
	finish_when_done(process);
}

static void on_end(void *data, int events)
{
	struct process *process = data;
	pid_t pid;

	(void)events;
	do
		pid = waitpid(process->pid, &process->wait_status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return;
	if (pid < 0)
		process->wait_status =
			0xFF00; /* reaped by another: that must not be; exit status 255 */
	process->reaped = true;
	loop_fd_free(process->end_watch);
	process->end_watch = NULL;
	loop_timer_stop(process->deadline);
	close_stdin(process);
	for (int i = 0; i < 2; i++)
		drain(&process->streams[i]);
	if (process->streams[0].fd >= 0 || process->streams[1].fd >= 0)
		loop_timer_start(process->linger, LINGER_MS);
	finish_when_done(process);
}

static void kill_group(struct process *process)
{
	/* not reaped: the pid, which is also the group's number, cannot have become another's */
	if (!process->reaped)
		kill(-process->pid, SIGKILL);
}

/* The loop ends before the child. */
static void on_last(void *data)
{
	struct process *process = data;

	/* one with a session of its own is meant to outlive us, unless it was cancelled */
	if (!process->new_session || process->cancelled) {
		kill_group(process);
		if (!process->reaped)
			waitpid(process->pid, NULL, 0);
	}
	release(process);
}

static void on_deadline(void *data)
{
	struct process *process = data;

	process->timed_out = true;
	kill_group(process);
}

/* Both ends close-on-exec; ours is non-blocking, the child's blocks as programs expect. */
static int make_pipe(bool to_child, int *ret_ours, int *ret_theirs)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*ret_ours = ends[to_child];
	*ret_theirs = ends[!to_child];
	fcntl(*ret_ours, F_SETFL, O_NONBLOCK);
	return 0;
}

/* What the child is given: descriptors of ours, by the number that each has in the child. */
struct handout {
	int stdio[3];
	const struct process_fd *fds;
	size_t fd_count;
};

static bool is_target(const struct handout *handout, int fd)
{
	for (size_t i = 0; i < handout->fd_count; i++)
		if (handout->fds[i].to == fd)
			return true;
	return false;
}

/*
 * The dup2s of the child run one after another: a source that an earlier one overwrites would be
 * lost. So sources are first copied above every target.
 */
static int add_fds(posix_spawn_file_actions_t *actions, const struct handout *handout, int *copies,
		   struct error *err)
{
	int floor = 3;

	for (size_t i = 0; i < handout->fd_count; i++)
		if (handout->fds[i].to >= floor)
			floor = handout->fds[i].to + 1;
	for (size_t i = 0; i < 3 + handout->fd_count; i++) {
		int from = i < 3 ? handout->stdio[i] : handout->fds[i - 3].from;
		int to = i < 3 ? (int)i : handout->fds[i - 3].to;

		copies[i] = fcntl(from, F_DUPFD_CLOEXEC, floor);
		if (copies[i] < 0)
			return error_set(err, errno, "copy descriptor %d", from);
		posix_spawn_file_actions_adddup2(actions, copies[i], to);
	}
	/* what we ourselves inherited may lack O_CLOEXEC */
	for (int fd = 3; fd < floor; fd++)
		if (!is_target(handout, fd))
			posix_spawn_file_actions_addclose(actions, fd);
	posix_spawn_file_actions_addclosefrom_np(actions, floor);
	return 0;
}

static int spawn(const struct process_spec *spec, const struct handout *handout, pid_t *ret_pid,
		 struct error *err)
{
	static const char *const no_env[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int *copies = xcalloc(3 + handout->fd_count, sizeof(*copies));
	int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int result;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	flags |= spec->new_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
	posix_spawnattr_setflags(&attributes, (short)flags);
	posix_spawn_file_actions_init(&actions);
	if (spec->cwd)
		posix_spawn_file_actions_addchdir_np(&actions, spec->cwd);
	result = add_fds(&actions, handout, copies, err);
	if (result == 0) {
		result = -posix_spawnp(ret_pid, spec->argv[0], &actions, &attributes,
				       (char *const *)(uintptr_t)spec->argv,
				       (char *const *)(uintptr_t)(spec->env ? spec->env : no_env));
		if (result < 0)
			error_set(err, -result, "execute %s", spec->argv[0]);
	}
	for (size_t i = 0; i < 3 + handout->fd_count; i++)
		if (copies[i] > 0)
			close(copies[i]);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(copies);
	return result;
}

/* Opens what the child's 0, 1 and 2 become; theirs[] must be closed by the caller in any case. */
static int open_stdio(struct process *process, const struct process_spec *spec, int theirs[3],
		      struct error *err)
{
	int result = 0;

	if (spec->stdin_data)
		result = make_pipe(true, &process->stdin_fd, &theirs[0]);
	else if ((theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		result = -errno;
	for (int i = 0; i < 2 && result == 0; i++) {
		if (i == 1 && spec->share_stderr)
			theirs[2] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
		else if (spec->discard_output)
			theirs[1 + i] = open("/dev/null", O_WRONLY | O_CLOEXEC);
		else
			result = make_pipe(false, &process->streams[i].fd, &theirs[1 + i]);
		if (result == 0 && theirs[1 + i] < 0)
			result = -errno;
	}
	if (result < 0)
		return error_set(err, -result, "open the input and output of %s", spec->argv[0]);
	return 0;
}

static int watch(struct process *process, struct error *err)
{
	int result = 0;

	for (int i = 0; i < 2 && result == 0; i++)
		if (process->streams[i].fd >= 0)
			result = loop_fd_new(process->loop, process->streams[i].fd, LOOP_READ,
					     on_stream, &process->streams[i],
					     &process->streams[i].watch, err);
	if (result == 0 && process->stdin_fd >= 0)
		result = loop_fd_new(process->loop, process->stdin_fd, LOOP_WRITE, on_stdin,
				     process, &process->stdin_watch, err);
	if (result < 0)
		return result;
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0)
		return error_set(err, errno, "watch process %d", (int)process->pid);
	/* libuv sets O_NONBLOCK on it, which is PIDFD_NONBLOCK: harmless */
	return loop_fd_new(process->loop, process->pidfd, LOOP_READ, on_end, process,
			   &process->end_watch, err);
}

int process_run(struct loop *loop, const struct process_spec *spec,
		void (*callback)(void *data, const struct process_result *result), void *data,
		struct process **ret, struct error *err)
{
	struct process *process = xcalloc(1, sizeof(*process));
	int theirs[3] = { -1, -1, -1 };
	int result;

	assert(spec->argv && spec->argv[0]);
	process->loop = loop;
	process->callback = callback;
	process->data = data;
	process->on_line = spec->on_line;
	process->new_session = spec->new_session;
	process->output_limit = spec->output_limit ? spec->output_limit : DEFAULT_OUTPUT_LIMIT;
	process->started_ms = clock_monotonic_ms();
	process->pidfd = process->stdin_fd = -1;
	for (int i = 0; i < 2; i++)
		process->streams[i] =
			(struct stream){ .process = process, .is_stderr = i == 1, .fd = -1 };
	process->deadline = loop_timer_new(loop, on_deadline, process);
	process->linger = loop_timer_new(loop, on_linger, process);

	result = open_stdio(process, spec, theirs, err);
	if (result == 0) {
		struct handout handout = {
			.stdio = { theirs[0], theirs[1], theirs[2] },
			.fds = spec->fds,
			.fd_count = spec->fd_count,
		};

		result = spawn(spec, &handout, &process->pid, err);
	}
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	if (result < 0) {
		release(process);
		return result;
	}

	if (process->stdin_fd >= 0) {
		process->stdin_data = xmemdup(spec->stdin_data, spec->stdin_size);
		process->stdin_size = spec->stdin_size;
		if (spec->stdin_size == 0)
			close_stdin(process);
	}
	result = watch(process, err);
	if (result < 0) {
		kill(-process->pid, SIGKILL);
		waitpid(process->pid, NULL, 0);
		release(process);
		return result;
	}
	loop_last_add(loop, &process->last, on_last, process);
	if (spec->timeout_ms > 0)
		loop_timer_start(process->deadline, spec->timeout_ms);
	if (ret)
		*ret = process;
	return 0;
}

pid_t process_pid(const struct process *process)
{
	return process->pid;
}

void process_signal(struct process *process, int signum)
{
	if (!process->reaped)
		kill(process->pid, signum);
}

void process_cancel(struct process *process)
{
	process->cancelled = true;
	kill_group(process);
	for (int i = 0; i < 2; i++)
		close_stream(&process->streams[i]);
	close_stdin(process);
	/* within on_line: the reader, or the finisher, goes on and then releases */
	if (process->reaped)
		loop_timer_start(process->linger, 0);
}

/* The last line that says something, without its end. */
static void last_line(const char *text, char *out, size_t size)
{
	const char *end = text + strlen(text);
	const char *start;

	while (end > text && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	start = end;
	while (start > text && start[-1] != '\n')
		start--;
	if ((size_t)(end - start) >= size)
		end = start + size - 1;
	memcpy(out, start, (size_t)(end - start));
	out[end - start] = '\0';
}

int process_result_check(const struct process_result *result, const char *what, struct error *err)
{
	char line[512];

	if (result->exit_code == 0)
		return 0;
	last_line(result->errors_size > 0 ? result->errors : result->out, line, sizeof(line));
	if (result->timed_out)
		return error_say(err, ETIMEDOUT, "%s: killed after %lld ms, its time was over%s%s",
				 what, (long long)result->duration_ms, *line ? ": " : "", line);
	if (result->signal)
		return error_say(err, EIO, "%s: ended by signal %d (%s)%s%s", what, result->signal,
				 strsignal(result->signal), *line ? ": " : "", line);
	return error_say(err, EIO, "%s: exit status %d%s%s", what, result->exit_code,
			 *line ? ": " : "", line);
}
