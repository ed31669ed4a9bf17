/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/tcs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sigv4.h"
#include "fake_control_plane.h"
#include "wire/tcs.h"

struct fixture {
	struct fake fake;
	struct discover *discover;
	struct telemetry *telemetry;
	struct tcs_session *tcs;
};

static void set_up(struct fixture *f, char *scale)
{
	memset(f, 0, sizeof(*f));
	fake_start(&f->fake, (char *[]){ scale, NULL });
	fake_answer_endpoints(&f->fake, "");
	f->discover = discover_new(f->fake.loop, f->fake.client, f->fake.config, &f->fake.instance);
	f->telemetry = telemetry_new(f->fake.loop, f->fake.config, &f->fake.instance);
	f->tcs = tcs_session_new(&(struct tcs_context){ .loop = f->fake.loop,
							.web = f->fake.web,
							.config = f->fake.config,
							.credentials = f->fake.credentials,
							.discover = f->discover,
							.instance = &f->fake.instance,
							.telemetry = f->telemetry });
}

static void tear_down(struct fixture *f)
{
	tcs_session_free(f->tcs);
	telemetry_free(f->telemetry);
	discover_free(f->discover);
	fake_stop(&f->fake);
}

static bool is_open(void *data)
{
	struct fixture *f = data;

	return f->fake.upgrade_count > 0 && f->fake.upgrades[f->fake.upgrade_count - 1]->ws;
}

static struct fake_upgrade *connected(struct fixture *f)
{
	fake_run_until(&f->fake, is_open, f);
	return f->fake.upgrades[f->fake.upgrade_count - 1];
}

static struct fake_upgrade *start(struct fixture *f, char *scale)
{
	set_up(f, scale);
	tcs_session_start(f->tcs);
	return connected(f);
}

/* The envelope in a frame; asserts that its signature covers it. */
static struct tcs_message *open_frame(const struct fixture *f, const struct fake_upgrade *peer,
				      const char *text)
{
	_cleanup_free_ char *date = NULL, *authorization = NULL, *host = NULL, *expected = NULL,
			    *url = NULL;
	struct tcs_message *message = NULL;
	struct tcs_frame frame;
	char address[32];
	int64_t wall_ms;
	size_t size;

	assert_int_equal(tcs_frame_split(text, strlen(text), &frame, NULL), 0);
	date = tcs_frame_header(&frame, "X-Amz-Date");
	authorization = tcs_frame_header(&frame, "Authorization");
	host = tcs_frame_header(&frame, "Host");
	snprintf(address, sizeof(address), "127.0.0.1:%u", f->fake.port);
	assert_string_equal(host, address);
	assert_non_null(
		strstr(authorization, "SignedHeaders=host;x-amz-date;x-amz-security-token, "));
	assert_int_equal(parse_iso8601_basic(date, &wall_ms, NULL), 0);
	/* What we would have signed is what came, byte for byte. */
	assert_true(asprintf(&url, "http://%s%s?%s", address, peer->path, peer->query) > 0);
	assert_int_equal(sigv4_sign_frame(&(struct sigv4_credentials){ .access_key = FAKE_KEY,
								       .secret = FAKE_SECRET,
								       .token = FAKE_TOKEN },
					  "us-west-2", "ecs", url, frame.body, frame.body_size,
					  wall_ms, &expected, &size, NULL),
			 0);
	assert_string_equal(text, expected);
	assert_int_equal(tcs_decode(frame.body, frame.body_size, &message, NULL), 0);
	return message;
}

#define REAL      "BERTH_TIME_SCALE=1"
#define ACK       "{\"type\":\"AckPublishMetric\",\"message\":{\"message\":\"ok\"}}"
#define COMPLAINT "{\"type\":\"ServerException\",\"message\":{\"message\":\"no\"}}"

