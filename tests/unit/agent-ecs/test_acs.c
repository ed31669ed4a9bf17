/* SPDX-License-Identifier: Apache-2.0 */
/* Timers above a second are scaled; waits below it are real. Upper bounds allow for a busy machine.
 */
#include "agent/ecs/acs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "acs_place.h"
#include "base/clock.h"

/* acs-C1, acs-C3 for ACS */
static void the_url_says_who_connects(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	assert_string_equal(peer->path, "/ws");
	assert_string_equal(
		peer->query,
		"agentHash=a8b3e7d3&agentVersion=1.2.3&clusterArn=demo&containerInstanceArn="
		"arn%3Aaws%3Aecs%3Aus-west-2%3A1%3Acontainer-instance%2Fdemo%2F0f9d&dockerVersion="
		"DockerVersion%3A+24.0.7&protocolVersion=2&sendCredentials=true&seqNum=1");
	assert_true(peer->signed_well);
	acs_tear_down(&f);
}

static void an_engine_without_a_version_is_left_out(void **state)
{
	struct acs_place f;

	acs_set_up(&f, REAL, "");
	f.fake.instance.engine_version = "";
	acs_session_start(f.acs);
	assert_null(strstr(acs_connected(&f)->query, "dockerVersion"));
	acs_tear_down(&f);
	acs_set_up(&f, REAL, "");
	f.fake.instance.engine_version = "containerd";
	acs_session_start(f.acs);
	assert_non_null(strstr(acs_connected(&f)->query, "&dockerVersion=containerd&"));
	acs_tear_down(&f);
}

static const char *send_credentials_of(const struct fake_upgrade *upgrade)
{
	return strstr(upgrade->query, "sendCredentials=true") ? "true" : "false";
}

/* acs-C4 */
static void credentials_are_asked_for_until_the_first_connection(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer;

	acs_set_up(&f, REAL, "");
	f.fake.refuse_times = 2;
	f.fake.refuse_status = 500;
	f.fake.refuse_body = "";
	acs_session_start(f.acs);
	peer = acs_connected(&f);
	assert_int_equal(f.fake.upgrade_count, 3);
	ws_close(peer->ws, 1000, "");
	fake_run_until_upgrades(&f.fake, 4);
	assert_string_equal(send_credentials_of(f.fake.upgrades[0]), "true");
	assert_string_equal(send_credentials_of(f.fake.upgrades[1]), "true");
	assert_string_equal(send_credentials_of(f.fake.upgrades[2]), "true");
	assert_string_equal(send_credentials_of(f.fake.upgrades[3]), "false");
	acs_tear_down(&f);
}

/* acs-C6 */
static void the_path_of_the_endpoint_is_kept(void **state)
{
	static const char *const paths[][2] = {
		{ "", "/ws" }, { "/", "/ws" }, { "/x", "/x/ws" }, { "/x/", "/x/ws" }
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct acs_place f;

		acs_set_up(&f, REAL, paths[i][0]);
		acs_session_start(f.acs);
		assert_string_equal(acs_connected(&f)->path, paths[i][1]);
		assert_true(f.fake.upgrades[0]->signed_well);
		acs_tear_down(&f);
	}
}

/* How long after its end the next attempt came. */
static int64_t gap_after(struct acs_place *f, const struct fake_upgrade *ended, size_t upgrades)
{
	fake_run_until_closed(&f->fake, ended);
	fake_run_until_upgrades(&f->fake, upgrades);
	return f->fake.upgrades[upgrades - 1]->at_ms - ended->closed_at_ms;
}

/*
 * A busy machine makes times longer, never shorter: of what must be quick, one of several attempts
 * is. Where it is not quick by the rules, none can be.
 */
#define ATTEMPTS 10

/* acs-C5, acs-C7: after a close of the other class it is never back before 250 ms. */
static void after_a_clean_close_it_is_back_at_once(void **state)
{
	static const int codes[] = { 1000, 1001, 1011 };
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		int64_t gap = INT64_MAX;

		for (int attempt = 0; attempt < ATTEMPTS && gap >= 240; attempt++) {
			ws_close(peer->ws, codes[i], "bye");
			gap = gap_after(&f, peer, f.fake.upgrade_count + 1);
			peer = acs_connected(&f);
		}
		assert_true(gap < 240);
	}
	assert_int_equal(fake_count(&f.fake, "DiscoverPollEndpoint"), 1);
	acs_tear_down(&f);
}

