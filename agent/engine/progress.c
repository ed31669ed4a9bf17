/* SPDX-License-Identifier: Apache-2.0 */
/* What a task does next. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"

static int stop_signal(const struct container_state *container)
{
	int number = signal_parse(container->spec->docker.stop_signal);

	if (number == 0)
		number = container->stop_signal;
	return number ? number : SIGTERM;
}

/* What is left of it: one of an earlier life of the agent, or that failed, has used it too. */
static int64_t stop_grace_ms(const struct engine *engine, const struct container_state *container)
{
	int64_t grace_ms = container->spec->stop_timeout_s > 0
				   ? container->spec->stop_timeout_s * 1000
				   : engine->config.stop_timeout_ms;
	int64_t used_ms = engine->now_ms - container->stop_begun_ms;

	return used_ms < grace_ms ? grace_ms - used_ms : 0;
}

/* It wants to be STOPPED, and is not: after everybody who depends on it. */
bool stop_advance(struct engine *engine, struct task *task, size_t index)
{
	struct container *container = &task->containers[index];
	const struct container_state *state = &task->state->containers[index];

	if (container->flight &
	    (flight_bit(EFFECT_START_CONTAINER) | flight_bit(EFFECT_STOP_CONTAINER)))
		return false;
	if (!dependents_stopped(task, index))
		return false;
	if (state->known < CONTAINER_STATUS_RUNNING && !container->must_stop) {
		container_reach(engine, task, index, CONTAINER_STATUS_STOPPED, PERSIST_SOON);
		return true;
	}
	if (engine->now_ms < container->retry_at_ms) {
		wake_at(task, container->retry_at_ms);
		return false;
	}
	if (state->stop_begun_ms == 0) {
		task->state->containers[index].stop_begun_ms = engine->now_ms;
		mark_container(task, index, PERSIST_SOON);
	}
	struct engine_effect *effect =
		effect_start_container(engine, EFFECT_STOP_CONTAINER, task, index);

	effect->stop.signal = stop_signal(state);
	effect->stop.grace_ms = stop_grace_ms(engine, state);
	return false;
}

static void pull(struct engine *engine, struct task *task, size_t index)
{
	if (task->containers[index].flight & flight_bit(EFFECT_PULL_IMAGE))
		return;
	if (task->state->pull_started_at_ms == 0) {
		task->state->pull_started_at_ms = engine->wall_ms;
		mark_task(task, PERSIST_SOON);
	}
	effect_start_container(engine, EFFECT_PULL_IMAGE, task, index)->pull.reference =
		container_spec_image(task->state->containers[index].spec);
}

static void create(struct engine *engine, struct task *task, size_t index)
{
	if (task->containers[index].flight & flight_bit(EFFECT_CREATE_CONTAINER))
		return;
	if (task_has_own_network(task->state->spec) && task->state->network.status < NETWORK_OPEN)
		return;
	if (!resources_ready(task, index) || !connection_allows_creation(task, index))
		return;
	task->containers[index].may_exist = true;
	effect_start_container(engine, EFFECT_CREATE_CONTAINER, task, index);
}

static void start(struct engine *engine, struct task *task, size_t index)
{
	struct container_state *state = &task->state->containers[index];

	if (task_has_own_network(task->state->spec) && task->state->network.status != NETWORK_READY)
		return;
	if (!connection_ready(task, index))
		return;
	if (!state->start_intended) {
		state->start_intended = true;
		mark_container(task, index, PERSIST_NOW);
	}
	effect_start_container(engine, EFFECT_START_CONTAINER, task, index);
}

/* It wants to run. */
static bool run_advance(struct engine *engine, struct task *task, size_t index)
{
	const struct container_state *state = &task->state->containers[index];
	char *why = NULL;

	/* Once it is being started, what it waited for does not matter any more. */
	if (!task->state->admitted || state->known >= CONTAINER_STATUS_RUNNING ||
	    (task->containers[index].flight & flight_bit(EFFECT_START_CONTAINER)))
		return false;
	if (state->spec->docker_config_error) {
		/* "<name>: <text>" already. */
		const char *colon = strstr(state->spec->docker_config_error, ": ");
		char *name = colon ? xstrndup(state->spec->docker_config_error,
					      (size_t)(colon - state->spec->docker_config_error))
				   : NULL;

		container_fail(task, index, name,
			       colon ? colon + 2 : state->spec->docker_config_error);
		free(name);
		return true;
	}
	enum verdict verdict = dependencies_check(engine, task, index, &why);

	if (verdict == VERDICT_FAILED) {
		task->state->containers[index].has_exit_code = true;
		task->state->containers[index].exit_code = 143;
		container_fail(task, index, "CannotStartContainerError", why);
		free(why);
		return true;
	}
	if (connection_is_hopeless(task, index)) {
		container_fail(task, index, "CannotStartContainerError",
			       "Service Connect's relay has ended");
		return true;
	}
	if (!connection_ready(task, index) &&
	    connection_is_due(task, index, verdict == VERDICT_SATISFIED))
		connection_advance(engine, task, index);
	if (!task->containers[index].image_ready && state->known < CONTAINER_STATUS_CREATED) {
		if (verdict == VERDICT_SATISFIED || engine->config.pull_dependents_upfront)
			pull(engine, task, index);
	} else if (verdict == VERDICT_SATISFIED) {
		if (state->known == CONTAINER_STATUS_CREATED)
			start(engine, task, index);
		else
			create(engine, task, index);
	}
	return false;
}

