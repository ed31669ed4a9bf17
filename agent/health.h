/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_HEALTH_H
#define BERTH_AGENT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/ecs/session_facts.h"

/*
 * Whether the agent is well: facts in, a verdict out. Pure: no clock, no timer. Times of facts are
 * monotonic.
 */

struct health_facts {
	int64_t now_ms;
	int64_t now_wall_ms;
	int64_t started_ms; /* the agent was */

	bool registered; /* else there are no sessions yet */
	struct session_facts acs, tcs;

	struct {
		bool good;
		int64_t since_ms;   /* good, or not */
		bool ends;          /* else `left_ms` is not known: they do not say */
		int64_t left_ms;    /* until they expire */
		const char *reason; /* they are not good */
	} credentials;

	struct {
		bool checked;
		bool answers;
		int64_t checked_ms; /* the last check's end */
		int64_t since_ms;   /* all checks since then had the same result */
		int64_t bound_ms;   /* an older check says nothing */
		const char *address;
	} runtime;

	struct {
		bool writable;
		int64_t since_ms;
		const char *reason; /* it is not */
	} store;
};

enum health_part_id {
	HEALTH_ACS,
	HEALTH_TCS,
	HEALTH_CREDENTIALS,
	HEALTH_RUNTIME,
	HEALTH_STORE,
	HEALTH_PARTS
};

struct health_part {
	const char *name; /* "acs-session" */
	bool healthy;
	int64_t since_wall_ms; /* it is in this state */
	char *text;            /* a sentence for people */
};

struct health_verdict {
	bool healthy; /* all parts are */
	struct health_part parts[HEALTH_PARTS];
};

void health_judge(const struct health_facts *facts, struct health_verdict *ret);
void health_verdict_clear(struct health_verdict *verdict);
static inline void health_verdict_clear_cleanup(struct health_verdict *verdict)
{
	health_verdict_clear(verdict);
}

/* {"healthy":...,"parts":[{"name","state","since","text"},...]}. The caller frees it. */
char *health_json(const struct health_verdict *verdict);

#endif
