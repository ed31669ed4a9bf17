/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/why.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/options.h"

static void usage(FILE *out)
{
	fputs("usage: berth why [OPTION]... [TASK]\n"
	      "\n"
	      "Says why a task is where it is: its status and that of its containers, since when, "
	      "and what\n"
	      "each waits for. Without TASK: of every task that is not yet where it should be.\n"
	      "\n"
	      "      --json         print what the agent answers, as JSON (of all tasks)\n"
	      "      --url URL      of the agent's introspection API\n"
	      "      --config FILE  read settings from FILE instead of " CLI_CONFIG_FILE "\n"
	      "  -h, --help         print this, and end\n",
	      out);
}

static int tell(const char *url, const char *name, bool json, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_free_ char *body = NULL;
	size_t size;
	int r = api_get(url, "/berth/v1/tasks", &body, &size, err);

	/* Decoded in any case: what is printed is what the agent answers, not any text. */
	if (r == 0)
		r = why_text(body, size, name, clock_wall_ms(), &text, err);
	if (r < 0)
		return r;
	if (json)
		puts(body);
	else if (text.length > 0)
		fputs(strbuf_text(&text), stdout);
	else
		puts("every task is where it should be");
	return 0;
}

int command_why(int argc, char **argv)
{
	_cleanup_cli_options_ struct cli_options options = { 0 };
	struct error err = ERROR_INIT;
	int code = cli_options_read(argc, argv, "why", usage, true, &options);

	if (code != OPTIONS_GO_ON)
		return code;
	if (tell(options.url, options.argument, options.json, &err) < 0) {
		fprintf(stderr, "berth why: %s\n", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
