/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_OPTIONS_H
#define BERTH_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/settings.h"

/* The options that commands have in common: --json, --url, --config, --help. */
struct cli_options {
	bool json;
	const char *url;      /* of the agent: --url, or what the settings say */
	const char *argument; /* NULL: none was given */
	struct cli_settings settings;
};
static inline void cli_options_free(struct cli_options *options)
{
	cli_settings_free(&options->settings);
}
#define _cleanup_cli_options_ __attribute__((cleanup(cli_options_free)))

#define OPTIONS_GO_ON (-1)

/*
 * Reads them, and the settings. OPTIONS_GO_ON, or the exit code of a command that is over: help was
 * asked for, or something was wrong and has been said. `name` is the command's, `takes_argument`:
 * one argument may follow.
 */
int cli_options_read(int argc, char **argv, const char *name, void (*usage)(FILE *out),
		     bool takes_argument, struct cli_options *ret);

#endif
