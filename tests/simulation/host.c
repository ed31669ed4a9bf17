/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of agent/executor: a host that does what effects say, slowly, sometimes not, and
 * outlives the agent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "simulation.h"

#define KILL_WAIT_MS     120000 /* after SIGKILL */
#define RESTART_SLACK_MS 1000   /* news of starts and ends take their time */

struct executor {
	struct executor_config config;
};

static bool on_container(enum engine_effect_type type)
{
	return type >= EFFECT_CONNECT_CONTAINER && type <= EFFECT_REMOVE_CONTAINER;
}

static struct sim_container *container_of(struct sim *sim, const struct sim_event *event)
{
	return event->container >= 0 ? &sim->tasks[event->task].containers[event->container] : NULL;
}

/* ---- processes ---- */

static void exit_heard(struct sim *sim, const struct sim_event *happened)
{
	const struct sim_task *task = &sim->tasks[happened->task];
	const struct sim_container *container = &task->containers[happened->container];
	const struct engine_event event = {
		.type = EVENT_CONTAINER_EXITED,
		.wall_ms = clock_wall_ms(),
		.task_id = task->id,
		.container = container->name,
		.attempt = happened->attempt,
		.exit = container->exit,
	};

	sim->executor->config.post(sim->executor->config.data, &event);
}

static void end_process(struct sim_container *container, struct engine_exit exit)
{
	if (container->host != HOST_RUNNING)
		return;
	container->exit = exit;
	container->exit.started_at_ms = container->started_ms + sim_world->wall_offset_ms;
	container->exit.finished_at_ms = clock_wall_ms();
	container->ended_ms = sim_world->now_ms;
	container->host = exit.code_known ? HOST_EXITED : HOST_VANISHED;
}

static void will_hear(struct sim *sim, int task, int container, int64_t delay_ms)
{
	struct sim_event *heard = sim_schedule(sim, delay_ms, exit_heard);

	heard->task = task;
	heard->container = container;
	heard->attempt = sim->tasks[task].containers[container].attempt;
	heard->generation = sim->generation;
}

/* Others do not end because of it. */
static bool matters_to_nobody(const struct sim_task *task, int index)
{
	if (task->containers[index].essential)
		return false;
	for (int i = 0; i < task->container_count; i++)
		for (int j = 0; j < task->containers[i].dependency_count; j++)
			if (task->containers[i].dependencies[j].on == index)
				return false;
	return true;
}

/* The process is over; the agent will hear of it, if it lives. */
static void process_ended(struct sim *sim, int task, int container, struct engine_exit exit)
{
	end_process(&sim->tasks[task].containers[container], exit);
	sim->tasks[task].trouble |= !matters_to_nobody(&sim->tasks[task], container);
	sim_trace(sim, "host: t%d/c%d ended with code %d signal %d", task, container,
		  exit.exit_code, exit.signal);
	if (sim->generation == 0)
		return;
	will_hear(sim, task, container, sim_between(sim, 0, 5));
	if (sim_fault(sim, 5)) /* and a second time */
		will_hear(sim, task, container, sim_between(sim, 0, 8000));
}

