/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store/internal.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/str.h"
#include "simulation.h"

#define STORM_MS 60000 /* faults until then; all tasks are stopped soon after */
#define END_MS   400000

static void deliver_payload(struct sim *sim, const struct sim_event *happened)
{
	struct sim_task *task = &sim->tasks[happened->task];
	struct task_spec *spec = happened->number ? task->stop_spec : task->run_spec;
	struct engine_event event = { .type = EVENT_PAYLOAD };
	char id[32];

	if (sim->generation == 0)
		return;
	/* A copy that comes after the agent was allowed to forget the task would start it anew. */
	if ((task->run_safe || task->stop_safe || task->reported == TASK_STATUS_STOPPED) &&
	    !engine_task(sim->engine, task->id))
		return;
	snprintf(id, sizeof(id), "%s %s", happened->number ? "stop" : "run", task->id);
	event.payload = (struct engine_payload){ .message_id = id,
						 .sequence_number = ++sim->sequence,
						 .tasks = &spec,
						 .task_count = 1,
						 .random = { sim_random(sim), sim_random(sim) } };
	agent_step(sim, &event);
}

static void exit_heard(struct sim *sim, const struct sim_event *happened)
{
	struct sim_task *task = &sim->tasks[happened->task];
	struct sim_container *container = &task->containers[happened->container];
	struct engine_event event = { .type = EVENT_CONTAINER_EXITED,
				      .task_id = task->id,
				      .container = container->name,
				      .attempt = 1,
				      .exit = container->exit };

	agent_step(sim, &event);
}

static void pause_killed(struct sim *sim, int index)
{
	struct sim_task *task = &sim->tasks[index];
	struct engine_event event = { .type = EVENT_PAUSE_EXITED,
				      .task_id = task->id,
				      .exit = { .code_known = true, .signal = 9 } };

	if (!task->namespace || sim->calm)
		return;
	task->pause_died = true;
	agent_step(sim, &event);
}

static void report_answered(struct sim *sim, const struct sim_event *happened)
{
	struct engine_event event = { .type = happened->failed ? EVENT_REPORT_REFUSED
							       : EVENT_REPORT_ACCEPTED,
				      .task_id = sim->tasks[happened->task].id,
				      .report = happened->number };

	agent_step(sim, &event);
}

static void set_disk(struct sim *sim, bool full)
{
	struct error err = ERROR_INIT;

	sim->disk_full = full;
	sim_trace(sim, "disk: %s", full ? "full" : "free");
	if (db_exec(sim->store->db,
		    full ? "PRAGMA max_page_count = 1" : "PRAGMA max_page_count = 1000000",
		    &err) < 0)
		sim_fail(sim, "%s", err.text);
}

static void happen(struct sim *sim, struct sim_event *event)
{
	struct engine_event passed = { .type = EVENT_TIME_PASSED };

	if (event->generation != 0 && event->generation != sim->generation)
		return;
	switch (event->type) {
	case SIM_OPERATION:
		host_operation(sim, event);
		break;
	case SIM_DONE:
		host_done(sim, event);
		break;
	case SIM_EXIT:
		host_exit(sim, event);
		break;
	case SIM_EXIT_HEARD:
		exit_heard(sim, event);
		break;
	case SIM_PAUSE_KILLED:
		pause_killed(sim, event->task);
		break;
	case SIM_PAYLOAD:
		deliver_payload(sim, event);
		break;
	case SIM_REDELIVER:
		control_redeliver(sim, event->task);
		break;
	case SIM_ACKNOWLEDGED:
		control_acknowledged(sim, event);
		break;
	case SIM_REPORT:
		control_report(sim, event);
		break;
	case SIM_REPORT_ANSWER:
		report_answered(sim, event);
		break;
	case SIM_REPORT_RETRY:
		agent_send_report(sim, event->report);
		break;
	case SIM_WAKE:
		if ((int64_t)event->number == sim->wake_ms)
			sim->wake_ms = ENGINE_NEVER;
		agent_step(sim, &passed);
		break;
	case SIM_FLUSH:
		agent_flush(sim);
		break;
	case SIM_CRASH:
		if (!sim->calm)
			agent_die(sim);
		break;
	case SIM_REBOOT:
		if (!sim->calm && sim->generation != 0)
			host_reboot(sim);
		break;
	case SIM_RESTART:
		agent_start(sim);
		break;
	case SIM_DISK_FULL:
		set_disk(sim, true);
		break;
	case SIM_DISK_FREE:
		set_disk(sim, false);
		break;
	case SIM_WANT_TASK:
		control_want_task(sim, event->task);
		break;
	case SIM_WANT_STOP:
		control_want_stop(sim, event->task);
		break;
	case SIM_MANIFEST:
		control_manifest(sim);
		break;
	case SIM_CALM:
		sim->calm = true;
		for (int i = 0; i < sim->task_count; i++)
			sim_schedule(sim, SIM_WANT_STOP, sim_between(sim, 0, 1000))->task = i;
		break;
	}
}

