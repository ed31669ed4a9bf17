/* SPDX-License-Identifier: Apache-2.0 */
/* The host: it does what effects say, slowly, sometimes not, and outlives the agent. */
#include <stdlib.h>

#include "simulation.h"

static bool on_container(enum engine_effect_type type)
{
	return type >= EFFECT_PULL_IMAGE && type <= EFFECT_REMOVE_CONTAINER;
}

static void end_process(struct sim *sim, struct sim_container *container, struct engine_exit exit)
{
	if (container->host != HOST_RUNNING)
		return;
	container->exit = exit;
	container->exit.finished_at_ms = sim->now_ms + sim->wall_offset_ms;
	container->host = exit.code_known ? HOST_EXITED : HOST_VANISHED;
}

/* The process is over; the agent will hear of it, if it lives. */
static void process_ended(struct sim *sim, int task, int container, struct engine_exit exit)
{
	end_process(sim, &sim->tasks[task].containers[container], exit);
	sim_trace(sim, "host: t%d/c%d ended", task, container);
	if (sim->generation == 0)
		return;
	struct sim_event *heard = sim_schedule(sim, SIM_EXIT_HEARD, sim_between(sim, 0, 5));

	heard->task = task;
	heard->container = container;
	heard->generation = sim->generation;
}

void host_exit(struct sim *sim, const struct sim_event *event)
{
	struct sim_container *container = &sim->tasks[event->task].containers[event->container];
	struct engine_exit exit = container->end;

	if (container->host != HOST_RUNNING)
		return;
	if (event->number == 9)
		exit = (struct engine_exit){ .code_known = true, .signal = 9 };
	else if (event->number == 15)
		exit = (struct engine_exit){ .code_known = true,
					     .exit_code = container->term_code };
	if (container->vanishes && !sim->calm)
		exit = (struct engine_exit){ .code_known = false };
	process_ended(sim, event->task, event->container, exit);
}

static int64_t duration(struct sim *sim, enum engine_effect_type type)
{
	switch (type) {
	case EFFECT_PULL_IMAGE:
		return sim_chance(sim, 20) ? sim_between(sim, 0, 20000) : sim_between(sim, 0, 300);
	case EFFECT_PROBE_HEALTH:
		return sim_between(sim, 0, 500);
	default:
		return sim_chance(sim, 10) ? sim_between(sim, 0, 3000) : sim_between(sim, 0, 50);
	}
}

/* A stop takes as long as the process does. */
static int64_t begin_stop(struct sim *sim, const struct engine_effect *effect, int task, int index)
{
	struct sim_container *container = &sim->tasks[task].containers[index];
	int64_t takes_ms = container->ignores_term ? effect->stop.grace_ms : container->term_ms;
	bool killed = container->ignores_term || takes_ms > effect->stop.grace_ms;

	if (container->host != HOST_RUNNING)
		return 0;
	if (takes_ms > effect->stop.grace_ms)
		takes_ms = effect->stop.grace_ms;
	struct sim_event *exit = sim_schedule(sim, SIM_EXIT, takes_ms);

	exit->task = task;
	exit->container = index;
	exit->number = killed ? 9 : 15;
	return takes_ms + 1;
}

static bool will_fail(struct sim *sim, enum engine_effect_type type,
		      const struct sim_container *container)
{
	switch (type) {
	case EFFECT_PULL_IMAGE:
		return container->pull_fails;
	case EFFECT_CREATE_CONTAINER:
		return container->create_fails;
	case EFFECT_START_CONTAINER:
		return container->start_fails;
	case EFFECT_STOP_CONTAINER:
		return sim_fault(sim, 3);
	case EFFECT_OPEN_NETNS:
	case EFFECT_ATTACH_NETWORK:
		return sim_fault(sim, 5);
	case EFFECT_PROBE_HEALTH:
		return sim_fault(sim, 3);
	default:
		return sim_fault(sim, 10);
	}
}

