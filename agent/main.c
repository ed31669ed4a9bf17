/* SPDX-License-Identifier: Apache-2.0 */
/* berth-agent: options, configuration, log; the rest is wiring. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/flags.h"
#include "agent/healthcheck.h"
#include "agent/host_facts.h"
#include "agent/license.h"
#include "agent/log_setup.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "base/version.h"

#define CONFIG_FILE        "/etc/ecs/ecs.config"
#define VENDOR_CONFIG_FILE "/var/lib/ecs/ecs.config"
#define JSON_CONFIG_FILE   "/etc/ecs/ecs.config.json"

extern char **environ;

static void print_list(const struct str_list *list, const char *what, FILE *out)
{
	for (size_t i = 0; i < list->count; i++)
		fprintf(out, "berth-agent: %s: %s\n", what, list->items[i]);
}

static void print_report(const struct config_report *report, FILE *out)
{
	print_list(&report->mistakes, "mistake", out);
	print_list(&report->warnings, "warning", out);
	print_list(&report->ignored, "ignored", out);
}

static int check_config(const struct agent_config *config, const struct config_report *report,
			bool json)
{
	if (json) {
		config_print_json(config, report, stdout);
	} else {
		config_print(config, stdout);
		fflush(stdout);
		print_report(report, stderr);
	}
	return report->mistakes.count > 0 ? ECS_EXIT_ERROR : ECS_EXIT_OK;
}

static int print_attributes(const struct agent_config *config)
{
	struct error err = ERROR_INIT;

	if (capabilities_print(config, stdout, &err) == 0)
		return ECS_EXIT_OK;
	fprintf(stderr, "berth-agent: %s\n", err.text);
	return ECS_EXIT_ERROR;
}

static void log_report(const struct config_report *report)
{
	for (size_t i = 0; i < report->warnings.count; i++)
		log_warn("a setting is not as it should be", "warning", report->warnings.items[i]);
	for (size_t i = 0; i < report->ignored.count; i++)
		log_info("a setting has no effect", "setting", report->ignored.items[i]);
}

/* Takes `config` over. */
static int run(struct agent_config *config, const struct config_report *report,
	       const struct config_sources *sources, struct crash_points *crash_points)
{
	struct agent *agent = NULL;
	struct error err = ERROR_INIT;
	int exit_code;
	int r;

	if (log_setup(config, &err) < 0) {
		fprintf(stderr, "berth-agent: open the log: %s\n", err.text);
		config_free(config);
		return ECS_EXIT_ERROR;
	}
	log_info("starting", "version", berth_version(), "commit", berth_commit(), "data_dir",
		 config->data_dir);
	log_report(report);
	r = agent_new(config, &agent, &err);
	if (r < 0) {
		log_critical("cannot start", "error", err.text);
		return r == -EWOULDBLOCK ? ECS_EXIT_TERMINAL : ECS_EXIT_ERROR;
	}
	agent->crash_points = crash_points;
	agent->sources = sources;
	agent_run(agent);
	exit_code = agent->exit_code;
	agent_free(agent);
	log_close();
	return exit_code;
}

/* What is done with a configuration. */
static int act(const struct flags *flags, const struct config_sources *sources,
	       struct crash_points *crash_points)
{
	struct agent_config *config = NULL;
	struct config_report report = { 0 };
	int exit_code;

	config_read(sources, &config, &report);
	if (flags->action == FLAGS_CHECK_CONFIG) {
		exit_code = check_config(config, &report, flags->json);
	} else if (report.mistakes.count > 0) {
		/* Perhaps the file is only half written: the supervisor may try again. */
		print_report(&report, stderr);
		exit_code = ECS_EXIT_ERROR;
	} else if (flags->action == FLAGS_HEALTHCHECK) {
		exit_code = healthcheck(config, stdout);
	} else if (flags->action == FLAGS_PRINT_ATTRIBUTES) {
		exit_code = print_attributes(config);
	} else {
		exit_code = run(TAKE(config), &report, sources, crash_points);
	}
	config_free(config);
	config_report_free(&report);
	return exit_code;
}

static int with_configuration(const struct flags *flags)
{
	struct host_facts facts = { 0 };
	struct config_sources sources = {
		.flags = &flags->settings,
		.file = flags->config_file ? flags->config_file : CONFIG_FILE,
		.vendor_file = flags->config_file ? "" : VENDOR_CONFIG_FILE,
		.json_file = flags->config_file ? "" : JSON_CONFIG_FILE,
		.ask_host = host_facts_ask,
		.data = &facts,
	};
	_cleanup_(crash_points_free_cleanup) struct crash_points *crash_points = NULL;
	_cleanup_free_ char **environment =
		config_environment_own(environ, sources.file, sources.vendor_file);
	int exit_code;

	/* The pool's threads allocate little and seldom: an arena for each would only hold memory.
	 */
	mallopt(M_ARENA_MAX, 2);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	crash_points = crash_points_take();
	sources.environment = environment;
	exit_code = act(flags, &sources, crash_points);
	host_facts_free(&facts);
	return exit_code;
}

int main(int argc, char **argv)
{
	struct flags flags = { 0 };
	struct error err = ERROR_INIT;
	int exit_code = ECS_EXIT_OK;

	signal(SIGHUP, SIG_IGN); /* until there is an agent that reads its settings again */
	if (flags_parse(argc, argv, &flags, &err) < 0) {
		fprintf(stderr, "berth-agent: %s\n", err.text);
		flags_print_usage(stderr);
		return ECS_EXIT_TERMINAL;
	}
	switch (flags.action) {
	case FLAGS_PRINT_LICENSE:
		fputs(license_text(), stdout);
		break;
	case FLAGS_PRINT_VERSION:
		printf("berth-agent %s (%s)\n", berth_version(), berth_commit());
		break;
	case FLAGS_PRINT_HELP:
		flags_print_usage(stdout);
		break;
	case FLAGS_PRINT_REFERENCE:
		config_print_reference(stdout);
		break;
	case FLAGS_HEALTHCHECK:
	case FLAGS_CHECK_CONFIG:
	case FLAGS_PRINT_ATTRIBUTES:
	case FLAGS_RUN:
		exit_code = with_configuration(&flags);
		break;
	}
	flags_free(&flags);
	return exit_code;
}
