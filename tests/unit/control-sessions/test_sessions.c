/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions as such: who replaces whom, heartbeats, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "place.h"

static bool is_away(void *data)
{
	const struct place *place = data;

	return !services_agent_connected(place->services, HOST1);
}

/* 1008 makes the other one back off; the instance stays connected all the while. */
static void a_second_session_replaces_the_first(void **state)
{
	struct place place;
	struct agent *first, *second, *tcs;

	place_open(&place, NULL);
	first = place_acs(&place, HOST1);
	tcs = place_tcs(&place, HOST1);
	second = place_acs(&place, HOST1);
	agent_wait_closed(first);
	assert_int_equal(first->close_code, 1008);
	agent_settle(second);
	assert_true(second->open && tcs->open);
	/* Telemetry is not what makes it connected. */
	ws_drop(tcs->ws);
	agent_wait_closed(tcs);
	agent_settle(second);
	assert_true(services_agent_connected(place.services, HOST1));
	ws_drop(second->ws);
	place_until(&place, is_away, &place);
	place_close(&place);
}

/* acs-M1, acs-6.2 */
static void heartbeats_that_are_not_answered_end_a_session(void **state)
{
	const struct sessions_config config = { .heartbeat_ms = 5, .heartbeats_lost = 20 };
	struct place place;
	struct agent *silent, *living;

	place_open(&place, &config);
	silent = place_acs(&place, HOST1);
	living = place_acs(&place, HOST2);
	living->automatic = true;
	agent_wait_closed(silent);
	assert_int_equal(silent->close_code, 1008);
	assert_int_equal(agent_count(silent, "HeartbeatMessage"), 20);
	agent_wait(living, "HeartbeatMessage", 50);
	assert_true(living->open);
	place_close(&place);
}

static void an_instance_that_is_deregistered_loses_both_sessions(void **state)
{
	struct error err = ERROR_INIT;
	struct place place;
	struct agent *acs, *tcs, *other;

	place_open(&place, NULL);
	acs = place_acs(&place, HOST1);
	tcs = place_tcs(&place, HOST1);
	other = place_acs(&place, HOST2);
	assert_int_equal(services_instance_deregistered(place.services, HOST1, &err), 0);
	agent_wait_closed(acs);
	agent_wait_closed(tcs);
	/* 1000: it comes back at once, and learns that it is inactive. */
	assert_int_equal(acs->close_code, 1000);
	assert_int_equal(tcs->close_code, 1000);
	agent_settle(other);
	assert_true(other->open);
	place_close(&place);
}

static void set_true(void *data)
{
	*(bool *)data = true;
}

static bool is_true(void *data)
{
	return *(bool *)data;
}

/* 1001 brings agents back at once; who comes too early is told to try again. */
static void the_end_of_the_control_plane(void **state)
{
	bool stopped = false, twice = false;
	struct place place;
	struct agent *acs, *tcs, *late;

	place_open(&place, NULL);
	acs = place_acs(&place, HOST1);
	tcs = place_tcs(&place, HOST2);
	sessions_stop(place.sessions, set_true, &stopped);
	sessions_stop(place.sessions, set_true, &twice);
	late = place_connect(&place, "clusterArn=c&containerInstanceArn=" HOST1, NULL, 0);
	agent_wait_closed(acs);
	agent_wait_closed(tcs);
	agent_wait_closed(late);
	assert_int_equal(acs->close_code, 1001);
	assert_int_equal(tcs->close_code, 1001);
	assert_int_equal(late->http_status, 503);
	assert_non_null(strstr(late->body, "ServerException"));
	place_until(&place, is_true, &stopped);
	assert_false(twice);
	place_close(&place);
}

/* Sessions that are open when the control plane ends at once are dropped, not left. */
static void what_is_open_is_dropped_at_once(void **state)
{
	struct place place;
	struct agent *acs;

	place_open(&place, NULL);
	acs = place_acs(&place, HOST1);
	sessions_free(place.sessions);
	place.sessions = NULL;
	agent_wait_closed(acs);
	assert_int_equal(acs->close_code, 1006);
	place_close(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_session_replaces_the_first),
		cmocka_unit_test(heartbeats_that_are_not_answered_end_a_session),
		cmocka_unit_test(an_instance_that_is_deregistered_loses_both_sessions),
		cmocka_unit_test(the_end_of_the_control_plane),
		cmocka_unit_test(what_is_open_is_dropped_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
