/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the agent is well. What can only be known by trying is tried when somebody asks, and at
 * most so often: an agent that nobody asks does nothing for it.
 */
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/health.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#define FRESH_MS         10000
#define RUNTIME_BOUND_MS 120000

void condition_start(struct agent *agent)
{
	agent->condition.started_ms = clock_monotonic_ms();
	agent->condition.store_since_ms = agent->condition.started_ms;
	agent->condition.store_tried_ms = agent->condition.started_ms - FRESH_MS;
}

void condition_store(struct agent *agent, const char *trouble)
{
	struct condition *condition = &agent->condition;

	condition->store_tried_ms = clock_monotonic_ms();
	if (!trouble != !condition->store_trouble)
		condition->store_since_ms = condition->store_tried_ms;
	str_replace(&condition->store_trouble, trouble);
}

static void try_store(struct agent *agent)
{
	char now[CLOCK_ISO8601_SIZE];
	struct error err = ERROR_INIT;
	int r;

	if (clock_monotonic_ms() - agent->condition.store_tried_ms < FRESH_MS)
		return;
	r = store_set_fact(agent->store, STORE_TRIED_AT, format_iso8601_ms(clock_wall_ms(), now),
			   &err);
	condition_store(agent, r < 0 ? err.text : NULL);
}

static void tell(struct agent *agent)
{
	const struct condition *condition = &agent->condition;
	struct error err = ERROR_INIT;
	const struct aws_credentials_state credentials =
		aws_credentials_state(agent->credentials, &err);
	const struct health_facts facts = {
		.now_ms = clock_monotonic_ms(),
		.now_wall_ms = clock_wall_ms(),
		.started_ms = condition->started_ms,
		.registered = agent->acs != NULL,
		.acs = agent->acs ? acs_session_facts(agent->acs) : (struct session_facts){ 0 },
		.tcs = agent->tcs ? tcs_session_facts(agent->tcs) : (struct session_facts){ 0 },
		.credentials = { .good = credentials.good,
				 .since_ms = credentials.since_ms,
				 .ends = credentials.ends,
				 .left_ms = credentials.left_ms,
				 .reason = err.text },
		.runtime = { .checked = condition->runtime_checked,
			     .answers = condition->runtime_answers,
			     .checked_ms = condition->runtime_checked_ms,
			     .since_ms = condition->runtime_since_ms,
			     .bound_ms = RUNTIME_BOUND_MS,
			     .address = agent->config->containerd_address },
		.store = { .writable = !condition->store_trouble,
			   .since_ms = condition->store_since_ms,
			   .reason = condition->store_trouble },
	};
	_cleanup_(health_verdict_clear_cleanup) struct health_verdict verdict = { 0 };
	_cleanup_free_ char *json = NULL;

	health_judge(&facts, &verdict);
	json = health_json(&verdict);
	endpoints_tell_health(agent->endpoints, verdict.healthy, json);
}

void condition_runtime(struct agent *agent, bool answers)
{
	struct condition *condition = &agent->condition;

	condition->runtime_checked_ms = clock_monotonic_ms();
	if (!condition->runtime_checked || answers != condition->runtime_answers)
		condition->runtime_since_ms = condition->runtime_checked_ms;
	condition->runtime_checked = true;
	condition->runtime_answers = answers;
	if (!condition->asked || !agent->endpoints)
		return;
	condition->asked = false;
	tell(agent);
}

void condition_ask(void *data)
{
	struct agent *agent = data;
	struct condition *condition = &agent->condition;

	try_store(agent);
	if (condition->runtime_checked &&
	    clock_monotonic_ms() - condition->runtime_checked_ms < FRESH_MS) {
		tell(agent);
		return;
	}
	condition->asked = true;
	watch_runtime(agent);
}
