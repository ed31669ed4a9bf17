/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RESTART_CONTAINER: the run before is deleted, its root file system stays, and the container is
 * made and started once more. What of this an earlier process of ours got done is found and gone on
 * with.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "base/alloc.h"
#include "base/cleanup.h"

struct restarting {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	size_t index;
};

static void restarting_free(void *data)
{
	struct restarting *restarting = data;

	operation_end(&restarting->operation);
	address_free(&restarting->address);
	task_spec_unref(restarting->spec);
	free(restarting);
}

static void restarting_failed(struct restarting *restarting, const char *name,
			      const struct error *err)
{
	answer_failed(restarting->executor, &restarting->address, name, err);
	restarting_free(restarting);
}

static void started(void *data, int result, int64_t started_ms, const struct error *err)
{
	struct restarting *restarting = data;
	struct live_container *container =
		live_container_get(restarting->executor, restarting->spec, restarting->index);
	_cleanup_free_ char *state = live_container_state_path(container);
	struct container_observation seen = { 0 };

	if (result < 0) {
		restarting_failed(restarting, NULL, err);
		return;
	}
	/* One that has ended already has no process, and its end is on its way. */
	container_observe(state, &seen, NULL);
	answer(restarting->executor, &restarting->address,
	       (struct engine_done){ .pid = seen.pid, .at_ms = started_ms });
	restarting_free(restarting);
}

static void made(void *data, const char *error_name, const struct error *failure)
{
	struct restarting *restarting = data;
	struct live_container *container;
	_cleanup_free_ char *state = NULL;
	struct error err = ERROR_INIT;

	if (failure) {
		restarting_failed(restarting, error_name, failure);
		return;
	}
	container = live_container_get(restarting->executor, restarting->spec, restarting->index);
	state = live_container_state_path(container);
	if (container_start(restarting->executor->runtime, container->run_id, state, started,
			    restarting, &err) < 0)
		restarting_failed(restarting, NULL, &err);
}

static void deleted(void *data, int result, const struct error *err)
{
	struct restarting *restarting = data;

	if (result < 0)
		restarting_failed(restarting, NULL, err);
	else
		make_container(restarting->executor, restarting->spec, restarting->index, true,
			       made, restarting);
}

void act_restart(struct executor *executor, const struct engine_effect *effect)
{
	struct live_container *container =
		live_container_get(executor, effect->spec, effect->container_index);
	uint32_t before = effect->attempt - 1;
	_cleanup_free_ char *run = run_id(container->runtime_id, before);
	_cleanup_free_ char *state =
		path_state(executor->config.config, effect->task_id, container->runtime_id, before);
	struct restarting *restarting = xcalloc(1, sizeof(*restarting));
	struct error err = ERROR_INIT;

	restarting->executor = executor;
	restarting->address = address_of(effect);
	restarting->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	restarting->index = effect->container_index;
	operation_begin(executor->operations, &restarting->operation, restarting_free, restarting);
	if (container_delete(executor->runtime, run, state, deleted, restarting, &err) < 0)
		restarting_failed(restarting, NULL, &err);
}
