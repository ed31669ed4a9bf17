/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

enum {
	RETRY_FIRST_MS = 20,
	RETRY_MAX_MS = 5000,
	START_WAIT_MS = 5000, /* for the runtime's init to come to its fifo */
	DRAIN_MAX = 1 << 20,  /* bytes of output written before the exit is told; the rest after */
};

static int64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- telling the agent */

/* 0; -EAGAIN: its queue is full; else there is nobody to tell. */
static int notify(const struct monitor *monitor, const struct text_line *line)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, result = 0;

	if (strlen(monitor->options.notify) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, monitor->options.notify, strlen(monitor->options.notify));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, line->data, line->length, MSG_NOSIGNAL, (struct sockaddr *)&address,
		   sizeof(address)) < 0)
		result = -errno;
	close(fd);
	return result;
}

static void message_begin(const struct monitor *monitor, struct text_line *line, char *data,
			  size_t size, const char *event)
{
	text_line_init(line, data, size);
	text_add(line, "{\"id\":");
	text_add_json(line, monitor->options.id, strlen(monitor->options.id));
	text_add(line, ",\"event\":\"");
	text_add(line, event);
	text_add(line, "\",");
}

static void notify_exit(struct monitor *monitor)
{
	char data[1024];
	struct text_line line;

	message_begin(monitor, &line, data, sizeof(data), "exited");
	record_add_exit(&line, &monitor->exit);
	text_add(&line, "}");
	monitor->told = notify(monitor, &line) != -EAGAIN;
}

static void notify_started(struct monitor *monitor)
{
	char data[1024];
	struct text_line line;

	message_begin(monitor, &line, data, sizeof(data), "started");
	text_add(&line, "\"started_ms\":");
	text_add_i64(&line, monitor->state.started_ms);
	text_add(&line, "}");
	/* The agent is waiting for this one answer: a full queue empties soon. */
	for (int attempt = 0; attempt < 100 && notify(monitor, &line) == -EAGAIN; attempt++)
		poll(NULL, 0, 5);
}

static void notify_start_failed(struct monitor *monitor, const char *reason)
{
	char data[1024];
	struct text_line line;

	message_begin(monitor, &line, data, sizeof(data), "start_failed");
	text_add(&line, "\"error\":");
	text_add_json(&line, reason, strlen(reason));
	text_add(&line, "}");
	for (int attempt = 0; attempt < 100 && notify(monitor, &line) == -EAGAIN; attempt++)
		poll(NULL, 0, 5);
}

/* ---- output */

/* False: nothing more for now. Sets *fd to -1 at its end. */
static bool read_stream(struct monitor *monitor, int *fd, enum json_log_stream stream)
{
	char data[16384];
	ssize_t got = read(*fd, data, sizeof(data));

	if (got > 0) {
		json_log_feed(&monitor->log, stream, data, (size_t)got, wall_ns());
		return true;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	json_log_finish(&monitor->log, stream, wall_ns());
	close(*fd);
	*fd = -1;
	return false;
}

static void drain(struct monitor *monitor)
{
	int *const fds[] = { &monitor->streams.out, &monitor->streams.err };

	for (int stream = 0; stream < 2; stream++) {
		for (size_t reads = 0; *fds[stream] >= 0 && reads < DRAIN_MAX / 16384; reads++) {
			if (!read_stream(monitor, fds[stream], (enum json_log_stream)stream))
				break;
		}
	}
}

/* ---- start */

static void mark_started(struct monitor *monitor)
{
	monitor->state.started_ms = wall_ns() / 1000000;
	record_write_started(monitor->state_fd, monitor->state.started_ms);
	notify_started(monitor);
}

static void reap(struct monitor *monitor);

/*
 * What `runc start` and `crun start` do, without starting a program for it. The first process waits
 * at <root>/<id>/exec.fifo: runc's opens it for writing and blocks until there is a reader, crun's
 * has it open for reading and waits for a byte.
 */
static const char *open_gate(struct monitor *monitor)
{
	char path[4096], byte = '0';
	struct text_line line;
	int fd;

	text_line_init(&line, path, sizeof(path));
	text_add(&line, monitor->options.root);
	text_add(&line, "/");
	text_add(&line, monitor->options.id);
	text_add(&line, "/exec.fifo");
	if (line.cut)
		return "the path of exec.fifo is too long";

	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t wrote = write(fd, &byte, 1);

		close(fd);
		if (wrote != 1)
			return "exec.fifo cannot be written";
		unlink(path);
		return NULL;
	}
	if (errno != ENXIO)
		return "there is no exec.fifo";

	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return "exec.fifo cannot be opened";
	for (int waited = 0; waited < START_WAIT_MS && !monitor->exited; waited += 50) {
		struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
					{ .fd = monitor->signal_fd, .events = POLLIN } };

		if (poll(fds, 2, 50) > 0 && !(fds[0].revents & POLLIN))
			reap(monitor);
		if ((fds[0].revents & POLLIN) && read(fd, &byte, 1) == 1) {
			unlink(path);
			close(fd);
			return NULL;
		}
	}
	close(fd);
	return monitor->exited ? "the container ended before it was started"
			       : "nobody came to exec.fifo";
}

