/* SPDX-License-Identifier: Apache-2.0 */
/* How effects ended. */
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/str.h"

size_t event_container(const struct task *task, const struct engine_event *event)
{
	for (size_t i = 0; i < task->state->container_count; i++)
		if (str_eq(task->state->containers[i].spec->name, event->container))
			return task->state->containers[i].attempt == event->attempt ? i : SIZE_MAX;
	return SIZE_MAX;
}

bool reference_has_digest(const struct container_spec *spec)
{
	return strchr(container_spec_image(spec), '@') != NULL;
}

const char *done_error_name(const struct engine_done *done, const char *otherwise)
{
	return str_is_empty(done->error_name) ? otherwise : done->error_name;
}

const char *done_error_text(const struct engine_done *done)
{
	return done->error_text ? done->error_text : "no reason was given";
}

static void pulled(struct engine *engine, struct task *task, size_t index,
		   const struct engine_done *done)
{
	struct container_state *state = &task->state->containers[index];

	task->state->pull_stopped_at_ms = engine->wall_ms;
	mark_task(task, PERSIST_SOON);
	if (state->desired == CONTAINER_STATUS_STOPPED)
		return;
	if (done->failed) {
		container_fail(task, index, done_error_name(done, "CannotPullContainerError"),
			       done_error_text(done));
		if (engine->config.pull_failure_stops_task)
			task_want_stop(engine, task, PERSIST_NOW);
		return;
	}
	if (done->error_text) {
		free(state->pull_error);
		state->pull_error = reason_make(done_error_name(done, "CannotPullContainerError"),
						done->error_text);
	}
	task->containers[index].image_ready = true;
	if (done->image.digest) {
		str_replace(&state->image_digest, done->image.digest);
		state->digest_resolved = !reference_has_digest(state->spec);
	}
	if (done->image.id)
		str_replace(&state->image_id, done->image.id);
	state->stop_signal = done->image.stop_signal;
	mark_container(task, index, PERSIST_SOON);
	if (state->known < CONTAINER_STATUS_PULLED)
		container_reach(engine, task, index, CONTAINER_STATUS_PULLED, PERSIST_SOON);
}

static void created(struct engine *engine, struct task *task, size_t index,
		    const struct engine_done *done)
{
	struct container_state *state = &task->state->containers[index];

	if (state->known == CONTAINER_STATUS_STOPPED)
		return;
	if (done->failed) {
		container_fail(task, index, done_error_name(done, "CannotCreateContainerError"),
			       done_error_text(done));
		return;
	}
	state->created_at_ms = done->at_ms ? done->at_ms : engine->wall_ms;
	if (state->known < CONTAINER_STATUS_CREATED)
		container_reach(engine, task, index, CONTAINER_STATUS_CREATED, PERSIST_SOON);
}

static void started(struct engine *engine, struct task *task, size_t index,
		    const struct engine_done *done)
{
	struct container *container = &task->containers[index];
	struct container_state *state = &task->state->containers[index];

	if (state->known >= CONTAINER_STATUS_RUNNING)
		return;
	if (done->failed) {
		const char *name = done_error_name(done, "CannotStartContainerError");

		/* Nobody can tell whether it runs. */
		container->must_stop = str_eq(name, "DockerTimeoutError") ||
				       str_eq(name, "CannotInspectContainerError") ||
				       str_ends_with(done_error_text(done), "EOF");
		container_fail(task, index, name, done_error_text(done));
		return;
	}
	state->started_at_ms = done->at_ms ? done->at_ms : engine->wall_ms;
	state->pid = done->pid;
	container->started_at_ms = engine->now_ms;
	container_reach(engine, task, index, CONTAINER_STATUS_RUNNING, PERSIST_SOON);
	health_started(engine, task, index);
}

