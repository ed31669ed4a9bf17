/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one event loop (libuv). One thread: every callback runs on it, one at a time. Free everything
 * that was made on a loop before loop_free().
 */
#ifndef BERTH_BASE_LOOP_H
#define BERTH_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/cleanup.h"
#include "base/error.h"

struct loop;
struct loop_timer;
struct loop_signal;
struct loop_fd;

/* Also has SIGPIPE ignored from now on. */
int loop_new(struct loop **ret, struct error *err);
/* Waits for work in the pool, closes what is left. Not from a callback. */
void loop_free(struct loop *loop);
/* Until loop_stop(), or until nothing is left that could call back. */
void loop_run(struct loop *loop);
/* Runs what is ready (`wait`: waits for one event at least); true while something is active. For
 * tests. */
bool loop_run_once(struct loop *loop, bool wait);
/* Ends loop_run() after the current turn. */
void loop_stop(struct loop *loop);
uv_loop_t *loop_uv(struct loop *loop);

/* One-shot; start it again from its callback to repeat. Starting a running one moves its time. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*callback)(void *data), void *data);
/* In delay_ms (>= 0) from now. */
void loop_timer_start(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_running(const struct loop_timer *timer);
/* Stops and frees; may be called within the callback. NULL does nothing. */
void loop_timer_free(struct loop_timer *timer);

/* Calls back for each signal. SIGKILL, SIGSTOP and SIGCHLD are not for it: -EINVAL. */
int loop_signal_new(struct loop *loop, int signum, void (*callback)(void *data, int signum),
		    void *data, struct loop_signal **ret, struct error *err);
void loop_signal_free(struct loop_signal *signal);

enum loop_events {
	LOOP_READ = 1, /* readable, or the peer has closed */
	LOOP_WRITE = 2,
	LOOP_PRIORITY = 4, /* POLLPRI: PSI triggers, cgroup.events */
	LOOP_ERROR = 8,    /* only given, never asked: the fd is broken */
};

/* Level-triggered. The fd stays the caller's, must be non-blocking, and is watched once only. */
int loop_fd_new(struct loop *loop, int fd, int events, void (*callback)(void *data, int events),
		void *data, struct loop_fd **ret, struct error *err);
/* Watch for other events; 0 pauses. */
void loop_fd_set(struct loop_fd *watch, int events);
/* Stops at once (the fd may be closed right after) and frees; may be called within the callback. */
void loop_fd_free(struct loop_fd *watch);

/*
 * Calls back once, at the end of this turn of the loop, before it waits: to do at one go what many
 * callbacks of the turn asked for. In order of the calls. Cannot be cancelled.
 */
void loop_defer(struct loop *loop, void (*callback)(void *data), void *data);

/* work(data) on a thread of the pool, then done(data) on the loop. `work` touches nothing but its
 * data. */
void loop_work(struct loop *loop, void (*work)(void *data), void (*done)(void *data), void *data);

/*
 * For what outlives its owner for a moment (a socket that sends its last bytes, a killed child):
 * called by loop_free() if it is still there. The entry is part of the caller's struct, zeroed to
 * begin with.
 */
struct loop_last {
	struct loop *loop; /* NULL: not added */
	struct loop_last *previous, *next;
	void (*callback)(void *data); /* removes the entry */
	void *data;
};
void loop_last_add(struct loop *loop, struct loop_last *entry, void (*callback)(void *data),
		   void *data);
/* Nothing when it was not added. */
void loop_last_remove(struct loop_last *entry);

DEFINE_CLEANUP(struct loop, loop_free);
#define _cleanup_loop_ _cleanup_(loop_free_cleanup)

#endif
