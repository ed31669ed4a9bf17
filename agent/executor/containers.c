/* SPDX-License-Identifier: Apache-2.0 */
/* START, STOP, REMOVE and the ends of containers; CLEAN_UP_TASK. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

/* After the grace and SIGKILL, how long a process may still take to be gone. */
#define KILL_WAIT_MS (2 * 60 * 1000)

#define CGROUP_WAIT_MS 2000

static struct live_container *container_of(struct executor *executor,
					   const struct engine_effect *effect)
{
	return live_container_get(executor, effect->spec, effect->container_index);
}

struct engine_exit container_exit_for_engine(const struct container_exit *exit)
{
	return (struct engine_exit){
		.code_known = exit->known,
		/* The runtime gives 128 + n for an end by signal n; the engine takes the signal
		   itself. */
		.exit_code = exit->signal > 0 ? 0 : exit->exit_code,
		.signal = exit->signal,
		.oom = exit->oom_killed,
		.started_at_ms = exit->started_ms,
		.finished_at_ms = exit->finished_ms,
	};
}

/* ---- the end of a process ---- */

static void stop_answer(struct live_container *container, const struct error *err)
{
	struct address address = {
		.task_id = xstrdup(container->task->id),
		.container = xstrdup(live_container_spec(container)->name),
		.attempt = container->attempt,
		.type = EFFECT_STOP_CONTAINER,
		.begun_ns = container->stop_begun_ns,
	};
	struct executor *executor = container->task->executor;

	container->stopping = false;
	loop_timer_stop(container->grace);
	if (err)
		answer_failed(executor, &address, "DockerTimeoutError", err);
	else
		answer_ok(executor, &address);
	address_free(&address);
}

void containers_on_exit(void *data, const char *run_id, const struct container_exit *exit)
{
	struct executor *executor = data;
	struct live_container *container = map_get(executor->containers, run_id);
	struct engine_event event = { .type = EVENT_CONTAINER_EXITED, .wall_ms = clock_wall_ms() };

	if (!container)
		return;
	log_info("container ended", "task", container->task->id, "container",
		 live_container_spec(container)->name, "exit_code", LOG_NUM(exit->exit_code),
		 "signal", LOG_NUM(exit->signal), "oom", LOG_BOOL(exit->oom_killed));
	if (container->stats)
		stats_close(container->stats);
	container->stats = NULL;
	event.task_id = container->task->id;
	event.container = live_container_spec(container)->name;
	event.attempt = container->attempt;
	event.exit = container_exit_for_engine(exit);
	executor->config.post(executor->config.data, &event);
	/* The event may have had the task forgotten. */
	container = map_get(executor->containers, run_id);
	if (container && container->stopping)
		stop_answer(container, NULL);
}

/* ---- start ---- */

struct starting {
	struct operation operation;
	struct executor *executor;
	struct address address;
	char *state;
};

static void starting_free(void *data)
{
	struct starting *starting = data;

	operation_end(&starting->operation);
	address_free(&starting->address);
	free(starting->state);
	free(starting);
}

static void started(void *data, int result, int64_t started_ms, const struct error *err)
{
	struct starting *starting = data;
	struct container_observation seen = { 0 };
	struct error timeout;

	if (result == -ETIMEDOUT) {
		say_timed_out(&timeout, "started",
			      starting->executor->config.config->container_start_timeout_ms);
		answer_failed(starting->executor, &starting->address, "DockerTimeoutError",
			      &timeout);
	} else if (result < 0) {
		answer_failed(starting->executor, &starting->address, NULL, err);
	} else {
		/* One that has ended already has no process, and its end is on its way. */
		container_observe(starting->state, &seen, NULL);
		answer(starting->executor, &starting->address,
		       (struct engine_done){ .pid = seen.pid, .at_ms = started_ms });
	}
	starting_free(starting);
}

