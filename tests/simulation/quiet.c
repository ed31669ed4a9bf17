/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In some histories there is peace for a while between the storm and the end. Then what the agent
 * knows is what is true, the control plane knows it too, and nobody waits without a reason.
 */
#include "agent/agent.h"
#include "simulation.h"

#define TASK_CPU_UNITS 256
#define STILL_MS       30000

static bool hangs(const struct sim_task *task)
{
	for (int i = 0; i < task->container_count; i++)
		if (task->containers[i].hangs_ms > 0 || task->containers[i].stop_failed)
			return true;
	return false;
}

static bool depends_on_what_goes_on(const struct sim_task *task, const struct task_state *state,
				    int index)
{
	const struct sim_container *container = &task->containers[index];

	for (int i = 0; i < container->dependency_count; i++) {
		const struct sim_dependency *dependency = &container->dependencies[i];
		const struct container_state *on = &state->containers[dependency->on];

		if (on->known < CONTAINER_STATUS_RUNNING &&
		    depends_on_what_goes_on(task, state, dependency->on))
			return true;
		if (on->known != CONTAINER_STATUS_RUNNING)
			continue;
		if (dependency->condition == CONTAINER_CONDITION_COMPLETE ||
		    dependency->condition == CONTAINER_CONDITION_SUCCESS ||
		    (dependency->condition == CONTAINER_CONDITION_HEALTHY &&
		     on->health != CONTAINER_HEALTH_HEALTHY))
			return true;
	}
	return false;
}

/* What is being done for it may take that long. */
static bool stands_still(const struct sim *sim, const struct task_state *state)
{
	int64_t last_ms = state->pull_started_at_ms;

	for (size_t i = 0; i < state->container_count; i++)
		if (state->containers[i].known_since_ms > last_ms)
			last_ms = state->containers[i].known_since_ms;
	return sim->now_ms + sim->wall_offset_ms - last_ms > STILL_MS;
}

static void check_container(struct sim *sim, const struct sim_task *task,
			    const struct task_state *state, int index)
{
	const struct sim_container *container = &task->containers[index];
	const struct container_state *known = &state->containers[index];
	bool runs = container->host == HOST_RUNNING;

	if (!stands_still(sim, state) || sim->now_ms - container->ended_ms < STILL_MS)
		return;
	if (!known->restarting && runs != (known->known == CONTAINER_STATUS_RUNNING))
		sim_fail(sim, "%s/%s is in state %d, and the agent believes %s", task->id,
			 container->name, container->host, container_status_name(known->known));
	if (known->known >= CONTAINER_STATUS_RUNNING && container->reported != known->known &&
	    !task->refused)
		sim_fail(sim, "%s/%s is %s, and was not reported so", task->id, container->name,
			 container_status_name(known->known));
	if (container->essential && known->known == CONTAINER_STATUS_STOPPED &&
	    state->known != TASK_STATUS_STOPPED)
		sim_fail(sim, "%s goes on without %s", task->id, container->name);
	if (state->admitted && known->desired == CONTAINER_STATUS_RUNNING &&
	    known->known < CONTAINER_STATUS_RUNNING && !depends_on_what_goes_on(task, state, index))
		sim_fail(sim, "%s/%s waits for nothing", task->id, container->name);
}

static void check_task(struct sim *sim, int index)
{
	const struct sim_task *task = &sim->tasks[index];
	const struct task_state *state = engine_task(sim->agent->engine, task->id);

	if (!task->wanted || task->invalid || task->end_refused || hangs(task) ||
	    task->reported == TASK_STATUS_STOPPED)
		return;
	if (task->stop_wanted)
		sim_fail(sim, "%s is not STOPPED", task->id);
	else if (task->own_network && !task->attach_reported)
		sim_fail(sim, "the interface of %s was not reported", task->id);
	else if (!task->run_acknowledged)
		sim_fail(sim, "%s was not taken", task->id);
	else if (!state || state->known == TASK_STATUS_STOPPED)
		sim_fail(sim, "the end of %s was not reported", task->id);
	for (int i = 0; !sim->failed && i < task->container_count; i++)
		check_container(sim, task, state, i);
}

/* The first who waits for room waits for what others have. */
static void check_queue(struct sim *sim)
{
	const struct engine *engine = sim->agent->engine;
	const struct task_state *first = NULL;
	const struct sim_task *task;
	struct engine_ledger ledger;
	bool taken = false;

	for (const struct task_state *state = NULL; (state = engine_next_task(engine, state));)
		if (state->desired == TASK_STATUS_RUNNING && !state->admitted &&
		    (!first || state->arrival < first->arrival))
			first = state;
	if (!first)
		return;
	task = &sim->tasks[task_index(sim, first->spec->id)];
	for (const struct task_state *state = NULL; (state = engine_next_task(engine, state));) {
		const struct sim_task *other = &sim->tasks[task_index(sim, state->spec->id)];

		if (state->admitted)
			taken |= (task->gpu >= 0 && other->gpu == task->gpu) ||
				 (task->port && !task->own_network && other->port == task->port &&
				  !other->own_network);
	}
	engine_ledger(engine, &ledger);
	if (!taken && ledger.cpu_units_used + TASK_CPU_UNITS <= ledger.cpu_units &&
	    ledger.memory_mib_used + task->memory_mib <= ledger.memory_mib)
		sim_fail(sim, "%s waits, and there is room for it", task->id);
}

void check_quiet(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	if (!sim->agent) {
		sim_fail(sim, "the agent is down");
		return;
	}
	for (int i = 0; i < sim->task_count && !sim->failed; i++)
		check_task(sim, i);
	if (!sim->failed)
		check_queue(sim);
}
