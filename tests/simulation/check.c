/* SPDX-License-Identifier: Apache-2.0 */
/* What must always hold (architecture, the engine's invariants), and what must have come true at
 * the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "simulation.h"

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;
	FILE *out;

	if (sim->failed)
		return;
	sim->failed = true;
	out = sim->trace ? sim->trace : stderr;
	fprintf(out, "seed %llu, at %lld ms: ", (unsigned long long)sim->seed,
		(long long)sim->now_ms);
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fprintf(out, "\n");
}

void sim_trace(const struct sim *sim, const char *format, ...)
{
	va_list args;

	if (!sim->trace)
		return;
	fprintf(sim->trace, "%8lld  ", (long long)sim->now_ms);
	va_start(args, format);
	vfprintf(sim->trace, format, args);
	va_end(args);
	fprintf(sim->trace, "\n");
}

/* 3. Known never goes back, desired never from STOPPED to anything else. */
static void check_directions(struct sim *sim, struct sim_task *task, const struct task_state *state)
{
	if (state->known < task->seen_known)
		sim_fail(sim, "%s went from %s back to %s", task->id,
			 task_status_name(task->seen_known), task_status_name(state->known));
	if (task->seen_desired == TASK_STATUS_STOPPED && state->desired != TASK_STATUS_STOPPED)
		sim_fail(sim, "%s is wanted again", task->id);
	task->seen_known = state->known;
	task->seen_desired = state->desired;
	for (int i = 0; i < task->container_count; i++) {
		struct sim_container *container = &task->containers[i];

		if (state->containers[i].known < container->seen)
			sim_fail(sim, "%s/%s went from %s back to %s", task->id, container->name,
				 container_status_name(container->seen),
				 container_status_name(state->containers[i].known));
		container->seen = state->containers[i].known;
		if (state->known == TASK_STATUS_STOPPED &&
		    container->seen != CONTAINER_STATUS_STOPPED)
			sim_fail(sim, "%s is STOPPED, and its container %s is not", task->id,
				 container->name);
	}
}

/* 6. The ledger is the sum of those admitted, and never more than the host; each port has one
 * holder. */
static void check_ledger(struct sim *sim, const struct engine *engine)
{
	struct engine_ledger ledger;
	int64_t cpu = 0, memory = 0;
	int port_holders = 0, gpu_holders[HOST_GPUS + 1] = { 0 };

	for (const struct task_state *state = NULL; (state = engine_next_task(engine, state));) {
		if (!state->admitted)
			continue;
		cpu += 256;
		memory += state->spec->memory_mib;
		const struct sim_task *task = &sim->tasks[task_index(sim, state->spec->id)];

		port_holders += !task->own_network && task->port != 0;
		if (task->gpu >= 0 && ++gpu_holders[task->gpu] > (task->gpu < HOST_GPUS))
			sim_fail(sim, "GPU %d is given out too often", task->gpu);
	}
	engine_ledger(engine, &ledger);
	if (ledger.cpu_units_used != cpu || ledger.memory_mib_used != memory)
		sim_fail(sim, "the ledger says %lld MiB, the tasks %lld",
			 (long long)ledger.memory_mib_used, (long long)memory);
	if (cpu > sim->cpu_units || memory > sim->memory_mib)
		sim_fail(sim, "more than the host is given out");
	if (port_holders > 1)
		sim_fail(sim, "two tasks hold one port");
}

/* 5. Forgotten is only what has ended, is known to have, and is gone from the host; its role goes
 * with it. */
static void check_forgotten(struct sim *sim, const struct sim_task *task, int index)
{
	struct credentials_entry entry;
	char id[32];

	if (task->reported != TASK_STATUS_STOPPED && !task->end_refused)
		sim_fail(sim, "%s is forgotten before its end is known", task->id);
	if (task->namespace || task->cgroup || task->volume)
		sim_fail(sim, "%s is forgotten, and something of it is left", task->id);
	for (int i = 0; i < task->container_count; i++)
		if (task->containers[i].host != HOST_ABSENT || task->containers[i].connected)
			sim_fail(sim, "%s is forgotten, and its container c%d is left", task->id,
				 i);
	snprintf(id, sizeof(id), "credentials-%d", index);
	if (credentials_store_get(sim->agent->task_credentials, id, &entry))
		sim_fail(sim, "%s is forgotten, and its credentials are kept", task->id);
}

/* 7. What waits is bounded by the tasks there are. */
static void check_bounds(struct sim *sim)
{
	size_t tasks = (size_t)sim->task_count;

	if (engine_task_count(sim->agent->engine) > tasks)
		sim_fail(sim, "the engine has more tasks than there are");
	if (sim->agent->reporter && reporter_pending(sim->agent->reporter) > 2 * tasks)
		sim_fail(sim, "%zu reports wait for %zu tasks",
			 reporter_pending(sim->agent->reporter), tasks);
	if (sim->agent->attachments && attachments_count(sim->agent->attachments) > tasks)
		sim_fail(sim, "%zu interfaces are announced for %zu tasks",
			 attachments_count(sim->agent->attachments), tasks);
}

