/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent takes for each task that runs: its whole heap, without what the executor keeps
 * (which is another one here). It is what goes when the agent does.
 */
#include <malloc.h>
#include <stdio.h>

#include "agent/agent.h"
#include "simulation.h"

#define PER_TASK_MS 200
#define SETTLE_MS   30000

static size_t heap(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static bool all_run(const struct sim *sim)
{
	for (int i = 0; i < sim->task_count; i++)
		if (sim->tasks[i].reported != TASK_STATUS_RUNNING)
			return false;
	return sim->agent != NULL;
}

/* Without faults, and without a look at what must hold: that takes long with so many. */
static void run(struct sim *sim, int64_t until_ms)
{
	struct sim_event event;

	while (!sim->failed && sim_next(sim, &event) && event.time_ms <= until_ms) {
		sim->now_ms = event.time_ms;
		if (event.generation == 0 || event.generation == sim->generation)
			event.happen(sim, &event);
		if (sim->loop)
			sim_loop_turn(sim);
		sim_event_clear(&event);
	}
}

/* -1: they do not run */
static int64_t agent_bytes(int count)
{
	struct sim sim = {
		.seed = 1,
		.random = 1,
		.calm = true,
		.cpu_units = INT32_MAX,
		.memory_mib = INT32_MAX,
		.wall_offset_ms = INT64_C(1700000000000),
	};
	size_t with, without;
	bool run_all;

	sim_world = &sim;
	tasks_plain(&sim, count);
	sim_schedule(&sim, 0, agent_start_event);
	sim_schedule(&sim, 0, control_deliver);
	run(&sim, (int64_t)count * PER_TASK_MS + SETTLE_MS);
	run_all = all_run(&sim);
	with = heap();
	sim.dead = true;
	if (sim.agent)
		agent_free(sim.agent);
	sim.agent = NULL;
	without = heap();
	sim_finish(&sim);
	return run_all ? (int64_t)(with - without) : -1;
}

int memory_measure(void)
{
	static const int counts[] = { 1, 10, 100, 500, 1000, 2000 };
	int64_t first = 0;

	printf("| tasks | heap of the agent, bytes | more than with one, for each more "
	       "|\n|---|---|---|\n");
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		int64_t bytes = agent_bytes(counts[i]);

		if (bytes < 0) {
			fprintf(stderr, "%d tasks do not all run\n", counts[i]);
			return 1;
		}
		if (i == 0)
			first = bytes;
		printf("| %d | %lld | ", counts[i], (long long)bytes);
		if (i > 0)
			printf("%lld ", (long long)((bytes - first) / (counts[i] - 1)));
		printf("|\n");
		fflush(stdout);
	}
	return 0;
}
