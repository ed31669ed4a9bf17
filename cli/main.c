/* SPDX-License-Identifier: Apache-2.0 */
/* berth: what an operator asks of the agent on this host. */
#include <stdio.h>

#include "base/str.h"
#include "base/version.h"
#include "cli/command.h"

static void usage(FILE *out)
{
	fputs("usage: berth COMMAND [OPTION]...\n"
	      "\n"
	      "  ps       list the tasks and containers of this host\n"
	      "  why      say what tasks wait for\n"
	      "  logs     print what a container has written\n"
	      "  doctor   check the agent and all that it needs\n"
	      "  version  print the version\n"
	      "\n"
	      "berth COMMAND --help says more. Exit codes: 0 done; 1 failed; 2 wrong usage.\n",
	      out);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (str_eq(command, "ps"))
		return command_ps(argc - 1, argv + 1);
	if (str_eq(command, "why"))
		return command_why(argc - 1, argv + 1);
	if (str_eq(command, "logs"))
		return command_logs(argc - 1, argv + 1);
	if (str_eq(command, "doctor"))
		return command_doctor(argc - 1, argv + 1);
	if (str_eq(command, "version") || str_eq(command, "--version")) {
		if (argc > 2 && (str_eq(argv[2], "--help") || str_eq(argv[2], "-h")))
			puts("usage: berth version\n\nPrints the version and the commit that it "
			     "was built from.");
		else
			printf("berth %s (%s)\n", berth_version(), berth_commit());
		return EXIT_DONE;
	}
	if (str_eq(command, "help") || str_eq(command, "--help") || str_eq(command, "-h")) {
		usage(stdout);
		return EXIT_DONE;
	}
	usage(stderr);
	return EXIT_USAGE;
}
