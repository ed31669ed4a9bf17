/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/alloc.h"

struct deferred {
	void (*callback)(void *data);
	void *data;
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t before_wait;
	uv_check_t after_wait;
	uv_idle_t do_not_wait; /* active while something is deferred */
	struct deferred *deferred;
	size_t deferred_count;
	size_t deferred_room;
	struct loop_last *last;
};

struct loop_timer {
	uv_timer_t uv;
	void (*callback)(void *data);
	void *data;
};

struct loop_signal {
	uv_signal_t uv;
	void (*callback)(void *data, int signum);
	void *data;
};

struct loop_fd {
	uv_poll_t uv;
	int events;
	void (*callback)(void *data, int events);
	void *data;
};

static void do_nothing(uv_idle_t *idle)
{
	(void)idle;
}

/* What is deferred while this runs waits for the next turn: a callback that defers itself starves
 * nobody. */
static void run_deferred(struct loop *loop)
{
	struct deferred *batch = loop->deferred;
	size_t count = loop->deferred_count;

	if (count == 0)
		return;
	loop->deferred = NULL;
	loop->deferred_count = 0;
	loop->deferred_room = 0;
	uv_idle_stop(&loop->do_not_wait);
	uv_prepare_stop(&loop->before_wait);
	uv_check_stop(&loop->after_wait);
	for (size_t i = 0; i < count; i++)
		batch[i].callback(batch[i].data);
	free(batch);
}

static void on_before_wait(uv_prepare_t *prepare)
{
	run_deferred(prepare->data);
}

static void on_after_wait(uv_check_t *check)
{
	run_deferred(check->data);
}

int loop_new(struct loop **ret, struct error *err)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	int result = uv_loop_init(&loop->uv);

	if (result < 0) {
		free(loop);
		return error_set(err, -result, "make the event loop");
	}
	loop->uv.data = loop;
	/* writing to a peer that has gone is an error of that write, not the end of the process */
	signal(SIGPIPE, SIG_IGN);
	uv_prepare_init(&loop->uv, &loop->before_wait);
	uv_check_init(&loop->uv, &loop->after_wait);
	uv_idle_init(&loop->uv, &loop->do_not_wait);
	loop->before_wait.data = loop;
	loop->after_wait.data = loop;
	*ret = loop;
	return 0;
}

static void close_left_over(uv_handle_t *handle, void *data)
{
	(void)data;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
	while (loop->last)
		loop->last->callback(loop->last->data);
	/* often the last step of something that ends: freeing memory */
	for (int turns = 0; turns < 100 && loop->deferred_count > 0; turns++)
		run_deferred(loop);
	uv_close((uv_handle_t *)&loop->before_wait, NULL);
	uv_close((uv_handle_t *)&loop->after_wait, NULL);
	uv_close((uv_handle_t *)&loop->do_not_wait, NULL);
	/* closings that are under way free their handles; work in the pool ends */
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	uv_walk(&loop->uv, close_left_over, NULL);
	while (uv_loop_close(&loop->uv) == UV_EBUSY)
		uv_run(&loop->uv, UV_RUN_ONCE);
	free(loop->deferred);
	free(loop);
}

void loop_last_add(struct loop *loop, struct loop_last *entry, void (*callback)(void *data),
		   void *data)
{
	*entry = (struct loop_last){
		.loop = loop,
		.next = loop->last,
		.callback = callback,
		.data = data,
	};
	if (loop->last)
		loop->last->previous = entry;
	loop->last = entry;
}

void loop_last_remove(struct loop_last *entry)
{
	if (!entry->loop)
		return;
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		entry->loop->last = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	*entry = (struct loop_last){ .loop = NULL };
}

void loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

