/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/health.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/strbuf.h"

static long long seconds(int64_t ms)
{
	return (long long)(ms / 1000);
}

static int64_t wall_of(const struct health_facts *facts, int64_t monotonic_ms)
{
	return facts->now_wall_ms - (facts->now_ms - monotonic_ms);
}

static void set(const struct health_facts *facts, struct health_part *part, bool healthy,
		int64_t since_ms, char *text)
{
	part->healthy = healthy;
	part->since_wall_ms = wall_of(facts, since_ms);
	part->text = text;
}

/* ": why", or nothing. */
static char *because(const char *reason)
{
	return str_is_empty(reason) ? xstrdup("") : xasprintf(": %s", reason);
}

static void judge_session(const struct health_facts *facts, const struct session_facts *session,
			  const char *peer, struct health_part *part)
{
	int64_t silent_ms = facts->now_ms - session->heard_ms;
	_cleanup_free_ char *why = because(session->trouble);

	if (!facts->registered) {
		set(facts, part, false, facts->started_ms,
		    xstrdup("this host is not registered yet"));
	} else if (!session->heard) {
		set(facts, part, false, session->started_ms,
		    xasprintf("%s has not been heard of yet%s", peer, why));
	} else if (silent_ms > session->bound_ms) {
		set(facts, part, false, session->heard_ms + session->bound_ms,
		    xasprintf("%s was last heard of %lld s ago, more than %lld s%s%s", peer,
			      seconds(silent_ms), seconds(session->bound_ms),
			      session->open ? "; the connection is open"
					    : "; there is no connection",
			      why));
	} else {
		set(facts, part, true, session->well_ms,
		    xasprintf("%s was last heard of %lld s ago%s", peer, seconds(silent_ms),
			      session->open ? "" : "; the connection is being renewed"));
	}
}

static void judge_credentials(const struct health_facts *facts, struct health_part *part)
{
	char *text;

	if (!facts->credentials.good)
		text = xasprintf("there are no valid AWS credentials: %s",
				 facts->credentials.reason);
	else if (facts->credentials.ends)
		text = xasprintf("they are valid for another %lld s",
				 seconds(facts->credentials.left_ms));
	else
		text = xstrdup("they are there, and have no end");
	set(facts, part, facts->credentials.good, facts->credentials.since_ms, text);
}

static void judge_runtime(const struct health_facts *facts, struct health_part *part)
{
	int64_t age_ms = facts->now_ms - facts->runtime.checked_ms;

	if (!facts->runtime.checked)
		set(facts, part, false, facts->started_ms,
		    xstrdup("containerd has not been asked yet"));
	else if (!facts->runtime.answers)
		set(facts, part, false, facts->runtime.since_ms,
		    xasprintf("containerd does not answer at %s: images cannot be pulled, "
			      "running containers go on",
			      facts->runtime.address));
	else if (age_ms > facts->runtime.bound_ms)
		set(facts, part, false, facts->runtime.checked_ms + facts->runtime.bound_ms,
		    xasprintf("containerd last answered %lld s ago, and not since",
			      seconds(age_ms)));
	else
		set(facts, part, true, facts->runtime.since_ms,
		    xasprintf("containerd answered %lld s ago", seconds(age_ms)));
}

static void judge_store(const struct health_facts *facts, struct health_part *part)
{
	set(facts, part, facts->store.writable, facts->store.since_ms,
	    facts->store.writable
		    ? xstrdup("the state can be saved")
		    : xasprintf("the state cannot be saved: %s", facts->store.reason));
}

void health_judge(const struct health_facts *facts, struct health_verdict *ret)
{
	struct health_part *parts = ret->parts;

	*ret = (struct health_verdict){ .healthy = true };
	parts[HEALTH_ACS].name = "acs-session";
	parts[HEALTH_TCS].name = "tcs-session";
	parts[HEALTH_CREDENTIALS].name = "credentials";
	parts[HEALTH_RUNTIME].name = "container-runtime";
	parts[HEALTH_STORE].name = "state-store";
	judge_session(facts, &facts->acs, "the control plane", &parts[HEALTH_ACS]);
	judge_session(facts, &facts->tcs, "the telemetry service", &parts[HEALTH_TCS]);
	judge_credentials(facts, &parts[HEALTH_CREDENTIALS]);
	judge_runtime(facts, &parts[HEALTH_RUNTIME]);
	judge_store(facts, &parts[HEALTH_STORE]);
	for (int i = 0; i < HEALTH_PARTS; i++)
		ret->healthy = ret->healthy && parts[i].healthy;
}

void health_verdict_clear(struct health_verdict *verdict)
{
	for (int i = 0; i < HEALTH_PARTS; i++)
		free(verdict->parts[i].text);
	memset(verdict, 0, sizeof(*verdict));
}

char *health_json(const struct health_verdict *verdict)
{
	struct strbuf out = STRBUF_INIT;
	char since[CLOCK_ISO8601_SIZE];

	strbuf_appendf(&out, "{\"healthy\":%s,\"parts\":[", verdict->healthy ? "true" : "false");
	for (int i = 0; i < HEALTH_PARTS; i++) {
		const struct health_part *part = &verdict->parts[i];

		strbuf_appendf(
			&out, "%s{\"name\":\"%s\",\"state\":\"%s\",\"since\":\"%s\",\"text\":",
			i > 0 ? "," : "", part->name, part->healthy ? "healthy" : "unhealthy",
			format_iso8601_ms(part->since_wall_ms, since));
		strbuf_append_json(&out, part->text);
		strbuf_append_char(&out, '}');
	}
	strbuf_append(&out, "]}");
	return strbuf_take(&out);
}