static void start(struct monitor *monitor)
{
	const char *wrong = NULL;

	if (!monitor->state.started_ms && !monitor->exited)
		wrong = open_gate(monitor);
	else if (!monitor->state.started_ms)
		wrong = "the container ended before it was started";
	if (wrong)
		notify_start_failed(monitor, wrong);
	else if (monitor->state.started_ms)
		notify_started(monitor);
	else
		mark_started(monitor);
}

static void control(struct monitor *monitor)
{
	char command[32];
	ssize_t got = recv(monitor->control_fd, command, sizeof(command) - 1, 0);

	if (got <= 0)
		return;
	command[got] = '\0';
	if (strcmp(command, "start") == 0)
		start(monitor);
	else if (strcmp(command, "started") == 0 && !monitor->state.started_ms)
		mark_started(monitor); /* the agent started it through the runtime's own command */
	else if (strcmp(command, "end") == 0)
		monitor->ended = true;
}

/* ---- the end */

static bool was_oom_killed(const struct monitor *monitor)
{
	char text[1024];
	const char *line;
	ssize_t got;

	if (monitor->oom_fd < 0)
		return false;
	got = pread(monitor->oom_fd, text, sizeof(text) - 1, 0);
	if (got <= 0)
		return false;
	text[got] = '\0';
	/* "oom_kill 1": memory.oom_control of version 1, memory.events of version 2. */
	line = strncmp(text, "oom_kill ", 9) == 0 ? text : strstr(text, "\noom_kill ");
	return line && text_to_u64(strstr(line, "oom_kill ") + strlen("oom_kill ")) > 0;
}

static void save_exit(struct monitor *monitor)
{
	int result = record_write_exit(monitor->state_fd, &monitor->exit);

	/* ENOENT: the directory was removed, so nobody will ever look. */
	monitor->recorded = result == 0 || result == -ENOENT;
}

static void container_ended(struct monitor *monitor, int status)
{
	monitor->exited = true;
	monitor->exit = (struct record_exit){
		.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		.oom_killed = was_oom_killed(monitor),
		.started_ms = monitor->state.started_ms,
		.finished_ms = wall_ns() / 1000000,
		.log_bytes_lost = monitor->log.lost_bytes,
	};
	save_exit(monitor);
	drain(monitor);
	monitor->exit.log_bytes_lost = monitor->log.lost_bytes;
	notify_exit(monitor);
	monitor->retry_ms = RETRY_FIRST_MS;
}

static void reap(struct monitor *monitor)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(monitor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
	/* Also what the container left to us when it shares the host's pid namespace. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == monitor->pid && !monitor->exited)
			container_ended(monitor, status);
	}
}

static void retry(struct monitor *monitor)
{
	if (!monitor->recorded) {
		save_exit(monitor);
		/* Told again each time: as long as there is no file, the message is all there is.
		 */
		monitor->told = false;
	}
	if (!monitor->told)
		notify_exit(monitor);
	monitor->retry_ms *= monitor->recorded ? 1 : 2;
	if (monitor->retry_ms > RETRY_MAX_MS)
		monitor->retry_ms = RETRY_MAX_MS;
}

/* ---- set-up and loop */

