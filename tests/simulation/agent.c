/* SPDX-License-Identifier: Apache-2.0 */
/* The shell around the engine, as thin as can be: outbox, recovery, and a death between any two
 * effects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "simulation.h"

static int task_of(const struct sim *sim, const char *id)
{
	for (int i = 0; id && i < sim->task_count; i++)
		if (str_eq(sim->tasks[i].id, id))
			return i;
	return -1;
}

/* "run t3" or "stop t3" */
static void acknowledge(struct sim *sim, const char *message_id)
{
	bool stop = str_starts_with(message_id, "stop ");
	int task = task_of(sim, message_id + (stop ? 5 : 4));
	struct sim_event *event;

	if (task < 0)
		return; /* of a manifest */
	check_acknowledge(sim, task, stop);
	if (stop)
		sim->tasks[task].stop_safe = true;
	else
		sim->tasks[task].run_safe = true;
	if (sim_fault(sim, 10))
		return;
	event = sim_schedule(sim, SIM_ACKNOWLEDGED, sim_between(sim, 1, 20));
	event->task = task;
	event->number = stop;
}

void agent_send_report(struct sim *sim, const struct engine_effect *effect)
{
	struct sim_event *event = sim_schedule(sim, SIM_REPORT,
					       sim_chance(sim, 10) ? sim_between(sim, 0, 2000)
								   : sim_between(sim, 1, 20));

	event->task = task_of(sim, effect->task_id);
	event->generation = sim->generation;
	event->report = engine_effect_copy(effect);
}

/* Some of the tasks that the agent asks about are not wanted any more. */
static void verify_stops(struct sim *sim, const struct engine_effect *effect)
{
	struct engine_event event = { .type = EVENT_STOP_VERIFIED };
	const char *arns[MAX_TASKS];
	size_t count = 0;

	for (size_t i = 0; i < effect->candidates.count; i++) {
		int task = task_of(sim, task_id_of_arn(effect->candidates.arns[i]));

		if (sim->tasks[task].stop_wanted)
			arns[count++] = effect->candidates.arns[i];
	}
	event.stop_verified = (struct engine_stop_verified){
		.message_id = effect->candidates.message_id, .arns = arns, .count = count
	};
	agent_step(sim, &event);
}

static void act(void *data, const struct engine_effect *effect)
{
	struct sim *sim = data;
	int task = task_of(sim, effect->task_id);

	if (sim->failed || sim->crash_countdown == 0)
		return; /* dead already */
	if (sim->crash_countdown > 0)
		sim->crash_countdown--;
	if (effect->type != EFFECT_STATUS_CHANGED && effect->type != EFFECT_HEALTH_CHANGED)
		sim_trace(sim, "agent: %s %s %s", engine_effect_name(effect->type),
			  effect->task_id ? effect->task_id : "",
			  effect->container                    ? effect->container
			  : effect->type == EFFECT_ACKNOWLEDGE ? effect->message_id
							       : "");
	switch (effect->type) {
	case EFFECT_ACKNOWLEDGE:
		acknowledge(sim, effect->message_id);
		break;
	case EFFECT_STOP_CANDIDATES:
		verify_stops(sim, effect);
		break;
	case EFFECT_REPORT:
		agent_send_report(sim, effect);
		break;
	case EFFECT_FORGET_TASK:
		if (sim->tasks[task].reported != TASK_STATUS_STOPPED && !sim->tasks[task].refused)
			sim_fail(sim, "t%d is forgotten before it was reported STOPPED", task);
		break;
	case EFFECT_STATUS_CHANGED:
	case EFFECT_HEALTH_CHANGED:
		break;
	default:
		check_effect(sim, effect, task,
			     effect->container ? (int)effect->container_index : -1);
		if (!sim->failed)
			host_perform(sim, effect, task,
				     effect->container ? (int)effect->container_index : -1);
		break;
	}
}

static void schedule_flush(struct sim *sim, int64_t delay_ms)
{
	if (sim->flush_scheduled)
		return;
	sim->flush_scheduled = true;
	sim_schedule(sim, SIM_FLUSH, delay_ms)->generation = sim->generation;
}

