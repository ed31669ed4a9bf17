/* SPDX-License-Identifier: Apache-2.0 */
/* Why a task is where it is, in sentences. */
#include "agent/engine/internal.h"

static const char *const network_names[] = {
	[NETWORK_NONE] = "not begun",
	[NETWORK_OPENING] = "its namespace is being made",
	[NETWORK_OPEN] = "its namespace is there",
	[NETWORK_ATTACHING] = "its interfaces are being attached",
	[NETWORK_READY] = "ready",
	[NETWORK_CLOSING] = "being torn down",
	[NETWORK_GONE] = "gone",
};

static void explain_dependencies(const struct task *task, size_t index, struct strbuf *text)
{
	static const char *const wanted[] = {
		[CONTAINER_CONDITION_START] = "to start",
		[CONTAINER_CONDITION_COMPLETE] = "to exit",
		[CONTAINER_CONDITION_SUCCESS] = "to exit with 0",
		[CONTAINER_CONDITION_HEALTHY] = "to be healthy",
		[CONTAINER_CONDITION_CREATE] = "to be created",
		[CONTAINER_CONDITION_OTHER] = "in an unknown way",
	};
	const struct container *container = &task->containers[index];

	for (size_t i = 0; i < container->dependency_count; i++) {
		const struct container_state *on =
			&task->state->containers[container->dependencies[i].on];

		strbuf_appendf(text, "%s %s %s (it is %s)", i == 0 ? "; depends on" : ",",
			       on->spec->name, wanted[container->dependencies[i].condition],
			       container_status_name(on->known));
	}
}

static void explain_container(const struct engine *engine, const struct task *task, size_t index,
			      struct strbuf *text)
{
	static const enum engine_effect_type types[] = {
		EFFECT_PULL_IMAGE,     EFFECT_CREATE_CONTAINER, EFFECT_START_CONTAINER,
		EFFECT_STOP_CONTAINER, EFFECT_PROBE_HEALTH,     EFFECT_REMOVE_CONTAINER
	};
	const struct container_state *state = &task->state->containers[index];
	const struct container *container = &task->containers[index];

	strbuf_appendf(text, "  container %s: %s, wanted %s", state->spec->name,
		       container_status_name(state->known), container_status_name(state->desired));
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (container->flight & flight_bit(types[i]))
			strbuf_appendf(text, "; %s is under way", engine_effect_name(types[i]));
	if (state->known < CONTAINER_STATUS_RUNNING && state->desired != CONTAINER_STATUS_STOPPED)
		explain_dependencies(task, index, text);
	if (state->desired == CONTAINER_STATUS_STOPPED &&
	    state->known != CONTAINER_STATUS_STOPPED && !dependents_stopped(task, index))
		strbuf_append(text, "; waits for the containers that depend on it to stop first");
	if (container->retry_at_ms > engine->now_ms)
		strbuf_appendf(text, "; tried again in %lld ms",
			       (long long)(container->retry_at_ms - engine->now_ms));
	if (state->has_exit_code)
		strbuf_appendf(text, "; exit code %d", state->exit_code);
	if (state->reason)
		strbuf_appendf(text, "; %s", state->reason);
	strbuf_append_char(text, '\n');
}

static void explain_end(const struct engine *engine, const struct task *task, struct strbuf *text)
{
	const struct task_state *state = task->state;

	if (state->sent != TASK_STATUS_STOPPED && !state->report_refused)
		strbuf_append(
			text,
			"  it is kept until the control plane has taken the report of its end\n");
	else if (engine->now_ms < task->cleanup_at_ms)
		strbuf_appendf(text, "  it is cleaned up in %lld s\n",
			       (long long)((task->cleanup_at_ms - engine->now_ms + 999) / 1000));
	else
		strbuf_append(text, "  it is being cleaned up\n");
}

void engine_explain(const struct engine *engine, const char *task_id, struct strbuf *text)
{
	const struct task *task = table_find(engine, task_id);

	if (!task)
		return;
	const struct task_state *state = task->state;

	strbuf_appendf(text, "task %s: %s, wanted %s, last reported %s\n", state->spec->id,
		       task_status_name(state->known), task_status_name(state->desired),
		       task_status_name(state->sent));
	if (state->reason)
		strbuf_appendf(text, "  %s\n", state->reason);
	if (task->waits)
		strbuf_appendf(
			text,
			"  waits for room on this host: it asks for %lld CPU units and %lld MiB; "
			"in use are "
			"%lld of %lld and %lld of %lld\n",
			(long long)task->ask.cpu_units, (long long)task->ask.memory_mib,
			(long long)engine->cpu_units_used, (long long)engine->config.cpu_units,
			(long long)engine->memory_mib_used, (long long)engine->config.memory_mib);
	if (task_has_own_network(state->spec))
		strbuf_appendf(text, "  network: %s\n", network_names[state->network.status]);
	for (size_t i = 0; i < state->container_count; i++)
		explain_container(engine, task, i, text);
	if (task->report_count > 0)
		strbuf_appendf(text, "  %zu reports wait, the first for %s\n", task->report_count,
			       task->reports[0].serial ? "the control plane's answer"
						       : "its turn to be sent");
	if (state->known == TASK_STATUS_STOPPED)
		explain_end(engine, task, text);
}