static void invent_faults(struct sim *sim)
{
	for (int i = (int)sim_between(sim, 0, 4); i > 0; i--)
		sim_schedule(sim, SIM_CRASH, sim_between(sim, 0, STORM_MS));
	if (sim_chance(sim, 10))
		sim_schedule(sim, SIM_REBOOT, sim_between(sim, 0, STORM_MS));
	for (int i = (int)sim_between(sim, 0, 2); i > 0; i--)
		sim_schedule(sim, SIM_MANIFEST, sim_between(sim, 0, STORM_MS));
	for (int i = 0; i < sim->task_count; i++)
		if (sim_chance(sim, 5))
			sim_schedule(sim, SIM_PAUSE_KILLED, sim_between(sim, 0, STORM_MS))->task =
				i;
	if (sim_chance(sim, 20)) {
		int64_t from_ms = sim_between(sim, 0, STORM_MS / 2);

		sim_schedule(sim, SIM_DISK_FULL, from_ms);
		sim_schedule(sim, SIM_DISK_FREE, from_ms + sim_between(sim, 1, 10000));
	}
	sim_schedule(sim, SIM_CALM, STORM_MS);
	/* The wall clock is not the monotonic one. */
	sim->wall_offset_ms = INT64_C(1700000000000) + sim_between(sim, -1000000, 1000000);
}

static bool run(struct sim *sim)
{
	struct error err = ERROR_INIT;
	struct sim_event event;

	sim->random = sim->seed * UINT64_C(0x2545F4914F6CDD1D) + 1;
	if (store_open(NULL, &sim->store, &err) < 0) {
		sim_fail(sim, "%s", err.text);
		return false;
	}
	tasks_invent(sim);
	invent_faults(sim);
	agent_start(sim);
	while (!sim->failed && sim_next(sim, &event)) {
		if (event.time_ms > END_MS) {
			sim_event_clear(&event);
			break;
		}
		sim->now_ms = event.time_ms;
		happen(sim, &event);
		sim_event_clear(&event);
	}
	if (!sim->failed)
		check_end(sim);

	while (sim_next(sim, &event))
		sim_event_clear(&event);
	outbox_free(sim->outbox);
	engine_free(sim->engine);
	store_close(sim->store);
	tasks_free(sim);
	free(sim->events);
	return !sim->failed;
}

static int usage(void)
{
	fprintf(stderr, "usage: berth-simulation [--seeds COUNT] [--seed FIRST] [--trace]\n"
			"Runs COUNT (1000) seeded histories beginning with seed FIRST (1).\n");
	return 2;
}

int main(int argc, char **argv)
{
	int64_t seeds = 1000, first = 1, failures = 0;
	uint64_t steps = 0;
	unsigned restarts = 0;
	bool trace = false;
	int64_t begin_ms = clock_monotonic_ms();

	for (int i = 1; i < argc; i++) {
		int64_t *number = str_eq(argv[i], "--seeds")  ? &seeds
				  : str_eq(argv[i], "--seed") ? &first
							      : NULL;

		if (str_eq(argv[i], "--trace"))
			trace = true;
		else if (!number || i + 1 >= argc ||
			 number_parse_i64(argv[++i], 0, INT64_MAX / 2, number, NULL) < 0)
			return usage();
	}
	for (int64_t i = 0; i < seeds && failures < 5; i++) {
		struct sim sim = { .seed = (uint64_t)(first + i), .trace = trace };

		if (!run(&sim))
			failures++;
		steps += sim.steps;
		restarts += sim.generations - 1;
	}
	printf("%lld histories, %llu steps, %u deaths of the agent, %lld failures, %lld ms\n",
	       (long long)seeds, (unsigned long long)steps, restarts, (long long)failures,
	       (long long)(clock_monotonic_ms() - begin_ms));
	return failures ? 1 : 0;
}
