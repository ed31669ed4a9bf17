/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_RUN_H
#define BERTH_CLI_RUN_H

#include "base/error.h"

/*
 * Runs a program and waits for its end, at most ten seconds. 0 when it exits with 0; *ret_output
 * (may be NULL) is what it printed, the caller frees it. -ENOENT: there is no such program.
 */
int run_program(const char *const *argv, char **ret_output, struct error *err);

#endif
