/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_PLAN_MOUNTS_H
#define BERTH_AGENT_EXECUTOR_PLAN_MOUNTS_H

#include "agent/executor/plan.h"

/* Name resolution files, the definition's mount points, tmpfs and shared memory. */
int plan_mounts(const struct plan_input *input, struct arena *arena,
		struct container_config *config, struct error *err);

/* Where a volume of the task is on the host: its source path, or a directory of the task's own. In
 * `arena`. */
const char *plan_volume_path(const struct task_spec *task, const char *volumes, size_t index,
			     struct arena *arena);

#endif
