/* SPDX-License-Identifier: Apache-2.0 */
/* One more process in a running container, e.g. a health probe: `runc exec` with the container's
 * own process settings. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/random.h"
#include "runtime/container.h"
#include "runtime/container_error.h"
#include "runtime/container_internal.h"
#include "runtime/json_text.h"

#define SETTINGS_LIMIT (4 << 20)
#define OUTPUT_LIMIT   4096
/* For the runtime itself to come back after the process in the container was killed. */
#define KILL_GRACE_MS 5000
/* How often the number of a process is looked for that the runtime is still about to start. */
#define KILL_RETRY_MS 50

struct container_exec {
	struct container_job job;
	char *id;
	char *process_path; /* what to run, private to us: the environment may hold secrets */
	char *pid_path;
	size_t output_limit;
	struct process *process;
	struct loop_timer *timeout;
	bool timed_out;
	void (*on_done)(void *data, const struct container_exec_result *result);
	void *data;
};

static void exec_free(struct container_exec *exec)
{
	if (exec->process_path)
		unlink(exec->process_path);
	if (exec->pid_path)
		unlink(exec->pid_path);
	if (exec->process)
		process_cancel(exec->process);
	loop_timer_free(exec->timeout);
	free(exec->id);
	free(exec->process_path);
	free(exec->pid_path);
	free(exec);
}

/*
 * The process in the container is not the runtime's child in a way that dies with it: it must be
 * killed by its own number. The runtime, which waits for it, still lives, so the number cannot have
 * gone to another process. False: there is no process yet.
 */
static bool kill_inside(struct container_exec *exec)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int pidfd = -1;
	int64_t pid;

	if (!exec->process || file_read(AT_FDCWD, exec->pid_path, 32, &text, NULL, NULL) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (number_parse_i64(text, 2, INT32_MAX, &pid, NULL) < 0)
		return false;
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (pidfd >= 0)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	return true;
}

static void exec_abandon(struct container_job *job)
{
	struct container_exec *exec = (struct container_exec *)job;

	kill_inside(exec);
	exec_free(exec);
}

void container_exec_cancel(struct container_exec *exec)
{
	container_job_remove(&exec->job);
	exec_abandon(&exec->job);
}

static void timed_out(void *data)
{
	struct container_exec *exec = data;

	exec->timed_out = true;
	/* On a busy host the runtime may take longer than the probe may: what it starts then would
	 * outlive it. */
	if (!kill_inside(exec))
		loop_timer_start(exec->timeout, KILL_RETRY_MS);
}

/* Output and errors one after the other, at most `limit` bytes; the caller frees. */
static char *join_output(const struct process_result *result, size_t limit, size_t *ret_size)
{
	struct strbuf all = STRBUF_INIT;

	strbuf_append_n(&all, result->out, result->out_size);
	strbuf_append_n(&all, result->errors, result->errors_size);
	if (all.length > limit)
		strbuf_truncate(&all, limit);
	*ret_size = all.length;
	return strbuf_take(&all);
}

static void exec_done(void *data, const struct process_result *result)
{
	struct container_exec *exec = data;
	struct container_exec_result answer = { .exit_code = result->exit_code };
	_cleanup_free_ char *output = NULL;
	struct error err = ERROR_INIT;

	exec->process = NULL;
	container_job_remove(&exec->job);
	output = join_output(result, exec->output_limit, &answer.output_size);
	answer.output = output;
	answer.timed_out = exec->timed_out || result->timed_out;
	if (answer.timed_out) {
		answer.exit_code = -1;
	} else if (result->exit_code < 0) {
		error_say(&err, EIO,
			  "run a command in container %s: the runtime was killed by signal %d",
			  exec->id, result->signal);
		answer.err = &err;
	} else if (access(exec->pid_path, F_OK) < 0) {
		/* It never came to a process: the exit code is the runtime's own. */
		container_error_from_log("exec", result->errors, &err);
		answer.exit_code = -1;
		answer.err = &err;
	}
	exec->on_done(exec->data, &answer);
	exec_free(exec);
}

/* The bundle's process.json with arguments. As text: its limits may be numbers that no JSON library
 * of ours can hold. */
static int write_process(const char *bundle_dir, const char *const *args, const char *path,
			 struct error *err)
{
	_cleanup_free_ char *settings_path = xasprintf("%s/process.json", bundle_dir);
	_cleanup_free_ char *settings = NULL;
	_cleanup_strbuf_ struct strbuf json = STRBUF_INIT;
	int result = file_read(AT_FDCWD, settings_path, SETTINGS_LIMIT, &settings, NULL, err);

	if (result < 0)
		return result;
	if (settings[0] != '{')
		return error_say(err, EINVAL, "%s is not what a bundle has there", settings_path);
	strbuf_append_char(&json, '{');
	json_text_strings(&json, "args", args);
	strbuf_append_char(&json, ',');
	strbuf_append(&json, settings + 1);
	return file_write_atomic(AT_FDCWD, path, json.data, json.length, 0600, false, err);
}

static int run(struct container_exec *exec, const struct container_exec_spec *spec,
	       struct error *err)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;
	struct process_spec process = {
		.env = container_environment,
		.output_limit = exec->output_limit,
		.timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms + KILL_GRACE_MS : 0,
	};
	int result = write_process(spec->bundle_dir, spec->args, exec->process_path, err);

	if (result < 0)
		return result;
	container_runtime_command(exec->job.runtime, &argv);
	str_list_add(&argv, "exec");
	str_list_add(&argv, "--process");
	str_list_add(&argv, exec->process_path);
	str_list_add(&argv, "--pid-file");
	str_list_add(&argv, exec->pid_path);
	str_list_add(&argv, exec->id);
	process.argv = (const char *const *)argv.items;
	return process_run(exec->job.runtime->loop, &process, exec_done, exec, &exec->process, err);
}

int container_exec(struct container_runtime *runtime, const struct container_exec_spec *spec,
		   void (*on_done)(void *data, const struct container_exec_result *result),
		   void *data, struct container_exec **ret, struct error *err)
{
	struct container_exec *exec;
	char unique[17];
	int result;

	if (!spec->args || !spec->args[0])
		return error_say(err, EINVAL, "run a command in container %s: the command is empty",
				 spec->id);
	random_hex(unique, 8);
	exec = xcalloc(1, sizeof(*exec));
	container_job_add(runtime, &exec->job, exec_abandon);
	exec->id = xstrdup(spec->id);
	exec->process_path = xasprintf("%s/exec-%s.json", spec->state_dir, unique);
	exec->pid_path = xasprintf("%s/exec-%s.pid", spec->state_dir, unique);
	exec->output_limit = spec->output_limit ? spec->output_limit : OUTPUT_LIMIT;
	exec->on_done = on_done;
	exec->data = data;
	exec->timeout = loop_timer_new(runtime->loop, timed_out, exec);
	result = run(exec, spec, err);
	if (result < 0) {
		error_prefix(err, "run a command in container %s", spec->id);
		container_job_remove(&exec->job);
		exec_free(exec);
		return result;
	}
	if (spec->timeout_ms > 0)
		loop_timer_start(exec->timeout, spec->timeout_ms);
	if (ret)
		*ret = exec;
	return 0;
}