static int bind_control(struct monitor *monitor)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct text_line line;

	/* Through the directory's fd: its own path may be longer than an address can be. */
	text_line_init(&line, address.sun_path, sizeof(address.sun_path));
	text_add(&line, "/proc/self/fd/");
	text_add_i64(&line, monitor->state_fd);
	text_add(&line, "/control");
	unlinkat(monitor->state_fd, "control", 0);
	monitor->control_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (monitor->control_fd < 0)
		return -errno;
	if (bind(monitor->control_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

static int set_up_signals(struct monitor *monitor)
{
	static const int ignored[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2
	};
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t child;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &ignore, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	monitor->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	return monitor->signal_fd < 0 ? -errno : 0;
}

int monitor_create(struct monitor *monitor, char *reason, size_t reason_size)
{
	struct text_line line;
	ssize_t got;
	int result;

	text_line_init(&line, reason, reason_size);
	result = set_up_signals(monitor);
	if (result < 0) {
		text_add(&line, "signalfd failed");
		return result;
	}
	result = json_log_open(&monitor->log, monitor->options.log, monitor->options.log_max_bytes,
			       monitor->options.log_max_files);
	if (result < 0) {
		text_add(&line, "the log cannot be opened: ");
		text_add(&line, monitor->options.log);
		text_add(&line, ": ");
		text_add(&line, strerror(-result));
		return result;
	}
	result = bind_control(monitor);
	if (result < 0) {
		text_add(&line, "the control socket cannot be made in ");
		text_add(&line, monitor->options.state);
		text_add(&line, ": ");
		text_add(&line, strerror(-result));
		return result;
	}
	result = create_container(&monitor->options, monitor->state_fd, &monitor->streams,
				  &monitor->pid, reason, reason_size);
	if (result < 0)
		return result;

	monitor->oom_fd = monitor->options.oom_events
				  ? open(monitor->options.oom_events, O_RDONLY | O_CLOEXEC)
				  : -1;
	monitor->state.monitor = getpid();
	monitor->state.monitor_start = record_start_time(getpid());
	monitor->state.pid = monitor->pid;
	monitor->state.pid_start = record_start_time(monitor->pid);
	monitor->state.created_ms = wall_ns() / 1000000;
	got = record_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", monitor->state.boot_id,
			       sizeof(monitor->state.boot_id));
	if (got > 0 && monitor->state.boot_id[got - 1] == '\n')
		monitor->state.boot_id[got - 1] = '\0';
	result = record_write_state(monitor->state_fd, &monitor->state);
	if (result < 0) {
		/* Nobody could ever find it again. */
		kill(monitor->pid, SIGKILL);
		waitpid(monitor->pid, NULL, 0);
		text_add(&line, "state.json cannot be written in ");
		text_add(&line, monitor->options.state);
		text_add(&line, ": ");
		text_add(&line, strerror(-result));
	}
	return result;
}

static bool is_done(const struct monitor *monitor)
{
	if (!monitor->exited)
		return false;
	if (monitor->ended)
		return true;
	return monitor->recorded && monitor->told && monitor->streams.out < 0 &&
	       monitor->streams.err < 0;
}

void monitor_run(struct monitor *monitor)
{
	/* It may have died while we were busy with the agent: SIGCHLD is pending then. */
	while (!is_done(monitor)) {
		struct pollfd fds[] = {
			{ .fd = monitor->signal_fd, .events = POLLIN },
			{ .fd = monitor->control_fd, .events = POLLIN },
			{ .fd = monitor->streams.out, .events = POLLIN },
			{ .fd = monitor->streams.err, .events = POLLIN },
		};
		bool again = monitor->exited && !(monitor->recorded && monitor->told);
		int ready = poll(fds, sizeof(fds) / sizeof(fds[0]),
				 again ? (int)monitor->retry_ms : -1);

		if (ready == 0 && again)
			retry(monitor);
		if (ready <= 0)
			continue;
		/* The end first: its time and its record must not wait for a slow disk under the
		 * log. */
		if (fds[0].revents)
			reap(monitor);
		if (fds[1].revents)
			control(monitor);
		if (fds[2].revents && monitor->streams.out >= 0)
			read_stream(monitor, &monitor->streams.out, JSON_LOG_STDOUT);
		if (fds[3].revents && monitor->streams.err >= 0)
			read_stream(monitor, &monitor->streams.err, JSON_LOG_STDERR);
	}
	unlinkat(monitor->state_fd, "control", 0);
}
