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

#include "base/clock.h"
#include "fake_control_plane.h"

#define INSTANCE "\"clusterArn\":\"C\",\"containerInstanceArn\":\"I\""
#define TASK     "arn:aws:ecs:us-west-2:1:task/demo/5b1c"

struct fixture {
	struct fake fake;
	struct discover *discover;
	struct acs_handler handler;
	struct acs_session *acs;
	int payloads, manifests, verified, credentials, attached, heartbeats, inactive, opened,
		closed;
	size_t tasks, refused;
	char message_id[64];
	bool ack_at_once;
	int credentials_result;
};

static void on_payload(void *data, struct acs_payload *payload)
{
	struct fixture *f = data;

	f->payloads++;
	f->tasks = payload->task_count;
	f->refused = payload->refused_count;
	snprintf(f->message_id, sizeof(f->message_id), "%s", payload->message_id);
	if (f->ack_at_once)
		acs_session_acknowledge(f->acs, payload->message_id);
}

static void on_manifest(void *data, const struct acs_manifest *manifest)
{
	struct fixture *f = data;
	const char *const candidates[] = { "arn:t1", "arn:t2" };

	f->manifests++;
	acs_session_acknowledge(f->acs, manifest->message_id);
	if (manifest->task_count == 0)
		acs_session_stop_candidates(f->acs, manifest->message_id, manifest->cluster_arn,
					    candidates, 2);
}

static void on_verified(void *data, const struct acs_stop_verification *verification)
{
	struct fixture *f = data;

	f->verified++;
	snprintf(f->message_id, sizeof(f->message_id), "%s", verification->message_id);
}

static int on_credentials(void *data, struct acs_credentials *credentials, struct error *err)
{
	struct fixture *f = data;

	f->credentials++;
	role_credentials_free(TAKE(credentials->credentials));
	return f->credentials_result ? error_say(err, ENOENT, "no such task") : 0;
}

static void on_attach(void *data, const struct acs_attach_interfaces *attach)
{
	((struct fixture *)data)->attached += (int)attach->eni_count;
}

static void on_heartbeat(void *data)
{
	((struct fixture *)data)->heartbeats++;
}

static void on_inactive(void *data)
{
	((struct fixture *)data)->inactive++;
}

static void on_connection(void *data, bool open)
{
	struct fixture *f = data;

	f->opened += open;
	f->closed += !open;
}

static void set_up(struct fixture *f, char *scale, const char *path)
{
	memset(f, 0, sizeof(*f));
	fake_start(&f->fake, (char *[]){ scale, NULL });
	fake_answer_endpoints(&f->fake, path);
	f->ack_at_once = true;
	f->handler = (struct acs_handler){ .payload = on_payload,
					   .manifest = on_manifest,
					   .stop_verified = on_verified,
					   .credentials = on_credentials,
					   .attach = on_attach,
					   .heartbeat = on_heartbeat,
					   .inactive = on_inactive,
					   .connection = on_connection,
					   .data = f };
	f->discover = discover_new(f->fake.loop, f->fake.client, f->fake.config, &f->fake.instance);
	f->acs = acs_session_new(&(struct acs_context){ .loop = f->fake.loop,
							.web = f->fake.web,
							.config = f->fake.config,
							.credentials = f->fake.credentials,
							.discover = f->discover,
							.instance = &f->fake.instance,
							.handler = &f->handler });
}

static void tear_down(struct fixture *f)
{
	acs_session_free(f->acs);
	discover_free(f->discover);
	fake_stop(&f->fake);
}

static bool is_open(void *data)
{
	struct fixture *f = data;

	return f->fake.upgrade_count > 0 && f->fake.upgrades[f->fake.upgrade_count - 1]->ws &&
	       acs_session_is_open(f->acs);
}

/* The connection that is open now. */
static struct fake_upgrade *connected(struct fixture *f)
{
	fake_run_until(&f->fake, is_open, f);
	return f->fake.upgrades[f->fake.upgrade_count - 1];
}

