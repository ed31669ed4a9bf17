/* SPDX-License-Identifier: Apache-2.0 */
/* Why a task is where it is: what it and each of its containers wait for, in sentences. */
#include <stdarg.h>
#include <stdio.h>

#include "agent/engine/internal.h"
#include "base/cleanup.h"

struct telling {
	engine_wait *each;
	void *data;
	const char *container; /* that the sentence is about; NULL: the task */
};

static void tell(const struct telling *telling, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void tell(const struct telling *telling, const char *format, ...)
{
	char sentence[512];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	telling->each(telling->data, telling->container, sentence);
}

static long long seconds(int64_t ms)
{
	return (long long)((ms + 999) / 1000);
}

/* ---- a container ---- */

static void tell_flights(const struct engine *engine, const struct container *container,
			 const struct telling *telling)
{
	static const struct {
		enum engine_effect_type type;
		const char *what;
	} flights[] = {
		{ EFFECT_PULL_IMAGE, "the pull of its image" },
		{ EFFECT_CREATE_CONTAINER, "the runtime to create it" },
		{ EFFECT_START_CONTAINER, "the runtime to start it" },
		{ EFFECT_RESTART_CONTAINER, "the runtime to start it again" },
		{ EFFECT_STOP_CONTAINER, "its process to end" },
		{ EFFECT_REMOVE_CONTAINER, "its removal" },
	};

	for (size_t i = 0; i < sizeof(flights) / sizeof(*flights); i++)
		if (container->flight & flight_bit(flights[i].type))
			tell(telling, "%s, for %lld s", flights[i].what,
			     seconds(engine->now_ms - container->flight_since_ms));
	if (container->retry_at_ms > engine->now_ms)
		tell(telling, "the next attempt, in %lld s",
		     seconds(container->retry_at_ms - engine->now_ms));
}

static void tell_dependencies(const struct task *task, const struct container *container,
			      const struct telling *telling)
{
	static const char *const wanted[] = {
		[CONTAINER_CONDITION_START] = "to start",
		[CONTAINER_CONDITION_COMPLETE] = "to exit",
		[CONTAINER_CONDITION_SUCCESS] = "to exit with 0",
		[CONTAINER_CONDITION_HEALTHY] = "to be healthy",
		[CONTAINER_CONDITION_CREATE] = "to be created",
		[CONTAINER_CONDITION_OTHER] = "in an unknown way",
	};

	for (size_t i = 0; i < container->dependency_count; i++) {
		const struct dependency *dependency = &container->dependencies[i];
		const struct container_state *on = &task->state->containers[dependency->on];

		if (!dependency_satisfied(on, dependency->condition))
			tell(telling, "container %s %s: it is %s%s", on->spec->name,
			     wanted[dependency->condition], container_status_name(on->known),
			     on->health == CONTAINER_HEALTH_UNHEALTHY ? " and unhealthy"
			     : on->health == CONTAINER_HEALTH_STARTING
				     ? ", its health not known yet"
				     : "");
	}
}

static void tell_what_it_runs_on(const struct task *task, size_t index,
				 const struct telling *telling)
{
	const struct task_state *state = task->state;

	if (state->containers[index].known != CONTAINER_STATUS_PULLED &&
	    state->containers[index].known != CONTAINER_STATUS_CREATED)
		return;
	if (task_has_own_network(state->spec) && state->network.status < NETWORK_READY)
		tell(telling, "the task's network");
	if (!connection_ready(task, index))
		tell(telling, "its network");
	else if (!connection_allows_creation(task, index))
		tell(telling, "the networks of the containers that it relays for");
	if (state->containers[index].known == CONTAINER_STATUS_PULLED &&
	    !resources_ready(task, index))
		tell(telling, "the task's control group and volumes");
}

static void tell_container(const struct engine *engine, const struct task *task, size_t index,
			   const struct telling *telling)
{
	const struct container_state *state = &task->state->containers[index];

	tell_flights(engine, &task->containers[index], telling);
	if (state->desired == CONTAINER_STATUS_STOPPED) {
		if (state->known != CONTAINER_STATUS_STOPPED && !dependents_stopped(task, index))
			tell(telling, "the containers that depend on it to stop first");
		return;
	}
	if (state->known < CONTAINER_STATUS_RUNNING && task->state->admitted) {
		tell_dependencies(task, &task->containers[index], telling);
		tell_what_it_runs_on(task, index, telling);
	}
}

/* ---- the task ---- */

static void tell_admission(const struct engine *engine, const struct task *task,
			   const struct telling *telling)
{
	size_t before = 0;

	for (const struct task *at = task->queue_previous; at; at = at->queue_previous)
		before++;
	tell(telling,
	     "room on this host: it asks for %lld CPU units and %lld MiB, in use are %lld of %lld "
	     "and %lld of %lld",
	     (long long)task->ask.cpu_units, (long long)task->ask.memory_mib,
	     (long long)engine->cpu_units_used, (long long)engine->config.cpu_units,
	     (long long)engine->memory_mib_used, (long long)engine->config.memory_mib);
	if (before > 0)
		tell(telling, "%zu tasks that came before it and wait too", before);
	if (engine->used_gpus & task->ask.gpus)
		tell(telling, "a GPU that another task has");
	if (ports_taken(engine, &task->ask))
		tell(telling, "a host port that another task has");
}

static void tell_network(const struct engine *engine, const struct task *task,
			 const struct telling *telling)
{
	static const char *const what[] = {
		[NETWORK_OPENING] = "its network namespace to be made",
		[NETWORK_OPEN] = "its network interface",
		[NETWORK_ATTACHING] = "its network interface",
		[NETWORK_CLOSING] = "its network to be torn down",
	};
	enum network_status status = task->state->network.status;

	if (task_has_own_network(task->state->spec) && status < sizeof(what) / sizeof(*what) &&
	    what[status])
		tell(telling, "%s", what[status]);
	if (task->network_retry_at_ms > engine->now_ms)
		tell(telling, "the next attempt to tear its network down, in %lld s",
		     seconds(task->network_retry_at_ms - engine->now_ms));
}

static void tell_end(const struct engine *engine, const struct task *task,
		     const struct telling *telling)
{
	const struct task_state *state = task->state;

	if (state->sent != TASK_STATUS_STOPPED && !state->report_refused)
		tell(telling, "the control plane to take the report of its end");
	else if (engine->now_ms < task->cleanup_at_ms)
		tell(telling, "its clean-up, in %lld s",
		     seconds(task->cleanup_at_ms - engine->now_ms));
	else
		tell(telling, "its clean-up, which is under way");
}

static void tell_task(const struct engine *engine, const struct task *task,
		      const struct telling *telling)
{
	const struct task_state *state = task->state;

	if (!engine->recovered)
		tell(telling, "the agent to have looked at all tasks after its start");
	if (task->waits)
		tell_admission(engine, task, telling);
	tell_network(engine, task, telling);
	if (state->known == TASK_STATUS_STOPPED)
		tell_end(engine, task, telling);
	else if (task->report_count > 0)
		tell(telling, "the control plane to take %zu reports", task->report_count);
}

void engine_waits(const struct engine *engine, const char *task_id, engine_wait *each, void *data)
{
	const struct task *task = table_find(engine, task_id);
	struct telling telling = { .each = each, .data = data };

	if (!task)
		return;
	tell_task(engine, task, &telling);
	for (size_t i = 0; i < task->state->container_count; i++) {
		telling.container = task->state->containers[i].spec->name;
		tell_container(engine, task, i, &telling);
	}
}

/* ---- all of it as a text ---- */

struct paragraph {
	struct strbuf *text;
	const char *container; /* whose sentences are wanted */
	bool any;
};

static void append_wait(void *data, const char *container, const char *sentence)
{
	struct paragraph *paragraph = data;

	if (container != paragraph->container)
		return;
	strbuf_appendf(paragraph->text, "%s %s", paragraph->any ? ";" : ", waits for", sentence);
	paragraph->any = true;
}

static void append_waits(const struct engine *engine, const struct task *task,
			 const char *container, struct strbuf *text)
{
	struct paragraph paragraph = { .text = text, .container = container };

	engine_waits(engine, task->state->spec->id, append_wait, &paragraph);
	strbuf_append_char(text, '\n');
}

void engine_explain(const struct engine *engine, const char *task_id, struct strbuf *text)
{
	const struct task *task = table_find(engine, task_id);

	if (!task)
		return;
	const struct task_state *state = task->state;

	strbuf_appendf(text, "task %s: %s, wanted %s, last reported %s", state->spec->id,
		       task_status_name(state->known), task_status_name(state->desired),
		       task_status_name(state->sent));
	if (state->reason)
		strbuf_appendf(text, " (%s)", state->reason);
	append_waits(engine, task, NULL, text);
	for (size_t i = 0; i < state->container_count; i++) {
		const struct container_state *container = &state->containers[i];

		strbuf_appendf(text, "  container %s: %s, wanted %s", container->spec->name,
			       container_status_name(container->known),
			       container_status_name(container->desired));
		if (container->has_exit_code)
			strbuf_appendf(text, ", exit code %d", container->exit_code);
		if (container->reason)
			strbuf_appendf(text, " (%s)", container->reason);
		append_waits(engine, task, container->spec->name, text);
	}
}
