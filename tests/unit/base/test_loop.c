/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/strbuf.h"

struct place {
	struct loop *loop;
	struct strbuf seen;
	struct loop_timer *timer;
	struct loop_fd *watch;
	struct loop_signal *signal;
	pthread_t worker;
	int rounds;
	int fd;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_ok(loop_new(&place->loop, why));
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	loop_free(place->loop);
	strbuf_free(&place->seen);
	free(place);
	return 0;
}

static void say_timer(void *data)
{
	struct place *place = data;

	strbuf_append(&place->seen, "timer;");
}

static void repeat_then_free(void *data)
{
	struct place *place = data;

	strbuf_append_char(&place->seen, 't');
	if (++place->rounds < 3)
		loop_timer_start(place->timer, 1);
	else
		loop_timer_free(place->timer);
}

static void a_timer_repeats_and_is_freed_from_its_callback(void **state)
{
	struct place *place = *state;

	place->timer = loop_timer_new(place->loop, repeat_then_free, place);
	assert_false(loop_timer_is_running(place->timer));
	loop_timer_start(place->timer, 0);
	assert_true(loop_timer_is_running(place->timer));
	loop_run(place->loop);
	assert_string_equal(place->seen.data, "ttt");
}

static void a_stopped_timer_is_silent(void **state)
{
	struct place *place = *state;
	struct loop_timer *timer = loop_timer_new(place->loop, say_timer, place);

	loop_timer_start(timer, 0);
	loop_timer_stop(timer);
	loop_run(place->loop);
	assert_int_equal(place->seen.length, 0);
	loop_timer_free(timer);
	loop_timer_free(NULL);
}

static void defer_again(void *data)
{
	struct place *place = data;

	strbuf_append(&place->seen, "again;");
	if (++place->rounds < 10)
		loop_defer(place->loop, defer_again, place);
}

static void say_deferred(void *data)
{
	struct place *place = data;

	strbuf_append(&place->seen, "deferred;");
}

static void defer_from_timer(void *data)
{
	struct place *place = data;

	loop_defer(place->loop, say_deferred, place);
	loop_defer(place->loop, say_timer, place);
	strbuf_append(&place->seen, "first;");
	loop_timer_free(place->timer);
}

static void deferred_calls_come_after_the_callback_in_order(void **state)
{
	struct place *place = *state;

	place->timer = loop_timer_new(place->loop, defer_from_timer, place);
	loop_timer_start(place->timer, 0);
	loop_run(place->loop);
	assert_string_equal(place->seen.data, "first;deferred;timer;");
}

static void on_readable(void *data, int events)
{
	struct place *place = data;
	char c;

	assert_true(events & LOOP_READ);
	assert_int_equal(read(place->fd, &c, 1), 1);
	strbuf_append(&place->seen, "read;");
	loop_defer(place->loop, say_deferred, place);
	if (++place->rounds == 2) {
		loop_fd_free(place->watch);
		close(place->fd);
	}
}

/* Two bytes ready at once are two events of two turns: the deferred call is between them. */
static void deferred_calls_come_at_the_end_of_the_turn(void **state)
{
	struct place *place = *state;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	place->fd = ends[0];
	assert_int_equal(write(ends[1], "ab", 2), 2);
	assert_ok(loop_fd_new(place->loop, ends[0], LOOP_READ, on_readable, place, &place->watch,
			      why));
	loop_run(place->loop);
	assert_string_equal(place->seen.data, "read;deferred;read;deferred;");
	close(ends[1]);
}

static void a_call_that_defers_itself_starves_nobody(void **state)
{
	struct place *place = *state;

	loop_defer(place->loop, defer_again, place);
	loop_run_once(place->loop, false);
	assert_in_range(place->rounds, 1, 2); /* before and after the wait of one turn */
	loop_run(place->loop);
	assert_int_equal(place->rounds, 10);
}

static void on_event(void *data, int events)
{
	struct place *place = data;

	strbuf_appendf(&place->seen, "%d;", events);
	loop_fd_set(place->watch, 0);
}

static void a_watch_is_paused_and_changed(void **state)
{
	struct place *place = *state;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_ok(
		loop_fd_new(place->loop, ends[1], LOOP_WRITE, on_event, place, &place->watch, why));
	loop_run(place->loop);
	loop_run(place->loop);
	assert_string_equal(place->seen.data, "2;");
	loop_fd_set(place->watch, LOOP_WRITE);
	loop_run(place->loop);
	assert_string_equal(place->seen.data, "2;2;");
	loop_fd_free(place->watch);
	close(ends[0]);
	close(ends[1]);
}

static void what_cannot_be_watched_is_refused(void **state)
{
	struct place *place = *state;
	struct loop_fd *watch = NULL;
	struct loop_signal *signal = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(loop_fd_new(place->loop, -1, LOOP_READ, on_event, place, &watch, &err),
			 -EBADF);
	assert_contains(err.text, "watch descriptor -1");
	assert_int_equal(loop_signal_new(place->loop, SIGKILL, NULL, NULL, &signal, &err), -EINVAL);
	assert_null(watch);
	assert_null(signal);
}

static void on_signal(void *data, int signum)
{
	struct place *place = data;

	assert_int_equal(signum, SIGUSR1);
	strbuf_append(&place->seen, "signal;");
	loop_signal_free(place->signal);
}

static void signals_arrive_on_the_loop(void **state)
{
	struct place *place = *state;

	assert_ok(loop_signal_new(place->loop, SIGUSR1, on_signal, place, &place->signal, why));
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(place->seen.length, 0);
	loop_run(place->loop);
	assert_string_equal(place->seen.data, "signal;");
}

static void work(void *data)
{
	struct place *place = data;

	place->worker = pthread_self();
}

static void work_done(void *data)
{
	struct place *place = data;

	assert_false(pthread_equal(place->worker, pthread_self()));
	strbuf_append(&place->seen, "done;");
	loop_stop(place->loop);
}

static void work_is_done_elsewhere_and_ends_here(void **state)
{
	struct place *place = *state;
	struct loop_timer *forever = loop_timer_new(place->loop, say_timer, place);

	loop_timer_start(forever, 3600 * 1000);
	loop_work(place->loop, work, work_done, place);
	loop_run(place->loop); /* ends by loop_stop() */
	assert_string_equal(place->seen.data, "done;");
	loop_timer_free(forever);
}

static void a_write_to_nobody_is_no_death(void **state)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
}

int main(void)
{
#define on_a_loop(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		on_a_loop(a_timer_repeats_and_is_freed_from_its_callback),
		on_a_loop(a_stopped_timer_is_silent),
		on_a_loop(deferred_calls_come_after_the_callback_in_order),
		on_a_loop(deferred_calls_come_at_the_end_of_the_turn),
		on_a_loop(a_call_that_defers_itself_starves_nobody),
		on_a_loop(a_watch_is_paused_and_changed),
		on_a_loop(what_cannot_be_watched_is_refused),
		on_a_loop(signals_arrive_on_the_loop),
		on_a_loop(work_is_done_elsewhere_and_ends_here),
		on_a_loop(a_write_to_nobody_is_no_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