void act_start(struct executor *executor, const struct engine_effect *effect)
{
	struct live_container *container = container_of(executor, effect);
	struct starting *starting = xcalloc(1, sizeof(*starting));
	struct error err = ERROR_INIT;

	starting->executor = executor;
	starting->address = address_of(effect);
	starting->state = live_container_state_path(container);
	operation_begin(executor->operations, &starting->operation, starting_free, starting);
	if (container_start(executor->runtime, container->run_id, starting->state, started,
			    starting, &err) < 0) {
		answer_failed(executor, &starting->address, NULL, &err);
		starting_free(starting);
	}
}

/* ---- stop ---- */

static void grace_over(void *data)
{
	struct live_container *container = data;
	struct executor *executor = container->task->executor;
	_cleanup_free_ char *state = live_container_state_path(container);
	struct error err = ERROR_INIT;

	if (container->killed) {
		say_timed_out(&err, "stopped", container->grace_ms + KILL_WAIT_MS);
		stop_answer(container, &err);
		return;
	}
	container->killed = true;
	log_info("the grace is over: SIGKILL", "task", container->task->id, "container",
		 live_container_spec(container)->name);
	if (container_kill(executor->runtime, container->run_id, state, SIGKILL, &err) < 0)
		log_error("a container could not be killed", "task", container->task->id,
			  "container", live_container_spec(container)->name, "error", err.text);
	loop_timer_start(container->grace, KILL_WAIT_MS);
}

void act_stop(struct executor *executor, const struct engine_effect *effect)
{
	struct live_container *container = container_of(executor, effect);
	_cleanup_free_ char *state = live_container_state_path(container);
	struct container_observation seen = { 0 };
	bool kill_now = effect->stop.grace_ms <= 0 || effect->stop.signal == SIGKILL;
	struct error err = ERROR_INIT;
	struct address address;
	int r;

	r = container_observe(state, &seen, &err);
	if (r == 0 && seen.state != CONTAINER_RUNNING && seen.state != CONTAINER_CREATED) {
		address = address_of(effect);
		/* Of what was never there the record says that it did not run. */
		answer(executor, &address,
		       (struct engine_done){ .has_exit = true,
					     .exit = container_exit_for_engine(&seen.exit) });
		address_free(&address);
		return;
	}
	if (!container->grace)
		container->grace = loop_timer_new(executor->config.loop, grace_over, container);
	container->stopping = true;
	container->stop_begun_ns = clock_monotonic_ns();
	container->killed = kill_now;
	container->grace_ms = kill_now ? 0 : effect->stop.grace_ms;
	container_watch(executor->runtime, container->run_id, state, NULL);
	if (r == 0)
		r = container_kill(executor->runtime, container->run_id, state,
				   kill_now ? SIGKILL : effect->stop.signal, &err);
	if (r < 0)
		log_error("a container could not be signalled", "task", container->task->id,
			  "container", live_container_spec(container)->name, "error", err.text);
	loop_timer_start(container->grace, kill_now ? KILL_WAIT_MS : effect->stop.grace_ms);
}

/* ---- remove ---- */

struct removing {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec; /* also keeps the task's strings */
	char *runtime_id;
	uint32_t attempt; /* whose run is being deleted */
	char *cgroup;
	char *bundle;
	int result;
	struct error err;
};

static void removing_free(void *data)
{
	struct removing *removing = data;

	operation_end(&removing->operation);
	address_free(&removing->address);
	task_spec_unref(removing->spec);
	free(removing->runtime_id);
	free(removing->cgroup);
	free(removing->bundle);
	free(removing);
}

static void removing_failed(struct removing *removing, const struct error *err)
{
	answer_failed(removing->executor, &removing->address, "CannotRemoveContainerError", err);
	removing_free(removing);
}

static void remove_work(void *data)
{
	struct removing *removing = data;
	const struct cgroup_host *cgroups = &removing->executor->cgroups;
	int r;

	/* Processes that outlived the first one (pidMode host), or their runtime. */
	r = cgroup_kill(cgroups, removing->cgroup, &removing->err);
	if (r == 0)
		r = cgroup_remove(cgroups, removing->cgroup, CGROUP_WAIT_MS, &removing->err);
	if (r == 0)
		r = bundle_remove(removing->bundle, &removing->err);
	removing->result = r;
}

