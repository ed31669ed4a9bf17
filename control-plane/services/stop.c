/* SPDX-License-Identifier: Apache-2.0 */
/* How tasks end: asked to, or because they did. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "control-plane/services/delivery.h"
#include "control-plane/services/private.h"
#include "control-plane/services/run.h"

void services_set_state(struct task *task, enum task_state state)
{
	if (state <= task->state)
		return;
	task->state = state;
	task->version++;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/*
 * startedAt < stoppingAt <= executionStoppedAt <= stoppedAt, also when the agent's clock is not
 * ours: what an agent said is moved as little as needed.
 */
static void settle_times(struct task *task, int64_t now_ms)
{
	int64_t earliest = task->started_ms ? task->started_ms + 1 : task->created_ms;

	if (task->execution_stopped_ms == 0)
		task->execution_stopped_ms = now_ms;
	task->execution_stopped_ms = later(task->execution_stopped_ms, earliest);
	if (task->stopping_ms == 0)
		task->stopping_ms = task->execution_stopped_ms;
	task->stopping_ms = later(task->stopping_ms, earliest);
	task->execution_stopped_ms = later(task->execution_stopped_ms, task->stopping_ms);
	task->stopped_ms = later(now_ms, task->execution_stopped_ms);
}

static void release_eni(struct services *services, struct task *task)
{
	struct subnet *subnet;

	if (!task->eni)
		return;
	subnet = services_find_subnet(services, task->eni->subnet_id);
	if (subnet)
		subnet_give_back(subnet, task->eni->private_ip, task->eni->ipv6);
	services_network_changed(services);
	task->eni->state = ATTACHMENT_DELETED;
}

void services_task_stopped(struct services *services, struct task *task, enum task_stop_code code,
			   const char *reason)
{
	if (task->state == TASK_STOPPED)
		return;
	task->desired = TASK_STOPPED;
	if (task->stop_code == TASK_STOP_NONE) {
		task->stop_code = code;
		str_replace(&task->stopped_reason, reason);
	}
	settle_times(task, clock_wall_ms());
	if (task->eni)
		services_set_state(task, TASK_DEPROVISIONING);
	release_eni(services, task);
	for (size_t i = 0; i < task->container_count; i++)
		task->containers[i].state = CONTAINER_STOPPED;
	services_set_state(task, TASK_STOPPED);
}

int services_stop(struct services *services, struct task *task, const char *reason,
		  struct error *err)
{
	int r;

	if (task->state == TASK_STOPPED || task->desired == TASK_STOPPED)
		return 0;
	task->desired = TASK_STOPPED;
	task->stop_code = TASK_STOP_USER_INITIATED;
	str_replace(&task->stopped_reason, reason ? reason : "Task stopped by user");
	task->stopping_ms = clock_wall_ms();
	task->version++;
	if (!task->sent)
		services_task_stopped(services, task, TASK_STOP_USER_INITIATED, NULL);
	r = services_write_task(services, task, err);
	if (r == 0)
		services_notify_later(services, task);
	return r;
}