static struct fake_upgrade *start(struct fixture *f, char *scale)
{
	set_up(f, scale, "");
	acs_session_start(f->acs);
	return connected(f);
}

/* Sends, and returns the answer. */
static const char *ask(struct fixture *f, struct fake_upgrade *peer, const char *text)
{
	size_t before = peer->message_count;

	fake_send(peer, text);
	fake_run_until_messages(&f->fake, peer, before + 1);
	return peer->messages[before];
}

/* Sends what must have no answer, proves it by a heartbeat that is answered after it. */
static void ask_in_vain(struct fixture *f, struct fake_upgrade *peer, const char *text)
{
	fake_send(peer, text);
	assert_string_equal(
		ask(f, peer,
		    "{\"type\":\"HeartbeatMessage\",\"message\":{\"messageId\":\"after\"}}"),
		"{\"type\":\"HeartbeatAckRequest\",\"message\":{\"messageId\":\"after\"}}");
}

#define REAL "BERTH_TIME_SCALE=1"

/* acs-C1, acs-C3 for ACS */
static void the_url_says_who_connects(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	assert_string_equal(peer->path, "/ws");
	assert_string_equal(
		peer->query,
		"agentHash=a8b3e7d3&agentVersion=1.2.3&clusterArn=demo&containerInstanceArn="
		"arn%3Aaws%3Aecs%3Aus-west-2%3A1%3Acontainer-instance%2Fdemo%2F0f9d&dockerVersion="
		"DockerVersion%3A+24.0.7&protocolVersion=2&sendCredentials=true&seqNum=1");
	assert_true(peer->signed_well);
	tear_down(&f);
}

static void an_engine_without_a_version_is_left_out(void **state)
{
	struct fixture f;

	set_up(&f, REAL, "");
	f.fake.instance.engine_version = "";
	acs_session_start(f.acs);
	assert_null(strstr(connected(&f)->query, "dockerVersion"));
	tear_down(&f);
	set_up(&f, REAL, "");
	f.fake.instance.engine_version = "containerd";
	acs_session_start(f.acs);
	assert_non_null(strstr(connected(&f)->query, "&dockerVersion=containerd&"));
	tear_down(&f);
}

static const char *send_credentials_of(const struct fake_upgrade *upgrade)
{
	return strstr(upgrade->query, "sendCredentials=true") ? "true" : "false";
}

/* acs-C4 */
static void credentials_are_asked_for_until_the_first_connection(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer;

	set_up(&f, REAL, "");
	f.fake.refuse_times = 2;
	f.fake.refuse_status = 500;
	f.fake.refuse_body = "";
	acs_session_start(f.acs);
	peer = connected(&f);
	assert_int_equal(f.fake.upgrade_count, 3);
	ws_close(peer->ws, 1000, "");
	fake_run_until_upgrades(&f.fake, 4);
	assert_string_equal(send_credentials_of(f.fake.upgrades[0]), "true");
	assert_string_equal(send_credentials_of(f.fake.upgrades[1]), "true");
	assert_string_equal(send_credentials_of(f.fake.upgrades[2]), "true");
	assert_string_equal(send_credentials_of(f.fake.upgrades[3]), "false");
	tear_down(&f);
}

/* acs-C6 */
static void the_path_of_the_endpoint_is_kept(void **state)
{
	static const char *const paths[][2] = {
		{ "", "/ws" }, { "/", "/ws" }, { "/x", "/x/ws" }, { "/x/", "/x/ws" }
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct fixture f;

		set_up(&f, REAL, paths[i][0]);
		acs_session_start(f.acs);
		assert_string_equal(connected(&f)->path, paths[i][1]);
		assert_true(f.fake.upgrades[0]->signed_well);
		tear_down(&f);
	}
}

