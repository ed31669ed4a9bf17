/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the agent, written to the log for a person who asked for it. */
#include "agent/agent.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"

static void dump_task(struct agent *agent, const struct task_state *task)
{
	struct strbuf text = STRBUF_INIT;

	engine_explain(agent->engine, task->spec->id, &text);
	if (str_ends_with(strbuf_text(&text), "\n"))
		strbuf_truncate(&text, text.length - 1);
	log_critical("state: task", "task", task->spec->id, "state", strbuf_text(&text));
	strbuf_free(&text);
}

void dump_state(struct agent *agent)
{
	const struct task_state *task = NULL;
	struct engine_ledger ledger;

	engine_ledger(agent->engine, &ledger);
	log_critical("state: begin", "cluster", agent->cluster, "container_instance",
		     agent->container_instance, "acs",
		     !agent->acs                       ? "not registered yet"
		     : acs_session_is_open(agent->acs) ? "connected"
						       : "not connected",
		     "tasks", LOG_NUM(engine_task_count(agent->engine)), "waiting_for_room",
		     LOG_NUM(ledger.waiting), "cpu_units_used", LOG_NUM(ledger.cpu_units_used),
		     "cpu_units", LOG_NUM(ledger.cpu_units), "memory_mib_used",
		     LOG_NUM(ledger.memory_mib_used), "memory_mib", LOG_NUM(ledger.memory_mib));
	while ((task = engine_next_task(agent->engine, task)))
		dump_task(agent, task);
	log_critical("state: end");
}