void host_perform(struct sim *sim, const struct engine_effect *effect, int task, int container)
{
	struct sim_container *subject =
		on_container(effect->type) ? &sim->tasks[task].containers[container] : NULL;
	bool failed = will_fail(sim, effect->type, subject);
	int64_t delay_ms = duration(sim, effect->type);
	struct sim_event *operation;

	if (effect->type == EFFECT_STOP_CONTAINER) {
		if (failed)
			subject->stop_failed = true;
		else
			delay_ms = begin_stop(sim, effect, task, container);
	}
	if (effect->type == EFFECT_START_CONTAINER && sim_fault(sim, 1))
		sim_schedule(sim, SIM_REBOOT,
			     delay_ms + sim_between(sim, 0, 40)); /* the worst moment */
	operation = sim_schedule(sim, SIM_OPERATION, delay_ms);
	operation->task = task;
	operation->container = container;
	operation->effect = effect->type;
	operation->failed = failed;
	operation->generation = sim->generation;
}

static void start_process(struct sim *sim, int task, int index)
{
	struct sim_container *container = &sim->tasks[task].containers[index];

	if (container->host != HOST_CREATED) {
		sim_fail(sim, "t%d/c%d was started in state %d", task, index, container->host);
		return;
	}
	container->host = HOST_RUNNING;
	container->started_ms = sim->now_ms;
	if (++container->starts > 1)
		sim_fail(sim, "t%d/c%d was started twice", task, index);
	if (container->runs_ms >= 0) {
		struct sim_event *exit = sim_schedule(sim, SIM_EXIT, container->runs_ms);

		exit->task = task;
		exit->container = index;
	}
}

/* What the effect changes. Repeating it is harmless. */
static void take_place(struct sim *sim, enum engine_effect_type type, int index, int which)
{
	struct sim_task *task = &sim->tasks[index];
	struct sim_container *container = which >= 0 ? &task->containers[which] : NULL;

	switch (type) {
	case EFFECT_OPEN_NETNS:
		task->namespace = true;
		break;
	case EFFECT_ATTACH_NETWORK:
		task->attached = task->namespace;
		break;
	case EFFECT_TEAR_DOWN_NETWORK:
		task->namespace = task->attached = false;
		break;
	case EFFECT_PULL_IMAGE:
		container->pulled = true;
		break;
	case EFFECT_CREATE_CONTAINER:
		if (container->host <= HOST_HALF_MADE)
			container->host = HOST_CREATED;
		break;
	case EFFECT_START_CONTAINER:
		start_process(sim, index, which);
		break;
	case EFFECT_REMOVE_CONTAINER:
		end_process(sim, container,
			    (struct engine_exit){ .code_known = true, .signal = 9 });
		container->host = HOST_ABSENT;
		break;
	default:
		break;
	}
}

void host_operation(struct sim *sim, const struct sim_event *event)
{
	struct sim_event *done;

	if (event->generation != sim->generation)
		return; /* host_agent_died() has dealt with it */
	if (!event->failed)
		take_place(sim, event->effect, event->task, event->container);
	else if (event->effect == EFFECT_CREATE_CONTAINER)
		sim->tasks[event->task].containers[event->container].host = HOST_HALF_MADE;
	else if (event->effect == EFFECT_OPEN_NETNS || event->effect == EFFECT_TEAR_DOWN_NETWORK)
		sim->tasks[event->task].namespace = true; /* half made, half removed */
	if (sim->failed)
		return;
	done = sim_schedule(sim, SIM_DONE, sim_chance(sim, 20) ? sim_between(sim, 0, 20) : 0);
	done->task = event->task;
	done->container = event->container;
	done->effect = event->effect;
	done->failed = event->failed;
	done->generation = event->generation;
}