/* How long after its end the next attempt came. */
static int64_t gap_after(struct fixture *f, const struct fake_upgrade *ended, size_t upgrades)
{
	fake_run_until_closed(&f->fake, ended);
	fake_run_until_upgrades(&f->fake, upgrades);
	return f->fake.upgrades[upgrades - 1]->at_ms - ended->closed_at_ms;
}

/*
 * acs-C5, acs-C7. The best of three, for a busy machine: after a close of the other class it is
 * never back before 250 ms.
 */
static void after_a_clean_close_it_is_back_at_once(void **state)
{
	static const int codes[] = { 1000, 1001, 1011 };
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		int64_t gap = INT64_MAX;

		for (int attempt = 0; attempt < 3 && gap >= 200; attempt++) {
			ws_close(peer->ws, codes[i], "bye");
			gap = gap_after(&f, peer, f.fake.upgrade_count + 1);
			peer = connected(&f);
		}
		assert_true(gap < 200);
	}
	assert_int_equal(fake_count(&f.fake, "DiscoverPollEndpoint"), 1);
	tear_down(&f);
}

/* acs-C8, but for the reset */
static void after_an_error_close_it_waits_longer_each_time(void **state)
{
	static const struct {
		int code;
		int64_t least, most;
	} steps[] = { { 1008, 250, 300 }, { 1012, 375, 450 }, { 1002, 562, 675 } };
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t gap;

		ws_close(peer->ws, steps[i].code, "no");
		gap = gap_after(&f, peer, i + 2);
		assert_in_range(gap, steps[i].least, steps[i].most + 1000);
		peer = connected(&f);
	}
	/* A clean close starts it over. */
	ws_close(peer->ws, 1000, "bye");
	fake_run_until_closed(&f.fake, peer);
	fake_run_until_upgrades(&f.fake, 5);
	peer = connected(&f);
	ws_close(peer->ws, 1003, "no");
	assert_in_range(gap_after(&f, peer, 6), 250, 800);
	tear_down(&f);
}

/* acs-C10: after one to two minutes (here 120 to 240 ms) the back-off starts over. */
static void a_connection_of_some_age_starts_the_backoff_over(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, "BERTH_TIME_SCALE=500");

	for (size_t i = 0; i < 3; i++) {
		ws_close(peer->ws, 1008, "no");
		fake_run_until_upgrades(&f.fake, i + 2);
		peer = connected(&f);
	}
	for (int i = 0; i < 30; i++) {
		ask(&f, peer, "{\"type\":\"HeartbeatMessage\",\"message\":{}}");
		fake_run_for(&f.fake, 10);
	}
	assert_int_equal(f.fake.upgrade_count, 4);
	ws_close(peer->ws, 1008, "no");
	assert_in_range(gap_after(&f, peer, 5), 250, 800);
	tear_down(&f);
}

/* acs-C11, acs-C12: an hour is one second here. */
static void an_inactive_instance_stays_away_for_an_hour(void **state)
{
	static const char *const bodies[] = {
		"{\"InactiveInstanceException\":\"x\"}",
		"{\"__type\":\"InactiveInstanceException\",\"message\":\"x\"}"
	};

	for (size_t i = 0; i < 2; i++) {
		struct fixture f;
		int64_t gap;

		set_up(&f, "BERTH_TIME_SCALE=3600", "");
		f.fake.refuse_times = 1;
		f.fake.refuse_status = 400;
		f.fake.refuse_body = bodies[i];
		acs_session_start(f.acs);
		fake_run_until_upgrades(&f.fake, 2);
		gap = f.fake.upgrades[1]->at_ms - f.fake.upgrades[0]->at_ms;
		assert_in_range(gap, 1000, 2500);
		assert_int_equal(f.inactive, 1);
		tear_down(&f);
	}
}