/* acs-C8, but for the reset */
static void after_an_error_close_it_waits_longer_each_time(void **state)
{
	static const struct {
		int code;
		int64_t least, most;
	} steps[] = { { 1008, 250, 300 }, { 1012, 375, 450 }, { 1002, 562, 675 } };
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);
	int64_t gap;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		ws_close(peer->ws, steps[i].code, "no");
		gap = gap_after(&f, peer, i + 2);
		assert_in_range(gap, steps[i].least, steps[i].most + 5000);
		peer = acs_connected(&f);
	}
	/* A clean close starts it over: else it would be 843 ms at least, and more each time. */
	gap = INT64_MAX;
	for (int attempt = 0; attempt < ATTEMPTS && gap >= 800; attempt++) {
		ws_close(peer->ws, 1000, "bye");
		gap_after(&f, peer, f.fake.upgrade_count + 1);
		peer = acs_connected(&f);
		ws_close(peer->ws, 1003, "no");
		gap = gap_after(&f, peer, f.fake.upgrade_count + 1);
		assert_true(gap >= 250);
		peer = acs_connected(&f);
	}
	assert_true(gap < 800);
	acs_tear_down(&f);
}

/* acs-C10: after one to two minutes (here 120 to 240 ms) the back-off starts over. */
static void a_connection_of_some_age_starts_the_backoff_over(void **state)
{
	int64_t gap = INT64_MAX;

	/* Three closes go before: without that it would be 843 ms at least. */
	for (int attempt = 0; attempt < ATTEMPTS && gap >= 800; attempt++) {
		struct acs_place f;
		struct fake_upgrade *peer = acs_start(&f, "BERTH_TIME_SCALE=500");

		for (size_t i = 0; i < 3; i++) {
			ws_close(peer->ws, 1008, "no");
			fake_run_until_upgrades(&f.fake, i + 2);
			peer = acs_connected(&f);
		}
		for (int i = 0; i < 30 && !peer->closed; i++) {
			acs_ask(&f, peer, "{\"type\":\"HeartbeatMessage\",\"message\":{}}");
			fake_run_for(&f.fake, 10);
		}
		if (!peer->closed) { /* else the machine held our heartbeats up */
			ws_close(peer->ws, 1008, "no");
			gap = gap_after(&f, peer, f.fake.upgrade_count + 1);
			assert_true(gap >= 250);
		}
		acs_tear_down(&f);
	}
	assert_true(gap < 800);
}

/* acs-C11, acs-C12: an hour is one second here. */
static void an_inactive_instance_stays_away_for_an_hour(void **state)
{
	static const char *const bodies[] = {
		"{\"InactiveInstanceException\":\"x\"}",
		"{\"__type\":\"InactiveInstanceException\",\"message\":\"x\"}"
	};

	for (size_t i = 0; i < 2; i++) {
		struct acs_place f;
		int64_t gap;

		acs_set_up(&f, "BERTH_TIME_SCALE=3600", "");
		f.fake.refuse_times = 1;
		f.fake.refuse_status = 400;
		f.fake.refuse_body = bodies[i];
		acs_session_start(f.acs);
		fake_run_until_upgrades(&f.fake, 2);
		gap = f.fake.upgrades[1]->at_ms - f.fake.upgrades[0]->at_ms;
		assert_in_range(gap, 1000, 20000);
		assert_int_equal(f.inactive, 1);
		acs_tear_down(&f);
	}
}

/* acs-C13 */
static void an_inactive_instance_as_a_message_means_nothing(void **state)
{
	struct acs_place f;
	struct fake_upgrade *peer = acs_start(&f, REAL);

	acs_ask_in_vain(&f, peer,
			"{\"type\":\"InactiveInstanceException\",\"message\":{\"message\":\"x\"}}");
	assert_int_equal(f.inactive, 0);
	assert_int_equal(f.fake.upgrade_count, 1);
	acs_tear_down(&f);
}

/* acs-C14 */
static void other_refusals_are_tried_again(void **state)
{
	struct acs_place f;
	int64_t gap;

	acs_set_up(&f, REAL, "");
	f.fake.refuse_times = 1;
	f.fake.refuse_status = 400;
	f.fake.refuse_body = "{\"InvalidClusterException\":\"x\"}";
	acs_session_start(f.acs);
	acs_connected(&f);
	gap = f.fake.upgrades[1]->at_ms - f.fake.upgrades[0]->at_ms;
	assert_in_range(gap, 250, 20000);
	assert_int_equal(f.inactive, 0);
	acs_tear_down(&f);
}

/* What a peer does every few milliseconds until it is dropped. */
struct nagging {
	struct acs_place *f;
	struct fake_upgrade *peer;
	const char *text; /* NULL: pings */
	struct loop_timer *timer;
};

static void nag(void *data)
{
	struct nagging *nagging = data;

	if (!nagging->peer->ws)
		return;
	if (nagging->text)
		fake_send(nagging->peer, nagging->text);
	else
		ws_ping(nagging->peer->ws);
	loop_timer_start(nagging->timer, 20);
}