bool loop_run_once(struct loop *loop, bool wait)
{
	return uv_run(&loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

uv_loop_t *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
	struct loop_timer *timer = handle->data;

	timer->callback(timer->data);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*callback)(void *data), void *data)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));

	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	timer->callback = callback;
	timer->data = data;
	return timer;
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_ms)
{
	/* libuv counts from the start of the turn, which may be long ago in a busy one */
	uv_update_time(timer->uv.loop);
	uv_timer_start(&timer->uv, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

void loop_timer_stop(struct loop_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

bool loop_timer_is_running(const struct loop_timer *timer)
{
	return uv_is_active((const uv_handle_t *)&timer->uv);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer)
		uv_close((uv_handle_t *)&timer->uv, free_handle);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct loop_signal *signal = handle->data;

	signal->callback(signal->data, signum);
}

int loop_signal_new(struct loop *loop, int signum, void (*callback)(void *data, int signum),
		    void *data, struct loop_signal **ret, struct error *err)
{
	struct loop_signal *signal;
	int result;

	if (signum == SIGKILL || signum == SIGSTOP || signum == SIGCHLD)
		return error_say(err, EINVAL, "signal %d cannot be handled on the loop", signum);
	signal = xcalloc(1, sizeof(*signal));
	uv_signal_init(&loop->uv, &signal->uv);
	signal->uv.data = signal;
	signal->callback = callback;
	signal->data = data;
	result = uv_signal_start(&signal->uv, on_signal, signum);
	if (result < 0) {
		uv_close((uv_handle_t *)&signal->uv, free_handle);
		return error_set(err, -result, "handle signal %d", signum);
	}
	*ret = signal;
	return 0;
}

void loop_signal_free(struct loop_signal *signal)
{
	if (signal)
		uv_close((uv_handle_t *)&signal->uv, free_handle);
}

static int to_uv(int events)
{
	return (events & LOOP_READ ? UV_READABLE | UV_DISCONNECT : 0) |
	       (events & LOOP_WRITE ? UV_WRITABLE : 0) |
	       (events & LOOP_PRIORITY ? UV_PRIORITIZED : 0);
}

static void on_fd(uv_poll_t *handle, int status, int events)
{
	struct loop_fd *watch = handle->data;
	int seen = (events & (UV_READABLE | UV_DISCONNECT) ? LOOP_READ : 0) |
		   (events & UV_WRITABLE ? LOOP_WRITE : 0) |
		   (events & UV_PRIORITIZED ? LOOP_PRIORITY : 0);

	if (status < 0) {
		/* libuv has stopped the watch; what was asked for is given too: the next call says
		 * why */
		seen = LOOP_ERROR | watch->events;
	}
	watch->callback(watch->data, seen);
}

int loop_fd_new(struct loop *loop, int fd, int events, void (*callback)(void *data, int events),
		void *data, struct loop_fd **ret, struct error *err)
{
	struct loop_fd *watch = xcalloc(1, sizeof(*watch));
	int result = uv_poll_init(&loop->uv, &watch->uv, fd);

	if (result < 0) {
		free(watch);
		return error_set(err, -result, "watch descriptor %d", fd);
	}
	watch->uv.data = watch;
	watch->callback = callback;
	watch->data = data;
	loop_fd_set(watch, events);
	*ret = watch;
	return 0;
}

void loop_fd_set(struct loop_fd *watch, int events)
{
	watch->events = events;
	if (to_uv(events) == 0)
		uv_poll_stop(&watch->uv);
	else
		uv_poll_start(&watch->uv, to_uv(events), on_fd);
}

void loop_fd_free(struct loop_fd *watch)
{
	if (!watch)
		return;
	uv_poll_stop(&watch->uv);
	uv_close((uv_handle_t *)&watch->uv, free_handle);
}

void loop_defer(struct loop *loop, void (*callback)(void *data), void *data)
{
	if (loop->deferred_count == loop->deferred_room) {
		loop->deferred_room = loop->deferred_room ? 2 * loop->deferred_room : 8;
		loop->deferred =
			xreallocarray(loop->deferred, loop->deferred_room, sizeof(*loop->deferred));
	}
	loop->deferred[loop->deferred_count++] =
		(struct deferred){ .callback = callback, .data = data };
	if (loop->deferred_count == 1) {
		uv_prepare_start(&loop->before_wait, on_before_wait);
		uv_check_start(&loop->after_wait, on_after_wait);
		uv_idle_start(&loop->do_not_wait, do_nothing);
	}
}

struct work {
	uv_work_t uv;
	void (*work)(void *data);
	void (*done)(void *data);
	void *data;
};

static void on_work(uv_work_t *request)
{
	struct work *work = request->data;

	work->work(work->data);
}

static void on_work_done(uv_work_t *request, int status)
{
	struct work *work = request->data;

	(void)status; /* only uv_cancel() makes it fail, which nobody calls */
	work->done(work->data);
	free(work);
}

void loop_work(struct loop *loop, void (*work)(void *data), void (*done)(void *data), void *data)
{
	struct work *request = xcalloc(1, sizeof(*request));
	int result;

	request->uv.data = request;
	request->work = work;
	request->done = done;
	request->data = data;
	result = uv_queue_work(&loop->uv, &request->uv, on_work, on_work_done);
	assert(result == 0);
	(void)result;
}
