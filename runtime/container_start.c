/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting: the monitor opens the runtime's gate (monitor.c), which takes microseconds where `runc
 * start` takes milliseconds. When it says that it cannot, the runtime's own command is used.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/container.h"
#include "runtime/container_error.h"
#include "runtime/container_internal.h"

void container_start_free(struct container_start_job *job)
{
	struct container_start_job **at = &job->runtime->starts;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (job->process)
		process_cancel(job->process);
	loop_timer_free(job->timeout);
	free(job->id);
	free(job->state_dir);
	free(job);
}

static void finish(struct container_start_job *job, int result, int64_t started_ms,
		   const struct error *err)
{
	container_started *on_done = job->on_done;
	void *data = job->data;

	container_start_free(job);
	on_done(data, result, started_ms, err);
}

static void fallback_done(void *data, const struct process_result *result)
{
	struct container_start_job *job = data;
	struct error err = ERROR_INIT;

	job->process = NULL;
	if (result->exit_code == 0) {
		/* For its record; it also answers, but nobody waits for that any more. */
		container_tell_monitor(job->state_dir, "started");
		finish(job, 0, clock_wall_ms(), NULL);
		return;
	}
	if (result->timed_out)
		error_say(&err, ETIMEDOUT, "start container %s: the runtime did not end in time",
			  job->id);
	else
		container_error_from_log("start", result->errors, &err);
	finish(job, -err.code, 0, &err);
}

static void fall_back(struct container_start_job *job, const char *failure)
{
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;
	struct process_spec spec = {
		.env = container_environment,
		.timeout_ms = job->runtime->start_timeout_ms,
	};
	struct error err = ERROR_INIT;

	container_runtime_command(job->runtime, &argv);
	str_list_add(&argv, "start");
	str_list_add(&argv, job->id);
	spec.argv = (const char *const *)argv.items;
	if (process_run(job->runtime->loop, &spec, fallback_done, job, &job->process, &err) < 0) {
		error_prefix(&err, "start container %s (%s)", job->id, failure);
		finish(job, -err.code, 0, &err);
	}
}

void container_start_answered(struct container_start_job *job, int64_t started_ms,
			      const char *failure)
{
	if (job->process)
		return;
	if (failure)
		fall_back(job, failure);
	else
		finish(job, 0, started_ms, NULL);
}

static void fail_ended(struct container_start_job *job)
{
	struct error err = ERROR_INIT;

	error_say(&err, ECHILD, "start container %s: its process ended before it was started",
		  job->id);
	finish(job, -ECHILD, 0, &err);
}

void container_start_ended(struct container_runtime *runtime, const char *id, int64_t started_ms)
{
	struct container_start_job *next;

	for (struct container_start_job *job = runtime->starts; job; job = next) {
		next = job->next;
		if (!str_eq(job->id, id) || job->process)
			continue;
		/* The message of its start may come later than its end is seen. */
		if (started_ms)
			finish(job, 0, started_ms, NULL);
		else
			fail_ended(job);
	}
}

static void timed_out(void *data)
{
	struct container_start_job *job = data;
	struct container_observation seen;
	struct error err = ERROR_INIT;

	/* The message may have been lost to a full queue, while the start itself was recorded. */
	if (container_observe(job->state_dir, &seen, NULL) == 0 && seen.started_ms) {
		finish(job, 0, seen.started_ms, NULL);
		return;
	}
	error_say(&err, ETIMEDOUT, "start container %s: its monitor does not answer", job->id);
	finish(job, -ETIMEDOUT, 0, &err);
}

int container_start(struct container_runtime *runtime, const char *id, const char *state_dir,
		    container_started *on_done, void *data, struct error *err)
{
	struct container_start_job *job;
	int result = container_tell_monitor(state_dir, "start");

	if (result == -ENOENT || result == -ECONNREFUSED)
		return error_say(
			err, ESRCH,
			"start container %s: it has no monitor (any more); create it again", id);
	if (result < 0)
		return error_set(err, -result, "start container %s", id);
	job = xcalloc(1, sizeof(*job));
	*job = (struct container_start_job){
		.next = runtime->starts,
		.runtime = runtime,
		.id = xstrdup(id),
		.state_dir = xstrdup(state_dir),
		.on_done = on_done,
		.data = data,
	};
	job->timeout = loop_timer_new(runtime->loop, timed_out, job);
	loop_timer_start(job->timeout, runtime->start_timeout_ms);
	runtime->starts = job;
	return 0;
}