/* acs-C2, acs-C3 for TCS */
static void the_url_says_who_connects(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	assert_string_equal(peer->path, "/ws");
	assert_string_equal(peer->query,
			    "agentHash=a8b3e7d3&agentVersion=1.2.3&cluster=demo&containerInstance="
			    "arn%3Aaws%3Aecs%3Aus-west-2%3A1%3Acontainer-instance%2Fdemo%2F0f9d&"
			    "dockerVersion=24.0.7");
	assert_true(peer->signed_well);
	tear_down(&f);
}

/* acs-T1, acs-T3 */
static void the_first_figures_are_sent_signed_as_soon_as_it_is_open(void **state)
{
	struct tcs_message *message;
	struct fake_upgrade *peer;
	struct fixture f;

	set_up(&f, REAL);
	telemetry_start(f.telemetry);
	tcs_session_start(f.tcs);
	peer = connected(&f);
	fake_run_until_messages(&f.fake, peer, 1);
	message = open_frame(&f, peer, peer->messages[0]);
	assert_int_equal(message->type, TCS_PUBLISH_METRICS);
	assert_true(message->metrics.idle);
	assert_true(message->metrics.fin);
	assert_true(clock_wall_ms() - message->metrics.timestamp_ms < 5000);
	tcs_message_free(message);
	tear_down(&f);
}

/*
 * A busy machine makes times longer, never shorter: of what must be quick, one of several attempts
 * is. Where it is not quick by the rules, none can be.
 */
#define ATTEMPTS 10

/* acs-T9, acs-T10: 60 to 120 s are 200 to 400 ms here; the deadline for reading would drop it after
 * 600. What the peer says meanwhile are errors, or nothing. */
static void without_acks_it_says_goodbye_and_is_back_at_once(void **state)
{
	static const char *const answers[] = { NULL, COMPLAINT };

	for (size_t i = 0; i < 2; i++) {
		bool in_time = false;

		for (int attempt = 0; attempt < ATTEMPTS && !in_time; attempt++) {
			struct fixture f;
			struct fake_upgrade *peer = start(&f, "BERTH_TIME_SCALE=300");
			int64_t since = clock_monotonic_ms(), time;

			while (!peer->closed) {
				if (answers[i] && peer->ws)
					fake_send(peer, answers[i]);
				fake_run_for(&f.fake, 20);
			}
			time = clock_monotonic_ms() - since;
			assert_true(time >= 190);
			fake_run_until_upgrades(&f.fake, 2);
			in_time =
				time < 590 && f.fake.upgrades[1]->at_ms - peer->closed_at_ms < 900;
			if (in_time) {
				assert_true(peer->close.clean_frame);
				assert_int_equal(peer->close.code, 1000);
				assert_string_equal(peer->close_reason,
						    "ConnectionExpired: Reconnect to continue");
			}
			tear_down(&f);
		}
		assert_true(in_time);
	}
}

/* Silence would end it within 400 ms. */
static void acks_and_heartbeats_keep_it_open(void **state)
{
	static const char *const signs[] = {
		ACK, "{\"type\":\"AckPublishHealth\",\"message\":{}}",
		"{\"type\":\"AckPublishInstanceStatus\",\"message\":{}}",
		"{\"type\":\"HeartbeatMessage\",\"message\":{\"healthy\":true}}"
	};

	for (size_t sign = 0; sign < sizeof(signs) / sizeof(signs[0]); sign++) {
		bool kept = false;

		for (int attempt = 0; attempt < ATTEMPTS && !kept; attempt++) {
			struct fixture f;
			struct fake_upgrade *peer = start(&f, "BERTH_TIME_SCALE=300");

			for (int i = 0; i < 40 && !peer->closed; i++) {
				fake_send(peer, signs[sign]);
				fake_run_for(&f.fake, 20);
			}
			kept = !peer->closed;
			/* the instance status; heartbeats are not answered */
			if (kept)
				assert_int_equal(peer->message_count, 1);
			tear_down(&f);
		}
		assert_true(kept);
	}
}

/* acs-T11: what was measured while it was away is sent when it is back, stamped then; all of it,
 * and not one with each interval (50 ms here) that passes. */
