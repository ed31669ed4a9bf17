/* SPDX-License-Identifier: Apache-2.0 */
/* Who may open a session, and what the others are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/sigv4.h"
#include "base/str.h"
#include "control-plane/store/container_instances.h"
#include "place.h"

#define ARN(id) "arn:aws:ecs:us-west-2:000000000000:container-instance/c/" id

static void refused(struct place *place, const char *query, int status, const char *exception)
{
	struct agent *agent = place_connect(place, query, NULL, 0);

	agent_wait_closed(agent);
	if (agent->http_status != status || !strstr(agent->body, exception))
		fail_msg("%s: expected %d %s, got %d %s", query, status, exception,
			 agent->http_status, agent->body);
	assert_null(place->sessions->first);
}

/* acs-C11, acs-C12: agents look for the name of the exception in the body. */
static void strangers_are_told_why(void **state)
{
	static const struct {
		const char *query;
		int status;
		const char *exception;
	} table[] = {
		{ "", 400, "InvalidInstanceException" },
		{ "cluster=c", 400, "InvalidInstanceException" },
		{ "clusterArn=c&containerInstanceArn=i-1", 400, "InactiveInstanceException" },
		{ "clusterArn=c&containerInstanceArn=" TASK_X, 400, "InactiveInstanceException" },
		/* of another region */
		{ "clusterArn=c&containerInstanceArn=arn:aws:ecs:eu-west-1:000000000000:"
		  "container-instance/c/" ID1,
		  400, "InactiveInstanceException" },
		/* nobody's */
		{ "clusterArn=c&containerInstanceArn=" ARN("33333333333333333333333333333333"), 400,
		  "InactiveInstanceException" },
		{ "cluster=c&containerInstance=" ARN("33333333333333333333333333333333"), 400,
		  "InactiveInstanceException" },
		{ "clusterArn=d&containerInstanceArn=" HOST1, 400, "InvalidClusterException" },
		/* The default cluster, when none is named. */
		{ "containerInstanceArn=" HOST1, 400, "InvalidClusterException" },
		{ "clusterArn=arn:aws:ecs:us-west-2:000000000000:cluster/"
		  "d&containerInstanceArn=" HOST1,
		  400, "InvalidClusterException" },
	};
	struct place place;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		place_open(&place, NULL);
		refused(&place, table[i].query, table[i].status, table[i].exception);
		place_close(&place);
	}
}

static void an_instance_that_was_deregistered_is_inactive(void **state)
{
	struct place place;

	place_open(&place, NULL);
	assert_int_equal(
		container_instance_set_status(place.store, "c", ID1, "INACTIVE", NULL, NULL), 0);
	refused(&place, "clusterArn=c&containerInstanceArn=" HOST1, 400,
		"InactiveInstanceException");
	place_close(&place);
}

static void the_cluster_may_be_named_by_its_arn(void **state)
{
	struct place place;
	struct agent *agent;

	place_open(&place, NULL);
	agent = place_connect(&place,
			      "clusterArn=arn:aws:ecs:us-west-2:000000000000:cluster/"
			      "c&containerInstanceArn=" HOST1,
			      NULL, 0);
	agent_wait_open(agent);
	assert_string_equal(place.sessions->first->cluster_arn,
			    "arn:aws:ecs:us-west-2:000000000000:cluster/c");
	place_close(&place);
}

/* The parameters tell the two kinds apart. */
static void the_query_says_which_kind_it_is(void **state)
{
	struct place place;
	struct agent *acs, *tcs;

	place_open(&place, NULL);
	acs = place_acs(&place, HOST1);
	tcs = place_tcs(&place, HOST1);
	agent_wait(acs, "TaskManifestMessage", 1);
	agent_settle(tcs);
	assert_int_equal(json_array_size(tcs->messages), 0);
	assert_non_null(map_get(place.sessions->acs, HOST1));
	assert_non_null(map_get(place.sessions->tcs, HOST1));
	assert_true(services_agent_connected(place.services, HOST1));
	assert_false(services_agent_connected(place.services, HOST2));
	place_close(&place);
}

static void handshake(struct place *place, const char *key, const char *secret, int64_t late_ms,
		      const char *exception)
{
	static const char query[] = "clusterArn=c&containerInstanceArn=" HOST1;
	const struct sigv4_credentials credentials = { .access_key = key, .secret = secret };
	_cleanup_header_list_ struct header_list headers = HEADER_LIST_INIT;
	_cleanup_free_ char *url = place_url(place, query);
	struct error err = ERROR_INIT;
	struct agent *agent;

	if (key && sigv4_sign_websocket(&credentials, "us-west-2", "ecs", url,
					clock_wall_ms() - late_ms, &headers, &err) < 0)
		fail_msg("%s", err.text);
	agent = place_connect(place, query, headers.items, headers.count);
	if (!exception) {
		agent_wait_open(agent);
		return;
	}
	agent_wait_closed(agent);
	assert_int_equal(agent->http_status, 403);
	assert_non_null(strstr(agent->body, exception));
}

/* acs-C3 */
static void with_keys_a_handshake_must_be_signed(void **state)
{
	const struct sessions_config config = { .access_key = "AKIA", .secret_key = "secret" };
	struct place place;

	place_open(&place, &config);
	handshake(&place, NULL, NULL, 0, "AccessDeniedException");
	handshake(&place, "AKIA", "wrong", 0, "AccessDeniedException");
	handshake(&place, "AKIB", "secret", 0, "AccessDeniedException");
	handshake(&place, "AKIA", "secret", 16 * 60 * 1000, "AccessDeniedException");
	assert_null(place.sessions->first);
	handshake(&place, "AKIA", "secret", 14 * 60 * 1000, NULL);
	place_close(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_are_told_why),
		cmocka_unit_test(an_instance_that_was_deregistered_is_inactive),
		cmocka_unit_test(the_cluster_may_be_named_by_its_arn),
		cmocka_unit_test(the_query_says_which_kind_it_is),
		cmocka_unit_test(with_keys_a_handshake_must_be_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
