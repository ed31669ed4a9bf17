/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing: a container that still lives is killed by its pidfd and waited for first, because `runc
 * delete --force` of a live one polls for a tenth of a second.
 */
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
#include "runtime/container.h"
#include "runtime/container_error.h"
#include "runtime/container_internal.h"

#define DELETE_TIMEOUT_MS 60000
#define DEATH_TIMEOUT_MS  10000

struct delete_job {
	struct container_job job;
	char *id;
	char *state_dir;
	int pidfd;
	struct loop_fd *death;
	struct loop_timer *timeout;
	struct process *process;
	bool forced;
	void (*on_done)(void *data, int result, const struct error *err);
	void *data;
};

static void delete_free(struct delete_job *delete)
{
	if (delete->death)
		loop_fd_free(delete->death);
	if (delete->process)
		process_cancel(delete->process);
	loop_timer_free(delete->timeout);
	cleanup_close(&delete->pidfd);
	free(delete->id);
	free(delete->state_dir);
	free(delete);
}

static void delete_abandon(struct container_job *job)
{
	delete_free((struct delete_job *)job);
}

static void finish(struct delete_job *delete, int result, const struct error *err)
{
	container_job_remove(&delete->job);
	delete->on_done(delete->data, result, result < 0 ? err : NULL);
	delete_free(delete);
}

static void remove_state(struct delete_job *delete)
{
	struct error err = ERROR_INIT;
	int result;

	/* It may still be reading output that a process outside of the container holds open. */
	container_tell_monitor(delete->state_dir, "end");
	container_unwatch(delete->job.runtime, delete->id);
	result = file_remove_tree(AT_FDCWD, delete->state_dir, &err);
	/* A monitor that was just writing its record: once more. */
	if (result == -ENOTEMPTY)
		result = file_remove_tree(AT_FDCWD, delete->state_dir, &err);
	error_prefix(&err, "delete container %s", delete->id);
	finish(delete, result, &err);
}

static int run_delete(struct delete_job *delete, struct error *err);

static void runtime_done(void *data, const struct process_result *result)
{
	struct delete_job *delete = data;
	struct error err = ERROR_INIT;

	delete->process = NULL;
	if (result->exit_code == 0 || strstr(result->errors, "does not exist")) {
		remove_state(delete);
		return;
	}
	/* "cannot delete container x that is not stopped", or a state that is only half there */
	if (!delete->forced && !result->timed_out) {
		delete->forced = true;
		if (run_delete(delete, &err) < 0)
			finish(delete, -err.code, &err);
		return;
	}
	if (result->timed_out)
		error_say(&err, ETIMEDOUT, "delete container %s: the runtime did not end in time",
			  delete->id);
	else
		container_error_from_log("delete", result->errors, &err);
	finish(delete, -err.code, &err);
}

static int run_delete(struct delete_job *delete, struct error *err)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;
	struct process_spec spec = { .env = container_environment,
				     .timeout_ms = DELETE_TIMEOUT_MS };

	container_runtime_command(delete->job.runtime, &argv);
	str_list_add(&argv, "delete");
	if (delete->forced)
		str_list_add(&argv, "--force");
	str_list_add(&argv, delete->id);
	spec.argv = (const char *const *)argv.items;
	return process_run(delete->job.runtime->loop, &spec, runtime_done, delete, &delete->process,
			   err);
}

/* The runtime knows nothing of it: no need to start it to hear that. */
static bool runtime_has_it(const struct delete_job *delete)
{
	_cleanup_free_ char *path =
		xasprintf("%s/%s", delete->job.runtime->runtime_root, delete->id);

	return access(path, F_OK) == 0;
}

static void dead(struct delete_job *delete)
{
	struct error err = ERROR_INIT;

	if (!runtime_has_it(delete))
		remove_state(delete);
	else if (run_delete(delete, &err) < 0)
		finish(delete, -err.code, &err);
}

static void process_ended(void *data, int events)
{
	struct delete_job *delete = data;

	(void)events;
	loop_fd_free(TAKE(delete->death));
	loop_timer_stop(delete->timeout);
	dead(delete);
}

static void no_process(void *data)
{
	struct delete_job *delete = data;
	struct error err = ERROR_INIT;

	if (!delete->death) {
		dead(delete);
		return;
	}
	error_say(&err, ETIMEDOUT, "delete container %s: its process does not die after SIGKILL",
		  delete->id);
	finish(delete, -ETIMEDOUT, &err);
}

int container_delete(struct container_runtime *runtime, const char *id, const char *state_dir,
		     void (*on_done)(void *data, int result, const struct error *err), void *data,
		     struct error *err)
{
	struct delete_job *delete = xcalloc(1, sizeof(*delete));
	struct container_observation seen;
	int result;

	container_job_add(runtime, &delete->job, delete_abandon);
	delete->id = xstrdup(id);
	delete->state_dir = xstrdup(state_dir);
	delete->on_done = on_done;
	delete->data = data;
	delete->pidfd = -1;
	delete->timeout = loop_timer_new(runtime->loop, no_process, delete);

	result = container_open_process(state_dir, &seen, &delete->pidfd, NULL);
	if (result < 0) {
		loop_timer_start(delete->timeout, 0);
		return 0;
	}
	result = loop_fd_new(runtime->loop, delete->pidfd, LOOP_READ, process_ended, delete,
			     &delete->death, err);
	if (result < 0) {
		container_job_remove(&delete->job);
		delete_free(delete);
		return result;
	}
	syscall(SYS_pidfd_send_signal, delete->pidfd, SIGKILL, NULL, 0);
	loop_timer_start(delete->timeout, DEATH_TIMEOUT_MS);
	return 0;
}
