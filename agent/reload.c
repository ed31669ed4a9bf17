/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP. The sources are read on the pool; then, on the loop, either all that may change does, or
 * nothing. What is under way keeps to what it began with.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/log_setup.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"

struct reload {
	struct agent *agent; /* NULL: it has ended meanwhile */
	const struct config_sources *sources;
	struct agent_config *config;
	struct config_report report;
};

static void read_again(void *data)
{
	struct reload *reload = data;

	config_read(reload->sources, &reload->config, &reload->report);
}

static void log_lines(enum log_level level, const char *message, const char *key,
		      const struct str_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		log_write(level, __FILE_NAME__, message, key, list->items[i], NULL);
}

static void take_over(struct agent *agent, struct agent_config *config)
{
	struct config_changes changes = { 0 };

	config_reload(agent->config, config, &changes);
	drive_settings_changed(agent);
	log_lines(LOG_INFO, "a setting has changed", "setting", &changes.applied);
	log_lines(LOG_WARN, "a setting has changed and needs a restart of the agent", "setting",
		  &changes.waiting);
	log_info("the settings are read again", "changed", LOG_NUM(changes.applied.count),
		 "need_restart", LOG_NUM(changes.waiting.count));
	config_changes_free(&changes);
}

/* False: nothing has changed. */
static bool is_good(const struct reload *reload)
{
	const struct config_report *report = &reload->report;
	struct error err = ERROR_INIT;

	log_lines(LOG_ERROR, "a setting is a mistake", "mistake", &report->mistakes);
	log_lines(LOG_WARN, "a setting is not as it should be", "warning", &report->warnings);
	if (report->mistakes.count > 0)
		error_say(&err, EINVAL, "there are mistakes");
	else if (log_setup(reload->config, &err) < 0)
		error_prefix(&err, "open the log");
	else
		return true;
	log_error("the settings are read again, and nothing changes", "error", err.text);
	return false;
}

static void read_done(void *data)
{
	struct reload *reload = data;
	struct agent *agent = reload->agent;

	if (agent) {
		agent->reload = NULL;
		if (is_good(reload))
			take_over(agent, reload->config);
	}
	config_free(reload->config);
	config_report_free(&reload->report);
	free(reload);
	if (agent && agent->reload_again)
		reload_begin(agent);
}

void reload_begin(struct agent *agent)
{
	struct reload *reload;

	agent->reload_again = agent->reload != NULL;
	if (!agent->sources || agent->reload)
		return;
	reload = xcalloc(1, sizeof(*reload));
	reload->agent = agent;
	reload->sources = agent->sources;
	agent->reload = reload;
	loop_work(agent->loop, read_again, read_done, reload);
}

void reload_free(struct agent *agent)
{
	if (agent->reload)
		agent->reload->agent = NULL;
}
