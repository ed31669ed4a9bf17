/* SPDX-License-Identifier: Apache-2.0 */
/* The network namespace of an awsvpc task: open, attach, and torn down when nothing uses it any
 * more. */
#include <stdlib.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

#define NETWORK_FLIGHT                                                                             \
	(flight_bit(EFFECT_OPEN_NETNS) | flight_bit(EFFECT_ATTACH_NETWORK) |                       \
	 flight_bit(EFFECT_TEAR_DOWN_NETWORK))
#define CONTAINER_FLIGHT                                                                           \
	(flight_bit(EFFECT_CREATE_CONTAINER) | flight_bit(EFFECT_START_CONTAINER) |                \
	 flight_bit(EFFECT_RESTART_CONTAINER) | flight_bit(EFFECT_STOP_CONTAINER))

bool network_settled(const struct task *task)
{
	enum network_status status = task->state->network.status;

	return !task_has_own_network(task->state->spec) || status == NETWORK_NONE ||
	       status == NETWORK_GONE || task->network_abandoned;
}

/* Nothing is being done to a container, and none stands half made in the namespace. */
static bool containers_quiet(const struct task *task)
{
	for (size_t i = 0; i < task->state->container_count; i++) {
		if (task->containers[i].flight & CONTAINER_FLIGHT)
			return false;
		if (container_left_behind(task, i) &&
		    task->containers[i].remove_attempts < REMOVE_ATTEMPTS)
			return false;
	}
	return true;
}

static bool tear_down(struct engine *engine, struct task *task)
{
	struct network_state *network = &task->state->network;

	if (network->status == NETWORK_NONE || network->status == NETWORK_GONE ||
	    (task->flight & NETWORK_FLIGHT) || !containers_quiet(task))
		return false;
	if (engine->now_ms < task->network_retry_at_ms) {
		wake_at(task, task->network_retry_at_ms);
		return false;
	}
	network->status = NETWORK_CLOSING;
	mark_task(task, PERSIST_SOON);
	effect_start(engine, EFFECT_TEAR_DOWN_NETWORK, task);
	return true;
}

bool network_advance(struct engine *engine, struct task *task)
{
	struct network_state *network = &task->state->network;

	if (!task_has_own_network(task->state->spec))
		return false;
	if (all_containers_stopped(task))
		return tear_down(engine, task);
	if (task->state->desired != TASK_STATUS_RUNNING || !task->state->admitted ||
	    (task->flight & NETWORK_FLIGHT))
		return false;
	switch (network->status) {
	case NETWORK_NONE:
		network->status = NETWORK_OPENING;
		mark_task(task, PERSIST_NOW);
		effect_start(engine, EFFECT_OPEN_NETNS, task);
		return true;
	case NETWORK_OPENING: /* again, after a restart */
		effect_start(engine, EFFECT_OPEN_NETNS, task);
		return false;
	case NETWORK_OPEN:
	case NETWORK_ATTACHING:
		network->status = NETWORK_ATTACHING;
		mark_task(task, PERSIST_SOON);
		effect_start(engine, EFFECT_ATTACH_NETWORK, task);
		return true;
	case NETWORK_READY:
	case NETWORK_CLOSING:
	case NETWORK_GONE:
		break;
	}
	return false;
}

static void fail(struct engine *engine, struct task *task, const char *name, const char *before,
		 const char *text)
{
	char *whole = xasprintf("%s%s", before, text ? text : "no reason was given");
	char *reason = reason_make(name ? name : "ContainerNetworkingError", whole);

	task_set_reason(task, reason);
	task_want_stop(engine, task, PERSIST_NOW);
	free(whole);
	free(reason);
}

static void remember(struct network_state *network, const struct engine_network *found)
{
	if (found->pause_pid > 0)
		network->pause_pid = found->pause_pid;
	if (found->netns_path)
		str_replace(&network->netns_path, found->netns_path);
	if (found->interface)
		str_replace(&network->interface, found->interface);
	if (found->address)
		str_replace(&network->address, found->address);
	if (found->details)
		str_replace(&network->details, found->details);
}

static void pause_is_lost(struct engine *engine, struct task *task)
{
	char *text = task->state->network.has_exit_code
			     ? xasprintf("with exit code %d", task->state->network.exit_code)
			     : xstrdup("and nobody saw how");

	fail(engine, task, NULL,
	     "the pause container, which holds the task's network namespace, exited ", text);
	free(text);
}

static void teared_down(struct engine *engine, struct task *task, const struct engine_done *done)
{
	struct network_state *network = &task->state->network;

	if (!done->failed) {
		network->status = NETWORK_GONE;
		network->pause_pid = 0;
		if (network->finished_at_ms == 0)
			network->finished_at_ms = engine->wall_ms;
		mark_task(task, PERSIST_SOON);
		return;
	}
	task->tear_down_attempts++;
	task->network_retry_at_ms = engine->now_ms + removal_wait_ms(task->tear_down_attempts);
	if (task->tear_down_attempts == TEAR_DOWN_ATTEMPTS) {
		char *whole =
			xasprintf("the task's network could not be removed: %s",
				  done->error_text ? done->error_text : "no reason was given");
		char *reason = reason_make(
			done->error_name ? done->error_name : "ContainerNetworkingError", whole);

		task_set_reason(task, reason);
		task->network_abandoned = true;
		free(whole);
		free(reason);
	}
}

void network_done(struct engine *engine, struct task *task, const struct engine_done *done)
{
	struct network_state *network = &task->state->network;

	switch (done->type) {
	case EFFECT_OPEN_NETNS:
		if (done->failed) {
			fail(engine, task, done->error_name,
			     "container resource provisioning: cannot setup task network "
			     "namespace: ",
			     done->error_text);
			return;
		}
		network->status = NETWORK_OPEN;
		if (network->started_at_ms == 0)
			network->created_at_ms = network->started_at_ms = engine->wall_ms;
		remember(network, &done->network);
		mark_task(task, PERSIST_SOON);
		if (task->pause_lost)
			pause_is_lost(engine, task);
		return;
	case EFFECT_ATTACH_NETWORK:
		if (done->failed) {
			fail(engine, task, done->error_name,
			     "container resource provisioning: failed to setup network namespace: ",
			     done->error_text);
			return;
		}
		network->status = NETWORK_READY;
		remember(network, &done->network);
		mark_task(task, PERSIST_SOON);
		return;
	default:
		teared_down(engine, task, done);
		return;
	}
}

void pause_exited(struct engine *engine, struct task *task, const struct engine_exit *exit)
{
	struct network_state *network = &task->state->network;

	if (network->status == NETWORK_NONE || network->status >= NETWORK_CLOSING ||
	    task->pause_lost)
		return;
	task->pause_lost = true;
	network->pause_pid = 0;
	network->has_exit_code = exit->code_known;
	network->exit_code = exit->signal > 0 ? 128 + exit->signal : exit->exit_code;
	network->finished_at_ms = exit->finished_at_ms ? exit->finished_at_ms : engine->wall_ms;
	mark_task(task, PERSIST_NOW);
	if (!(task->flight & flight_bit(EFFECT_OPEN_NETNS)))
		pause_is_lost(engine, task);
}
