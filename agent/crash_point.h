/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_CRASH_POINT_H
#define BERTH_AGENT_CRASH_POINT_H

#include <stdbool.h>

#include "agent/engine/engine.h"
#include "base/cleanup.h"

/*
 * For tests: the agent kills itself, as an outage would, at a point that has a name.
 *
 *	BERTH_CRASH_POINT="answer-before CREATE_CONTAINER app#1"   dies there
 *	BERTH_CRASH_TRACE=FILE                                     names each point that it passes
 *
 * Points lie around everything that is saved or done. The number counts the passings of one name:
 * what runs side by side comes in any order, so a number over all would mean another point in
 * another run. Without the variables there is no object, and a point costs one comparison.
 */
struct crash_points;

/*
 * As the environment says; NULL: it says nothing. Takes the variables out of it: they are no
 * settings, and none of what children inherit. Call it while there is one thread.
 */
struct crash_points *crash_points_take(void);
void crash_points_free(struct crash_points *points);
DEFINE_CLEANUP(struct crash_points, crash_points_free);

void crash_points_pass(struct crash_points *points, const char *moment, const char *what,
		       const char *container);
void crash_points_pass_effect(struct crash_points *points, const char *moment,
			      const struct engine_effect *effect);
void crash_points_pass_event(struct crash_points *points, const struct engine_event *event);
void crash_points_commit(struct crash_points *points, bool over);

/* "MOMENT WHAT CONTAINER#n"; what and container may be NULL. */
static inline void crash_point(struct crash_points *points, const char *moment, const char *what,
			       const char *container)
{
	if (points)
		crash_points_pass(points, moment, what, container);
}

/* "act-before START_CONTAINER app#n" and so on; nothing for effects that do nothing. */
static inline void crash_point_effect(struct crash_points *points, const char *moment,
				      const struct engine_effect *effect)
{
	if (points)
		crash_points_pass_effect(points, moment, effect);
}

/* It has happened on the host, and the engine does not know yet: "answer-before CREATE_CONTAINER
 * app#n", "exit-before app#n", "exit-before#n" of the pause process. */
static inline void crash_point_event(struct crash_points *points, const struct engine_event *event)
{
	if (points)
		crash_points_pass_event(points, event);
}

static inline void crash_point_commit_begins(struct crash_points *points)
{
	if (points)
		crash_points_commit(points, false);
}

/* Who commits also acts, in one call: the first act tells that the commit is over, and so does, if
 * there was none, the end of the call. */
static inline void crash_point_commit_over(struct crash_points *points)
{
	if (points)
		crash_points_commit(points, true);
}

#endif
