/* SPDX-License-Identifier: Apache-2.0 */
/* What happens next: a heap by time, and by order of scheduling for the same time. */
#include <string.h>

#include "base/alloc.h"
#include "simulation.h"

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->time_ms != b->time_ms ? a->time_ms < b->time_ms : a->order < b->order;
}

static void swap(struct sim *sim, size_t a, size_t b)
{
	struct sim_event event = sim->events[a];

	sim->events[a] = sim->events[b];
	sim->events[b] = event;
}

/* The event to be filled in: its place does not depend on what else it holds. Valid until the next
 * one is scheduled. */
struct sim_event *sim_schedule(struct sim *sim, enum sim_event_type type, int64_t delay_ms)
{
	if (sim->event_count == sim->event_capacity) {
		sim->event_capacity = sim->event_capacity ? sim->event_capacity * 2 : 64;
		sim->events = xreallocarray(sim->events, sim->event_capacity, sizeof(*sim->events));
	}
	size_t at = sim->event_count++;

	sim->events[at] =
		(struct sim_event){ .time_ms = sim->now_ms + (delay_ms > 0 ? delay_ms : 0),
				    .order = ++sim->order,
				    .type = type,
				    .task = -1,
				    .container = -1 };
	while (at > 0 && before(&sim->events[at], &sim->events[(at - 1) / 2])) {
		swap(sim, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
	return &sim->events[at];
}

bool sim_next(struct sim *sim, struct sim_event *ret)
{
	size_t at = 0;

	if (sim->event_count == 0)
		return false;
	*ret = sim->events[0];
	sim->events[0] = sim->events[--sim->event_count];
	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= sim->event_count)
			return true;
		if (child + 1 < sim->event_count &&
		    before(&sim->events[child + 1], &sim->events[child]))
			child++;
		if (!before(&sim->events[child], &sim->events[at]))
			return true;
		swap(sim, at, child);
		at = child;
	}
}

void sim_event_clear(struct sim_event *event)
{
	engine_effect_free(event->report);
	event->report = NULL;
}
