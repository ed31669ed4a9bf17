/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "control-plane/services/delivery.h"
#include "control-plane/services/report.h"
#include "control-plane/services/run.h"
#include "place.h"

#define ACK                                                                                        \
	"{'type':'AckRequest','message':{'cluster':'c','containerInstance':'i','messageId':'%s'}}"
#define VERIFY                                                                                     \
	"{'type':'TaskStopVerificationMessage','message':{'messageId':'%s','stopCandidates':["     \
	"{'taskArn':'%s','taskClusterArn':'c','desiredStatus':'STOPPED'}]}}"

static void let_stop(struct place *place, struct task *task)
{
	struct error err = ERROR_INIT;

	if (services_stop(place->services, task, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

/* What the agent says of the task, in words: "STOPPED". */
static void submit(struct place *place, struct task *task, const char *status)
{
	const struct report report = { .status = status };
	struct error err = ERROR_INIT;

	if (services_report(place->services, task, &report, &err) < 0)
		fail_msg("%s", err.text);
}

/* acs-M3, acs-M31: the manifest first, then what the agent lacks. */
static void an_agent_that_connects_gets_manifest_and_tasks(void **state)
{
	struct place place;
	struct agent *agent;
	struct task *task;
	json_t *manifest, *payload;

	place_open(&place, NULL);
	/* Placed on an instance that is connected; the agent is told when its session opens. */
	services_agent_up(place.services, HOST1);
	task = place_run(&place);
	agent = place_acs(&place, HOST1);
	manifest = agent_wait(agent, "TaskManifestMessage", 1);
	payload = agent_wait(agent, "PayloadMessage", 1);
	assert_string_equal(text_of(json_array_get(agent->messages, 0), "type"),
			    "TaskManifestMessage");
	assert_string_equal(
		text_of(json_array_get(json_object_get(manifest, "tasks"), 0), "taskArn"),
		task->arn);
	assert_string_equal(text_of(payload, "containerInstanceArn"), HOST1);
	assert_string_equal(text_of(json_array_get(json_object_get(payload, "tasks"), 0), "arn"),
			    task->arn);
	assert_true(json_integer_value(json_object_get(payload, "seqNum")) >
		    json_integer_value(json_object_get(manifest, "timeline")));
	place_close(&place);
}

/* Acknowledgements of nothing, of a manifest, or of credentials by the wrong message, confirm no
 * task; a refusal neither, nor nonsense. */
static void only_the_right_acknowledgement_counts(void **state)
{
	_cleanup_free_ char *id = NULL, *role = NULL, *manifest = NULL;
	struct place place;
	struct agent *agent;
	struct task *task;

	place_open(&place, NULL);
	agent = place_acs(&place, HOST1);
	manifest = xstrdup(text_of(agent_wait(agent, "TaskManifestMessage", 1), "messageId"));
	task = place_run(&place);
	id = xstrdup(text_of(agent_wait(agent, "PayloadMessage", 1), "messageId"));
	role = xasprintf("role-%s", task->id);
	agent_say(agent, ACK, "no-such-id");
	agent_say(agent, ACK, manifest);
	agent_say(agent, ACK, role);
	agent_say(agent, "{'type':'AckRequest','message':{}}");
	agent_say(agent,
		  "{'type':'NackRequest','message':{'cluster':'c','containerInstance':'i',"
		  "'messageId':'%s','reason':'no'}}",
		  id);
	agent_say(agent, "{'type':'HeartbeatMessage','message':{'healthy':true}}");
	agent_say(agent, "not JSON");
	agent_settle(agent);
	assert_false(task->run_acknowledged);
	assert_true(agent->open);
	agent_say(agent, ACK, id);
	agent_settle(agent);
	assert_true(task->run_acknowledged);
	/* A second time it is the acknowledgement of nothing. */
	agent_say(agent, ACK, id);
	agent_settle(agent);
	assert_true(agent->open);
	place_close(&place);
}

/* acs-M16, acs-6.2: the same message until it is acknowledged, and never more. */
static void what_is_not_acknowledged_comes_again(void **state)
{
	const struct sessions_config config = { .redeliver_ms = 5 };
	struct place place;
	struct agent *agent;
	_cleanup_free_ char *first = NULL;
	size_t sent;

	place_open(&place, &config);
	agent = place_acs(&place, HOST1);
	place_run(&place);
	first = xstrdup(text_of(agent_wait(agent, "PayloadMessage", 1), "messageId"));
	assert_string_equal(text_of(agent_wait(agent, "PayloadMessage", 3), "messageId"), first);
	agent_say(agent, ACK, first);
	agent_settle(agent);
	sent = agent_count(agent, "PayloadMessage");
	for (int i = 0; i < 10; i++)
		agent_settle(agent);
	assert_int_equal(agent_count(agent, "PayloadMessage"), sent);
	place_close(&place);
}

/* acs-M14: an agent that may have the task is asked to stop it, and has the last word. */
static void a_stop_is_told_until_it_is_acknowledged(void **state)
{
	_cleanup_free_ char *id = NULL;
	struct place place;
	struct agent *agent;
	struct task *task;
	json_t *payload;

	place_open(&place, NULL);
	agent = place_acs(&place, HOST1);
	agent->automatic = true;
	task = place_run(&place);
	agent_wait(agent, "PayloadMessage", 1);
	let_stop(&place, task);
	payload = agent_wait(agent, "PayloadMessage", 2);
	assert_string_equal(
		text_of(json_array_get(json_object_get(payload, "tasks"), 0), "desiredStatus"),
		"STOPPED");
	id = xasprintf("stop-%s", task->id);
	assert_string_equal(text_of(payload, "messageId"), id);
	agent_settle(agent);
	assert_true(task->stop_acknowledged);
	assert_int_not_equal(task->state, TASK_STOPPED);
	submit(&place, task, "STOPPED");
	assert_int_equal(task->state, TASK_STOPPED);
	place_close(&place);
}

static bool nothing_waits(void *data)
{
	const struct place *place = data;
	size_t cursor = 0;

	return !map_next(place->sessions->first->pending, &cursor, NULL);
}

/* A task that is over takes what waited for an answer about it along. */
static void what_waits_for_a_task_that_is_over_is_forgotten(void **state)
{
	const struct sessions_config config = { .redeliver_ms = 5 };
	struct place place;
	struct agent *agent;
	struct task *task;

	place_open(&place, &config);
	agent = place_acs(&place, HOST1);
	task = place_run(&place);
	agent_wait(agent, "PayloadMessage", 1);
	assert_false(nothing_waits(&place));
	submit(&place, task, "STOPPED");
	place_until(&place, nothing_waits, &place);
	place_close(&place);
}

/* acs-M32, acs-M36: never a task that is to run here, nor one that is not ours to judge. */
static void only_what_must_end_is_verified(void **state)
{
	_cleanup_free_ char *manifest = NULL;
	struct task *runs, *elsewhere, *stops;
	struct place place;
	struct agent *agent;
	size_t answers = 0;

	place_open(&place, NULL);
	services_agent_up(place.services, HOST2);
	elsewhere = place_run(&place);
	services_agent_down(place.services, HOST2);
	agent = place_acs(&place, HOST1);
	manifest = xstrdup(text_of(agent_wait(agent, "TaskManifestMessage", 1), "messageId"));
	agent->automatic = true;
	runs = place_run(&place);
	stops = place_run(&place);
	agent_wait(agent, "PayloadMessage", 2);
	agent_settle(agent);
	let_stop(&place, stops);
	{
		const struct {
			const char *arn;
			bool ends;
		} table[] = {
			{ runs->arn, false },
			{ stops->arn, true },
			{ elsewhere->arn, true },
			{ TASK_X, true }, /* long forgotten */
			{ "arn:aws:ecs:eu-west-1:000000000000:task/c/"
			  "0123456789abcdef0123456789abcdef",
			  false },
			{ "arn:aws:ecs:us-west-2:111111111111:task/c/"
			  "0123456789abcdef0123456789abcdef",
			  false },
			{ HOST1, false },
			{ "nonsense", false },
		};

		for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
			json_t *list;

			agent_say(agent, VERIFY, manifest, table[i].arn);
			list = json_object_get(
				agent_wait(agent, "TaskStopVerificationAck", ++answers),
				"stopTasks");
			if ((json_array_size(list) == 1) != table[i].ends)
				fail_msg("%s", table[i].arn);
			if (table[i].ends)
				assert_string_equal(text_of(json_array_get(list, 0), "taskArn"),
						    table[i].arn);
		}
	}
	/* Of a manifest that is not the last one: no answer. */
	agent_say(agent, VERIFY, "older", stops->arn);
	agent_settle(agent);
	assert_int_equal(agent_count(agent, "TaskStopVerificationAck"), answers);
	place_close(&place);
}

#define CREDENTIALS_ACK                                                                            \
	"{'type':'IAMRoleCredentialsAckRequest','message':{'messageId':'%s','credentialsId':'%s'," \
	"'expiration':'2026-01-01T00:00:00Z'}}"

/* acs-M18, acs-M20, acs-2.6: with the payload; again to an agent that has lost them, which every
 * sendCredentials=true is; with an acknowledgement of their own. */
static void credentials_are_sent_until_they_are_acknowledged(void **state)
{
	const struct sessions_config config = { .redeliver_ms = 5 };
	_cleanup_free_ char *id = NULL;
	struct place place;
	struct agent *agent;
	struct task *task;
	json_t *credentials;
	size_t sent;

	place_open(&place, &config);
	agent = place_acs(&place, HOST1);
	agent->automatic = true; /* payloads, not credentials */
	task = place_run(&place);
	agent_wait(agent, "PayloadMessage", 1);
	credentials = agent_wait(agent, "IAMRoleCredentialsMessage", 2);
	assert_string_equal(text_of(credentials, "roleType"), "TaskApplication");
	assert_string_equal(text_of(credentials, "taskArn"), task->arn);
	id = xstrdup(text_of(credentials, "messageId"));
	/* What does not name these credentials of this task confirms nothing, nor does the
	 * acknowledgement of other messages. */
	agent_say(agent, ACK, id);
	agent_say(agent, CREDENTIALS_ACK, "no dash", "x");
	agent_say(agent, CREDENTIALS_ACK, id, "another");
	agent_say(agent, CREDENTIALS_ACK, "role-0123456789abcdef0123456789abcdef",
		  task->role.credentials_id);
	agent_settle(agent);
	assert_false(task->role.acknowledged || task->stop_acknowledged);
	agent_say(agent, CREDENTIALS_ACK, id, task->role.credentials_id);
	agent_settle(agent);
	assert_true(task->role.acknowledged);
	sent = agent_count(agent, "IAMRoleCredentialsMessage");
	for (int i = 0; i < 10; i++)
		agent_settle(agent);
	assert_int_equal(agent_count(agent, "IAMRoleCredentialsMessage"), sent);

	ws_drop(agent->ws);
	agent_wait_closed(agent);
	agent = place_acs(&place, HOST1);
	credentials = agent_wait(agent, "IAMRoleCredentialsMessage", 1);
	assert_string_equal(
		text_of(json_object_get(credentials, "roleCredentials"), "credentialsId"),
		task->role.credentials_id);
	place_close(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_that_connects_gets_manifest_and_tasks),
		cmocka_unit_test(only_the_right_acknowledgement_counts),
		cmocka_unit_test(what_is_not_acknowledged_comes_again),
		cmocka_unit_test(a_stop_is_told_until_it_is_acknowledged),
		cmocka_unit_test(what_waits_for_a_task_that_is_over_is_forgotten),
		cmocka_unit_test(only_what_must_end_is_verified),
		cmocka_unit_test(credentials_are_sent_until_they_are_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
