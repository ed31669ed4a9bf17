/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control plane is told. Reports of a task
 * leave in order, one at a time. A container's change rides on the next change of its task; when
 * none comes soon, it is sent with the task's current status.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

/* What a report can say of the container now; NONE: nothing. */
static enum container_status reportable(const struct container_state *state)
{
	if (state->known == CONTAINER_STATUS_STOPPED || state->known == CONTAINER_STATUS_RUNNING)
		return state->known;
	if (state->known >= CONTAINER_STATUS_MANIFEST_PULLED && state->digest_resolved)
		return CONTAINER_STATUS_MANIFEST_PULLED;
	return CONTAINER_STATUS_NONE;
}

static bool has_resolved_digest(const struct task *task)
{
	for (size_t i = 0; i < task->state->container_count; i++)
		if (task->state->containers[i].digest_resolved)
			return true;
	return false;
}

static void drop(struct task *task, size_t index)
{
	free(task->reports[index].containers);
	memmove(&task->reports[index], &task->reports[index + 1],
		(task->report_count - index - 1) * sizeof(*task->reports));
	task->report_count--;
}

void reports_free(struct task *task)
{
	while (task->report_count > 0)
		drop(task, task->report_count - 1);
}

/* The queue holds at most one report of each of three statuses and a flush between them:
 * REPORT_QUEUE is enough. */
static void enqueue(struct task *task, bool flush)
{
	struct pending_report *last =
		task->report_count ? &task->reports[task->report_count - 1] : NULL;

	/* A flush that has not left yet says less than what comes now. */
	if (last && last->flush && last->serial == 0)
		drop(task, task->report_count - 1);
	assert(task->report_count < REPORT_QUEUE);
	struct pending_report *report = &task->reports[task->report_count++];

	*report = (struct pending_report){ .flush = flush, .status = task->state->known };
	report->containers = xcalloc(task->state->container_count, sizeof(*report->containers));
	for (size_t i = 0; i < task->state->container_count; i++) {
		report->containers[i] = reportable(&task->state->containers[i]);
		if (report->containers[i] > task->containers[i].enqueued)
			task->containers[i].enqueued = report->containers[i];
	}
	task->flush_at_ms = ENGINE_NEVER;
}

void report_task_status(struct task *task)
{
	enum task_status known = task->state->known;

	if (known <= task->enqueued || task->state->report_refused)
		return;
	if (known != TASK_STATUS_RUNNING && known != TASK_STATUS_STOPPED &&
	    !(known == TASK_STATUS_MANIFEST_PULLED && has_resolved_digest(task)))
		return;
	task->enqueued = known;
	enqueue(task, false);
}

/* Containers that have something to say, and no report of their task to say it in. */
static void flush_advance(struct engine *engine, struct task *task)
{
	int64_t wait_ms = ENGINE_NEVER;

	if (task->state->known == TASK_STATUS_STOPPED)
		return;
	for (size_t i = 0; i < task->state->container_count; i++) {
		enum container_status status = reportable(&task->state->containers[i]);

		if (status <= task->containers[i].enqueued)
			continue;
		int64_t delay_ms = status == CONTAINER_STATUS_STOPPED
					   ? engine->config.exit_report_delay_ms
					   : engine->config.start_report_delay_ms;

		if (delay_ms < wait_ms)
			wait_ms = delay_ms;
	}
	if (wait_ms == ENGINE_NEVER) {
		task->flush_at_ms = ENGINE_NEVER;
		return;
	}
	if (engine->now_ms + wait_ms < task->flush_at_ms)
		task->flush_at_ms = engine->now_ms + wait_ms;
	if (engine->now_ms >= task->flush_at_ms)
		enqueue(task, true);
	else
		wake_at(task, task->flush_at_ms);
}

/* PENDING is news only together with what is PENDING. */
static bool says_something(const struct task *task, const struct pending_report *report)
{
	if (report->status > task->state->sent && report->status >= TASK_STATUS_RUNNING)
		return true;
	for (size_t i = 0; i < task->state->container_count; i++)
		if (report->containers[i] > task->state->containers[i].sent)
			return true;
	return false;
}

