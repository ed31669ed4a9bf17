/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restart policies. A container that ends, and whose policy has it started again, stays RUNNING for
 * everybody else: no report, no dependent and no rule about essential containers sees that end. How
 * it ended is remembered until it runs again, for when it does not.
 */
#include "agent/engine/internal.h"

static bool ignored(const struct restart_policy *policy, int exit_code)
{
	for (size_t i = 0; i < policy->ignored_exit_code_count; i++)
		if (policy->ignored_exit_codes[i] == exit_code)
			return true;
	return false;
}

/* One that fails faster than its period allows stays down. */
static bool lasted(const struct engine *engine, const struct container *container,
		   const struct restart_policy *policy)
{
	double period_ms =
		(double)policy->restart_attempt_period_s * 1000 / engine->config.time_scale;

	return (double)(engine->now_ms - container->started_at_ms) >= period_ms;
}

static bool shall_restart(const struct engine *engine, const struct task *task, size_t index,
			  const struct engine_exit *exit)
{
	const struct container_state *state = &task->state->containers[index];
	const struct restart_policy *policy = &state->spec->restart_policy;

	return policy->enabled && !task->rebooted && state->known == CONTAINER_STATUS_RUNNING &&
	       state->desired != CONTAINER_STATUS_STOPPED && exit->code_known &&
	       !ignored(policy, engine_exit_code(exit)) &&
	       lasted(engine, &task->containers[index], policy);
}

void container_ended(struct engine *engine, struct task *task, size_t index,
		     const struct engine_exit *exit)
{
	struct container_state *state = &task->state->containers[index];

	if (!shall_restart(engine, task, index, exit)) {
		container_exited(engine, task, index, exit);
		return;
	}
	state->restarting = true;
	state->attempt++;
	state->last_restart_at_ms = engine->wall_ms;
	state->has_exit_code = true;
	state->exit_code = engine_exit_code(exit);
	state->finished_at_ms = exit->finished_at_ms ? exit->finished_at_ms : engine->wall_ms;
	state->oom_killed = exit->oom;
	state->pid = 0;
	/* How healthy the run was that has ended does not count, and a probe of it has nobody to
	 * tell. */
	if (state->health != CONTAINER_HEALTH_NONE)
		state->health = CONTAINER_HEALTH_STARTING;
	task->containers[index].flight &= ~flight_bit(EFFECT_PROBE_HEALTH);
	mark_container(task, index, PERSIST_NOW);
}

void container_ended_after(struct engine *engine, struct task *task, size_t index,
			   const struct engine_exit *exit)
{
	struct container *container = &task->containers[index];
	const struct container_state *state = &task->state->containers[index];
	int64_t ran_ms = exit->finished_at_ms - exit->started_at_ms;

	container->started_at_ms =
		engine->now_ms - (exit->started_at_ms && ran_ms > 0 ? ran_ms : 0);
	if (state->known < CONTAINER_STATUS_RUNNING && state->desired != CONTAINER_STATUS_STOPPED &&
	    state->spec->restart_policy.enabled)
		container_reach(engine, task, index, CONTAINER_STATUS_RUNNING, PERSIST_SOON);
	container_ended(engine, task, index, exit);
}

/* It runs again, or has: what was remembered of the run before does not count any more. */
static void forget_end(struct container_state *state)
{
	state->restarting = false;
	state->has_exit_code = false;
	state->exit_code = 0;
	state->finished_at_ms = 0;
	state->oom_killed = false;
}

/* The end that was remembered is its end after all. */
static void give_up(struct engine *engine, struct task *task, size_t index)
{
	struct container_state *state = &task->state->containers[index];
	const struct engine_exit exit = {
		.code_known = true,
		.exit_code = state->exit_code,
		.oom = state->oom_killed,
		.finished_at_ms = state->finished_at_ms,
	};

	state->restarting = false;
	task->containers[index].half_restarted = true;
	container_exited(engine, task, index, &exit);
	/* What is there of it is removed at once, and with it what tells how it ended. */
	mark_container(task, index, PERSIST_NOW);
}

/* Does nothing, once it is stopped, but make sure that nothing runs: nobody knows how far it came.
 */
bool restart_advance(struct engine *engine, struct task *task, size_t index)
{
	struct container *container = &task->containers[index];

	if (container->flight & flight_bit(EFFECT_RESTART_CONTAINER))
		return false;
	if (task->state->containers[index].desired == CONTAINER_STATUS_STOPPED)
		return stop_advance(engine, task, index);
	effect_start_container(engine, EFFECT_RESTART_CONTAINER, task, index);
	return true;
}

void restarted(struct engine *engine, struct task *task, size_t index,
	       const struct engine_done *done)
{
	struct container *container = &task->containers[index];
	struct container_state *state = &task->state->containers[index];

	if (!state->restarting)
		return;
	if (done->failed) {
		container_want_stop(task, index, PERSIST_NOW);
		return;
	}
	forget_end(state);
	state->pid = done->pid;
	container->started_at_ms = engine->now_ms;
	mark_container(task, index, PERSIST_SOON);
	effect_add_container(engine, EFFECT_STATUS_CHANGED, task, index);
	health_started(engine, task, index);
}

bool restart_stopped(struct engine *engine, struct task *task, size_t index,
		     const struct engine_done *done, bool last_attempt)
{
	struct container *container = &task->containers[index];
	const struct engine_exit *exit = container->exit_waits             ? &container->early_exit
					 : !done->failed && done->has_exit ? &done->exit
									   : NULL;

	if (!exit && !last_attempt)
		return false;
	container->exit_waits = false;
	if (exit && exit->started_at_ms != 0) {
		forget_end(&task->state->containers[index]);
		container_exited(engine, task, index, exit);
	} else {
		give_up(engine, task, index);
	}
	return true;
}

/* After a start of the agent; true: what was seen needs no further thought. */
bool restart_recover(struct engine *engine, struct task *task, size_t index,
		     const struct engine_observation *observation)
{
	struct container_state *state = &task->state->containers[index];

	if (!state->restarting)
		return false;
	switch (observation->seen) {
	case SEEN_NOTHING:
	case SEEN_CREATED:
		if (!task->rebooted)
			return true; /* it is begun, or gone on with */
		if (observation->run_before) {
			give_up(engine, task, index);
			return true;
		}
		break; /* perhaps it did run */
	case SEEN_RUNNING:
	case SEEN_EXITED:
	case SEEN_VANISHED:
		break;
	}
	restarted(engine, task, index, &(struct engine_done){ .pid = observation->pid });
	return false;
}
