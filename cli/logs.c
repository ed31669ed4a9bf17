/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/log_line.h"
#include "cli/log_reader.h"
#include "cli/settings.h"
#include "cli/tasks.h"

#define FOLLOW_EVERY_MS 100
#define ASK_EVERY_MS    1000

struct wanted {
	const char *task;
	const char *container; /* NULL: the only one */
	const char *url;
	int64_t tail; /* -1: all */
	bool follow;
	bool json;
	bool times;
};

static void usage(FILE *out)
{
	fputs("usage: berth logs [OPTION]... TASK [CONTAINER]\n"
	      "\n"
	      "Prints what a container has written: its standard output to ours, its standard "
	      "error "
	      "to\n"
	      "ours. TASK is an id, the beginning of one, or an ARN; CONTAINER may be left out "
	      "when "
	      "the\n"
	      "task has only one.\n"
	      "\n"
	      "  -f, --follow       go on until the task has stopped\n"
	      "  -n, --tail N       only the last N lines\n"
	      "  -t, --timestamps   put the time before each line\n"
	      "      --json         print the records as they are in the file\n"
	      "      --url URL      of the agent's introspection API\n"
	      "      --data-dir DIR  data directory of the agent\n"
	      "      --config FILE  read settings from FILE instead of " CLI_CONFIG_FILE "\n"
	      "  -h, --help         print this, and end\n",
	      out);
}

static int print_line(const struct wanted *wanted, const char *data, size_t size, struct error *err)
{
	struct log_line line;
	FILE *out = stdout;
	int r;

	if (wanted->json) {
		fwrite(data, 1, size, stdout);
		putchar('\n');
	} else {
		r = log_line_parse(data, size, &line, err);
		if (r < 0)
			return r;
		out = line.is_stderr ? stderr : stdout;
		if (wanted->times)
			fprintf(out, "%s ", line.time);
		fwrite(line.text, 1, line.size, out);
		log_line_free(&line);
	}
	/* In the order in which they came, also when both lead to one terminal. */
	if (fflush(out) != 0)
		return error_set(err, errno, "write the log");
	return 0;
}

/* Gives all lines that are there but the first `skip`; counts them when `wanted` is NULL. */
static int drain(struct log_reader *reader, const struct wanted *wanted, int64_t skip,
		 int64_t *ret_count, struct error *err)
{
	const char *line;
	size_t size;
	int r;

	*ret_count = 0;
	while ((r = log_reader_next(reader, &line, &size, err)) > 0) {
		(*ret_count)++;
		if (wanted && *ret_count > skip) {
			r = print_line(wanted, line, size, err);
			if (r < 0)
				return r;
		}
	}
	return r;
}

static int lines_before_tail(const char *directory, int64_t tail, int64_t *ret, struct error *err)
{
	struct log_reader *reader = NULL;
	int64_t count = 0;
	int r = 0;

	if (tail >= 0) {
		r = log_reader_open(directory, &reader, err);
		if (r == 0)
			r = drain(reader, NULL, 0, &count, err);
		log_reader_free(reader);
	}
	if (r == 0)
		*ret = tail >= 0 && count > tail ? count - tail : 0;
	return r;
}

/* Whether the agent says that the task has stopped, or no longer knows it. An agent that does not
 * answer says nothing: containers run on without it. */
static bool has_stopped(const struct wanted *wanted, const char *arn)
{
	_cleanup_tasks_ struct cli_tasks tasks = { 0 };
	_cleanup_free_ char *body = NULL;
	const struct cli_task *task = NULL;
	size_t size;

	if (api_get(wanted->url, "/v1/tasks", &body, &size, NULL) < 0 ||
	    tasks_decode(body, size, &tasks, NULL) < 0)
		return false;
	return tasks_find(&tasks, arn, &task, NULL) < 0 || str_eq(task->known, "STOPPED");
}

static int follow(struct log_reader *reader, const struct wanted *wanted, const char *arn,
		  struct error *err)
{
	const struct timespec pause = { 0, FOLLOW_EVERY_MS * 1000000L };
	int64_t asked_ms = clock_monotonic_ms();
	int64_t count;
	bool stopped = false;
	int r = 0;

