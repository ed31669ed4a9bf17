/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bridge tasks: each container has a namespace of its own. It is made when the container may begin,
 * beside its pull; it is taken away when the container is STOPPED, so that its ports are free when
 * that is told of the task.
 *
 * With Service Connect the relay's is the first, as the others have their ways by its address (also
 * those on which it depends, such as its log router); and all of them are there before the relay is
 * made, which is told their addresses.
 */
#include <stdlib.h>

#include "agent/engine/internal.h"
#include "base/str.h"
#include "wire/service_connect.h"

#define USERS                                                                                      \
	(flight_bit(EFFECT_CONNECT_CONTAINER) | flight_bit(EFFECT_DISCONNECT_CONTAINER) |          \
	 flight_bit(EFFECT_CREATE_CONTAINER) | flight_bit(EFFECT_START_CONTAINER) |                \
	 flight_bit(EFFECT_RESTART_CONTAINER) | flight_bit(EFFECT_STOP_CONTAINER))

static struct connection_state *connection_of(const struct task *task, size_t index)
{
	return &task->state->containers[index].connection;
}

bool connection_ready(const struct task *task, size_t index)
{
	return !task_connects_containers(task->state->spec) ||
	       connection_of(task, index)->status == NETWORK_READY;
}

bool connection_gone(const struct task *task, size_t index)
{
	enum network_status status = connection_of(task, index)->status;

	return status == NETWORK_NONE || status == NETWORK_GONE;
}

bool connections_settled(const struct task *task)
{
	for (size_t i = 0; i < task->state->container_count; i++)
		if (!connection_gone(task, i) &&
		    task->containers[i].disconnect_attempts < TEAR_DOWN_ATTEMPTS)
			return false;
	return true;
}

/* SIZE_MAX: there is none, or it is not met in a namespace of its own. */
static size_t relay_of(const struct task *task)
{
	const struct task_spec *spec = task->state->spec;

	if (!spec->service_connect || !task_connects_containers(spec))
		return SIZE_MAX;
	for (size_t i = 0; i < spec->container_count; i++)
		if (str_eq(spec->containers[i].name, spec->service_connect->container))
			return i;
	return SIZE_MAX;
}

bool connection_is_due(const struct task *task, size_t index, bool may_begin)
{
	size_t relay = relay_of(task);

	if (relay == SIZE_MAX)
		return may_begin;
	return relay == index || connection_ready(task, relay);
}

bool connection_is_hopeless(const struct task *task, size_t index)
{
	size_t relay = relay_of(task);

	return relay != SIZE_MAX && relay != index && !connection_ready(task, index) &&
	       task->state->containers[relay].known == CONTAINER_STATUS_STOPPED;
}

bool connection_allows_creation(const struct task *task, size_t index)
{
	if (!connection_ready(task, index))
		return false;
	if (relay_of(task) != index)
		return true;
	for (size_t i = 0; i < task->state->container_count; i++)
		if (!connection_ready(task, i) &&
		    task->state->containers[i].known != CONTAINER_STATUS_STOPPED)
			return false;
	return true;
}

void connection_advance(struct engine *engine, struct task *task, size_t index)
{
	struct connection_state *connection = connection_of(task, index);

	if (task->containers[index].flight & flight_bit(EFFECT_CONNECT_CONTAINER))
		return;
	if (connection->status == NETWORK_NONE) {
		connection->status = NETWORK_ATTACHING;
		mark_container(task, index, PERSIST_NOW);
	}
	effect_start_container(engine, EFFECT_CONNECT_CONTAINER, task, index);
}

bool disconnection_advance(struct engine *engine, struct task *task, size_t index)
{
	struct container *container = &task->containers[index];
	struct connection_state *connection = connection_of(task, index);

	if (connection_gone(task, index) || (container->flight & USERS))
		return false;
	/* The runtime holds a process in it. */
	if (container_left_behind(task, index) && container->remove_attempts < REMOVE_ATTEMPTS)
		return false;
	if (engine->now_ms < container->disconnect_retry_at_ms) {
		wake_at(task, container->disconnect_retry_at_ms);
		return false;
	}
	if (connection->status != NETWORK_CLOSING) {
		connection->status = NETWORK_CLOSING;
		mark_container(task, index, PERSIST_SOON);
	}
	effect_start_container(engine, EFFECT_DISCONNECT_CONTAINER, task, index);
	return false;
}

/* After a reboot nothing of it is there; what has not run yet gets it again. */
void connection_recover(struct task *task, size_t index)
{
	struct connection_state *connection = connection_of(task, index);

	if (!task->rebooted || connection->status != NETWORK_READY)
		return;
	connection->status = NETWORK_ATTACHING;
	mark_container(task, index, PERSIST_NOW);
}

void connection_done(struct engine *engine, struct task *task, size_t index,
		     const struct engine_done *done)
{
	struct connection_state *connection = connection_of(task, index);

	(void)engine;
	if (done->failed) {
		container_fail(task, index, done_error_name(done, "CannotStartContainerError"),
			       done_error_text(done));
		return;
	}
	str_replace(&connection->address, done->connection.address);
	str_replace(&connection->ipv6_address, done->connection.ipv6_address);
	connection_set_bindings(connection, done->connection.bindings,
				done->connection.binding_count);
	connection->status = NETWORK_READY;
	/* The ports are said to the world: they must not be others after a crash. */
	mark_container(task, index, PERSIST_NOW);
}

void disconnection_done(struct engine *engine, struct task *task, size_t index,
			const struct engine_done *done)
{
	struct container *container = &task->containers[index];

	if (!done->failed) {
		connection_of(task, index)->status = NETWORK_GONE;
		mark_container(task, index, PERSIST_SOON);
		return;
	}
	container->disconnect_attempts++;
	container->disconnect_retry_at_ms =
		engine->now_ms + removal_wait_ms(container->disconnect_attempts);
	if (container->disconnect_attempts == TEAR_DOWN_ATTEMPTS)
		container_set_reason(task, index, done_error_name(done, "ContainerNetworkingError"),
				     done_error_text(done));
}