static void fill_result(struct sim *sim, const struct sim_event *event, struct engine_done *done)
{
	struct sim_container *container =
		event->container >= 0 ? &sim->tasks[event->task].containers[event->container]
				      : NULL;

	switch (event->effect) {
	case EFFECT_PULL_IMAGE:
		done->image = (struct engine_image){ .digest = "sha256:d", .id = "sha256:i" };
		break;
	case EFFECT_START_CONTAINER:
		done->pid = 100;
		break;
	case EFFECT_STOP_CONTAINER:
		/* Half of the time the news comes only with the exit itself. */
		if (container->host >= HOST_EXITED && sim_chance(sim, 50)) {
			done->has_exit = true;
			done->exit = container->exit;
		}
		break;
	case EFFECT_PROBE_HEALTH:
		container->probed_healthy =
			container->healthy_after_ms >= 0 &&
			sim->now_ms >= container->started_ms + container->healthy_after_ms;
		done->probe = (struct engine_probe){ .exit_code = container->probed_healthy ? 0 : 1,
						     .output = "probe" };
		break;
	case EFFECT_OPEN_NETNS:
		done->network =
			(struct engine_network){ .pause_pid = 7, .netns_path = "/run/netns/x" };
		break;
	case EFFECT_ATTACH_NETWORK:
		done->network =
			(struct engine_network){ .interface = "eth0", .address = "10.0.0.7" };
		break;
	default:
		break;
	}
}

void host_done(struct sim *sim, const struct sim_event *event)
{
	struct sim_task *task = &sim->tasks[event->task];
	struct engine_event answer = { .type = EVENT_EFFECT_DONE,
				       .task_id = task->id,
				       .attempt = 1 };

	if (event->generation != sim->generation)
		return;
	if (on_container(event->effect))
		answer.container = task->containers[event->container].name;
	answer.done.type = event->effect;
	answer.done.failed = event->failed;
	if (event->failed) {
		answer.done.error_text = "the host said no";
		if (event->effect == EFFECT_START_CONTAINER && sim_chance(sim, 30))
			answer.done.error_name = "DockerTimeoutError";
	} else {
		fill_result(sim, event, &answer.done);
	}
	agent_step(sim, &answer);
	if (sim_fault(sim, 3))
		agent_step(sim, &answer); /* an echo */
}

/* What was under way when the agent died has happened, or not, or half. */
void host_agent_died(struct sim *sim)
{
	for (size_t i = 0; i < sim->event_count; i++) {
		struct sim_event *event = &sim->events[i];

		if (event->type != SIM_OPERATION || event->generation != sim->generation ||
		    event->failed)
			continue;
		if (event->effect == EFFECT_CREATE_CONTAINER && sim_chance(sim, 30)) {
			struct sim_container *container =
				&sim->tasks[event->task].containers[event->container];

			if (container->host == HOST_ABSENT)
				container->host = HOST_HALF_MADE;
		} else if (event->effect != EFFECT_STOP_CONTAINER && sim_chance(sim, 50)) {
			int task = event->task, container = event->container;
			enum engine_effect_type effect = event->effect;

			event->failed = true; /* once; and the list of events may move */
			take_place(sim, effect, task, container);
		}
	}
}

/* The agent dies, and all processes and namespaces with it; of some containers not even a trace is
 * left. */
void host_reboot(struct sim *sim)
{
	sim_trace(sim, "host: reboots");
	agent_die(sim);
	for (int i = 0; i < sim->task_count; i++) {
		struct sim_task *task = &sim->tasks[i];

		task->namespace = task->attached = false;
		for (int j = 0; j < task->container_count; j++) {
			struct sim_container *container = &task->containers[j];

			if (container->host == HOST_RUNNING) {
				container->exit = (struct engine_exit){ .code_known = false };
				container->host = sim_chance(sim, 50) ? HOST_VANISHED : HOST_ABSENT;
			} else if (container->host == HOST_CREATED) {
				container->host =
					sim_chance(sim, 50) ? HOST_HALF_MADE : HOST_ABSENT;
			}
		}
	}
}

struct engine_observation host_observe(const struct sim_container *container)
{
	struct engine_observation seen = { .exit = container->exit };

	switch (container->host) {
	case HOST_ABSENT:
		seen.seen = SEEN_NOTHING;
		break;
	case HOST_CREATED:
		seen.seen = SEEN_CREATED;
		break;
	case HOST_RUNNING:
		seen.seen = SEEN_RUNNING;
		seen.pid = 100;
		break;
	case HOST_EXITED:
		seen.seen = SEEN_EXITED;
		break;
	case HOST_HALF_MADE:
	case HOST_VANISHED:
		seen.seen = SEEN_VANISHED;
		break;
	}
	return seen;
}
