/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/tasks.h"
#include "cli/terminal.h"

static void usage(FILE *out)
{
	fputs("usage: berth ps [OPTION]...\n"
	      "\n"
	      "Lists the tasks that the agent of this host knows, a line for each container.\n"
	      "\n"
	      "      --json         print what the agent answers, as JSON\n"
	      "      --url URL      of the agent's introspection API\n"
	      "      --config FILE  read settings from FILE instead of " CLI_CONFIG_FILE "\n"
	      "  -h, --help         print this, and end\n",
	      out);
}

static void add_container(struct table *table, const struct cli_task *task,
			  const struct cli_container *container, int64_t now_ms)
{
	/* STOPPED is wanted and not yet true: the one thing worth telling beside the status. */
	bool stopping = str_eq(task->desired, "STOPPED") && !str_eq(task->known, "STOPPED");
	_cleanup_free_ char *status = xasprintf("%s%s", task->known, stopping ? " (stopping)" : "");
	_cleanup_free_ char *since =
		container->started_ms > 0 ? age_text(now_ms - container->started_ms) : xstrdup("-");
	const char *cells[] = {
		task->id,
		container->name,
		status,
		since,
		str_is_empty(container->address) ? "-" : container->address,
		str_is_empty(container->ports) ? "-" : container->ports,
		container->image,
	};

	table_add(table, cells);
}

static void print_table(const struct cli_tasks *tasks)
{
	static const char *const headers[] = { "TASK",    "CONTAINER", "STATUS", "SINCE",
					       "ADDRESS", "PORTS",     "IMAGE" };
	struct table table = { .headers = headers,
			       .columns = sizeof(headers) / sizeof(headers[0]) };
	_cleanup_free_ char *text = NULL;
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < tasks->count; i++) {
		for (size_t j = 0; j < tasks->items[i].container_count; j++)
			add_container(&table, &tasks->items[i], &tasks->items[i].containers[j],
				      now_ms);
	}
	text = table_text(&table, terminal_width(STDOUT_FILENO), terminal_colours(STDOUT_FILENO));
	fputs(text, stdout);
	table_free(&table);
}

static int list(const char *url, bool json, struct error *err)
{
	_cleanup_tasks_ struct cli_tasks tasks = { 0 };
	_cleanup_free_ char *body = NULL;
	size_t size;
	int r = api_get(url, "/v1/tasks", &body, &size, err);

	/* Decoded in any case: what is printed is what the agent answers, not any text. */
	if (r == 0)
		r = tasks_decode(body, size, &tasks, err);
	if (r < 0)
		return r;
	if (json)
		puts(body);
	else
		print_table(&tasks);
	return 0;
}

int command_ps(int argc, char **argv)
{
	_cleanup_cli_options_ struct cli_options options = { 0 };
	struct error err = ERROR_INIT;
	int code = cli_options_read(argc, argv, "ps", usage, false, &options);

	if (code != OPTIONS_GO_ON)
		return code;
	if (list(options.url, options.json, &err) < 0) {
		fprintf(stderr, "berth ps: %s\n", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