/* What it was told, and has had the time to save. */
static void remember(struct sim_task *task)
{
	task->remembered = task->answered;
	for (int i = 0; i < task->container_count; i++)
		task->containers[i].remembered = task->containers[i].answered;
}

/* A session that is down comes back: something is there that ends each state. */
static void check_sessions(struct sim *sim)
{
	const struct agent *agent = sim->agent;

	if (agent->acs && !acs_session_is_held(agent->acs))
		sim_fail(sim, "nothing ends the state that the ACS session is in");
	if (agent->tcs && !tcs_session_is_held(agent->tcs))
		sim_fail(sim, "nothing ends the state that the TCS session is in");
}

void check_step(struct sim *sim)
{
	const struct engine *engine = agent_engine(sim);

	sim->steps++;
	for (int i = 0; engine && i < sim->task_count && !sim->failed; i++) {
		const struct task_state *state = engine_task(engine, sim->tasks[i].id);

		if (state)
			check_directions(sim, &sim->tasks[i], state);
		else if (sim->tasks[i].known_here && !outbox_waits(sim->agent->outbox))
			check_forgotten(sim, &sim->tasks[i], i);
		sim->tasks[i].known_here =
			state || (sim->tasks[i].known_here && outbox_waits(sim->agent->outbox));
		if (!outbox_waits(sim->agent->outbox))
			remember(&sim->tasks[i]);
	}
	if (engine) {
		check_ledger(sim, engine);
		check_bounds(sim);
		check_sessions(sim);
	}
}

/* 1. What was acknowledged is known after a death, unless its end was reported and it was cleaned
 * up. */
void check_recovered(struct sim *sim)
{
	for (int i = 0; i < sim->task_count && !sim->failed; i++) {
		const struct sim_task *task = &sim->tasks[i];
		const struct task_state *state = engine_task(agent_engine(sim), task->id);

		if (!task->run_safe && !task->stop_safe)
			continue;
		if (!state && task->reported != TASK_STATUS_STOPPED && !task->end_refused)
			sim_fail(sim, "%s was acknowledged, and is forgotten", task->id);
		if (state && task->stop_safe && state->desired != TASK_STATUS_STOPPED)
			sim_fail(sim, "the acknowledged stop of %s is forgotten", task->id);
	}
}

/* What is there of it may have been removed since. */
static bool has_ended(const struct sim_container *container)
{
	return container->started > 0 && container->host != HOST_RUNNING &&
	       container->exit.code_known;
}

static bool dependency_holds(const struct sim_task *task, const struct sim_dependency *dependency)
{
	const struct sim_container *on = &task->containers[dependency->on];

	switch (dependency->condition) {
	case CONTAINER_CONDITION_START:
		return on->started > 0;
	case CONTAINER_CONDITION_COMPLETE:
		return has_ended(on);
	case CONTAINER_CONDITION_SUCCESS:
		return has_ended(on) && on->exit.signal == 0 && on->exit.exit_code == 0;
	case CONTAINER_CONDITION_HEALTHY:
		return on->probed_healthy;
	default:
		return false;
	}
}

/* Service Connect in bridge mode: the relay's network is the first, and all are there before it is
 * made, but for those of containers that will never run. */
static void check_relay(struct sim *sim, const struct engine_effect *effect,
			const struct sim_task *task, int which)
{
	int relay = task->container_count - 1;

	if (!task->relayed || !task->connects)
		return;
	if (effect->type == EFFECT_CONNECT_CONTAINER && which != relay &&
	    !task->containers[relay].connected)
		sim_fail(sim, "%s/c%d is connected before the relay", task->id, which);
	for (int i = 0; effect->type == EFFECT_CREATE_CONTAINER && which == relay && i < relay; i++)
		if (!task->containers[i].connected && !task->trouble)
			sim_fail(sim, "the relay of %s is created before c%d is connected",
				 task->id, i);
}