/* acs-C13 */
static void an_inactive_instance_as_a_message_means_nothing(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	ask_in_vain(&f, peer,
		    "{\"type\":\"InactiveInstanceException\",\"message\":{\"message\":\"x\"}}");
	assert_int_equal(f.inactive, 0);
	assert_int_equal(f.fake.upgrade_count, 1);
	tear_down(&f);
}

/* acs-C14 */
static void other_refusals_are_tried_again(void **state)
{
	struct fixture f;
	int64_t gap;

	set_up(&f, REAL, "");
	f.fake.refuse_times = 1;
	f.fake.refuse_status = 400;
	f.fake.refuse_body = "{\"InvalidClusterException\":\"x\"}";
	acs_session_start(f.acs);
	connected(&f);
	gap = f.fake.upgrades[1]->at_ms - f.fake.upgrades[0]->at_ms;
	assert_in_range(gap, 250, 1500);
	assert_int_equal(f.inactive, 0);
	tear_down(&f);
}

/* What a peer does every few milliseconds until it is dropped. */
struct nagging {
	struct fixture *f;
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
static int64_t lasted(struct fixture *f, struct fake_upgrade *peer, const char *text, bool pings)
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
 */
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
		struct fixture f;
		struct fake_upgrade *peer = start(&f, "BERTH_TIME_SCALE=300");

		assert_in_range(lasted(&f, peer, cases[i].text, cases[i].pings), 190, 2000);
		/* TCP is dropped: no close frame. */
		assert_false(peer->close.clean_frame);
		assert_int_equal(peer->close.code, 1006);
		fake_run_until_upgrades(&f.fake, 2);
		assert_true(f.fake.upgrades[1]->at_ms - peer->closed_at_ms >= 240);
		tear_down(&f);
	}
}

/* acs-C18 */
static void a_known_message_keeps_the_connection(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, "BERTH_TIME_SCALE=300");
	struct nagging nagging = { .f = &f,
				   .peer = peer,
				   .text = "{\"type\":\"ErrorMessage\",\"message\":{}}" };

	nagging.timer = loop_timer_new(f.fake.loop, nag, &nagging);
	nag(&nagging);
	fake_run_for(&f.fake, 900);
	assert_false(peer->closed);
	loop_timer_free(nagging.timer);
	tear_down(&f);
}

/* acs-C19: 30 to 35 minutes are 3 to 3.5 s here; heartbeats 100 to 200 ms. */
static void a_connection_lives_its_time_and_is_renewed(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, "BERTH_TIME_SCALE=600");
	struct nagging nagging = { .f = &f,
				   .peer = peer,
				   .text = "{\"type\":\"HeartbeatMessage\",\"message\":{}}" };
	int64_t since = clock_monotonic_ms();

	nagging.timer = loop_timer_new(f.fake.loop, nag, &nagging);
	nag(&nagging);
	fake_run_until_closed(&f.fake, peer);
	assert_in_range(clock_monotonic_ms() - since, 2950, 4500);
	assert_true(peer->close.clean_frame);
	assert_int_equal(peer->close.code, 1000);
	assert_string_equal(peer->close_reason, "ConnectionExpired: Reconnect to continue");
	fake_run_until_upgrades(&f.fake, 2);
	assert_true(f.fake.upgrades[1]->at_ms - peer->closed_at_ms < 240);
	loop_timer_free(nagging.timer);
	tear_down(&f);
}