/* number: the signal that ends it; 0: by itself */
static void process_exits(struct sim *sim, const struct sim_event *event)
{
	struct sim_container *container = container_of(sim, event);
	struct engine_exit exit = container->end;

	if (container->host != HOST_RUNNING || container->attempt != event->attempt)
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

static struct sim_event *schedule_exit(struct sim *sim, int task, int index, int64_t delay_ms)
{
	struct sim_event *exit = sim_schedule(sim, delay_ms, process_exits);

	exit->task = task;
	exit->container = index;
	exit->attempt = sim->tasks[task].containers[index].attempt;
	return exit;
}

static void start_process(struct sim *sim, int task, int index)
{
	struct sim_container *container = &sim->tasks[task].containers[index];

	if (container->host != HOST_CREATED) {
		sim_fail(sim, "t%d/c%d was started in state %d", task, index, container->host);
		return;
	}
	if (container->started >= container->attempt)
		sim_fail(sim, "t%d/c%d was started twice", task, index);
	container->host = HOST_RUNNING;
	container->started_ms = sim->now_ms;
	container->started = container->attempt;
	container->probed_healthy = false;
	if (container->runs_ms >= 0)
		schedule_exit(sim, task, index, container->runs_ms);
}

/* The run before is deleted, and the next one made; `start`: and started. */
static void restart_process(struct sim *sim, int task, int index, uint32_t attempt, bool start)
{
	struct sim_container *container = &sim->tasks[task].containers[index];

	if (container->attempt != attempt) {
		if (container->host != HOST_EXITED || container->attempt != attempt - 1)
			sim_fail(sim, "t%d/c%d is restarted (%u) in state %d of attempt %u", task,
				 index, attempt, container->host, container->attempt);
		if (!sim->clock_stepped &&
		    container->ended_ms - container->started_ms <
			    container->restart_period_s * INT64_C(1000) - RESTART_SLACK_MS)
			sim_fail(sim, "t%d/c%d is restarted after %lld ms, and its period is %d s",
				 task, index,
				 (long long)(container->ended_ms - container->started_ms),
				 container->restart_period_s);
		container->attempt = attempt;
		container->host = HOST_CREATED;
	}
	if (container->host <= HOST_HALF_MADE)
		container->host = HOST_CREATED;
	if (start)
		start_process(sim, task, index);
}

/* ---- effects ---- */

/* What the effect changes. Repeating it is harmless. */
static void take_place(struct sim *sim, enum engine_effect_type type, int index, int which,
		       uint32_t attempt)
{
	struct sim_task *task = &sim->tasks[index];
	struct sim_container *container = which >= 0 ? &task->containers[which] : NULL;

	switch (type) {
	case EFFECT_CREATE_RESOURCE: /* attempt: which of them */
		*(attempt == 0 ? &task->cgroup : &task->volume) = true;
		break;
	case EFFECT_CLEAN_UP_TASK:
		task->cgroup = task->volume = false;
		break;
	case EFFECT_OPEN_NETNS:
		task->namespace = true;
		break;
	case EFFECT_ATTACH_NETWORK:
		task->attached = task->namespace;
		break;
	case EFFECT_TEAR_DOWN_NETWORK:
		task->namespace = task->attached = false;
		break;
	case EFFECT_CONNECT_CONTAINER:
		/* Once it is made, it is found. */
		if (!container->connected)
			container->host_port = ++sim->last_port;
		container->connected = true;
		break;
	case EFFECT_DISCONNECT_CONTAINER:
		container->connected = false;
		break;
	case EFFECT_PULL_IMAGE:
		container->pulled = true;
		break;
	case EFFECT_CREATE_CONTAINER:
		if (container->host <= HOST_HALF_MADE)
			container->host = HOST_CREATED;
		container->attempt = attempt;
		break;
	case EFFECT_START_CONTAINER:
		start_process(sim, index, which);
		break;
	case EFFECT_RESTART_CONTAINER:
		restart_process(sim, index, which, attempt, true);
		break;
	case EFFECT_REMOVE_CONTAINER:
		end_process(container, (struct engine_exit){ .code_known = true, .signal = 9 });
		container->host = HOST_ABSENT;
		break;
	default:
		break;
	}
}

static void fill_connection(const struct sim_container *container, struct engine_done *done)
{
	static struct port_binding binding;

	binding = (struct port_binding){ .container_port = 80,
					 .host_port = (uint16_t)container->host_port,
					 .count = 1 };
	done->connection = (struct engine_connection){ .address = "172.17.0.2",
						       .bindings = &binding,
						       .binding_count = 1 };
}

static void fill_result(struct sim *sim, const struct sim_event *event, struct engine_done *done)
{
	struct sim_container *container = container_of(sim, event);

	switch (event->effect) {
	case EFFECT_PULL_IMAGE:
		done->image = (struct engine_image){ .digest = "sha256:d", .id = "sha256:i" };
		break;
	case EFFECT_START_CONTAINER:
	case EFFECT_RESTART_CONTAINER:
		done->pid = 100;
		break;
	case EFFECT_STOP_CONTAINER:
		if (container->host < HOST_RUNNING || container->attempt != event->attempt)
			done->has_exit = true; /* it never ran */
		/* Otherwise the news comes only with the exit itself, or with both. */
		else if (container->host >= HOST_EXITED && (event->deed || sim_chance(sim, 50))) {
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
	case EFFECT_CREATE_RESOURCE:
		done->resource = event->attempt;
		break;
	case EFFECT_CONNECT_CONTAINER:
		fill_connection(container, done);
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

static void fill_failure(const struct sim_event *event, struct engine_done *done)
{
	done->error_text = "the host said no";
	if (event->effect == EFFECT_CREATE_RESOURCE)
		done->resource = event->attempt;
	/* It was not waited for any longer, and may have happened all the same. */
	if (event->effect == EFFECT_START_CONTAINER && event->deed)
		done->error_name = "DockerTimeoutError";
}

static void effect_done(struct sim *sim, const struct sim_event *event)
{
	const struct executor_config *config = &sim->executor->config;
	const struct sim_task *task = &sim->tasks[event->task];
	const struct sim_container *container = container_of(sim, event);
	struct engine_event answer = {
		.type = EVENT_EFFECT_DONE,
		.wall_ms = clock_wall_ms(),
		.task_id = task->id,
		.container = container ? container->name : NULL,
		.attempt = event->attempt,
		.done = { .type = event->effect, .failed = event->failed },
	};

	sim_trace(sim, "host: %s %s %s", engine_effect_name(event->effect),
		  event->failed ? "failed for" : "done for",
		  container ? container->name : task->id);
	if (event->failed)
		fill_failure(event, &answer.done);
	else
		fill_result(sim, event, &answer.done);
	config->post(config->data, &answer);
	if (sim_fault(sim, 3))
		config->post(config->data, &answer); /* an echo */
}

/* Some failures come after the deed. */
static bool fails_after_the_deed(struct sim *sim, enum engine_effect_type type)
{
	return type != EFFECT_STOP_CONTAINER && sim_fault(sim, 30);
}

/* The process does not die, and nobody waits for it any longer. */
static bool is_stuck(struct sim *sim, const struct sim_event *event)
{
	struct sim_container *container = container_of(sim, event);

	if (!container || container->host != HOST_RUNNING || container->dies_ms <= sim->now_ms)
		return false;
	if (event->effect == EFFECT_STOP_CONTAINER && container->attempt == event->attempt)
		return container->stop_failed = true;
	return event->effect == EFFECT_REMOVE_CONTAINER;
}

static void operate(struct sim *sim, const struct sim_event *event)
{
	bool failed = event->failed || is_stuck(sim, event);
	sim->tasks[event->task].trouble |= failed;
	bool deed = !failed || (event->failed && fails_after_the_deed(sim, event->effect));
	struct sim_event *done;

	if (deed)
		take_place(sim, event->effect, event->task, event->container, event->attempt);
	else if (event->effect == EFFECT_CREATE_CONTAINER)
		container_of(sim, event)->host = HOST_HALF_MADE;
	else if (event->effect == EFFECT_OPEN_NETNS || event->effect == EFFECT_TEAR_DOWN_NETWORK)
		sim->tasks[event->task].namespace = true; /* half made, half removed */
	if (event->failed && event->effect == EFFECT_DISCONNECT_CONTAINER)
		container_of(sim, event)->disconnect_failed = true;
	if (sim->failed)
		return;
	done = sim_schedule(sim, sim_chance(sim, 20) ? sim_between(sim, 0, 20) : 0, effect_done);
	done->task = event->task;
	done->container = event->container;
	done->effect = event->effect;
	done->attempt = event->attempt;
	done->failed = failed;
	done->deed = event->effect == EFFECT_STOP_CONTAINER ? event->deed : deed;
	done->generation = event->generation;
}

static int64_t duration(struct sim *sim, enum engine_effect_type type)
{
	switch (type) {
	case EFFECT_PULL_IMAGE:
		return sim_chance(sim, 20) ? sim_between(sim, 0, 20000) : sim_between(sim, 0, 300);
	case EFFECT_PROBE_HEALTH:
		return sim_between(sim, 0, 500);
	default:
		if (sim_fault(sim, 1))
			return sim_between(sim, 0, 20000);
		return sim_chance(sim, 10) ? sim_between(sim, 0, 3000) : sim_between(sim, 0, 50);
	}
}

/* A stop takes as long as the process does. */
static int64_t begin_stop(struct sim *sim, const struct engine_effect *effect, int task, int index)
{
	struct sim_container *container = &sim->tasks[task].containers[index];
	int64_t takes_ms = container->ignores_term ? effect->stop.grace_ms : container->term_ms;
	bool killed = container->ignores_term || takes_ms > effect->stop.grace_ms;

	if (container->host != HOST_RUNNING || container->attempt != effect->attempt)
		return 0;
	if (takes_ms > effect->stop.grace_ms)
		takes_ms = effect->stop.grace_ms;
	if (container->hangs_ms > 0 && killed) {
		schedule_exit(sim, task, index, takes_ms + container->hangs_ms)->number = 9;
		container->dies_ms = sim->now_ms + takes_ms + container->hangs_ms;
		/* Nobody waits for it longer than that; and then it is a failure. */
		return takes_ms + (container->hangs_ms < KILL_WAIT_MS ? container->hangs_ms + 1
								      : KILL_WAIT_MS);
	}
	schedule_exit(sim, task, index, takes_ms)->number = killed ? 9 : 15;
	return takes_ms + 1;
}

static bool will_fail(struct sim *sim, enum engine_effect_type type,
		      const struct sim_container *container)
{
	switch (type) {
	case EFFECT_PULL_IMAGE:
		return container->pull_fails || sim->containerd_gone;
	case EFFECT_CREATE_CONTAINER:
		return container->create_fails;
	case EFFECT_START_CONTAINER:
		return container->start_fails;
	case EFFECT_RESTART_CONTAINER:
		return container->restart_fails_in &&
		       sim_chance_in(sim, container->restart_fails_in);
	case EFFECT_STOP_CONTAINER:
	case EFFECT_PROBE_HEALTH:
		return sim_fault(sim, 3);
	case EFFECT_CREATE_RESOURCE:
		return sim_fault(sim, 2);
	case EFFECT_OPEN_NETNS:
	case EFFECT_ATTACH_NETWORK:
	case EFFECT_CONNECT_CONTAINER:
		return sim_fault(sim, 5);
	default:
		return sim_fault(sim, 10);
	}
}

static void reboot_now(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	if (!sim->calm)
		host_reboot(sim);
}

static void perform(struct sim *sim, const struct engine_effect *effect, int task, int container)
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
	/* The worst moments. */
	if ((effect->type == EFFECT_START_CONTAINER && sim_fault(sim, 1)) ||
	    (effect->type == EFFECT_RESTART_CONTAINER && sim_fault(sim, 4)))
		sim_schedule(sim, delay_ms + sim_between(sim, 0, 40), reboot_now);
	operation = sim_schedule(sim, delay_ms, operate);
	operation->task = task;
	operation->container = subject ? container : -1;
	operation->effect = effect->type;
	operation->attempt = effect->type == EFFECT_CREATE_RESOURCE
				     ? (uint32_t)effect->resource.index
				     : effect->attempt;
	operation->failed = failed;
	operation->deed =
		subject && subject->host >= HOST_EXITED && subject->attempt == effect->attempt;
	operation->generation = sim->generation;
}

/* ---- the executor ---- */

int executor_new(const struct executor_config *config, struct executor **ret, struct error *err)
{
	struct executor *executor = xcalloc(1, sizeof(*executor));

	(void)err;
	executor->config = *config;
	sim_world->executor = executor;
	*ret = executor;
	return 0;
}

void executor_free(struct executor *executor)
{
	if (!executor)
		return;
	sim_world->executor = NULL;
	free(executor);
}

bool executor_does(enum engine_effect_type type)
{
	return type >= EFFECT_CREATE_RESOURCE && type <= EFFECT_CLEAN_UP_TASK;
}

void executor_act(struct executor *executor, const struct engine_effect *effect)
{
	struct sim *sim = sim_world;
	int task = task_index(sim, effect->task_id);
	int container = effect->container ? (int)effect->container_index : -1;

	(void)executor;
	if (!agent_reaches_out(sim) || sim->failed)
		return;
	sim_trace(sim, "agent: %s %s %s", engine_effect_name(effect->type), effect->task_id,
		  effect->container ? effect->container : "");
	check_effect(sim, effect, task, container);
	if (!sim->failed)
		perform(sim, effect, task, container);
}

static struct engine_observation observe(struct sim *sim, const struct sim_container *container,
					 uint32_t attempt)
{
	struct engine_observation seen = { .exit = container->exit };

	if (attempt == container->attempt + 1) /* decided, and not done */
		return (struct engine_observation){ .seen = SEEN_NOTHING,
						    .run_before = container->host != HOST_ABSENT };
	if (container->attempt > 0 && attempt != container->attempt)
		sim_fail(sim, "%s runs for the %uth time, and the agent knows of %u",
			 container->name, container->attempt, attempt);

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

void executor_observe(struct executor *executor, const struct task_state *state,
		      struct engine_observation *ret_pause,
		      struct engine_observation *ret_containers)
{
	struct sim *sim = sim_world;
	const struct sim_task *task = &sim->tasks[task_index(sim, state->spec->id)];

	(void)executor;
	for (int i = 0; i < task->container_count; i++)
		ret_containers[i] =
			observe(sim, &task->containers[i], state->containers[i].attempt);
	if (task->namespace && !task->pause_died)
		*ret_pause = (struct engine_observation){ .seen = SEEN_RUNNING, .pid = 7 };
}

void executor_sweep(struct executor *executor)
{
	struct sim *sim = sim_world;

	for (int i = 0; i < sim->task_count; i++) {
		struct sim_task *task = &sim->tasks[i];

		if (executor->config.task(executor->config.data, task->id))
			continue;
		task->namespace = task->attached = task->cgroup = task->volume = false;
		for (int j = 0; j < task->container_count; j++) {
			task->containers[j].connected = false;
			if (task->containers[j].host != HOST_ABSENT)
				take_place(sim, EFFECT_REMOVE_CONTAINER, i, j, 0);
		}
	}
}

void executor_start_image_cleanup(struct executor *executor)
{
	(void)executor;
}

void executor_settings_changed(struct executor *executor)
{
	(void)executor;
}

struct ping {
	void (*done)(void *data, bool healthy);
	void *data;
};

static void pinged(struct sim *sim, const struct sim_event *event)
{
	const struct ping *ping = event->subject;

	ping->done(ping->data, !sim->containerd_gone);
}

void executor_ping(struct executor *executor, void (*done)(void *data, bool healthy), void *data)
{
	struct ping *ping = xcalloc(1, sizeof(*ping));
	struct sim_event *event = sim_schedule(sim_world, sim_between(sim_world, 1, 50), pinged);

	(void)executor;
	ping->done = done;
	ping->data = data;
	event->generation = sim_world->generation;
	event->subject = ping;
	event->drop = free;
}

int executor_read_stats(struct executor *executor, const char *task_id, const char *name,
			struct container_stats *ret, struct network_stats *ret_network,
			struct error *err)
{
	struct sim *sim = sim_world;
	const struct sim_task *task = &sim->tasks[task_index(sim, task_id)];

	(void)executor;
	for (int i = 0; i < task->container_count; i++) {
		const struct sim_container *container = &task->containers[i];

		if (!str_eq(container->name, name) || container->host != HOST_RUNNING)
			continue;
		memset(ret, 0, sizeof(*ret));
		ret->cpu_total_ns = (uint64_t)(sim->now_ms - container->started_ms) * 10000;
		ret->memory_usage = 1048576;
		if (ret_network)
			memset(ret_network, 0, sizeof(*ret_network));
		return 0;
	}
	return error_say(err, ENOENT, "it does not run");
}

/* ---- what befalls the host ---- */

/* What was under way when the agent died has happened, or not, or half. */
void host_agent_died(struct sim *sim)
{
	for (size_t i = 0; i < sim->event_count; i++) {
		struct sim_event *event = &sim->events[i];
		int task = event->task, which = event->container;
		enum engine_effect_type effect = event->effect;
		uint32_t attempt = event->attempt;

		if (event->happen != operate || event->generation != sim->generation ||
		    event->failed)
			continue;
		event->failed = true; /* once; and the list of events may move */
		if (effect == EFFECT_CREATE_CONTAINER && sim_chance(sim, 30)) {
			struct sim_container *container = &sim->tasks[task].containers[which];

			if (container->host == HOST_ABSENT)
				container->host = HOST_HALF_MADE;
		} else if (effect == EFFECT_RESTART_CONTAINER && sim_chance(sim, 30)) {
			restart_process(sim, task, which, attempt, false);
		} else if (effect != EFFECT_STOP_CONTAINER && sim_chance(sim, 50)) {
			take_place(sim, effect, task, which, attempt);
		}
	}
}

/* The agent dies, and all processes and namespaces with it; of some containers not even a trace is
 * left. */
void host_reboot(struct sim *sim)
{
	sim_trace(sim, "host: reboots");
	agent_die(sim);
	disk_power_lost(sim);
	sim->boots++;
	sim->monotonic_offset_ms = sim_between(sim, 1000, 100000) - sim->now_ms;
	for (int i = 0; i < sim->task_count; i++) {
		struct sim_task *task = &sim->tasks[i];

		task->namespace = task->attached = task->cgroup = false;
		task->trouble = true;
		for (int j = 0; j < task->container_count; j++) {
			struct sim_container *container = &task->containers[j];

			container->connected = false;
			if (container->host == HOST_RUNNING) {
				container->exit = (struct engine_exit){ .code_known = false };
				container->host = sim_chance(sim, 50) ? HOST_VANISHED : HOST_ABSENT;
			} else if (container->host == HOST_CREATED) {
				/* Nobody can know that the run before was the last. */
				container->exit.code_known = false;
				container->host =
					sim_chance(sim, 50) ? HOST_HALF_MADE : HOST_ABSENT;
			}
		}
	}
}

void host_kill_pause(struct sim *sim, int index)
{
	struct sim_task *task = &sim->tasks[index];
	const struct engine_event event = {
		.type = EVENT_PAUSE_EXITED,
		.wall_ms = clock_wall_ms(),
		.task_id = task->id,
		.exit = { .code_known = true, .signal = 9 },
	};

	if (!task->namespace)
		return;
	sim_trace(sim, "host: the pause process of %s is killed", task->id);
	task->pause_died = task->trouble = true;
	if (sim->executor)
		sim->executor->config.post(sim->executor->config.data, &event);
}
