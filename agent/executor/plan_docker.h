/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_PLAN_DOCKER_H
#define BERTH_AGENT_EXECUTOR_PLAN_DOCKER_H

#include "base/arena.h"
#include "wire/task.h"

/*
 * What a container's dockerConfig and logging ask for that this version does not do, as the subject
 * of a sentence ("hostConfig.Runtime nvidia"); NULL: nothing. Static or in `arena`. What Amazon's
 * agent or Docker itself passes over in that network mode is passed over here too.
 */
const char *plan_docker_unsupported(const struct task_spec *task,
				    const struct container_spec *container, struct arena *arena);

#endif
