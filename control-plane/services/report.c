/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "control-plane/services/private.h"

static int parse_state(const char *text, enum container_state *ret, struct error *err)
{
	for (int state = CONTAINER_PENDING; state <= CONTAINER_STOPPED; state++) {
		if (str_eq(text, container_state_name((enum container_state)state))) {
			*ret = (enum container_state)state;
			return 0;
		}
	}
	return error_say(err, EINVAL, "status should be one of [PENDING,RUNNING,STOPPED], got '%s'",
			 text);
}

/* Takes a text once, or when it is new. */
static bool take_text(char **to, const char *text)
{
	if (str_is_empty(text) || str_eq(*to, text))
		return false;
	str_replace(to, text);
	return true;
}

static bool same_binding(const struct task_binding *a, const struct task_binding *b)
{
	return a->container_port == b->container_port && a->host_port == b->host_port &&
	       str_eq(a->bind_ip, b->bind_ip) && str_eq(a->protocol, b->protocol) &&
	       str_eq(a->container_port_range, b->container_port_range) &&
	       str_eq(a->host_port_range, b->host_port_range);
}

static bool take_bindings(struct task_container *container, const struct report_container *report)
{
	size_t count = report->binding_count < TASK_BINDINGS_MAX ? report->binding_count
								 : TASK_BINDINGS_MAX;
	bool same = container->binding_count == count;

	for (size_t i = 0; same && i < count; i++)
		same = same_binding(&container->bindings[i], &report->bindings[i]);
	if (!report->has_bindings || same)
		return false;
	task_bindings_free(container->bindings, container->binding_count);
	container->bindings = xcalloc(count + 1, sizeof(*container->bindings));
	container->binding_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct task_binding *from = &report->bindings[i];

		container->bindings[i] = (struct task_binding){
			.bind_ip = xstrdup_null(from->bind_ip),
			.protocol = xstrdup_null(from->protocol),
			.container_port = from->container_port,
			.host_port = from->host_port,
			.container_port_range = xstrdup_null(from->container_port_range),
			.host_port_range = xstrdup_null(from->host_port_range),
		};
	}
	return true;
}

/* Returns whether anything is new. The first exit code is the true one and is never contradicted.
 */
static bool apply_container(struct task_container *container, const struct report_container *report,
			    enum container_state state)
{
	bool changed = false;

	if (state > container->state) {
		container->state = state;
		changed = true;
	}
	changed |= take_text(&container->runtime_id, report->runtime_id);
	changed |= take_text(&container->image_digest, report->image_digest);
	changed |= take_text(&container->reason, report->reason);
	if (report->has_exit_code && !container->has_exit_code) {
		container->has_exit_code = true;
		container->exit_code = report->exit_code;
		changed = true;
	}
	changed |= take_bindings(container, report);
	return changed;
}

