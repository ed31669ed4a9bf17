/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the agent: started, told to stop, killed in the middle of whatever it does, started
 * again. */
#include "agent/agent.h"

#include <stdlib.h>

#include "agent/ecs/host.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "simulation.h"

static void schedule_start(struct sim *sim)
{
	sim_schedule(sim, sim_between(sim, 0, 3000), agent_start_event);
}

/* It is over with this one. What was not committed is lost; the host goes on by itself. */
static void bury(struct sim *sim)
{
	host_agent_died(sim);
	http_agent_died(sim);
	sockets_agent_died(sim);
	sim->dead = true;
	if (sim->agent)
		agent_free(sim->agent);
	sim->agent = NULL;
	sim->generation = 0;
	sim->dead = false;
	sim->crash_in = 0;
}

void agent_die(struct sim *sim)
{
	if (sim->generation == 0)
		return;
	sim_trace(sim, "agent: dies");
	bury(sim);
	schedule_start(sim);
}

bool agent_reaches_out(struct sim *sim)
{
	if (sim->dead)
		return false;
	/* Before it, or after: the next call finds it dead. */
	if (sim->crash_in > 0 && --sim->crash_in == 0) {
		sim->dead = true;
		return sim_chance(sim, 50);
	}
	return true;
}

const struct engine *agent_engine(const struct sim *sim)
{
	return sim->agent ? sim->agent->engine : NULL;
}

static struct agent_config *configuration(struct sim *sim)
{
	char *const environment[] = {
		(char[]){ "ECS_CLUSTER=c" },
		(char[]){ "AWS_DEFAULT_REGION=here" },
		(char[]){ "AWS_ACCESS_KEY_ID=AKID" },
		(char[]){ "AWS_SECRET_ACCESS_KEY=secret" },
		(char[]){ "ECS_BACKEND_HOST=http://control" },
		(char[]){ "ECS_DATADIR=/simulated" },
		(char[]){ "ECS_CONTAINER_STOP_TIMEOUT=2s" },
		(char[]){ "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=5s" },
		(char[]){ "ECS_ENABLE_GPU_SUPPORT=true" },
		(char[]){ "ECS_POLL_METRICS=true" },
		(char[]){ "ECS_POLLING_METRICS_WAIT_DURATION=10s" },
		NULL,
	};
	struct agent_config *config = NULL;
	struct error err = ERROR_INIT;

	if (config_load(environment, NULL, &config, NULL, &err) < 0)
		sim_fail(sim, "configuration: %s", err.text);
	return config;
}

void agent_start_event(struct sim *sim, const struct sim_event *event)
{
	struct agent_config *config = configuration(sim);
	struct error err = ERROR_INIT;

	(void)event;
	if (!config)
		return;
	sim_trace(sim, "agent: starts");
	sim->generation = ++sim->generations;
	sim->stopped = false;
	for (int i = 0; i < sim->task_count; i++) {
		sim->tasks[i].known_here = sim->tasks[i].attach_answered = false;
		sim->tasks[i].answered = sim->tasks[i].remembered;
		json_decref(TAKE(sim->tasks[i].refused_report));
		sim->tasks[i].seen_known = sim->tasks[i].seen_desired = TASK_STATUS_NONE;
		for (int j = 0; j < MAX_CONTAINERS; j++) {
			struct sim_container *container = &sim->tasks[i].containers[j];

			container->seen = CONTAINER_STATUS_NONE;
			container->answered = container->remembered;
		}
	}
	/* Its start is as dangerous as the rest of its life. */
	if (sim_fault(sim, 20))
		sim->crash_in = (int)sim_between(sim, 1, 60);
	if (agent_new(config, &sim->agent, &err) < 0) {
		if (!sim->dead && !sim->disk_full && !sim->disk_fails)
			sim_fail(sim, "the agent does not start: %s", err.text);
		sim_trace(sim, "agent: cannot start: %s", err.text);
		sim->agent = NULL; /* it has freed itself */
		bury(sim);
		schedule_start(sim);
		return;
	}
	if (!sim->dead)
		check_recovered(sim);
}

/* ---- what is asked of the host itself ---- */

int64_t host_cpu_count(void)
{
	return HOST_CPU_UNITS / 1024;
}

int host_resources_read(const struct agent_config *config, struct host_resources *ret,
			struct error *err)
{
	(void)config, (void)err;
	*ret = (struct host_resources){ .cpu_units = sim_world->cpu_units,
					.memory_mib = sim_world->memory_mib };
	for (int i = 0; i < HOST_GPUS; i++) {
		_cleanup_free_ char *id = xasprintf("GPU-%d", i);

		str_list_add(&ret->gpus, id);
	}
	return 0;
}

char *host_boot_id(void)
{
	return xasprintf("boot-%u", sim_world->boots);
}

void host_resources_free(struct host_resources *resources)
{
	str_list_free(&resources->gpus);
}

/* ---- nobody asks the endpoints ---- */

int endpoints_new(const struct endpoints_config *config, struct endpoints **ret, struct error *err)
{
	(void)config, (void)err;
	*ret = NULL;
	return 0;
}

void endpoints_free(struct endpoints *endpoints)
{
	(void)endpoints;
}

void endpoints_tell_health(struct endpoints *endpoints, bool healthy, const char *json)
{
	(void)endpoints, (void)healthy, (void)json;
}

void endpoints_serve_task(struct endpoints *endpoints, const char *task_id, const char *place,
			  int listen_fd)
{
	(void)place;
	(void)endpoints, (void)task_id, (void)listen_fd;
}

void endpoints_know_task(struct endpoints *endpoints, const char *task_id, const char *address)
{
	(void)endpoints;
	(void)task_id;
	(void)address;
}

void endpoints_leave_task(struct endpoints *endpoints, const char *task_id, const char *place)
{
	(void)place;
	(void)endpoints, (void)task_id;
}
