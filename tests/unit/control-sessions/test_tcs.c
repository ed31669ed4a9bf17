/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/sigv4.h"
#include "control-plane/store/container_instances.h"
#include "place.h"

#define HEADERS "Host: h\r\n\r\n"
#define STATUS                                                                                     \
	"{\"type\":\"PublishInstanceStatusRequest\",\"message\":{\"metadata\":{\"cluster\":\"c\"," \
	"\"containerInstance\":\"" HOST1 "\",\"requestId\":\"r\"},\"statuses\":[{\"type\":"        \
	"\"ContainerRuntime\",\"status\":\"OK\"}],\"timestamp\":1700000000}}"

static char *health_of(struct place *place, const char *id)
{
	struct container_instance_row row = { 0 };
	char *status;

	assert_int_equal(container_instance_get(place->store, "c", id, &row, NULL), 0);
	status = row.health_status;
	row.health_status = NULL;
	container_instance_row_clear(&row);
	return status;
}

/* acs-T15: a check of the host is kept with the instance whose session it is. */
static void what_is_published_is_kept_and_acknowledged(void **state)
{
	struct place place;
	struct agent *agent;
	_cleanup_free_ char *own = NULL, *other = NULL;

	place_open(&place, NULL);
	agent = place_tcs(&place, HOST1);
	agent_say(agent, "%s%s", HEADERS, STATUS);
	assert_string_equal(text_of(agent_wait(agent, "AckPublishInstanceStatus", 1), "message"),
			    "OK");
	own = health_of(&place, ID1);
	other = health_of(&place, ID2);
	assert_string_equal(own, "OK");
	assert_null(other);
	agent_say(agent,
		  "%s{'type':'PublishHealthRequest','message':{'metadata':{'cluster':'c'},"
		  "'timestamp':1,'tasks':[]}}",
		  HEADERS);
	agent_wait(agent, "AckPublishHealth", 1);
	agent_say(agent,
		  "%s{'type':'PublishMetricsRequest','message':{'metadata':{'cluster':'c',"
		  "'idle':true},'timestamp':1,'taskMetrics':[]}}",
		  HEADERS);
	agent_wait(agent, "AckPublishMetric", 1);
	place_close(&place);
}

/* acs-4.3: answered, and the session goes on; what needs no answer gets none. */
static void what_makes_no_sense_ends_nothing(void **state)
{
	static const struct {
		const char *frame;
		bool answered;
	} table[] = {
		{ "no header at all", true },
		{ HEADERS "{", true },
		{ HEADERS "{'type':'Moon','message':{}}", true },
		{ HEADERS "{'type':'PublishMetricsRequest','message':{}}", true },
		{ HEADERS "{'type':'PublishInstanceStatusRequest','message':{'metadata':{},"
			  "'statuses':[{}]}}",
		  true },
		{ HEADERS "{'type':'StartTelemetrySessionRequest','message':{'cluster':'c'}}",
		  false },
		{ HEADERS "{'type':'AckPublishMetric','message':{'message':'OK'}}", false },
	};
	size_t answers = 0;
	struct place place;
	struct agent *agent;

	place_open(&place, NULL);
	agent = place_tcs(&place, HOST1);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		agent_say(agent, "%s", table[i].frame);
		answers += table[i].answered;
		if (table[i].answered)
			agent_wait(agent, "BadRequestException", answers);
		agent_settle(agent);
		assert_int_equal(json_array_size(agent->messages), answers);
		assert_true(agent->open);
	}
	place_close(&place);
}

static void send_frame(struct agent *agent, const char *secret, const char *body)
{
	const struct sigv4_credentials credentials = { .access_key = "AKIA", .secret = secret };
	_cleanup_free_ char *url = place_url(agent->place, "cluster=c&containerInstance=" HOST1);
	_cleanup_free_ char *frame = NULL;
	struct error err = ERROR_INIT;
	size_t size;

	if (sigv4_sign_frame(&credentials, "us-west-2", "ecs", url, body, strlen(body),
			     clock_wall_ms(), &frame, &size, &err) < 0)
		fail_msg("%s", err.text);
	/* Another body under the same signature. */
	if (strstr(body, "IMPAIRED"))
		memcpy(strstr(frame, "IMPAIRED"), "IMPAIREX", 8);
	assert_int_equal(ws_send(agent->ws, frame, size), 0);
}

static struct agent *signed_tcs(struct place *place)
{
	static const char query[] = "cluster=c&containerInstance=" HOST1;
	const struct sigv4_credentials credentials = { .access_key = "AKIA", .secret = "secret" };
	_cleanup_header_list_ struct header_list headers = HEADER_LIST_INIT;
	_cleanup_free_ char *url = place_url(place, query);
	struct error err = ERROR_INIT;
	struct agent *agent;

	if (sigv4_sign_websocket(&credentials, "us-west-2", "ecs", url, clock_wall_ms(), &headers,
				 &err) < 0)
		fail_msg("%s", err.text);
	agent = place_connect(place, query, headers.items, headers.count);
	agent_wait_open(agent);
	return agent;
}

/* Each frame is signed by itself, over the path and query of the handshake. */
static void with_keys_every_frame_must_be_signed(void **state)
{
	const struct sessions_config config = { .access_key = "AKIA", .secret_key = "secret" };
	_cleanup_free_ char *health = NULL;
	struct place place;
	struct agent *agent;

	place_open(&place, &config);
	agent = signed_tcs(&place);
	agent_say(agent, "%s%s", HEADERS, STATUS);
	agent_wait(agent, "BadRequestException", 1);
	send_frame(agent, "wrong", STATUS);
	assert_non_null(strstr(text_of(agent_wait(agent, "BadRequestException", 2), "message"),
			       "signature does not match"));
	send_frame(agent, "secret",
		   "{\"type\":\"PublishInstanceStatusRequest\",\"message\":{\"metadata\":{},"
		   "\"statuses\":[{\"type\":\"ContainerRuntime\",\"status\":\"IMPAIRED\"}]}}");
	agent_wait(agent, "BadRequestException", 3);
	agent_settle(agent);
	assert_int_equal(agent_count(agent, "AckPublishInstanceStatus"), 0);
	health = health_of(&place, ID1);
	assert_null(health);
	send_frame(agent, "secret", STATUS);
	agent_wait(agent, "AckPublishInstanceStatus", 1);
	place_close(&place);
}

/* acs-6.2: heartbeats come without being asked for; who says nothing for ten of them is let go, and
 * who says anything, even nonsense, is not. */
static void silence_ends_a_session(void **state)
{
	const struct sessions_config config = { .heartbeat_ms = 5 };
	struct place place;
	struct agent *silent, *talking;

	place_open(&place, &config);
	silent = place_tcs(&place, HOST1);
	talking = place_tcs(&place, HOST2);
	talking->automatic = true;
	agent_wait_closed(silent);
	agent_settle(talking);
	assert_true(talking->open);
	assert_int_equal(silent->close_code, 1008);
	assert_int_equal(agent_count(silent, "HeartbeatMessage"), 10);
	assert_true(agent_count(talking, "HeartbeatMessage") > 0);
	place_close(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_published_is_kept_and_acknowledged),
		cmocka_unit_test(what_makes_no_sense_ends_nothing),
		cmocka_unit_test(with_keys_every_frame_must_be_signed),
		cmocka_unit_test(silence_ends_a_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