/* acs-C21, acs-M1, acs-M2 */
static void a_heartbeat_is_acknowledged_however_it_is_written(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"type\":\"HeartbeatMessage\",\"message\":{\"healthy\":true,\"messageId\":"
		  "\"h1\"}}",
		  "{\"messageId\":\"h1\"}" },
		{ "{\"TYPE\":\"HeartbeatMessage\",\"MESSAGE\":{\"MESSAGEID\":\"h2\"}}",
		  "{\"messageId\":\"h2\"}" },
		{ "{\"type\":\"HeartbeatMessage\",\"message\":{\"messageId\":\"h3\",\"new\":[1]},"
		  "\"more\":{}}",
		  "{\"messageId\":\"h3\"}" },
		{ "{\"type\":\"HeartbeatMessage\",\"message\":{}}", "{}" },
		{ "{\"type\":\"HeartbeatMessage\",\"message\":null}", "{}" },
	};
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[128];

		snprintf(expected, sizeof(expected),
			 "{\"type\":\"HeartbeatAckRequest\",\"message\":%s}", cases[i][1]);
		assert_string_equal(ask(&f, peer, cases[i][0]), expected);
	}
	assert_int_equal(f.heartbeats, 5);
	tear_down(&f);
}

/* acs-C22, acs-M6, acs-M26, acs-M29 as far as the session goes: no answer, and it goes on. */
static void what_is_malformed_has_no_answer(void **state)
{
	static const char *const cases[] = {
		"{\"type\":\"HeartbeatMessage\",",
		"",
		"[]",
		"{\"type\":\"HeartbeatMessage\"}",
		"{\"type\":\"HeartbeatMessage\",\"message\":{\"messageId\":5}}",
		"{\"type\":\"heartbeatmessage\",\"message\":{}}",
		"{\"type\":\"PayloadMessage\",\"message\":{\"messageId\":\"m\","
		"\"containerInstanceArn\":\"I\",\"tasks\":[]}}",
		"{\"type\":\"PayloadMessage\",\"message\":{\"messageId\":\"m\",\"clusterArn\":"
		"\"C\",\"tasks\":[]}}",
		"{\"type\":\"PayloadMessage\",\"message\":{" INSTANCE ",\"tasks\":[]}}",
		"{\"type\":\"AttachTaskNetworkInterfacesMessage\",\"message\":{\"messageId\":"
		"\"m\"," INSTANCE ",\"taskArn\":\"" TASK
		"\",\"waitTimeoutMs\":1000,\"elasticNetworkInterfaces\":[]}}",
	};
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (*cases[i])
			ask_in_vain(&f, peer, cases[i]);
	assert_int_equal(f.payloads, 0);
	assert_int_equal(f.attached, 0);
	assert_int_equal(f.fake.upgrade_count, 1);
	tear_down(&f);
}

#define PAYLOAD(id, tasks)                                                                         \
	"{\"type\":\"PayloadMessage\",\"message\":{\"messageId\":\"" id "\"," INSTANCE             \
	",\"seqNum\":1,\"tasks\":[" tasks "]}}"
#define ACK(id)                                                                                    \
	"{\"type\":\"AckRequest\",\"message\":{\"cluster\":\"C\",\"containerInstance\":\"I\","     \
	"\"messageId\":\"" id "\"}}"
#define CONTAINERS                                                                                 \
	"\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"essential\":true,\"overrides\":\"{}\"}" \
	"]"

/* acs-M5; acs-M44: the ack echoes what the message said, whoever it names. */
static void a_payload_is_acknowledged_when_its_handler_says_so(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	assert_string_equal(ask(&f, peer, PAYLOAD("m1", "")), ACK("m1"));
	f.ack_at_once = false;
	ask_in_vain(&f, peer, PAYLOAD("m2", ""));
	assert_int_equal(f.payloads, 2);
	acs_session_acknowledge(f.acs, "m2");
	fake_run_until_messages(&f.fake, peer, 3);
	assert_string_equal(peer->messages[2], ACK("m2"));
	/* Once for each copy. */
	acs_session_acknowledge(f.acs, "m2");
	assert_string_equal(ask(&f, peer, "{\"type\":\"HeartbeatMessage\",\"message\":{}}"),
			    "{\"type\":\"HeartbeatAckRequest\",\"message\":{}}");
	tear_down(&f);
}