static int apply_containers(struct task *task, const struct report *report, bool *ret_changed,
			    struct error *err)
{
	for (size_t i = 0; i < report->container_count; i++) {
		const struct report_container *from = &report->containers[i];
		enum container_state state = CONTAINER_PENDING;

		if (from->status && parse_state(from->status, &state, err) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < report->container_count; i++) {
		const struct report_container *from = &report->containers[i];
		struct task_container *container = task_find_container(task, from->name);
		enum container_state state = CONTAINER_PENDING;

		/* Containers of the agent's own (the pause container) are none of the task's. */
		if (!container)
			continue;
		if (from->status)
			parse_state(from->status, &state, NULL);
		*ret_changed |= apply_container(container, from, state);
	}
	return 0;
}

static bool apply_attachments(struct task *task, const struct report *report)
{
	bool changed = false;

	for (size_t i = 0; i < report->attachment_count; i++) {
		const struct report_attachment *from = &report->attachments[i];

		if (!task->eni || !str_eq(task->eni->arn, from->arn) ||
		    !str_eq(from->status, "ATTACHED") || task->eni->state >= ATTACHMENT_ATTACHED)
			continue;
		task->eni->state = ATTACHMENT_ATTACHED;
		task->attach_acknowledged = true;
		changed = true;
	}
	return changed;
}

static bool take_time(int64_t *to, int64_t from)
{
	if (*to != 0 || from <= 0)
		return false;
	*to = from;
	return true;
}

static void set_running(struct task *task)
{
	if (task->desired != TASK_RUNNING || task->state >= TASK_RUNNING)
		return;
	task->started_ms = clock_wall_ms();
	/* A running task's interface is there, whatever the order in which the calls arrive. */
	if (task->eni && task->eni->state < ATTACHMENT_ATTACHED)
		task->eni->state = ATTACHMENT_ATTACHED;
	services_set_state(task, TASK_RUNNING);
}

static bool failed_to_start(const struct task_container *container)
{
	return container->reason && (str_starts_with(container->reason, "Cannot") ||
				     str_starts_with(container->reason, "ResourceInit"));
}

/* Did an essential container of a task that was never reported RUNNING run all the same? */
static bool essential_ran(const struct task *task)
{
	for (size_t i = 0; i < task->container_count; i++) {
		const struct task_container *container = &task->containers[i];

		if (container->essential && container->has_exit_code && !failed_to_start(container))
			return true;
	}
	return false;
}

/* The first reason of a container, essential ones first. */
static const char *container_reason(const struct task *task)
{
	for (int essential = 1; essential >= 0; essential--)
		for (size_t i = 0; i < task->container_count; i++)
			if (task->containers[i].essential == essential &&
			    !str_is_empty(task->containers[i].reason))
				return task->containers[i].reason;
	return NULL;
}

static void set_stopped(struct services *services, struct task *task, const char *reason)
{
	if (task->started_ms != 0 || essential_ran(task)) {
		services_task_stopped(services, task, TASK_STOP_ESSENTIAL_EXITED,
				      str_is_empty(reason) ? "Essential container in task exited"
							   : reason);
		return;
	}
	if (str_is_empty(reason))
		reason = container_reason(task);
	services_task_stopped(services, task, TASK_STOP_FAILED_TO_START,
			      str_is_empty(reason) ? "Task failed to start" : reason);
}

int services_report(struct services *services, struct task *task, const struct report *report,
		    struct error *err)
{
	enum container_state state = CONTAINER_PENDING;
	int64_t version = task->version;
	bool changed = false;
	int r;

	if (report->status) {
		r = parse_state(report->status, &state, err);
		if (r < 0)
			return r;
	}
	/* What comes after the end changes nothing; an agent that repeats itself must be told that
	 * all is well. */
	if (task->state == TASK_STOPPED)
		return 0;
	r = apply_containers(task, report, &changed, err);
	if (r < 0)
		return r;
	/* An agent that speaks of a task has it, also when the control plane was killed before it
	 * had noted that. */
	if (report->status || report->container_count > 0)
		task->sent = true;
	changed |= apply_attachments(task, report);
	changed |= take_time(&task->pull_started_ms, report->pull_started_ms);
	changed |= take_time(&task->pull_stopped_ms, report->pull_stopped_ms);
	changed |= take_time(&task->execution_stopped_ms, report->execution_stopped_ms);
	if (state == CONTAINER_RUNNING)
		set_running(task);
	if (state == CONTAINER_STOPPED)
		set_stopped(services, task, report->reason);
	if (changed && task->version == version)
		task->version++;
	if (task->version == version)
		return 0;
	return services_write_task(services, task, err);
}

struct task *services_find_attachment(const struct services *services, const char *arn)
{
	for (size_t i = 0; arn && i < services->task_count; i++)
		if (services->tasks[i]->eni && str_eq(services->tasks[i]->eni->arn, arn))
			return services->tasks[i];
	return NULL;
}

int services_report_attachment(struct services *services,
			       const struct report_attachment *attachment, struct error *err)
{
	const struct report report = { .attachments = attachment, .attachment_count = 1 };
	struct task *task = services_find_attachment(services, attachment->arn);

	return task ? services_report(services, task, &report, err) : -ENOENT;
}
