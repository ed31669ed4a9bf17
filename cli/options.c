/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <getopt.h>

#include "cli/command.h"

int cli_options_read(int argc, char **argv, const char *name, void (*usage)(FILE *out),
		     bool takes_argument, struct cli_options *ret)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "url", required_argument, NULL, 'u' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = CLI_CONFIG_FILE;
	struct error err = ERROR_INIT;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (option) {
		case 'j':
			ret->json = true;
			break;
		case 'u':
			ret->url = optarg;
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
	if (argc - optind > (takes_argument ? 1 : 0)) {
		usage(stderr);
		return EXIT_USAGE;
	}
	ret->argument = argv[optind];
	if (cli_settings_read(cli_environment, file, &ret->settings, &err) < 0) {
		fprintf(stderr, "berth %s: %s\n", name, err.text);
		return EXIT_FAILED;
	}
	if (!ret->url)
		ret->url = ret->settings.url;
	return OPTIONS_GO_ON;
}