/* acs-M7 for the session: a refused entry keeps the whole payload from being acknowledged. */
static void a_payload_with_a_refused_task_is_never_acknowledged(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	ask_in_vain(&f, peer,
		    PAYLOAD("m1",
			    "{\"arn\":\"" TASK "\",\"desiredStatus\":\"RUNNING\"," CONTAINERS "},"
			    "{\"arn\":\"" TASK "2\",\"desiredStatus\":\"WHAT\"," CONTAINERS "}"));
	assert_int_equal(f.payloads, 1);
	assert_int_equal(f.tasks, 2);
	assert_int_equal(f.refused, 1);
	tear_down(&f);
}

static bool among(const struct fake_upgrade *peer, size_t from, const char *text)
{
	for (size_t i = from; i < peer->message_count; i++)
		if (strcmp(peer->messages[i], text) == 0)
			return true;
	return false;
}

/* acs-M18 */
static void credentials_of_a_payload_are_acknowledged_with_it(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	fake_send(peer,
		  PAYLOAD("m1",
			  "{\"arn\":\"" TASK "\",\"desiredStatus\":\"RUNNING\"," CONTAINERS
			  ",\"roleCredentials\":{\"credentialsId\":\"r\",\"expiration\":\"e1\"},"
			  "\"executionRoleCredentials\":{\"credentialsId\":\"x\",\"expiration\":"
			  "\"e2\"}}"));
	fake_run_until_messages(&f.fake, peer, 3);
	assert_true(among(peer, 0, ACK("m1")));
	assert_true(among(
		peer, 0,
		"{\"type\":\"IAMRoleCredentialsAckRequest\",\"message\":{\"credentialsId\":\"r\","
		"\"expiration\":\"e1\",\"messageId\":\"m1\"}}"));
	assert_true(among(
		peer, 0,
		"{\"type\":\"IAMRoleCredentialsAckRequest\",\"message\":{\"credentialsId\":\"x\","
		"\"expiration\":\"e2\",\"messageId\":\"m1\"}}"));
	tear_down(&f);
}

#define CREDENTIALS(role)                                                                          \
	"{\"type\":\"IAMRoleCredentialsMessage\",\"message\":{\"messageId\":\"m\",\"taskArn\":"    \
	"\"" TASK "\",\"roleType\":\"" role                                                        \
	"\",\"roleCredentials\":{\"credentialsId\":\"r\",\"expiration\":\"2026-11-20T1\"}}}"

/* acs-M20, acs-M21 for the session */
static void refreshed_credentials_are_acknowledged_only_when_taken(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	assert_string_equal(
		ask(&f, peer, CREDENTIALS("TaskApplication")),
		"{\"type\":\"IAMRoleCredentialsAckRequest\",\"message\":{\"credentialsId\":\"r\","
		"\"expiration\":\"2026-11-20T1\",\"messageId\":\"m\"}}");
	f.credentials_result = -ENOENT;
	ask_in_vain(&f, peer, CREDENTIALS("TaskApplication"));
	assert_int_equal(f.credentials, 2);
	ask_in_vain(&f, peer, CREDENTIALS("X"));
	assert_int_equal(f.credentials, 2);
	tear_down(&f);
}

static void interfaces_are_acknowledged_on_receipt(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	assert_string_equal(
		ask(&f, peer,
		    "{\"type\":\"AttachTaskNetworkInterfacesMessage\",\"message\":{\"messageId\":"
		    "\"m\"," INSTANCE ",\"taskArn\":\"" TASK
		    "\",\"waitTimeoutMs\":1000,\"elasticNetworkInterfaces\":[{\"attachmentArn\":"
		    "\"arn:a\",\"ec2Id\":\"eni-1\",\"macAddress\":\"0a:00:00:00:00:01\","
		    "\"ipv4Addresses\":"
		    "[{\"primary\":true,\"privateAddress\":\"10.0.0.5\"}],"
		    "\"subnetGatewayIpv4Address\":"
		    "\"10.0.0.1/24\"}]}}"),
		ACK("m"));
	assert_int_equal(f.attached, 1);
	tear_down(&f);
}

