/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control-plane/sessions/private.h"

struct fixture {
	struct loop *loop;
	struct store *store;
	struct services *services;
};

static void must(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

static int set_up(void **state)
{
	static struct fixture fixture;
	const struct store_config store = { ":memory:", "us-west-2", "000000000000" };
	const struct services_config config = { .region = "us-west-2", .account = "000000000000" };
	struct error err = ERROR_INIT;

	must(loop_new(&fixture.loop, &err), &err);
	must(store_open(&store, &fixture.store, &err), &err);
	must(services_new(fixture.loop, fixture.store, &config, &fixture.services, &err), &err);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	services_free(fixture->services);
	store_close(fixture->store);
	loop_free(fixture->loop);
	return 0;
}

/* acs-M34 acs-M35: payloads and manifests share one counter, which only grows: over its blocks and
 * over restarts. */
static void the_counter_only_grows(void **state)
{
	struct fixture *fixture = *state;
	const struct sessions_config config = { 0 };
	struct error err = ERROR_INIT;
	int64_t last = 0, number;

	for (int restart = 0; restart < 3; restart++) {
		_cleanup_(sessions_free_cleanup) struct sessions *sessions = NULL;

		must(sessions_new(fixture->loop, fixture->store, fixture->services, &config,
				  &sessions, &err),
		     &err);
		for (int i = 0; i < 2500; i++) {
			must(sessions_next_sequence(sessions, &number, &err), &err);
			assert_true(number > last);
			last = number;
		}
	}
}

static void half_a_key_pair_is_refused(void **state)
{
	struct fixture *fixture = *state;
	const struct sessions_config config = { .access_key = "AKIA" };
	struct sessions *sessions = NULL;
	struct error err = ERROR_INIT;

	assert_true(sessions_new(fixture->loop, fixture->store, fixture->services, &config,
				 &sessions, &err) < 0);
	assert_non_null(strstr(err.text, "only of use together"));
	assert_null(sessions);
}

static void the_secret_is_that_of_the_one_key(void **state)
{
	struct fixture *fixture = *state;
	const struct sessions_config config = { .access_key = "AKIA", .secret_key = "s" };
	_cleanup_(sessions_free_cleanup) struct sessions *sessions = NULL;
	struct error err = ERROR_INIT;

	must(sessions_new(fixture->loop, fixture->store, fixture->services, &config, &sessions,
			  &err),
	     &err);
	assert_string_equal(sessions_secret_of(sessions, "AKIA"), "s");
	assert_null(sessions_secret_of(sessions, "AKIB"));
}

static void stopped(void *data)
{
	*(bool *)data = true;
}

/* Without a session there is nothing to wait for. */
static void stopping_without_sessions_is_over_at_once(void **state)
{
	struct fixture *fixture = *state;
	const struct sessions_config config = { 0 };
	_cleanup_(sessions_free_cleanup) struct sessions *sessions = NULL;
	struct error err = ERROR_INIT;
	bool done = false;

	must(sessions_new(fixture->loop, fixture->store, fixture->services, &config, &sessions,
			  &err),
	     &err);
	sessions_stop(sessions, stopped, &done);
	loop_run_once(fixture->loop, true);
	assert_true(done);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_counter_only_grows),
		TEST(half_a_key_pair_is_refused),
		TEST(the_secret_is_that_of_the_one_key),
		TEST(stopping_without_sessions_is_over_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