/* 2. Started when every dependency holds, by the host's own truth; stopped in reverse order. */
void check_effect(struct sim *sim, const struct engine_effect *effect, int index, int which)
{
	const struct sim_task *task = &sim->tasks[index];
	const struct sim_container *container = which >= 0 ? &task->containers[which] : NULL;

	check_relay(sim, effect, task, which);
	switch (effect->type) {
	case EFFECT_CREATE_CONTAINER:
		if (!container->pulled)
			sim_fail(sim, "%s/%s is created without its image", task->id,
				 container->name);
		if (!task->cgroup || (task->has_volume && container->mounts && !task->volume))
			sim_fail(sim, "%s/%s is created before what it uses", task->id,
				 container->name);
		if (task->own_network && !task->namespace)
			sim_fail(sim, "%s/%s is created without its namespace", task->id,
				 container->name);
		if (task->connects && !container->connected)
			sim_fail(sim, "%s/%s is created without its network", task->id,
				 container->name);
		break;
	case EFFECT_START_CONTAINER:
		for (int i = 0; i < container->dependency_count; i++)
			if (!dependency_holds(task, &container->dependencies[i]))
				sim_fail(sim, "%s/%s is started before c%d is %s", task->id,
					 container->name, container->dependencies[i].on,
					 container_condition_name(
						 container->dependencies[i].condition));
		if ((task->own_network && !task->attached) ||
		    (task->connects && !container->connected))
			sim_fail(sim, "%s/%s is started without its network", task->id,
				 container->name);
		break;
	case EFFECT_RESTART_CONTAINER:
		if (!container->restart_period_s)
			sim_fail(sim, "%s/%s is restarted, and has no policy for it", task->id,
				 container->name);
		if (container->attempt < effect->attempt &&
		    (!container->exit.code_known ||
		     (!container->exit.signal && container->exit.exit_code == 3)))
			sim_fail(sim,
				 "%s/%s is restarted after an end that its policy leaves alone",
				 task->id, container->name);
		break;
	case EFFECT_STOP_CONTAINER:
		if (!task->stop_wanted && !task->trouble)
			sim_fail(sim, "%s/%s is stopped, and nobody wants that", task->id,
				 container->name);
		for (int i = 0; i < task->container_count; i++)
			for (int j = 0; j < task->containers[i].dependency_count; j++)
				if (task->containers[i].dependencies[j].on == which &&
				    task->containers[i].host == HOST_RUNNING &&
				    !task->containers[i].stop_failed)
					sim_fail(sim,
						 "%s/%s is stopped before c%d, which depends on it",
						 task->id, container->name, i);
		break;
	case EFFECT_DISCONNECT_CONTAINER:
		if (container->host == HOST_RUNNING && !container->stop_failed)
			sim_fail(sim, "the network of %s/%s is taken away while it runs", task->id,
				 container->name);
		break;
	case EFFECT_TEAR_DOWN_NETWORK:
		for (int i = 0; i < task->container_count; i++)
			if (task->containers[i].host == HOST_RUNNING &&
			    !task->containers[i].stop_failed)
				sim_fail(sim, "the network of %s is torn down under c%d", task->id,
					 i);
		break;
	default:
		break;
	}
}

static bool host_is_empty(const struct sim *sim)
{
	for (int i = 0; i < sim->task_count; i++) {
		if (sim->tasks[i].namespace || sim->tasks[i].cgroup || sim->tasks[i].volume)
			return false;
		for (int j = 0; j < sim->tasks[i].container_count; j++)
			if (sim->tasks[i].containers[j].host != HOST_ABSENT ||
			    sim->tasks[i].containers[j].connected)
				return false;
	}
	return true;
}

static bool all_reported(const struct sim *sim)
{
	for (int i = 0; i < sim->task_count; i++)
		if (sim->tasks[i].reported != TASK_STATUS_STOPPED && !sim->tasks[i].end_refused)
			return false;
	return true;
}

bool check_is_settled(struct sim *sim)
{
	return sim->agent && engine_task_count(sim->agent->engine) == 0 &&
	       !outbox_waits(sim->agent->outbox) && host_is_empty(sim) && all_reported(sim);
}

static void explain(struct sim *sim, const char *what, const char *id)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (sim->agent)
		engine_explain(sim->agent->engine, id, &text);
	sim_fail(sim, "%s %s\n%s", id, what, strbuf_text(&text));
}

/* 5. Nothing is left: every task that came was reported STOPPED, and has gone from engine, store
 * and host. */
void check_end(struct sim *sim)
{
	_cleanup_free_ struct store_tasks *saved = NULL;
	struct error err = ERROR_INIT;

	for (int i = 0; i < sim->task_count && !sim->failed; i++) {
		const struct sim_task *task = &sim->tasks[i];

		if (task->reported != TASK_STATUS_STOPPED && !task->end_refused)
			explain(sim, "was never reported STOPPED", task->id);
		if (task->namespace || task->cgroup || task->volume)
			sim_fail(sim, "of %s are left:%s%s%s", task->id,
				 task->namespace ? " namespace" : "", task->cgroup ? " cgroup" : "",
				 task->volume ? " volume" : "");
		for (int j = 0; j < task->container_count; j++)
			if (task->containers[j].host != HOST_ABSENT ||
			    task->containers[j].connected)
				sim_fail(sim, "%s/c%d is left in state %d%s", task->id, j,
					 task->containers[j].host,
					 task->containers[j].connected ? ", connected" : "");
	}
	if (sim->failed)
		return;
	if (!sim->agent) {
		sim_fail(sim, "the agent is down");
		return;
	}
	if (engine_task_count(sim->agent->engine) > 0)
		explain(sim, "is left in the engine",
			engine_next_task(sim->agent->engine, NULL)->spec->id);
	saved = calloc(1, sizeof(*saved));
	if (store_load_tasks(sim->agent->store, saved, &err) < 0) {
		sim_fail(sim, "%s", err.text);
		return;
	}
	if (saved->count + saved->damaged_count > 0)
		sim_fail(sim, "%zu tasks are left in the store", saved->count);
	store_tasks_free(saved);
}
