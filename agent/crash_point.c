/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/crash_point.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"

#define POINT_VARIABLE "BERTH_CRASH_POINT"
#define TRACE_VARIABLE "BERTH_CRASH_TRACE"

struct crash_points {
	char *wanted;       /* NULL: only the trace */
	int trace_fd;       /* -1: none */
	struct map *passed; /* name -> unsigned *, how often */
	bool committing;    /* what the disk refuses is one commit with its repetition */
};

static char *take_variable(const char *name)
{
	const char *value = getenv(name);
	char *copy = str_is_empty(value) ? NULL : xstrdup(value);

	unsetenv(name);
	return copy;
}

struct crash_points *crash_points_take(void)
{
	char *wanted = take_variable(POINT_VARIABLE);
	_cleanup_free_ char *trace = take_variable(TRACE_VARIABLE);
	struct crash_points *points;

	if (!wanted && !trace)
		return NULL;
	points = xcalloc(1, sizeof(*points));
	points->wanted = wanted;
	points->passed = map_new();
	points->trace_fd = -1;
	if (trace) {
		points->trace_fd =
			open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (points->trace_fd < 0)
			log_error("crash points cannot be traced", "file", trace, "error",
				  strerror(errno));
	}
	if (wanted)
		log_warn("for a test, this agent will kill itself", POINT_VARIABLE, wanted);
	return points;
}

void crash_points_free(struct crash_points *points)
{
	size_t cursor = 0;
	void *count;

	if (!points)
		return;
	while ((count = map_next(points->passed, &cursor, NULL)))
		free(count);
	map_free(points->passed);
	if (points->trace_fd >= 0)
		close(points->trace_fd);
	free(points->wanted);
	free(points);
}

static unsigned count_passing(struct crash_points *points, const char *name)
{
	unsigned *count = map_get(points->passed, name);

	if (!count) {
		count = xcalloc(1, sizeof(*count));
		map_set(points->passed, name, count);
	}
	return ++*count;
}

void crash_points_pass(struct crash_points *points, const char *moment, const char *what,
		       const char *container)
{
	_cleanup_free_ char *name =
		xasprintf("%s%s%s%s%s", moment, what ? " " : "", what ? what : "",
			  container ? " " : "", container ? container : "");
	_cleanup_free_ char *line = xasprintf("%s#%u\n", name, count_passing(points, name));
	size_t length = strlen(line);

	if (points->trace_fd >= 0)
		file_write_all(points->trace_fd, line, length);
	line[length - 1] = '\0';
	if (points->wanted && str_eq(points->wanted, line))
		kill(getpid(), SIGKILL);
}

void crash_points_pass_effect(struct crash_points *points, const char *moment,
			      const struct engine_effect *effect)
{
	if (effect->type != EFFECT_STATUS_CHANGED && effect->type != EFFECT_HEALTH_CHANGED)
		crash_points_pass(points, moment, engine_effect_name(effect->type),
				  effect->container);
}

void crash_points_pass_event(struct crash_points *points, const struct engine_event *event)
{
	if (event->type == EVENT_EFFECT_DONE)
		crash_points_pass(points, "answer-before", engine_effect_name(event->done.type),
				  event->container);
	else if (event->type == EVENT_CONTAINER_EXITED || event->type == EVENT_PAUSE_EXITED)
		crash_points_pass(points, "exit-before", NULL, event->container);
}

void crash_points_commit(struct crash_points *points, bool over)
{
	if (over != points->committing)
		return;
	points->committing = !over;
	crash_points_pass(points, over ? "commit-after" : "commit-before", NULL, NULL);
}
