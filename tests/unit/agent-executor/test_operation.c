/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "agent/executor/operation.h"
#include "base/alloc.h"

struct counts {
	int entered, worked, done, freed;
};

struct thing {
	struct operation operation;
	struct counts *counts;
	pthread_mutex_t *gate; /* NULL: none */
};

static void thing_free(void *data)
{
	struct thing *thing = data;

	operation_end(&thing->operation);
	thing->counts->freed++;
	free(thing);
}

static void thing_work(void *data)
{
	struct thing *thing = data;

	__atomic_add_fetch(&thing->counts->entered, 1, __ATOMIC_SEQ_CST);
	if (thing->gate) {
		pthread_mutex_lock(thing->gate);
		pthread_mutex_unlock(thing->gate);
	}
	__atomic_add_fetch(&thing->counts->worked, 1, __ATOMIC_SEQ_CST);
}

static void thing_done(void *data)
{
	struct thing *thing = data;

	thing->counts->done++;
	thing_free(thing);
}

static struct thing *thing_new(struct operations *operations, struct counts *counts)
{
	struct thing *thing = xcalloc(1, sizeof(*thing));

	thing->counts = counts;
	operation_begin(operations, &thing->operation, thing_free, thing);
	return thing;
}

static int set_up(void **state)
{
	return loop_new((struct loop **)state, NULL);
}

static int tear_down(void **state)
{
	loop_free(*state);
	return 0;
}

static void what_has_not_ended_is_freed_with_the_executor(void **state)
{
	struct operations *operations = operations_new(*state);
	struct counts counts = { 0 };
	struct thing *ended;

	thing_new(operations, &counts);
	ended = thing_new(operations, &counts);
	thing_new(operations, &counts);
	thing_free(ended);
	assert_int_equal(counts.freed, 1);
	operations_free(operations);
	assert_int_equal(counts.freed, 3);
}

static void an_operation_may_end_that_never_began(void **state)
{
	struct operation operation = { 0 };

	(void)state;
	operation_end(&operation);
	operation_end(&operation);
}

static void work_is_done_and_told(void **state)
{
	struct loop *loop = *state;
	struct operations *operations = operations_new(loop);
	struct counts counts = { 0 };

	for (int i = 0; i < 10; i++) {
		struct thing *thing = thing_new(operations, &counts);

		operations_work(operations, thing_work, thing_done, thing);
	}
	while (counts.done < 10)
		loop_run_once(loop, true);
	assert_int_equal(counts.worked, 10);
	assert_int_equal(counts.freed, 10);
	operations_free(operations);
	assert_int_equal(counts.freed, 10);
}

/* Also when it was done, and only the word of it is still to come. */
static void nobody_hears_of_work_after_the_executor_has_gone(void **state)
{
	struct loop *loop = *state;
	struct operations *operations = operations_new(loop);
	struct counts counts = { 0 };

	for (int i = 0; i < 100; i++) {
		struct thing *thing = thing_new(operations, &counts);

		operations_work(operations, thing_work, thing_done, thing);
	}
	operations_free(operations);
	assert_int_equal(counts.freed, 100);
	while (loop_run_once(loop, false))
		;
	assert_int_equal(counts.done, 0);
	assert_int_equal(counts.freed, 100);
}

static void *open_the_gate(void *data)
{
	pthread_mutex_unlock(data);
	return NULL;
}

/* What the pool is at may use what is freed next. */
static void the_executor_waits_for_the_pool(void **state)
{
	struct loop *loop = *state;
	struct operations *operations = operations_new(loop);
	struct counts counts = { 0 };
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t opener;
	int worked;

	pthread_mutex_lock(&gate);
	for (int i = 0; i < 64; i++) {
		struct thing *thing = thing_new(operations, &counts);

		thing->gate = &gate;
		operations_work(operations, thing_work, thing_done, thing);
	}
	assert_int_equal(__atomic_load_n(&counts.worked, __ATOMIC_SEQ_CST), 0);
	/* One at least has been begun, and waits at the gate: abandoning must wait for it. */
	while (__atomic_load_n(&counts.entered, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	pthread_create(&opener, NULL, open_the_gate, &gate);
	operations_abandon(operations);
	pthread_join(opener, NULL);
	worked = __atomic_load_n(&counts.worked, __ATOMIC_SEQ_CST);
	assert_true(worked > 0);
	assert_int_equal(counts.freed, 0);
	operations_free(operations);
	assert_int_equal(counts.freed, 64);
	while (loop_run_once(loop, false))
		;
	assert_int_equal(counts.worked, worked);
	assert_int_equal(counts.done, 0);
}

static void an_abandoned_executor_begins_nothing(void **state)
{
	struct loop *loop = *state;
	struct operations *operations = operations_new(loop);
	struct counts counts = { 0 };
	struct thing *thing = thing_new(operations, &counts);

	operations_abandon(operations);
	operations_work(operations, thing_work, thing_done, thing);
	while (loop_run_once(loop, false))
		;
	operations_free(operations);
	assert_int_equal(counts.worked, 0);
	assert_int_equal(counts.done, 0);
	assert_int_equal(counts.freed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_has_not_ended_is_freed_with_the_executor,
						set_up, tear_down),
		cmocka_unit_test(an_operation_may_end_that_never_began),
		cmocka_unit_test_setup_teardown(work_is_done_and_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_hears_of_work_after_the_executor_has_gone,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_executor_waits_for_the_pool, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_abandoned_executor_begins_nothing, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
