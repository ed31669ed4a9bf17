/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to container instances, as far as their tasks are concerned. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "control-plane/services/private.h"
#include "control-plane/store/container_instances.h"

static void write_connected(struct services *services, const char *instance_arn, bool connected)
{
	struct error err = ERROR_INIT;
	struct arn arn = { 0 };
	int r = arn_parse(instance_arn, &arn, &err);

	if (r == 0 && arn.cluster)
		r = container_instance_set_connected(services->store, arn.cluster, arn.id,
						     connected, &err);
	if (r < 0)
		log_error("agentConnected could not be written", "instance", instance_arn, "error",
			  err.text);
	arn_clear(&arn);
}

static void set_connectivity(struct services *services, const char *instance_arn, bool connected)
{
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < services->task_count; i++) {
		struct task *task = services->tasks[i];

		if (task->state == TASK_STOPPED || task->connected == connected ||
		    !task->run_acknowledged || !str_eq(task->instance_arn, instance_arn))
			continue;
		task->connected = connected;
		task->connectivity_ms = now_ms;
		task->version++;
		services_write_later(services, task);
	}
}

void services_agent_up(struct services *services, const char *instance_arn)
{
	if (map_get(services->connected, instance_arn))
		return;
	map_set(services->connected, instance_arn, services);
	write_connected(services, instance_arn, true);
	set_connectivity(services, instance_arn, true);
}

void services_agent_down(struct services *services, const char *instance_arn)
{
	if (!map_remove(services->connected, instance_arn))
		return;
	write_connected(services, instance_arn, false);
	set_connectivity(services, instance_arn, false);
}

int services_instance_deregistered(struct services *services, const char *instance_arn,
				   struct error *err)
{
	for (size_t i = 0; i < services->task_count; i++) {
		struct task *task = services->tasks[i];
		int r;

		if (task->state == TASK_STOPPED || !str_eq(task->instance_arn, instance_arn))
			continue;
		services_task_stopped(services, task, TASK_STOP_USER_INITIATED,
				      "Container instance deregistration forced by user");
		r = services_write_task(services, task, err);
		if (r < 0)
			return r;
	}
	if (services->outlet)
		services->outlet->instance_gone(services->outlet_data, instance_arn);
	return 0;
}
