/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent is judged well by, each part by itself. */
#include "agent/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define NOW  INT64_C(1000000)
#define WALL INT64_C(1700000000000)

static struct health_facts all_well(void)
{
	const struct session_facts session = { .open = true,
					       .heard = true,
					       .heard_ms = NOW - 20000,
					       .well_ms = NOW - 500000,
					       .started_ms = NOW - 600000,
					       .bound_ms = 120000,
					       .trouble = "" };

	return (struct health_facts){
		.now_ms = NOW,
		.now_wall_ms = WALL,
		.started_ms = NOW - 700000,
		.registered = true,
		.acs = session,
		.tcs = session,
		.credentials = { .good = true,
				 .since_ms = NOW - 650000,
				 .ends = true,
				 .left_ms = 3000000,
				 .reason = "" },
		.runtime = { .checked = true,
			     .answers = true,
			     .checked_ms = NOW - 3000,
			     .since_ms = NOW - 640000,
			     .bound_ms = 120000,
			     .address = "/run/containerd/containerd.sock" },
		.store = { .writable = true, .since_ms = NOW - 700000 },
	};
}

/* Exactly this part fails, since so long, with this sentence. */
static void expect_failing(const struct health_facts *facts, enum health_part_id failing,
			   int64_t since_ms, const char *text)
{
	struct health_verdict verdict;

	health_judge(facts, &verdict);
	assert_false(verdict.healthy);
	for (int i = 0; i < HEALTH_PARTS; i++)
		assert_int_equal(verdict.parts[i].healthy, i != (int)failing);
	assert_string_equal(verdict.parts[failing].text, text);
	assert_int_equal(verdict.parts[failing].since_wall_ms, WALL - (NOW - since_ms));
	health_verdict_clear(&verdict);
}

static void an_agent_is_well_when_all_its_parts_are(void **state)
{
	const struct health_facts facts = all_well();
	struct health_verdict verdict;
	_cleanup_free_ char *json = NULL;

	(void)state;
	health_judge(&facts, &verdict);
	assert_true(verdict.healthy);
	json = health_json(&verdict);
	assert_string_equal(
		json,
		"{\"healthy\":true,\"parts\":["
		"{\"name\":\"acs-session\",\"state\":\"healthy\",\"since\":\"2023-11-14T22:05:00."
		"000Z\",\"text\":\"the control plane was last heard of 20 s ago\"},"
		"{\"name\":\"tcs-session\",\"state\":\"healthy\",\"since\":\"2023-11-14T22:05:00."
		"000Z\",\"text\":\"the telemetry service was last heard of 20 s ago\"},"
		"{\"name\":\"credentials\",\"state\":\"healthy\",\"since\":\"2023-11-14T22:02:30."
		"000Z\",\"text\":\"they are valid for another 3000 s\"},"
		"{\"name\":\"container-runtime\",\"state\":\"healthy\",\"since\":"
		"\"2023-11-14T22:02:40.000Z\",\"text\":\"containerd answered 3 s ago\"},"
		"{\"name\":\"state-store\",\"state\":\"healthy\",\"since\":\"2023-11-14T22:01:40."
		"000Z\",\"text\":\"the state can be saved\"}]}");
	health_verdict_clear(&verdict);
}

static void a_session_is_well_until_its_bound(void **state)
{
	struct health_facts facts = all_well();
	struct health_verdict verdict;

	(void)state;
	facts.acs.heard_ms = NOW - 120000;
	health_judge(&facts, &verdict);
	assert_true(verdict.healthy);
	health_verdict_clear(&verdict);

	facts.acs.heard_ms = NOW - 121000;
	expect_failing(&facts, HEALTH_ACS, NOW - 1000,
		       "the control plane was last heard of 121 s ago, more than 120 s; the "
		       "connection is open");
	facts = all_well();
	facts.tcs.heard_ms = NOW - 150000;
	facts.tcs.open = false;
	facts.tcs.trouble = "connect: Connection refused";
	expect_failing(&facts, HEALTH_TCS, NOW - 30000,
		       "the telemetry service was last heard of 150 s ago, more than 120 s; there "
		       "is no connection: connect: Connection refused");
}

static void a_session_that_is_renewed_is_well(void **state)
{
	struct health_facts facts = all_well();
	struct health_verdict verdict;

	(void)state;
	facts.acs.open = false;
	health_judge(&facts, &verdict);
	assert_true(verdict.healthy);
	assert_string_equal(verdict.parts[HEALTH_ACS].text,
			    "the control plane was last heard of 20 s ago; the connection is being "
			    "renewed");
	health_verdict_clear(&verdict);
}

static void a_session_that_was_never_heard_is_not_well(void **state)
{
	struct health_facts facts = all_well();
	struct health_verdict verdict;

	(void)state;
	facts.tcs.heard = false;
	expect_failing(&facts, HEALTH_TCS, NOW - 600000,
		       "the telemetry service has not been heard of yet");
	facts = all_well();
	facts.registered = false;
	health_judge(&facts, &verdict);
	assert_false(verdict.parts[HEALTH_ACS].healthy);
	assert_false(verdict.parts[HEALTH_TCS].healthy);
	assert_string_equal(verdict.parts[HEALTH_ACS].text, "this host is not registered yet");
	health_verdict_clear(&verdict);
}

static void credentials_must_be_valid(void **state)
{
	struct health_facts facts = all_well();

	(void)state;
	facts.credentials.good = false;
	facts.credentials.since_ms = NOW - 5000;
	facts.credentials.reason = "they have expired";
	expect_failing(&facts, HEALTH_CREDENTIALS, NOW - 5000,
		       "there are no valid AWS credentials: they have expired");
}

static void the_runtime_must_answer_now(void **state)
{
	struct health_facts facts = all_well();

	(void)state;
	facts.runtime.answers = false;
	expect_failing(&facts, HEALTH_RUNTIME, NOW - 640000,
		       "containerd does not answer at /run/containerd/containerd.sock: images "
		       "cannot be pulled, running containers go on");
	facts.runtime.answers = true;
	facts.runtime.checked_ms = NOW - 125000;
	expect_failing(&facts, HEALTH_RUNTIME, NOW - 5000,
		       "containerd last answered 125 s ago, and not since");
	facts.runtime.checked = false;
	expect_failing(&facts, HEALTH_RUNTIME, NOW - 700000, "containerd has not been asked yet");
}

static void the_state_must_be_writable(void **state)
{
	struct health_facts facts = all_well();

	(void)state;
	facts.store.writable = false;
	facts.store.since_ms = NOW - 7000;
	facts.store.reason = "the disk is \"full\"";
	expect_failing(&facts, HEALTH_STORE, NOW - 7000,
		       "the state cannot be saved: the disk is \"full\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_is_well_when_all_its_parts_are),
		cmocka_unit_test(a_session_is_well_until_its_bound),
		cmocka_unit_test(a_session_that_is_renewed_is_well),
		cmocka_unit_test(a_session_that_was_never_heard_is_not_well),
		cmocka_unit_test(credentials_must_be_valid),
		cmocka_unit_test(the_runtime_must_answer_now),
		cmocka_unit_test(the_state_must_be_writable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