/* acs-M32 for the answers */
static void a_manifest_is_acknowledged_and_candidates_asked_about(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	fake_send(peer,
		  "{\"type\":\"TaskManifestMessage\",\"message\":{\"messageId\":\"m\"," INSTANCE
		  ",\"timeline\":10,\"tasks\":[]}}");
	fake_run_until_messages(&f.fake, peer, 2);
	assert_true(among(peer, 0, ACK("m")));
	assert_true(among(
		peer, 0,
		"{\"type\":\"TaskStopVerificationMessage\",\"message\":{\"messageId\":\"m\","
		"\"stopCandidates\":"
		"[{\"desiredStatus\":\"STOPPED\",\"taskArn\":\"arn:t1\",\"taskClusterArn\":\"C\"},"
		"{\"desiredStatus\":\"STOPPED\",\"taskArn\":\"arn:t2\",\"taskClusterArn\":\"C\"}]}"
		"}"));
	ask_in_vain(&f, peer,
		    "{\"type\":\"TaskStopVerificationAck\",\"message\":{\"messageId\":\"m\","
		    "\"stopTasks\":[]}}");
	assert_int_equal(f.verified, 1);
	tear_down(&f);
}

/* acs-M39, cfg-S6 */
static void updates_are_refused(void **state)
{
	static const char *const types[] = { "StageUpdateMessage", "PerformUpdateMessage" };
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	for (size_t i = 0; i < 2; i++) {
		char message[256];

		snprintf(message, sizeof(message),
			 "{\"type\":\"%s\",\"message\":{\"messageId\":\"u\"," INSTANCE "}}",
			 types[i]);
		assert_string_equal(ask(&f, peer, message),
				    "{\"type\":\"NackRequest\",\"message\":{\"cluster\":\"C\","
				    "\"containerInstance\":\"I\","
				    "\"messageId\":\"u\",\"reason\":\"Updates are disabled\"}}");
	}
	tear_down(&f);
}

static void an_ack_for_a_lost_connection_is_not_sent_on_the_next(void **state)
{
	struct fixture f;
	struct fake_upgrade *peer = start(&f, REAL);

	f.ack_at_once = false;
	ask_in_vain(&f, peer, PAYLOAD("m1", ""));
	ws_close(peer->ws, 1000, "bye");
	fake_run_until_closed(&f.fake, peer);
	fake_run_until_upgrades(&f.fake, 2);
	peer = connected(&f);
	acs_session_acknowledge(f.acs, "m1");
	assert_string_equal(ask(&f, peer, "{\"type\":\"HeartbeatMessage\",\"message\":{}}"),
			    "{\"type\":\"HeartbeatAckRequest\",\"message\":{}}");
	/* It comes again, and is acknowledged then. */
	f.ack_at_once = true;
	assert_string_equal(ask(&f, peer, PAYLOAD("m1", "")), ACK("m1"));
	assert_int_equal(f.opened, 2);
	assert_int_equal(f.closed, 1);
	tear_down(&f);
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
		cmocka_unit_test(a_heartbeat_is_acknowledged_however_it_is_written),
		cmocka_unit_test(what_is_malformed_has_no_answer),
		cmocka_unit_test(a_payload_is_acknowledged_when_its_handler_says_so),
		cmocka_unit_test(a_payload_with_a_refused_task_is_never_acknowledged),
		cmocka_unit_test(credentials_of_a_payload_are_acknowledged_with_it),
		cmocka_unit_test(refreshed_credentials_are_acknowledged_only_when_taken),
		cmocka_unit_test(interfaces_are_acknowledged_on_receipt),
		cmocka_unit_test(a_manifest_is_acknowledged_and_candidates_asked_about),
		cmocka_unit_test(updates_are_refused),
		cmocka_unit_test(an_ack_for_a_lost_connection_is_not_sent_on_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