/* Runs until the agent drops the connection; how long it lasted. */
static int64_t lasted(struct acs_place *f, struct fake_upgrade *peer, const char *text, bool pings)
{
	struct nagging nagging = { .f = f, .peer = peer, .text = text };
	int64_t since = clock_monotonic_ms();

	nagging.timer = loop_timer_new(f->fake.loop, nag, &nagging);
	if (text || pings)
		nag(&nagging);
	fake_run_until_closed(&f->fake, peer);
	loop_timer_free(nagging.timer);
	return clock_monotonic_ms() - since;
}

/* acs-C15, acs-C16, acs-C17, acs-C22 as far as activity goes: 60 to 120 s are 200 to 400 ms here.
 * The deadline for reading would end it too, after 600. */
static void silence_or_nonsense_ends_the_connection(void **state)
{
	static const struct {
		const char *text;
		bool pings;
	} cases[] = {
		{ NULL, false },
		{ NULL, true },
		{ "{\"type\":\"Nope\",\"message\":{}}", false },
		{ "not JSON", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t shortest = INT64_MAX;

		for (int attempt = 0; attempt < ATTEMPTS && shortest >= 590; attempt++) {
			struct acs_place f;
			struct fake_upgrade *peer = acs_start(&f, "BERTH_TIME_SCALE=300");
			int64_t time = lasted(&f, peer, cases[i].text, cases[i].pings);

			assert_true(time >= 190);
			shortest = time < shortest ? time : shortest;
			/* TCP is dropped: no close frame. */
			assert_false(peer->close.clean_frame);
			assert_int_equal(peer->close.code, 1006);
			fake_run_until_upgrades(&f.fake, 2);
			assert_true(f.fake.upgrades[1]->at_ms - peer->closed_at_ms >= 240);
			acs_tear_down(&f);
		}
		assert_true(shortest < 590);
	}
}

/* acs-C18: silence would end it within 400 ms. */
static void a_known_message_keeps_the_connection(void **state)
{
	bool kept = false;

	for (int attempt = 0; attempt < ATTEMPTS && !kept; attempt++) {
		struct acs_place f;
		struct fake_upgrade *peer = acs_start(&f, "BERTH_TIME_SCALE=300");
		struct nagging nagging = { .f = &f,
					   .peer = peer,
					   .text = "{\"type\":\"ErrorMessage\",\"message\":{}}" };

		nagging.timer = loop_timer_new(f.fake.loop, nag, &nagging);
		nag(&nagging);
		fake_run_for(&f.fake, 900);
		kept = !peer->closed;
		loop_timer_free(nagging.timer);
		acs_tear_down(&f);
	}
	assert_true(kept);
}

/* acs-C19: 30 to 35 minutes are 3 to 3.5 s here; heartbeats 100 to 200 ms. */
static void a_connection_lives_its_time_and_is_renewed(void **state)
{
	bool in_time = false;

	for (int attempt = 0; attempt < ATTEMPTS && !in_time; attempt++) {
		struct acs_place f;
		struct fake_upgrade *peer = acs_start(&f, "BERTH_TIME_SCALE=600");
		struct nagging nagging = {
			.f = &f,
			.peer = peer,
			.text = "{\"type\":\"HeartbeatMessage\",\"message\":{}}"
		};
		int64_t since = clock_monotonic_ms(), time, gap;

		nagging.timer = loop_timer_new(f.fake.loop, nag, &nagging);
		nag(&nagging);
		fake_run_until_closed(&f.fake, peer);
		time = clock_monotonic_ms() - since;
		gap = gap_after(&f, peer, 2);
		loop_timer_free(nagging.timer);
		/* Without a close frame the machine held our heartbeats up. */
		if (peer->close.clean_frame) {
			assert_int_equal(peer->close.code, 1000);
			assert_string_equal(peer->close_reason,
					    "ConnectionExpired: Reconnect to continue");
			assert_true(time >= 2950);
			in_time = time <= 3600 && gap < 240;
		}
		acs_tear_down(&f);
	}
	assert_true(in_time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_url_says_who_connects),
		cmocka_unit_test(an_engine_without_a_version_is_left_out),
		cmocka_unit_test(credentials_are_asked_for_until_the_first_connection),
		cmocka_unit_test(the_path_of_the_endpoint_is_kept),
		cmocka_unit_test(after_a_clean_close_it_is_back_at_once),
		cmocka_unit_test(after_an_error_close_it_waits_longer_each_time),
		cmocka_unit_test(a_connection_of_some_age_starts_the_backoff_over),
		cmocka_unit_test(an_inactive_instance_stays_away_for_an_hour),
		cmocka_unit_test(an_inactive_instance_as_a_message_means_nothing),
		cmocka_unit_test(other_refusals_are_tried_again),
		cmocka_unit_test(silence_or_nonsense_ends_the_connection),
		cmocka_unit_test(a_known_message_keeps_the_connection),
		cmocka_unit_test(a_connection_lives_its_time_and_is_renewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
