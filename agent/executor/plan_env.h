/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_PLAN_ENV_H
#define BERTH_AGENT_EXECUTOR_PLAN_ENV_H

#include "agent/executor/plan.h"

/*
 * The container's whole environment, "NAME=value", NULL-terminated, each name once: the image's,
 * then the definition's, then what the agent adds for metadata, credentials and region.
 */
const char *const *plan_env(const struct plan_input *input, struct arena *arena);

#endif
