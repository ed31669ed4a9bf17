/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of base/loop.c and base/clock.c: virtual time, and no thread. */
#include "base/loop.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "simulation.h"

struct deferred {
	struct deferred *next;
	void (*callback)(void *data);
	void *data;
};

struct loop {
	struct deferred *first, **end;
};

struct loop_timer {
	void (*callback)(void *data);
	void *data;
	int64_t serial; /* of the event that counts */
	bool running, freed;
	unsigned events; /* that point here */
};

int64_t clock_monotonic_ms(void)
{
	return sim_world->now_ms + sim_world->monotonic_offset_ms;
}

int64_t clock_monotonic_ns(void)
{
	return clock_monotonic_ms() * 1000000;
}

int64_t clock_wall_ms(void)
{
	return sim_world->now_ms + sim_world->wall_offset_ms;
}

int64_t clock_wall_ns(void)
{
	return clock_wall_ms() * 1000000;
}

int loop_new(struct loop **ret, struct error *err)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	(void)err;
	loop->end = &loop->first;
	sim_world->loop = loop;
	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	while (loop->first) {
		struct deferred *deferred = loop->first;

		loop->first = deferred->next;
		free(deferred);
	}
	sim_world->loop = NULL;
	free(loop);
}

/* The simulation is what runs it. */
void loop_run(struct loop *loop)
{
	(void)loop;
	abort();
}

void loop_stop(struct loop *loop)
{
	(void)loop;
	sim_world->stopped = true;
}

int loop_signal_new(struct loop *loop, int signum, void (*callback)(void *data, int signum),
		    void *data, struct loop_signal **ret, struct error *err)
{
	(void)loop, (void)signum, (void)callback, (void)data, (void)err;
	*ret = NULL;
	return 0;
}

void loop_signal_free(struct loop_signal *signal)
{
	(void)signal;
}

void loop_defer(struct loop *loop, void (*callback)(void *data), void *data)
{
	struct deferred *deferred = xcalloc(1, sizeof(*deferred));

	deferred->callback = callback;
	deferred->data = data;
	*loop->end = deferred;
	loop->end = &deferred->next;
}

/* At once: what blocks in the agent's own files is not part of this world. */
void loop_work(struct loop *loop, void (*work)(void *data), void (*done)(void *data), void *data)
{
	work(data);
	loop_defer(loop, done, data);
}

void sim_loop_turn(struct sim *sim)
{
	while (sim->loop && sim->loop->first && !sim->dead) {
		struct deferred *deferred = sim->loop->first;

		sim->loop->first = deferred->next;
		if (!sim->loop->first)
			sim->loop->end = &sim->loop->first;
		deferred->callback(deferred->data);
		free(deferred);
	}
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*callback)(void *data), void *data)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));

	(void)loop;
	timer->callback = callback;
	timer->data = data;
	return timer;
}

static void event_gone(void *subject)
{
	struct loop_timer *timer = subject;

	if (--timer->events == 0 && timer->freed)
		free(timer);
}

static void ring(struct sim *sim, const struct sim_event *event)
{
	struct loop_timer *timer = event->subject;

	(void)sim;
	if (timer->freed || !timer->running || timer->serial != event->number)
		return;
	timer->running = false;
	timer->callback(timer->data);
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_ms)
{
	struct sim_event *event = sim_schedule(sim_world, delay_ms, ring);

	timer->running = true;
	timer->serial = (int64_t)event->order;
	timer->events++;
	event->number = timer->serial;
	event->generation = sim_world->generation;
	event->subject = timer;
	event->drop = event_gone;
}

void loop_timer_stop(struct loop_timer *timer)
{
	timer->running = false;
}

bool loop_timer_is_running(const struct loop_timer *timer)
{
	return timer->running;
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	timer->running = false;
	timer->freed = true;
	if (timer->events == 0)
		free(timer);
}