	for (;;) {
		r = drain(reader, wanted, 0, &count, err);
		/* Removed with its task. */
		if (r < 0 || stopped)
			return r == -ENOENT ? 0 : r;
		if (clock_monotonic_ms() - asked_ms >= ASK_EVERY_MS) {
			stopped = has_stopped(wanted, arn);
			asked_ms = clock_monotonic_ms();
		} else {
			nanosleep(&pause, NULL);
		}
	}
}

static int print_log(const char *directory, const struct wanted *wanted, const char *arn,
		     struct error *err)
{
	struct log_reader *reader = NULL;
	int64_t skip = 0, count;
	int r = lines_before_tail(directory, wanted->tail, &skip, err);

	if (r == 0)
		r = log_reader_open(directory, &reader, err);
	if (r == 0)
		r = drain(reader, wanted, skip, &count, err);
	if (r == 0 && wanted->follow)
		r = follow(reader, wanted, arn, err);
	log_reader_free(reader);
	return r;
}

static int find_and_print(const struct wanted *wanted, const char *data_dir, struct error *err)
{
	_cleanup_tasks_ struct cli_tasks tasks = { 0 };
	_cleanup_free_ char *body = NULL;
	_cleanup_free_ char *directory = NULL;
	const struct cli_task *task = NULL;
	const struct cli_container *container = NULL;
	size_t size;
	int r = api_get(wanted->url, "/v1/tasks", &body, &size, err);

	if (r == 0)
		r = tasks_decode(body, size, &tasks, err);
	if (r == 0)
		r = tasks_find(&tasks, wanted->task, &task, err);
	if (r == 0)
		r = task_find_container(task, wanted->container, &container, err);
	if (r < 0 || !container)
		return r;
	if (str_is_empty(container->runtime_id))
		return error_say(err, ENOENT, "container %s of task %s has not been made yet",
				 container->name, task->id);
	directory = xasprintf("%s/tasks/%s/%s", data_dir, task->id, container->runtime_id);
	r = print_log(directory, wanted, task->arn, err);
	if (r == -EACCES)
		return error_say(err, EACCES, "%s is open to root only: run this as root",
				 directory);
	if (r == -ENOENT)
		error_prefix(err, "the log is removed, or ECS_DATADIR is not the agent's");
	return r;
}

int command_logs(int argc, char **argv)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "tail", required_argument, NULL, 'n' },
		{ "timestamps", no_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "url", required_argument, NULL, 'u' },
		{ "data-dir", required_argument, NULL, 'd' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	_cleanup_cli_settings_ struct cli_settings settings = { 0 };
	struct wanted wanted = { .tail = -1 };
	struct error err = ERROR_INIT;
	const char *file = CLI_CONFIG_FILE, *data_dir = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "fn:th", options, NULL)) >= 0) {
		switch (option) {
		case 'f':
			wanted.follow = true;
			break;
		case 'n':
			if (number_parse_i64(optarg, 0, INT32_MAX, &wanted.tail, NULL) < 0) {
				fprintf(stderr,
					"berth logs: --tail takes a number of lines, not \"%s\"\n",
					optarg);
				return EXIT_USAGE;
			}
			break;
		case 't':
			wanted.times = true;
			break;
		case 'j':
			wanted.json = true;
			break;
		case 'u':
			wanted.url = optarg;
			break;
		case 'd':
			data_dir = optarg;
			break;
		case 'c':
			file = optarg;
			break;
		case 'h':
			usage(stdout);
			return EXIT_DONE;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind < 1 || argc - optind > 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	wanted.task = argv[optind];
	wanted.container = argv[optind + 1];
	if (cli_settings_read(cli_environment, file, &settings, &err) == 0) {
		wanted.url = wanted.url ? wanted.url : settings.url;
		if (find_and_print(&wanted, data_dir ? data_dir : settings.data_dir, &err) == 0)
			return EXIT_DONE;
	}
	fprintf(stderr, "berth logs: %s\n", err.text);
	return EXIT_FAILED;
}