void agent_flush(struct sim *sim)
{
	struct error err = ERROR_INIT;

	sim->flush_scheduled = false;
	if (sim_fault(sim, 1))
		sim->crash_countdown = (int)sim_between(sim, 0, 3);
	if (outbox_flush(sim->outbox, &err) < 0) {
		sim_trace(sim, "agent: cannot commit: %s", err.text);
		if (!sim->disk_full)
			sim_fail(sim, "the store failed: %s", err.text);
		schedule_flush(sim, 1000);
		return;
	}
	if (sim->crash_countdown == 0) {
		agent_die(sim);
		return;
	}
	if (outbox_waits(sim->outbox))
		schedule_flush(sim, 0);
}

/* Commits at the end of the turn, which may hold several events. */
void agent_step(struct sim *sim, struct engine_event *event)
{
	const struct engine_effects *effects;
	int64_t wake_ms;

	if (sim->generation == 0 || sim->failed)
		return;
	event->wall_ms = sim->now_ms + sim->wall_offset_ms;
	effects = engine_step(sim->engine, sim->now_ms, event, &wake_ms);
	outbox_add(sim->outbox, effects);
	sim->steps++;
	if (event->type != EVENT_TASK_RECOVERED)
		check_step(sim);
	if (wake_ms < sim->wake_ms) {
		sim->wake_ms = wake_ms;
		struct sim_event *wake = sim_schedule(sim, SIM_WAKE, wake_ms - sim->now_ms);

		wake->generation = sim->generation;
		wake->number = (uint64_t)wake_ms;
	}
	if (outbox_waits(sim->outbox))
		schedule_flush(sim, sim_chance(sim, 30) ? 1 : 0);
}

static void recover(struct sim *sim, struct task_state *state)
{
	struct engine_observation seen[MAX_CONTAINERS];
	struct engine_event event = { .type = EVENT_TASK_RECOVERED };
	struct sim_task *task = &sim->tasks[task_of(sim, state->spec->id)];

	for (int i = 0; i < task->container_count; i++)
		seen[i] = host_observe(&task->containers[i]);
	event.recovered = (struct engine_recovered){ .task = state, .containers = seen };
	if (task->namespace && !task->pause_died) {
		event.recovered.pause.seen = SEEN_RUNNING;
		event.recovered.pause.pid = 7;
	}
	agent_step(sim, &event);
}

void agent_start(struct sim *sim)
{
	struct engine_config config;
	struct store_tasks tasks;
	struct error err = ERROR_INIT;
	struct engine_event event = { .type = EVENT_RECOVERY_FINISHED };

	engine_config_defaults(&config);
	config.cpu_units = HOST_CPU_UNITS;
	config.memory_mib = HOST_MEMORY_MIB;
	config.stop_timeout_ms = 2000;
	config.cleanup_wait_ms = 5000;
	sim->engine = engine_new(&config);
	sim->generation = ++sim->generations;
	sim->crash_countdown = -1;
	sim->wake_ms = ENGINE_NEVER;
	sim->flush_scheduled = false;
	sim->outbox = outbox_new(sim->engine, sim->store, act, sim);
	for (int i = 0; i < sim->task_count; i++) {
		sim->tasks[i].seen_known = sim->tasks[i].seen_desired = TASK_STATUS_NONE;
		for (int j = 0; j < MAX_CONTAINERS; j++)
			sim->tasks[i].containers[j].seen = CONTAINER_STATUS_NONE;
	}
	sim_trace(sim, "agent: starts");
	if (store_load_tasks(sim->store, &tasks, &err) < 0 || tasks.damaged_count > 0) {
		sim_fail(sim, "loading: %s",
			 tasks.damaged_count ? tasks.damaged[0].what : err.text);
		return;
	}
	for (size_t i = 0; i < tasks.count; i++)
		recover(sim, TAKE(tasks.items[i]));
	store_tasks_free(&tasks);
	if (store_get_sequence_number(sim->store, &event.sequence_number, &err) < 0)
		sim_fail(sim, "loading: %s", err.text);
	agent_step(sim, &event);
	check_recovered(sim);
}

/* What was not committed is lost; the host goes on by itself. */
void agent_die(struct sim *sim)
{
	if (sim->generation == 0)
		return;
	sim_trace(sim, "agent: dies");
	host_agent_died(sim);
	control_agent_died(sim);
	outbox_free(sim->outbox);
	engine_free(sim->engine);
	sim->outbox = NULL;
	sim->engine = NULL;
	sim->generation = 0;
	sim_schedule(sim, SIM_RESTART, sim_between(sim, 0, 3000));
}
