/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_LOG_SETUP_H
#define BERTH_AGENT_LOG_SETUP_H

#include "agent/config/config.h"
#include "base/error.h"

/* The log as the settings want it; may be called again. On failure it goes on as it was. */
int log_setup(const struct agent_config *config, struct error *err);

#endif
