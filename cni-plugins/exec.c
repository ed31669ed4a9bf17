/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/strbuf.h"

#define BUSY_TRIES   5
#define BUSY_WAIT_US 20000

static char **make_environment(char *command)
{
	size_t count = 0, kept = 0;
	char **result;

	while (environ[count])
		count++;
	result = xcalloc(count + 2, sizeof(*result));
	for (size_t i = 0; i < count; i++)
		if (!str_starts_with(environ[i], "CNI_COMMAND="))
			result[kept++] = environ[i];
	result[kept] = command;
	return result;
}

/* "text file busy" means that somebody is still writing the program: it passes. */
static int spawn(pid_t *pid, const char *path, int in, int out, char **environment)
{
	char *argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t actions;
	int r = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	for (int try = 0; try < BUSY_TRIES; try++) {
		r = posix_spawn(pid, path, &actions, NULL, argv, environment);
		if (r != ETXTBSY)
			break;
		usleep(BUSY_WAIT_US);
	}
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static void write_some(int *fd, const char *input, size_t size, size_t *written)
{
	ssize_t put = write(*fd, input + *written, size - *written);

	if (put > 0)
		*written += (size_t)put;
	/* A program that does not read its configuration may still answer. */
	if ((put < 0 && errno != EAGAIN && errno != EINTR) || *written == size)
		close(TAKE_FD(*fd));
}

static void read_some(int *fd, struct strbuf *output)
{
	char buffer[16384];
	ssize_t got = read(*fd, buffer, sizeof(buffer));

	if (got > 0 && output->length < EXEC_OUTPUT_LIMIT)
		strbuf_append_n(output, buffer, (size_t)got);
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		close(TAKE_FD(*fd));
}

static void exchange(int *to, int *from, const char *input, size_t size, struct strbuf *output)
{
	size_t written = 0;

	if (size == 0)
		close(TAKE_FD(*to));
	while (*from >= 0) {
		struct pollfd wait[2] = { { .fd = *from, .events = POLLIN },
					  { .fd = *to, .events = POLLOUT } };

		if (poll(wait, 2, -1) < 0)
			continue;
		if (wait[1].revents)
			write_some(to, input, size, &written);
		if (wait[0].revents)
			read_some(from, output);
	}
}

int exec_plugin(const char *path, const char *command, const char *input, size_t input_size,
		struct exec_answer *ret, struct error *err)
{
	_cleanup_free_ char *variable = xasprintf("CNI_COMMAND=%s", command);
	_cleanup_free_ char **environment = make_environment(variable);
	struct strbuf output = STRBUF_INIT;
	int in[2], out[2];
	int status, r;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0)
		return error_set(err, errno, "run %s: make a pipe", path);
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return error_set(err, errno, "run %s: make a pipe", path);
	}
	r = spawn(&pid, path, in[0], out[1], environment);
	close(in[0]);
	close(out[1]);
	if (r != 0) {
		close(in[1]);
		close(out[0]);
		return error_set(err, r, "run %s", path);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)fcntl(in[1], F_SETFL, O_NONBLOCK);
	exchange(&in[1], &out[0], input, input_size, &output);
	if (in[1] >= 0)
		close(in[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ret->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	ret->size = output.length;
	ret->output = strbuf_take(&output);
	return 0;
}
