/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks. Health feeds HEALTHY dependencies and telemetry; it never
 * stops a container. */
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

#define OUTPUT_KEPT 1024

static bool checked(const struct container_spec *spec)
{
	if (!spec->health_check_docker || !spec->docker.has_health_check)
		return false;
	const struct text_list *test = &spec->docker.health_check.test;

	return test->count == 0 || !str_eq(test->items[0], "NONE");
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
	return value > 0 ? value : otherwise;
}

void health_started(struct engine *engine, struct task *task, size_t index)
{
	struct container *container = &task->containers[index];
	struct container_state *state = &task->state->containers[index];
	const struct health_check *check = &state->spec->docker.health_check;

	if (!checked(state->spec))
		return;
	state->health = CONTAINER_HEALTH_STARTING;
	state->health_since_ms = engine->wall_ms;
	container->failed_probes = 0;
	container->next_probe_ms =
		engine->now_ms + or_default(check->interval_ms, HEALTH_CHECK_INTERVAL_DEFAULT_MS);
}

/* Probes go on in the same beat: an agent that keeps dying must not put the next one off for ever.
 */
void health_resumed(struct engine *engine, struct task *task, size_t index)
{
	struct container *container = &task->containers[index];
	const struct container_state *state = &task->state->containers[index];
	int64_t interval_ms = or_default(state->spec->docker.health_check.interval_ms,
					 HEALTH_CHECK_INTERVAL_DEFAULT_MS);

	health_started(engine, task, index);
	container->next_probe_ms -= (engine->now_ms - container->started_at_ms) % interval_ms;
}

void health_advance(struct engine *engine, struct task *task, size_t index)
{
	struct container *container = &task->containers[index];
	const struct container_state *state = &task->state->containers[index];

	if (state->health == CONTAINER_HEALTH_NONE || state->known != CONTAINER_STATUS_RUNNING ||
	    (container->flight & flight_bit(EFFECT_PROBE_HEALTH)))
		return;
	if (engine->now_ms < container->next_probe_ms) {
		wake_at(task, container->next_probe_ms);
		return;
	}
	effect_start_container(engine, EFFECT_PROBE_HEALTH, task, index)->probe.timeout_ms =
		or_default(state->spec->docker.health_check.timeout_ms,
			   HEALTH_CHECK_TIMEOUT_DEFAULT_MS);
}

static void change(struct engine *engine, struct task *task, size_t index,
		   enum container_health health, const struct engine_probe *probe)
{
	struct container_state *state = &task->state->containers[index];

	if (state->health == health)
		return;
	state->health = health;
	state->health_since_ms = engine->wall_ms;
	free(state->health_output);
	state->health_output = probe->output ? xstrndup(probe->output, OUTPUT_KEPT) : NULL;
	state->health_exit_code = health == CONTAINER_HEALTH_UNHEALTHY
					  ? (probe->timed_out ? -1 : probe->exit_code)
					  : 0;
	effect_add_container(engine, EFFECT_HEALTH_CHANGED, task, index);
}

void health_done(struct engine *engine, struct task *task, size_t index,
		 const struct engine_done *done)
{
	struct container *container = &task->containers[index];
	const struct container_state *state = &task->state->containers[index];
	const struct health_check *check = &state->spec->docker.health_check;
	struct engine_probe probe = done->probe;

	if (state->known != CONTAINER_STATUS_RUNNING)
		return;
	container->next_probe_ms =
		engine->now_ms + or_default(check->interval_ms, HEALTH_CHECK_INTERVAL_DEFAULT_MS);
	if (done->failed) {
		/* The probe could not even be run. */
		probe = (struct engine_probe){ .exit_code = -1, .output = done->error_text };
	} else if (probe.exit_code == 0 && !probe.timed_out) {
		container->failed_probes = 0;
		change(engine, task, index, CONTAINER_HEALTH_HEALTHY, &probe);
		return;
	}
	if (state->health == CONTAINER_HEALTH_STARTING &&
	    engine->now_ms < container->started_at_ms + check->start_period_ms)
		return;
	container->failed_probes++;
	if (container->failed_probes >= or_default(check->retries, HEALTH_CHECK_RETRIES_DEFAULT))
		change(engine, task, index, CONTAINER_HEALTH_UNHEALTHY, &probe);
}
