/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_FLAGS_H
#define BERTH_AGENT_FLAGS_H

#include <stdbool.h>
#include <stdio.h>

#include "agent/config/config.h"
#include "base/error.h"

/*
 * The command line: Berth's own options, and those of the reference agent, with one dash or two, as
 * `-flag`, `-flag=value` and, where it takes one, `-flag value`.
 */

enum flags_action { /* the first of those that are asked for */
		    FLAGS_PRINT_LICENSE,
		    FLAGS_PRINT_VERSION,
		    FLAGS_PRINT_HELP,
		    FLAGS_PRINT_REFERENCE,
		    FLAGS_HEALTHCHECK,
		    FLAGS_CHECK_CONFIG,
		    FLAGS_PRINT_ATTRIBUTES,
		    FLAGS_RUN,
};

struct flags {
	enum flags_action action;
	const char *config_file;    /* NULL: those of the house; "": none. Borrowed from argv */
	bool json;                  /* for programs */
	struct config_map settings; /* those that are given as options, over all others */
};

/* -EINVAL: an option that there is not, one without its value, an argument. */
int flags_parse(int argc, char *const *argv, struct flags *ret, struct error *err);
void flags_free(struct flags *flags);

void flags_print_usage(FILE *out);

#endif
