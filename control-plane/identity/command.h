/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_IDENTITY_COMMAND_H
#define BERTH_CONTROL_IDENTITY_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* "token" or "identity": what the first argument of berth-control must be for command_run(). */
bool command_is(const char *word);
/* Carries `berth-control token create ...` and the like out, by way of the control plane that runs
 * on the directory. Returns the exit status. */
int command_run(int argc, char **argv);

/* "90s", "15m", "12h", "90d". -EINVAL, -ERANGE outside of min..max. */
int command_parse_life(const char *text, int64_t min_ms, int64_t max_ms, int64_t *ret_ms,
		       struct error *err);

#endif
