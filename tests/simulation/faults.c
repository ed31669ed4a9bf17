/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "simulation.h"

static void armed(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	if (!sim->calm && sim->generation != 0)
		sim->crash_in = (int)sim_between(sim, 1, 20);
}

static void killed(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	if (!sim->calm)
		agent_die(sim);
}

static void told_to_stop(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	if (sim->calm || !sim->agent)
		return;
	sim_trace(sim, "agent: is told to stop");
	agent_stop(sim->agent, 0);
}

static void rebooted(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	if (!sim->calm)
		host_reboot(sim);
}

void faults_after_death(struct sim *sim)
{
	/* The next agent has read what this one had written, and nobody has made it durable yet. */
	if (sim_fault(sim, 10))
		sim_schedule(sim, sim_between(sim, 0, 4000), rebooted);
}

static void pause_killed(struct sim *sim, const struct sim_event *event)
{
	if (!sim->calm)
		host_kill_pause(sim, event->task);
}

static void manifest_due(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	sim->manifest_due = true;
}

static void clock_steps(struct sim *sim, const struct sim_event *event)
{
	sim->clock_stepped = true;
	sim_trace(sim, "host: the clock steps by %lld ms", (long long)event->number);
	sim->wall_offset_ms += event->number;
}

static void connections_cut(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	if (sim->calm)
		return;
	sim_trace(sim, "network: connections are cut");
	sockets_cut(sim);
}

static void set_disk_full(struct sim *sim, const struct sim_event *event)
{
	sim->disk_full = event->number;
	sim_trace(sim, "disk: %s", sim->disk_full ? "full" : "free");
}

static void set_disk_fails(struct sim *sim, const struct sim_event *event)
{
	sim->disk_fails = event->number;
	sim_trace(sim, "disk: %s", sim->disk_fails ? "fails" : "works");
}

static void set_containerd_gone(struct sim *sim, const struct sim_event *event)
{
	sim->containerd_gone = event->number;
	sim_trace(sim, "containerd: %s", sim->containerd_gone ? "gone" : "there");
}

static void set_control_down(struct sim *sim, const struct sim_event *event)
{
	sim->control_down = event->number;
	sim_trace(sim, "control: %s", sim->control_down ? "away" : "back");
	if (sim->control_down)
		sockets_cut(sim);
}

static void set_black_hole(struct sim *sim, const struct sim_event *event)
{
	sim->black_hole = event->number;
	sim_trace(sim, "network: %s", sim->black_hole ? "swallows everything" : "works");
	if (sim->black_hole)
		sockets_cut(sim);
}

static void calm(struct sim *sim, const struct sim_event *event)
{
	(void)event;
	sim_trace(sim, "the storm is over");
	sim->calm = true;
	sim->crash_in = 0;
}

static void at_random(struct sim *sim, int most,
		      void (*happen)(struct sim *sim, const struct sim_event *event))
{
	for (int i = (int)sim_between(sim, 0, most); i > 0; i--)
		sim_schedule(sim, sim_between(sim, 0, STORM_MS), happen);
}

static void for_a_while(struct sim *sim, int percent, int64_t longest_ms,
			void (*set)(struct sim *sim, const struct sim_event *event))
{
	int64_t from_ms = sim_between(sim, 0, STORM_MS / 2);

	if (!sim_chance(sim, percent))
		return;
	sim_schedule(sim, from_ms, set)->number = 1;
	sim_schedule(sim, from_ms + sim_between(sim, 1, longest_ms), set)->number = 0;
}

static void deaths_invent(struct sim *sim)
{
	at_random(sim, 2, killed);
	at_random(sim, 3, armed);
	if (sim_chance(sim, 15))
		at_random(sim, 2, told_to_stop);
	if (sim_chance(sim, 20))
		at_random(sim, 2, rebooted);
}

void faults_invent(struct sim *sim)
{
	/* A death heals what the agent has forgotten: in some histories it lives. */
	if (!sim_chance(sim, 30))
		deaths_invent(sim);
	at_random(sim, 2, manifest_due);
	at_random(sim, 2, connections_cut);
	for (int i = 0; i < sim->task_count; i++)
		if (sim_chance(sim, 5))
			sim_schedule(sim, sim_between(sim, 0, STORM_MS), pause_killed)->task = i;
	for_a_while(sim, 20, 10000, set_disk_full);
	for_a_while(sim, 10, 10000, set_disk_fails);
	for_a_while(sim, 10, 20000, set_containerd_gone);
	for_a_while(sim, 15, STORM_MS / 2, set_control_down);
	for_a_while(sim, 10, STORM_MS / 2, set_black_hole);
	for (int i = (int)sim_between(sim, 0, 1) * (int)sim_between(sim, 0, 3); i > 0; i--)
		sim_schedule(sim, sim_between(sim, 0, STORM_MS), clock_steps)->number =
			sim_chance(sim, 70) ? sim_between(sim, -2000, 2000)
					    : sim_between(sim, -7200000, 7200000);
	sim_schedule(sim, STORM_MS, calm);
	sim->wall_offset_ms = INT64_C(1700000000000) + sim_between(sim, -1000000, 1000000);
	sim->monotonic_offset_ms = sim_between(sim, 1000, 100000000);
}