static bool container_advance(struct engine *engine, struct task *task, size_t index)
{
	struct container *container = &task->containers[index];
	const struct container_state *state = &task->state->containers[index];

	if (state->known == CONTAINER_STATUS_STOPPED) {
		bool moved = container_removal_advance(engine, task, index);

		return disconnection_advance(engine, task, index) || moved;
	}
	if (container->exit_waits && !state->restarting &&
	    !(container->flight & flight_bit(EFFECT_START_CONTAINER))) {
		container->exit_waits = false;
		if (state->known == CONTAINER_STATUS_RUNNING)
			container_ended(engine, task, index, &container->early_exit);
		else
			container_ended_early(engine, task, index, &container->early_exit);
		return true;
	}
	if (state->restarting)
		return restart_advance(engine, task, index);
	if (state->desired == CONTAINER_STATUS_STOPPED)
		return stop_advance(engine, task, index);
	health_advance(engine, task, index);
	return state->desired >= CONTAINER_STATUS_RUNNING && run_advance(engine, task, index);
}

/* One essential container that is STOPPED, or shall be, takes the task with it. */
static bool derive_desired(struct engine *engine, struct task *task)
{
	if (task->state->desired == TASK_STATUS_STOPPED)
		return false;
	bool stop = all_containers_stopped(task);

	for (size_t i = 0; !stop && i < task->state->container_count; i++)
		stop = task->state->containers[i].spec->essential &&
		       task->state->containers[i].desired == CONTAINER_STATUS_STOPPED;
	if (stop)
		task_want_stop(engine, task, PERSIST_SOON);
	return stop;
}

static enum task_status task_status_of(enum container_status status)
{
	switch (status) {
	case CONTAINER_STATUS_NONE:
		return TASK_STATUS_NONE;
	case CONTAINER_STATUS_MANIFEST_PULLED:
	case CONTAINER_STATUS_PULLED:
		return TASK_STATUS_MANIFEST_PULLED;
	case CONTAINER_STATUS_CREATED:
		return TASK_STATUS_CREATED;
	case CONTAINER_STATUS_RUNNING:
	case CONTAINER_STATUS_RESOURCES_PROVISIONED:
		return TASK_STATUS_RUNNING;
	case CONTAINER_STATUS_STOPPED:
		break;
	}
	return TASK_STATUS_STOPPED;
}

/* The least of its containers, and of its network. */
static bool derive_known(struct engine *engine, struct task *task)
{
	const struct task_state *state = task->state;
	enum task_status least = TASK_STATUS_STOPPED;

	for (size_t i = 0; i < state->container_count; i++) {
		enum task_status status = task_status_of(state->containers[i].known);

		if (status < least)
			least = status;
	}
	if (least == TASK_STATUS_STOPPED && !(network_settled(task) && connections_settled(task)))
		return false;
	if (least == TASK_STATUS_RUNNING && essential_container_stopped(task))
		return false;
	if (least <= state->known)
		return false;
	task_reach(engine, task, least);
	return true;
}

void task_advance(struct engine *engine, struct task *task)
{
	bool moved;

	task->wake_ms = ENGINE_NEVER;
	do {
		/* First, so that a container that runs is noticed before the news of its end is. */
		moved = derive_known(engine, task);
		moved |= derive_desired(engine, task);
		for (size_t i = 0; i < task->state->container_count; i++)
			moved |= container_advance(engine, task, i);
		moved |= network_advance(engine, task);
	} while (moved);
	resources_advance(engine, task);

	report_advance(engine, task);
	cleanup_advance(engine, task);
	if (task->dead)
		return;
	if (task->persist_at_ms == PERSIST_AT_UNSET)
		task->persist_at_ms = engine->now_ms + PERSIST_SOON_MS;
	if (task->dirty_now || task->persist_at_ms <= engine->now_ms)
		effects_persist(engine, task);
	wake_at(task, task->persist_at_ms);
	wake_set(engine, task);
}
