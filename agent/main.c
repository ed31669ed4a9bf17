/* SPDX-License-Identifier: Apache-2.0 */
/* berth-agent: flags, configuration, log; the rest is wiring. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "base/version.h"

#define CONFIG_FILE "/etc/ecs/ecs.config"

extern char **environ;

static void usage(FILE *out)
{
	fprintf(out,
		"usage: berth-agent [OPTION]...\n"
		"\n"
		"Runs containers on this host on behalf of an ECS control plane. Settings come "
		"from the\n"
		"environment and from %s; docs/configuration.md lists them.\n"
		"\n"
		"  -c, --config FILE           read FILE instead (\"\": none)\n"
		"      --check-config          print the effective configuration, and all "
		"mistakes, and end\n"
		"      --print-config-reference  print every setting as Markdown, and end\n"
		"  -v, --version               print the version, and end\n"
		"  -h, --help                  print this, and end\n"
		"\n"
		"Exit codes: 0 told to stop; 1 failed, starting again may help; 5 failed, starting "
		"again will\n"
		"not help (a wrong option, a registration that is refused). Containers run on in "
		"any case.\n",
		CONFIG_FILE);
}

static void print_report(const struct config_report *report, FILE *out)
{
	for (size_t i = 0; i < report->mistakes.count; i++)
		fprintf(out, "berth-agent: mistake: %s\n", report->mistakes.items[i]);
	for (size_t i = 0; i < report->warnings.count; i++)
		fprintf(out, "berth-agent: warning: %s\n", report->warnings.items[i]);
}

static enum log_level level_of(enum config_log_level level, enum log_level otherwise)
{
	switch (level) {
	case CONFIG_LEVEL_UNSET:
		return otherwise;
	case CONFIG_LEVEL_DEBUG:
		return LOG_DEBUG;
	case CONFIG_LEVEL_INFO:
		return LOG_INFO;
	case CONFIG_LEVEL_WARN:
		return LOG_WARN;
	case CONFIG_LEVEL_ERROR:
		return LOG_ERROR;
	case CONFIG_LEVEL_CRITICAL:
		return LOG_CRITICAL;
	case CONFIG_LEVEL_NONE:
		return LOG_NONE;
	}
	return otherwise;
}

static int open_log(const struct agent_config *config, struct error *err)
{
	enum log_level level = level_of(config->log_level, LOG_INFO);
	const struct log_config log = {
		.level = level,
		.file_level = level_of(config->log_level_on_instance, level),
		.format =
			config->log_format == CONFIG_LOG_JSON ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT,
		.console_fd = STDERR_FILENO,
		.file = config->log_file,
		.rotation = config->log_rollover == CONFIG_ROLLOVER_HOURLY ? LOG_ROTATE_HOURLY
			    : config->log_rollover == CONFIG_ROLLOVER_NONE ? LOG_ROTATE_NEVER
									   : LOG_ROTATE_SIZE,
		.max_file_size = (int64_t)(config->log_max_file_size_mb * 1000000),
		.max_roll_count = (int)config->log_max_roll_count,
	};

	return log_open(&log, err);
}

static int run(struct agent_config *config, struct crash_points *crash_points)
{
	struct agent *agent = NULL;
	struct error err = ERROR_INIT;
	int exit_code;
	int r;

	if (open_log(config, &err) < 0) {
		fprintf(stderr, "berth-agent: open the log: %s\n", err.text);
		config_free(config);
		return ECS_EXIT_ERROR;
	}
	log_info("starting", "version", berth_version(), "commit", berth_commit(), "data_dir",
		 config->data_dir);
	r = agent_new(config, &agent, &err);
	if (r < 0) {
		log_critical("cannot start", "error", err.text);
		return r == -EWOULDBLOCK ? ECS_EXIT_TERMINAL : ECS_EXIT_ERROR;
	}
	agent->crash_points = crash_points;
	agent_run(agent);
	exit_code = agent->exit_code;
	agent_free(agent);
	log_close();
	return exit_code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "print-config-reference", no_argument, NULL, 'r' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct agent_config *config = NULL;
	struct config_report report = { 0 };
	struct error err = ERROR_INIT;
	_cleanup_(crash_points_free_cleanup) struct crash_points *crash_points = NULL;
	const char *file = CONFIG_FILE;
	bool check = false;
	int option;
	int r;

	while ((option = getopt_long(argc, argv, "c:vh", options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'r':
			config_print_reference(stdout);
			return 0;
		case 'v':
			printf("berth-agent %s (%s)\n", berth_version(), berth_commit());
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return ECS_EXIT_TERMINAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "berth-agent: %s: no arguments are taken\n", argv[optind]);
		usage(stderr);
		return ECS_EXIT_TERMINAL;
	}

	/* The pool's threads allocate little and seldom: an arena for each would only hold memory.
	 */
	mallopt(M_ARENA_MAX, 2);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	crash_points = crash_points_take();
	r = config_load(environ, file, &config, &report, &err);
	print_report(&report, stderr);
	if (r < 0 && report.mistakes.count == 0)
		fprintf(stderr, "berth-agent: %s\n", err.text);
	config_report_free(&report);
	if (r < 0) /* perhaps the file is only half written: the supervisor may try again */
		return ECS_EXIT_ERROR;
	if (check) {
		config_print(config, stdout);
		config_free(config);
		return 0;
	}
	return run(config, crash_points);
}
