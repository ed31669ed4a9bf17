/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/live.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/executor/paths.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"

#define QUOTA_MIN_US 1000 /* what the kernel takes */

struct live_task *live_task_find(struct executor *executor, const char *task_id)
{
	return map_get(executor->tasks, task_id);
}

struct live_task *live_task_get(struct executor *executor, const struct task_spec *spec)
{
	struct live_task *task = map_get(executor->tasks, spec->id);

	if (task)
		return task;
	task = xcalloc(1, sizeof(*task));
	task->executor = executor;
	task->spec = task_spec_ref((struct task_spec *)(uintptr_t)spec);
	task->id = xstrdup(spec->id);
	task->pause.pidfd = -1;
	task->containers = xcalloc(spec->container_count ? spec->container_count : 1,
				   sizeof(*task->containers));
	for (size_t i = 0; i < spec->container_count; i++) {
		task->containers[i].task = task;
		task->containers[i].index = i;
	}
	map_set(executor->tasks, task->id, task);
	return task;
}

void live_container_forget(struct live_container *container)
{
	struct executor *executor = container->task->executor;

	if (container->run_id) {
		container_unwatch(executor->runtime, container->run_id);
		map_remove(executor->containers, container->run_id);
	}
	if (container->probe)
		probe_cancel(container->probe);
	if (container->stats)
		stats_close(container->stats);
	loop_timer_free(container->grace);
	free(container->runtime_id);
	free(container->run_id);
	free(container->cgroup);
	container->probe = NULL;
	container->stats = NULL;
	container->grace = NULL;
	container->runtime_id = NULL;
	container->run_id = NULL;
	container->cgroup = NULL;
	container->stopping = false;
	container->killed = false;
}

void live_task_free(struct live_task *task)
{
	for (size_t i = 0; i < task->spec->container_count; i++) {
		live_container_forget(&task->containers[i]);
		if (task->containers[i].image)
			image_unref(task->containers[i].image);
		ports_release(&task->containers[i].ports);
	}
	if (task->watch)
		pause_unwatch(task->watch);
	if (task->pause.pidfd >= 0)
		close(task->pause.pidfd);
	map_remove(task->executor->tasks, task->id);
	free(task->containers);
	task_spec_unref(task->spec);
	free(task->id);
	free(task);
}

const struct container_spec *live_container_spec(const struct live_container *container)
{
	return &container->task->spec->containers[container->index];
}

const struct container_state *live_container_state(const struct live_container *container)
{
	struct executor *executor = container->task->executor;
	const struct task_state *task =
		executor->config.task(executor->config.data, container->task->id);

	return task && container->index < task->container_count
		       ? &task->containers[container->index]
		       : NULL;
}

void live_container_bind(struct live_container *container, const struct container_state *state)
{
	struct live_task *task = container->task;

	live_container_forget(container);
	container->runtime_id = xstrdup(state->runtime_id);
	container->run_id = run_id(state->runtime_id, state->attempt);
	container->attempt = state->attempt;
	container->cgroup = cgroup_path_container(task->executor->config.config, task->id, state);
	map_set(task->executor->containers, container->run_id, container);
}

char *live_container_state_path(const struct live_container *container)
{
	return path_state(container->task->executor->config.config, container->task->id,
			  container->runtime_id, container->attempt);
}

struct live_container *live_container_get(struct executor *executor, const struct task_spec *spec,
					  size_t index)
{
	struct live_container *container = &live_task_get(executor, spec)->containers[index];
	const struct container_state *state = live_container_state(container);

	if (state && (!container->runtime_id || container->attempt != state->attempt))
		live_container_bind(container, state);
	return container;
}

struct address address_of(const struct engine_effect *effect)
{
	return (struct address){
		.task_id = xstrdup(effect->task_id),
		.container = xstrdup_null(effect->container),
		.attempt = effect->attempt,
		.type = effect->type,
		.begun_ns = clock_monotonic_ns(),
	};
}

void address_free(struct address *address)
{
	free(address->task_id);
	free(address->container);
	*address = (struct address){ 0 };
}

void answer(struct executor *executor, const struct address *address, struct engine_done done)
{
	struct engine_event event = {
		.type = EVENT_EFFECT_DONE,
		.wall_ms = clock_wall_ms(),
		.task_id = address->task_id,
		.container = address->container,
		.attempt = address->attempt,
	};

	log_debug("effect done", "effect", engine_effect_name(address->type), "task",
		  address->task_id, "container", address->container ? address->container : "",
		  "took_us", LOG_NUM((clock_monotonic_ns() - address->begun_ns) / 1000));
	done.type = address->type;
	event.done = done;
	executor->config.post(executor->config.data, &event);
}

void answer_ok(struct executor *executor, const struct address *address)
{
	answer(executor, address, (struct engine_done){ .failed = false });
}

/* The length of an error name in front of ": ", as in "HostConfigError: text"; 0: there is none. */
static size_t name_length(const char *text)
{
	size_t length = 0;

	while (isalpha((unsigned char)text[length]))
		length++;
	return length > 5 && strncmp(text + length - 5, "Error", 5) == 0 &&
			       strncmp(text + length, ": ", 2) == 0
		       ? length
		       : 0;
}

void answer_failed(struct executor *executor, const struct address *address, const char *name,
		   const struct error *err)
{
	const char *text = err && err->text[0] ? err->text : "no reason was given";
	size_t length = name_length(text);
	_cleanup_free_ char *own = length > 0 ? xstrndup(text, length) : NULL;

	if (own) {
		name = own;
		text += length + 2;
	}
	log_warn("an effect failed", "effect", engine_effect_name(address->type), "task",
		 address->task_id, "container", address->container ? address->container : "",
		 "error", text);
	answer(executor, address,
	       (struct engine_done){ .failed = true, .error_name = name, .error_text = text });
}

void say_timed_out(struct error *err, const char *what, int64_t waited_ms)
{
	_cleanup_strbuf_ struct strbuf duration = STRBUF_INIT;

	config_duration_format(waited_ms, &duration);
	error_say(err, ETIMEDOUT, "Could not transition to %s; timed out after waiting %s", what,
		  strbuf_text(&duration));
}

struct cgroup_limits task_cgroup_limits(const struct agent_config *config,
					const struct task_spec *spec)
{
	struct cgroup_limits limits = { .memory_limit = spec->memory_mib * 1024 * 1024 };
	int64_t shares = 0;

	if (spec->cpu > 0) {
		limits.cpu_period_us = (uint64_t)config->cgroup_cpu_period_ms * 1000;
		limits.cpu_quota_us = (int64_t)(spec->cpu * (double)limits.cpu_period_us);
		if (limits.cpu_quota_us < QUOTA_MIN_US)
			limits.cpu_quota_us = QUOTA_MIN_US;
		limits.cpu_shares = (uint64_t)(spec->cpu * 1024);
	} else {
		for (size_t i = 0; i < spec->container_count; i++)
			shares += container_spec_cpu_shares(&spec->containers[i]);
		limits.cpu_shares = (uint64_t)shares;
	}
	if (limits.cpu_shares < 2)
		limits.cpu_shares = 2;
	if (limits.cpu_shares > 262144)
		limits.cpu_shares = 262144;
	return limits;
}