static void fill_container(struct engine_report_container *out, const struct container_state *state,
			   enum container_status status)
{
	out->name = state->spec->name;
	out->status = status;
	out->image_digest = state->image_digest;
	out->reason = state->reason || status == CONTAINER_STATUS_STOPPED ? state->reason
									  : state->pull_error;
	if (state->created_at_ms != 0 || state->started_at_ms != 0)
		out->runtime_id = state->runtime_id;
	if (state->started_at_ms != 0) {
		out->bindings = state->connection.bindings;
		out->binding_count = state->connection.binding_count;
		out->has_ipv6 = state->connection.ipv6_address != NULL;
	}
	if (status == CONTAINER_STATUS_STOPPED && state->has_exit_code) {
		out->has_exit_code = true;
		out->exit_code = state->exit_code;
	}
}

static void send(struct engine *engine, struct task *task, struct pending_report *pending)
{
	const struct task_state *state = task->state;
	struct engine_report report = {
		.serial = ++engine->report_serial,
		.task_arn = state->spec->arn,
		.status = pending->status,
		.reason = state->reason && pending->status == TASK_STATUS_STOPPED ? state->reason
										  : "",
		.pull_started_at_ms = state->pull_started_at_ms,
		.pull_stopped_at_ms = state->pull_stopped_at_ms,
		.execution_stopped_at_ms =
			pending->status == TASK_STATUS_STOPPED ? state->execution_stopped_at_ms : 0,
	};
	struct engine_report_container *containers =
		scratch_keep(engine, xcalloc(state->container_count, sizeof(*containers)));

	for (size_t i = 0; i < state->container_count; i++)
		if (pending->containers[i] > state->containers[i].sent)
			fill_container(&containers[report.container_count++], &state->containers[i],
				       pending->containers[i]);
	report.containers = containers;
	pending->serial = report.serial;
	effect_add(engine, EFFECT_REPORT, task)->report = report;
}

void report_advance(struct engine *engine, struct task *task)
{
	flush_advance(engine, task);
	while (task->report_count > 0 && task->reports[0].serial == 0) {
		if (!says_something(task, &task->reports[0])) {
			drop(task, 0);
			continue;
		}
		if (refused_pending(engine, task->state->spec->arn))
			return;
		send(engine, task, &task->reports[0]);
	}
}

static struct pending_report *in_flight(struct task *task, uint64_t serial)
{
	if (task->report_count == 0 || serial == 0 || task->reports[0].serial != serial)
		return NULL;
	return &task->reports[0];
}

void report_accepted(struct task *task, uint64_t serial)
{
	struct pending_report *report = in_flight(task, serial);
	struct task_state *state = task->state;

	if (!report)
		return;
	if (report->status > state->sent) {
		state->sent = report->status;
		mark_task(task, PERSIST_NOW);
	}
	for (size_t i = 0; i < state->container_count; i++)
		if (report->containers[i] > state->containers[i].sent) {
			state->containers[i].sent = report->containers[i];
			mark_container(task, i, PERSIST_NOW);
		}
	drop(task, 0);
}

void report_refused(struct task *task, uint64_t serial)
{
	struct pending_report *report = in_flight(task, serial);

	if (!report)
		return;
	if (report->status == TASK_STATUS_STOPPED) {
		task->state->report_refused = true;
		mark_task(task, PERSIST_NOW);
	}
	drop(task, 0);
}

/* ---- tasks that could not be decoded ---- */

bool refused_pending(const struct engine *engine, const char *arn)
{
	for (const struct refused *refused = engine->refused; refused; refused = refused->next)
		if (str_eq(refused->arn, arn))
			return true;
	return false;
}

void refused_add(struct engine *engine, const char *arn, const char *reason)
{
	if (engine->refused_count >= REFUSED_LIMIT || refused_pending(engine, arn))
		return;
	struct refused *refused = xcalloc(1, sizeof(*refused));

	refused->arn = xstrdup(arn);
	refused->reason = reason_cut(reason);
	refused->serial = ++engine->report_serial;
	refused->next = engine->refused;
	engine->refused = refused;
	engine->refused_count++;
	effect_add(engine, EFFECT_REPORT, NULL)->report = (struct engine_report){
		.serial = refused->serial,
		.task_arn = refused->arn,
		.status = TASK_STATUS_STOPPED,
		.reason = refused->reason,
	};
}

void refused_end(struct engine *engine, uint64_t serial)
{
	struct refused **link = &engine->refused;

	while (*link && (*link)->serial != serial)
		link = &(*link)->next;
	if (!*link)
		return;
	struct refused *refused = *link;
	struct task *task = table_find(engine, task_id_of_arn(refused->arn));

	if (task)
		touch(engine, task);
	*link = refused->next;
	engine->refused_count--;
	scratch_keep(engine, refused->reason);
	scratch_keep(engine, refused->arn);
	free(refused);
}