static void stopped(struct engine *engine, struct task *task, size_t index,
		    const struct engine_done *done)
{
	struct container *container = &task->containers[index];
	struct container_state *state = &task->state->containers[index];

	if (state->known == CONTAINER_STATUS_STOPPED) {
		if (done->has_exit && done->exit.code_known &&
		    state->sent < CONTAINER_STATUS_STOPPED && state->started_at_ms != 0)
			container_exited(engine, task, index, &done->exit);
		return;
	}
	if (state->restarting && restart_stopped(engine, task, index, done,
						 container->stop_attempts + 1 >= STOP_ATTEMPTS))
		return;
	if (!done->failed && done->has_exit && state->started_at_ms == 0) {
		container_ended_early(engine, task, index, &done->exit);
		return;
	}
	if (!done->failed && done->has_exit) {
		container_exited(engine, task, index, &done->exit);
		return;
	}
	/* It failed; or it ended well, and the news of the container's end is not here yet. */
	int64_t wait_ms = 1000;

	for (int i = 0; i < container->stop_attempts; i++)
		wait_ms = wait_ms * 13 / 10 < 5000 ? wait_ms * 13 / 10 : 5000;
	container->retry_at_ms = engine->now_ms + wait_ms;
	container->stop_attempts++;
	if (container->stop_attempts < STOP_ATTEMPTS)
		return;
	container->must_stop = false;
	container->retry_at_ms = 0;
	container_set_reason(task, index, done_error_name(done, "CannotStopContainerError"),
			     done->failed ? done_error_text(done)
					  : "nobody saw the container's process end");
	if (state->finished_at_ms == 0)
		state->finished_at_ms = engine->wall_ms;
	container_reach(engine, task, index, CONTAINER_STATUS_STOPPED, PERSIST_NOW);
}

static void removed(struct engine *engine, struct task *task, size_t index,
		    const struct engine_done *done)
{
	struct container *container = &task->containers[index];

	if (!done->failed) {
		task->state->containers[index].removed = true;
		mark_container(task, index, PERSIST_SOON);
		return;
	}
	container->remove_attempts++;
	container->retry_at_ms = engine->now_ms + removal_wait_ms(container->remove_attempts);
}

static void container_done(struct engine *engine, struct task *task, size_t index,
			   const struct engine_done *done)
{
	switch (done->type) {
	case EFFECT_PULL_IMAGE:
		pulled(engine, task, index, done);
		break;
	case EFFECT_CONNECT_CONTAINER:
		connection_done(engine, task, index, done);
		break;
	case EFFECT_DISCONNECT_CONTAINER:
		disconnection_done(engine, task, index, done);
		break;
	case EFFECT_CREATE_CONTAINER:
		created(engine, task, index, done);
		break;
	case EFFECT_START_CONTAINER:
		started(engine, task, index, done);
		break;
	case EFFECT_RESTART_CONTAINER:
		restarted(engine, task, index, done);
		break;
	case EFFECT_STOP_CONTAINER:
		stopped(engine, task, index, done);
		break;
	case EFFECT_REMOVE_CONTAINER:
		removed(engine, task, index, done);
		break;
	case EFFECT_PROBE_HEALTH:
		health_done(engine, task, index, done);
		break;
	default:
		break;
	}
}

void effect_done(struct engine *engine, struct task *task, const struct engine_event *event)
{
	const struct engine_done *done = &event->done;

	if (event->container) {
		size_t index = event_container(task, event);

		/* An answer that nobody waits for is an echo. */
		if (index == SIZE_MAX || !(task->containers[index].flight & flight_bit(done->type)))
			return;
		task->containers[index].flight &= ~flight_bit(done->type);
		container_done(engine, task, index, done);
		return;
	}
	if (done->type == EFFECT_CREATE_RESOURCE) {
		resource_done(engine, task, done);
		return;
	}
	if (!(task->flight & flight_bit(done->type)))
		return;
	task->flight &= ~flight_bit(done->type);
	if (done->type != EFFECT_CLEAN_UP_TASK) {
		network_done(engine, task, done);
		return;
	}
	task->cleaned = !done->failed;
	task->cleanup_retry_at_ms = engine->now_ms + (done->failed ? LONGEST_RETRY_MS : 0);
}
