/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_HEALTHCHECK_H
#define BERTH_AGENT_HEALTHCHECK_H

#include <stdio.h>

#include "agent/config/config.h"

/*
 * Asks the agent that runs with this configuration whether it is well, for 25 s at most, and
 * writes a line for each part that is not. Returns the exit code: 0 when all is well, else 1.
 */
int healthcheck(const struct agent_config *config, FILE *out);

#endif
