/* SPDX-License-Identifier: Apache-2.0 */
/* What happens next: a heap by time, and by order of scheduling for the same time. */
#include "base/alloc.h"
#include "simulation.h"

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->time_ms != b->time_ms ? a->time_ms < b->time_ms : a->order < b->order;
}

struct sim_event *sim_schedule(struct sim *sim, int64_t delay_ms,
			       void (*happen)(struct sim *sim, const struct sim_event *event))
{
	const struct sim_event event = {
		.time_ms = sim->now_ms + (delay_ms > 0 ? delay_ms : 0),
		.order = ++sim->order,
		.happen = happen,
		.task = -1,
		.container = -1,
	};
	size_t at = sim->event_count++;

	if (at == sim->event_capacity) {
		sim->event_capacity = sim->event_capacity ? sim->event_capacity * 2 : 64;
		sim->events = xreallocarray(sim->events, sim->event_capacity, sizeof(*sim->events));
	}
	for (; at > 0 && before(&event, &sim->events[(at - 1) / 2]); at = (at - 1) / 2)
		sim->events[at] = sim->events[(at - 1) / 2];
	sim->events[at] = event;
	return &sim->events[at];
}

bool sim_next(struct sim *sim, struct sim_event *ret)
{
	size_t at = 0;

	if (sim->event_count == 0)
		return false;
	*ret = sim->events[0];
	const struct sim_event last = sim->events[--sim->event_count];

	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= sim->event_count)
			break;
		if (child + 1 < sim->event_count &&
		    before(&sim->events[child + 1], &sim->events[child]))
			child++;
		if (!before(&sim->events[child], &last))
			break;
		sim->events[at] = sim->events[child];
		at = child;
	}
	sim->events[at] = last;
	return true;
}

int64_t sim_next_ms(const struct sim *sim)
{
	return sim->event_count > 0 ? sim->events[0].time_ms : INT64_MAX;
}

void sim_event_clear(struct sim_event *event)
{
	if (event->drop)
		event->drop(event->subject);
	event->drop = NULL;
}
