/* SPDX-License-Identifier: Apache-2.0 */
/* After a start of the agent: what was saved, corrected by what the host says is true.
 */
#include <stdlib.h>

#include "agent/engine/internal.h"
#include "base/str.h"

static void vanished(struct engine *engine, struct task *task, size_t index)
{
	container_set_reason(task, index, "ContainerVanishedError",
			     "No container matching saved ID found");
	if (task->state->containers[index].finished_at_ms == 0)
		task->state->containers[index].finished_at_ms = engine->wall_ms;
	container_reach(engine, task, index, CONTAINER_STATUS_STOPPED, PERSIST_NOW);
}

/* By the wall clock: the other one may have begun anew. */
static int64_t ms_since_last_start(const struct engine *engine, const struct container_state *state)
{
	int64_t started_at_ms =
		state->last_restart_at_ms ? state->last_restart_at_ms : state->started_at_ms;

	return engine->wall_ms > started_at_ms ? engine->wall_ms - started_at_ms : 0;
}

static void runs(struct engine *engine, struct task *task, size_t index, int pid)
{
	struct container *container = &task->containers[index];
	struct container_state *state = &task->state->containers[index];

	state->pid = pid;
	if (state->started_at_ms == 0)
		state->started_at_ms = engine->wall_ms;
	container->started_at_ms = engine->now_ms;
	container->started_at_ms -= ms_since_last_start(engine, state);
	if (state->known < CONTAINER_STATUS_RUNNING)
		container_reach(engine, task, index, CONTAINER_STATUS_RUNNING, PERSIST_SOON);
	health_resumed(engine, task, index);
}

static void exited(struct engine *engine, struct task *task, size_t index,
		   const struct engine_exit *exit)
{
	struct container_state *state = &task->state->containers[index];

	if (state->known == CONTAINER_STATUS_STOPPED) {
		/* Declared so before its end was known: the true code, if it can still be told. */
		if (state->started_at_ms == 0 || state->has_exit_code ||
		    state->sent == CONTAINER_STATUS_STOPPED || !exit->code_known)
			return;
		container_exited(engine, task, index, exit);
	} else if (state->started_at_ms == 0) {
		container_ended_early(engine, task, index, exit);
	} else {
		container_ended_after(engine, task, index, exit);
	}
}

static void recover_container(struct engine *engine, struct task *task, size_t index,
			      const struct engine_observation *observation)
{
	struct container_state *state = &task->state->containers[index];

	task->containers[index].may_exist = !state->removed;
	if (task->rebooted || state->stop_begun_ms > engine->now_ms)
		state->stop_begun_ms = 0;
	connection_recover(task, index);
	if (restart_recover(engine, task, index, observation))
		return;
	switch (observation->seen) {
	case SEEN_NOTHING:
	case SEEN_VANISHED:
		if (state->known == CONTAINER_STATUS_STOPPED)
			return;
		/* Half made is not vanished: making it is repeated. */
		if (state->start_intended || state->known >= CONTAINER_STATUS_CREATED)
			vanished(engine, task, index);
		return;
	case SEEN_CREATED:
		/* Killed before the pull was saved: what its image says, such as the signal that
		 * stops it, is not known. It is pulled again, and making it finds it made. */
		if (state->known < CONTAINER_STATUS_PULLED)
			return;
		if (state->created_at_ms == 0)
			state->created_at_ms = engine->wall_ms;
		if (state->known < CONTAINER_STATUS_CREATED)
			container_reach(engine, task, index, CONTAINER_STATUS_CREATED,
					PERSIST_SOON);
		else if (state->known == CONTAINER_STATUS_RUNNING)
			vanished(engine, task, index);
		return;
	case SEEN_RUNNING:
		if (state->known != CONTAINER_STATUS_STOPPED)
			runs(engine, task, index, observation->pid);
		return;
	case SEEN_EXITED:
		exited(engine, task, index, &observation->exit);
		return;
	}
}

/*
 * A finished network without its pause process is lost. One that was still being made is made
 * again, from its beginning: what is there of it is found and kept.
 */
static void recover_network(struct engine *engine, struct task *task,
			    const struct engine_observation *pause)
{
	struct network_state *network = &task->state->network;

	if (pause->seen == SEEN_RUNNING)
		network->pause_pid = pause->pid;
	else if (network->status == NETWORK_READY)
		pause_exited(engine, task, &pause->exit);
	else if (network->status == NETWORK_OPEN || network->status == NETWORK_ATTACHING)
		network->status = NETWORK_OPENING;
}

void task_recover(struct engine *engine, const struct engine_recovered *recovered)
{
	struct task_state *state = recovered->task;

	if (table_find(engine, state->spec->id)) {
		task_state_free(state);
		return;
	}
	struct task *task = task_new(state);

	if (state->arrival > engine->arrivals)
		engine->arrivals = state->arrival;
	table_add(engine, task);
	touch(engine, task);
	/* What it depends on, as when it came. A task that could not run is STOPPED, and has said
	 * why. */
	if (task_prepare(engine, task) < 0)
		task_want_stop(engine, task, PERSIST_SOON);
	task->rebooted = recovered->rebooted;
	for (size_t i = 0; i < state->container_count; i++)
		recover_container(engine, task, i, &recovered->containers[i]);
	task->rebooted = false;
	/* What it had reached, if nobody took the report of it. */
	report_task_status(task);
	if (state->known == TASK_STATUS_STOPPED)
		cleanup_schedule(engine, task,
				 engine->wall_ms > state->stopped_at_ms
					 ? engine->wall_ms - state->stopped_at_ms
					 : 0);
	recover_network(engine, task, &recovered->pause);
}

void recovery_finish(struct engine *engine, const struct engine_recovery_end *end)
{
	if (end->sequence_number > engine->sequence_number)
		engine->sequence_number = end->sequence_number;
	for (size_t i = 0; i < end->ended_count; i++)
		ended_add(engine, end->ended[i].arn, end->ended[i].serial);
	for (struct task *task = engine->first; task; task = task->next)
		if (task->state->desired == TASK_STATUS_RUNNING &&
		    task->state->known != TASK_STATUS_STOPPED && !task->state->admitted)
			admission_queue(engine, task);
	for (struct task *task = engine->first; task; task = task->next)
		if (task->state->admitted)
			admission_take(engine, task);
	engine->recovered = true;
}
