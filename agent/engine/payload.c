/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane wants: payloads, manifests and verified stops. */
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

static void want(struct task *task, enum task_status desired)
{
	task->state->desired = desired;
	for (size_t i = 0; i < task->state->container_count; i++)
		task->state->containers[i].desired =
			desired == TASK_STATUS_STOPPED   ? CONTAINER_STATUS_STOPPED
			: desired == TASK_STATUS_RUNNING ? CONTAINER_STATUS_RUNNING
							 : CONTAINER_STATUS_NONE;
}

/* Already there: only the desired status counts, and it never goes back. */
static void update(struct engine *engine, struct task *task, enum task_status desired)
{
	if (desired == TASK_STATUS_STOPPED) {
		task_want_stop(engine, task, PERSIST_NOW);
	} else if (desired == TASK_STATUS_RUNNING && task->state->desired < TASK_STATUS_RUNNING) {
		want(task, desired);
		mark_task(task, PERSIST_NOW);
		for (size_t i = 0; i < task->state->container_count; i++)
			mark_container(task, i, PERSIST_NOW);
		admission_queue(engine, task);
		touch(engine, task);
	}
}

static void add(struct engine *engine, struct task_spec *spec, const struct engine_payload *payload)
{
	struct task_state *state = task_state_new(spec);
	struct task *task = task_new(state);

	cleanup_hasten(engine);
	state->arrival = ++engine->arrivals;
	state->received_at_ms = engine->wall_ms;
	identity_assign(state, payload->random, state->arrival);
	want(task, spec->desired_status);
	table_add(engine, task);
	mark_task(task, PERSIST_NOW);
	for (size_t i = 0; i < state->container_count; i++)
		mark_container(task, i, PERSIST_NOW);
	touch(engine, task);

	if (spec->desired_status == TASK_STATUS_STOPPED) {
		if (state->container_count == 0)
			task_set_reason(
				task,
				"TaskStateError: Agent could not progress task's state to stopped");
		return;
	}
	if (task_prepare(engine, task) < 0)
		task_want_stop(engine, task, PERSIST_NOW);
	else if (spec->desired_status == TASK_STATUS_RUNNING)
		admission_queue(engine, task);
}

/* False: it is not taken, and the payload must come again. */
static bool apply(struct engine *engine, struct task_spec *spec,
		  const struct engine_payload *payload)
{
	struct task *task = table_find(engine, spec->id);

	if (task && str_eq(task->state->spec->arn, spec->arn)) {
		update(engine, task, spec->desired_status);
		return true;
	}
	if (task) {
		char *reason = xasprintf(
			"resource cannot be initialized for task %s: task %s has the same id",
			spec->arn, task->state->spec->arn);

		refused_add(engine, spec->arn, reason);
		free(reason);
		return false;
	}
	if (engine_has_ended(engine, spec->arn)) {
		/* Late, or a copy: it has had its run. Whoever asks has perhaps not heard of the
		 * end. */
		refused_add(engine, spec->arn, "");
		return true;
	}
	if (engine->task_count >= engine->config.task_limit) {
		char *reason = xasprintf(
			"resource cannot be initialized for task %s: this agent holds %zu tasks, "
			"and takes no more until stopped ones are cleaned up",
			spec->arn, engine->task_count);

		refused_add(engine, spec->arn, reason);
		free(reason);
		return false;
	}
	add(engine, spec, payload);
	return true;
}

void payload_apply(struct engine *engine, const struct engine_payload *payload)
{
	bool whole = payload->refused_count == 0;

	for (size_t i = 0; i < payload->refused_count; i++) {
		const struct engine_refused_task *refused = &payload->refused[i];
		struct task *task;

		if (str_is_empty(refused->arn))
			continue;
		/* The task that runs under this name is not stopped by a message that nobody
		 * understands. */
		task = table_find(engine, task_id_of_arn(refused->arn));
		if (!task || !str_eq(task->state->spec->arn, refused->arn))
			refused_add(engine, refused->arn, refused->reason ? refused->reason : "");
	}
	/* In any order: who is let in is decided when all of it is known, and what the stops free
	 * is there then. */
	for (size_t i = 0; i < payload->task_count; i++)
		whole &= apply(engine, payload->tasks[i], payload);
	if (payload->sequence_number > engine->sequence_number)
		engine->sequence_number = payload->sequence_number;
	if (whole)
		effect_add(engine, EFFECT_ACKNOWLEDGE, NULL)->message_id =
			scratch_keep(engine, xstrdup(payload->message_id));
}

static int compare_arns(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void manifest_apply(struct engine *engine, const struct engine_manifest *manifest)
{
	if (manifest->timeline <= engine->sequence_number)
		return;
	engine->sequence_number = manifest->timeline;
	str_replace(&engine->manifest_id, manifest->message_id);
	effect_add(engine, EFFECT_PERSIST_SEQUENCE, NULL)->sequence_number = manifest->timeline;
	effect_add(engine, EFFECT_ACKNOWLEDGE, NULL)->message_id =
		scratch_keep(engine, xstrdup(manifest->message_id));

	const char **running = xcalloc(manifest->task_count, sizeof(*running));
	const char **candidates =
		scratch_keep(engine, xcalloc(engine->task_count, sizeof(*candidates)));
	size_t running_count = 0, count = 0;

	for (size_t i = 0; i < manifest->task_count; i++)
		if (manifest->tasks[i].running)
			running[running_count++] = manifest->tasks[i].arn;
	if (running_count > 0)
		qsort(running, running_count, sizeof(*running), compare_arns);
	for (const struct task *task = engine->first; task; task = task->next) {
		const char *arn = task->state->spec->arn;

		if (task->state->desired == TASK_STATUS_RUNNING &&
		    (running_count == 0 ||
		     !bsearch(&arn, running, running_count, sizeof(*running), compare_arns)))
			candidates[count++] = arn;
	}
	free(running);
	if (count == 0)
		return;
	struct engine_effect *effect = effect_add(engine, EFFECT_STOP_CANDIDATES, NULL);

	effect->candidates.message_id = scratch_keep(engine, xstrdup(manifest->message_id));
	effect->candidates.cluster_arn = scratch_keep(engine, xstrdup_null(manifest->cluster_arn));
	effect->candidates.arns = candidates;
	effect->candidates.count = count;
}

void stop_verified_apply(struct engine *engine, const struct engine_stop_verified *verified)
{
	if (str_is_empty(verified->message_id) ||
	    !str_eq(verified->message_id, engine->manifest_id))
		return;
	str_replace(&engine->manifest_id, NULL);
	for (size_t i = 0; i < verified->count; i++) {
		struct task *task = table_find(engine, task_id_of_arn(verified->arns[i]));

		if (task && str_eq(task->state->spec->arn, verified->arns[i]))
			task_want_stop(engine, task, PERSIST_NOW);
	}
}