static void remove_done(void *data)
{
	struct removing *removing = data;

	if (removing->result < 0) {
		removing_failed(removing, &removing->err);
		return;
	}
	answer_ok(removing->executor, &removing->address);
	removing_free(removing);
}

static void delete_run(struct removing *removing);

static void deleted(void *data, int result, const struct error *err)
{
	struct removing *removing = data;

	if (result < 0) {
		removing_failed(removing, err);
	} else if (removing->attempt > 1 && removing->attempt == removing->address.attempt) {
		/* Of a restart that was cut off the run before is there too. */
		removing->attempt--;
		delete_run(removing);
	} else {
		operations_work(removing->executor->operations, remove_work, remove_done, removing);
	}
}

static void delete_run(struct removing *removing)
{
	struct executor *executor = removing->executor;
	_cleanup_free_ char *run = run_id(removing->runtime_id, removing->attempt);
	_cleanup_free_ char *state = path_state(executor->config.config, removing->address.task_id,
						removing->runtime_id, removing->attempt);
	struct error err = ERROR_INIT;

	if (container_delete(executor->runtime, run, state, deleted, removing, &err) < 0)
		removing_failed(removing, &err);
}

void act_remove(struct executor *executor, const struct engine_effect *effect)
{
	struct live_container *container = container_of(executor, effect);
	struct removing *removing = xcalloc(1, sizeof(*removing));

	removing->executor = executor;
	removing->address = address_of(effect);
	removing->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	removing->runtime_id = xstrdup(container->runtime_id);
	removing->attempt = effect->attempt;
	removing->cgroup = xstrdup(container->cgroup);
	removing->bundle =
		path_bundle(executor->config.config, effect->task_id, container->runtime_id);
	operation_begin(executor->operations, &removing->operation, removing_free, removing);
	live_container_forget(container);
	delete_run(removing);
}

/* ---- the task as a whole ---- */

struct cleaning {
	struct operation operation;
	struct executor *executor;
	struct address address;
	char *cgroup;
	char *directory;
	int result;
	struct error err;
};

static void cleaning_free(void *data)
{
	struct cleaning *cleaning = data;

	operation_end(&cleaning->operation);
	address_free(&cleaning->address);
	free(cleaning->cgroup);
	free(cleaning->directory);
	free(cleaning);
}

static void clean_work(void *data)
{
	struct cleaning *cleaning = data;
	const struct cgroup_host *cgroups = &cleaning->executor->cgroups;
	int r;

	r = cgroup_kill(cgroups, cleaning->cgroup, &cleaning->err);
	if (r == 0)
		r = cgroup_remove(cgroups, cleaning->cgroup, CGROUP_WAIT_MS, &cleaning->err);
	if (r == 0)
		r = file_remove_tree(AT_FDCWD, cleaning->directory, &cleaning->err);
	cleaning->result = r;
}

static void clean_done(void *data)
{
	struct cleaning *cleaning = data;
	struct live_task *task = live_task_find(cleaning->executor, cleaning->address.task_id);

	if (cleaning->result < 0) {
		answer_failed(cleaning->executor, &cleaning->address, "CannotRemoveContainerError",
			      &cleaning->err);
	} else {
		if (task)
			live_task_free(task);
		answer_ok(cleaning->executor, &cleaning->address);
	}
	cleaning_free(cleaning);
}

void act_clean_up(struct executor *executor, const struct engine_effect *effect)
{
	struct cleaning *cleaning = xcalloc(1, sizeof(*cleaning));

	cleaning->executor = executor;
	cleaning->address = address_of(effect);
	cleaning->cgroup = cgroup_path_task(executor->config.config, effect->task_id);
	cleaning->directory = path_task(executor->config.config, effect->task_id);
	operation_begin(executor->operations, &cleaning->operation, cleaning_free, cleaning);
	operations_work(executor->operations, clean_work, clean_done, cleaning);
}