static void an_outage_is_made_up_for(void **state)
{
	int64_t took = INT64_MAX;

	for (int attempt = 0; attempt < ATTEMPTS && took >= 25; attempt++) {
		struct fake_upgrade *peer;
		struct fixture f;
		int64_t back_at;

		set_up(&f, "BERTH_TIME_SCALE=400");
		telemetry_start(f.telemetry);
		fake_run_for(&f.fake, 310);
		back_at = clock_wall_ms();
		tcs_session_start(f.tcs);
		peer = connected(&f);
		fake_run_until_messages(&f.fake, peer, 6);
		for (size_t i = 0; i < 6; i++) {
			struct tcs_message *message = open_frame(&f, peer, peer->messages[i]);

			assert_int_equal(message->type, TCS_PUBLISH_METRICS);
			assert_true(message->metrics.timestamp_ms >= back_at);
			tcs_message_free(message);
		}
		took = peer->message_at_ms[5] - peer->at_ms;
		tear_down(&f);
	}
	assert_true(took < 25);
}

/* acs-T15 for the session: one for each check, at the beat of 20 s (200 ms here). */
static void the_instance_status_is_sent_once_for_each_check(void **state)
{
	struct tcs_message *message;
	struct fixture f;
	struct fake_upgrade *peer = start(&f, "BERTH_TIME_SCALE=100");

	fake_run_until_messages(&f.fake, peer, 1);
	message = open_frame(&f, peer, peer->messages[0]);
	assert_int_equal(message->type, TCS_PUBLISH_INSTANCE_STATUS);
	assert_string_equal(message->instance_status.checks[0].status, "INITIALIZING");
	tcs_message_free(message);
	/* Two beats more; without acks the session would end. */
	for (int i = 0; i < 10; i++) {
		fake_send(peer, ACK);
		fake_run_for(&f.fake, 45);
	}
	assert_int_equal(peer->message_count, 1);
	telemetry_set_runtime_status(f.telemetry, true);
	fake_send(peer, ACK);
	fake_run_until_messages(&f.fake, peer, 2);
	message = open_frame(&f, peer, peer->messages[1]);
	assert_string_equal(message->instance_status.checks[0].status, "OK");
	tcs_message_free(message);
	tear_down(&f);
}

/* acs-T18: 1-1.2 s are real, what is above is scaled, by 4: 2-2.4 s are 500 to 600 ms. */
static void refusals_make_it_wait_longer_each_time(void **state)
{
	int64_t first, second;
	struct fixture f;

	set_up(&f, "BERTH_TIME_SCALE=4");
	f.fake.refuse_times = 3;
	f.fake.refuse_status = 503;
	f.fake.refuse_body = "{\"InactiveInstanceException\":\"not looked at here\"}";
	tcs_session_start(f.tcs);
	fake_run_until_upgrades(&f.fake, 4);
	first = f.fake.upgrades[2]->at_ms - f.fake.upgrades[1]->at_ms;
	second = f.fake.upgrades[3]->at_ms - f.fake.upgrades[2]->at_ms;
	assert_in_range(first, 500, 5000);
	assert_in_range(second, 1000, 5000);
	tear_down(&f);
}

/* acs-C11 for TCS: dropped once, it comes back by itself. */
static void a_dropped_session_comes_back(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, "BERTH_TIME_SCALE=10");

	tcs_session_drop(f.tcs);
	fake_run_until_closed(&f.fake, peer);
	assert_false(peer->close.clean_frame);
	fake_run_until_upgrades(&f.fake, 2);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_url_says_who_connects),
		cmocka_unit_test(the_first_figures_are_sent_signed_as_soon_as_it_is_open),
		cmocka_unit_test(without_acks_it_says_goodbye_and_is_back_at_once),
		cmocka_unit_test(acks_and_heartbeats_keep_it_open),
		cmocka_unit_test(an_outage_is_made_up_for),
		cmocka_unit_test(the_instance_status_is_sent_once_for_each_check),
		cmocka_unit_test(refusals_make_it_wait_longer_each_time),
		cmocka_unit_test(a_dropped_session_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
