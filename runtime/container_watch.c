/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning of an exit, and killing. The monitor's message is the fast way; the process's pidfd and
 * the record on disk are the sure one, for messages that got lost and for monitors that were
 * killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "runtime/container.h"
#include "runtime/container_internal.h"
#include "runtime/container_record.h"
#include "runtime/pause.h"

/* Looks at the record before it is taken without the monitor's word that it is through with the
 * output. */
#define LOOKS_WITH_MONITOR 40
#define RECORD_WAIT_MS     50 /* for the message, once the process is dead */

struct container_watch *container_find_watch(struct container_runtime *runtime, const char *id)
{
	struct container_watch *watch = runtime->watches;

	while (watch && !str_eq(watch->id, id))
		watch = watch->next;
	return watch;
}

static void stop_looking(struct container_watch *watch)
{
	if (watch->ready)
		loop_fd_free(TAKE(watch->ready));
	loop_timer_stop(watch->timer);
}

void container_watch_free(struct container_watch *watch)
{
	struct container_watch **at = &watch->runtime->watches;

	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	stop_looking(watch);
	loop_timer_free(watch->timer);
	cleanup_close(&watch->pidfd);
	free(watch->id);
	free(watch->state_dir);
	free(watch);
}

void container_watch_exited(struct container_watch *watch, const struct container_exit *exit)
{
	struct container_runtime *runtime = watch->runtime;
	_cleanup_free_ char *id = NULL;

	if (watch->told)
		return;
	watch->told = true;
	stop_looking(watch);
	/* Either callback may end the watch. */
	id = xstrdup(watch->id);
	container_start_ended(runtime, id, exit->started_ms);
	runtime->on_exit(runtime->data, id, exit);
}

static void look(void *data)
{
	struct container_watch *watch = data;
	struct container_observation seen;
	struct container_exit lost = { .exit_code = -1 };

	if (container_observe(watch->state_dir, &seen, NULL) < 0)
		seen = (struct container_observation){ .state = CONTAINER_LOST };
	switch (seen.state) {
	case CONTAINER_EXITED:
		/* The record is written first, then what is left of the output: the message means
		 * both. */
		if (seen.monitor_lives && ++watch->looks < LOOKS_WITH_MONITOR) {
			loop_timer_start(watch->timer, RECORD_WAIT_MS);
			return;
		}
		container_watch_exited(watch, &seen.exit);
		return;
	case CONTAINER_NONE:
	case CONTAINER_LOST:
		/* When it ended is not known; that it was seen dead now is the best there is. */
		lost.started_ms = seen.started_ms;
		lost.finished_ms = clock_wall_ms();
		container_watch_exited(watch, &lost);
		return;
	default:
		loop_timer_start(watch->timer, RECORD_WAIT_MS);
	}
}

static void process_ended(void *data, int events)
{
	struct container_watch *watch = data;

	(void)events;
	loop_fd_free(TAKE(watch->ready));
	loop_timer_start(watch->timer, RECORD_WAIT_MS);
}

int container_open_process(const char *state_dir, struct container_observation *ret_observation,
			   int *ret_pidfd, struct error *err)
{
	_cleanup_close_ int dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    pidfd = -1;
	struct container_state_record record;
	struct container_observation seen;
	uint64_t start;
	int result;

	if (dir_fd < 0)
		return error_set(err, errno == ENOENT ? ESRCH : errno,
				 "open the state directory %s", state_dir);
	result = container_observe_at(dir_fd, &seen, &record, err);
	if (result < 0)
		return result;
	*ret_observation = seen;
	if (seen.pid <= 0)
		return error_say(err, ESRCH, "the container of %s has no process: it is %s",
				 state_dir, container_phase_name(seen.state));
	pidfd = (int)syscall(SYS_pidfd_open, seen.pid, 0);
	/* The start time is compared after the opening: from then on the number cannot go to
	 * another process. */
	if (pidfd < 0 || process_start_time(seen.pid, &start, NULL) < 0 ||
	    start != record.pid_start)
		return error_say(err, ESRCH, "the process of the container of %s has just ended",
				 state_dir);
	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

int container_watch(struct container_runtime *runtime, const char *id, const char *state_dir,
		    struct error *err)
{
	struct container_watch *watch = container_find_watch(runtime, id);
	struct container_observation seen;
	int result;

	if (watch)
		return 0;
	watch = xcalloc(1, sizeof(*watch));
	*watch = (struct container_watch){
		.next = runtime->watches,
		.runtime = runtime,
		.id = xstrdup(id),
		.state_dir = xstrdup(state_dir),
		.pidfd = -1,
	};
	watch->timer = loop_timer_new(runtime->loop, look, watch);
	runtime->watches = watch;
	result = container_open_process(state_dir, &seen, &watch->pidfd, NULL);
	if (result == 0)
		result = loop_fd_new(runtime->loop, watch->pidfd, LOOP_READ, process_ended, watch,
				     &watch->ready, err);
	else if (result == -ESRCH) {
		/* It has ended, or is just being created: look at its record on the next turn. */
		loop_timer_start(watch->timer, 0);
		result = 0;
	} else
		error_set(err, -result, "watch container %s", id);
	if (result < 0)
		container_watch_free(watch);
	return result;
}

void container_unwatch(struct container_runtime *runtime, const char *id)
{
	struct container_watch *watch = container_find_watch(runtime, id);

	if (watch)
		container_watch_free(watch);
}

int container_kill(struct container_runtime *runtime, const char *id, const char *state_dir,
		   int signal, struct error *err)
{
	struct container_watch *watch = container_find_watch(runtime, id);
	struct container_observation seen = { .state = CONTAINER_NONE };
	_cleanup_close_ int opened = -1;
	int pidfd = watch ? watch->pidfd : -1;

	if (pidfd < 0) {
		int result = container_open_process(state_dir, &seen, &opened, err);

		if (result == -ESRCH && seen.state != CONTAINER_NONE &&
		    seen.state != CONTAINER_CREATING)
			return 0;
		if (result < 0) {
			error_prefix(err, "send signal %d to container %s", signal, id);
			return result;
		}
		pidfd = opened;
	}
	if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
		return error_set(err, errno, "send signal %d to container %s", signal, id);
	return 0;
}
