/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_MESH_H
#define BERTH_AGENT_EXECUTOR_CNI_MESH_H

#include "base/error.h"
#include "wire/task.h"

/*
 * What stands behind the first interface of an awsvpc task, whoever makes that: the plugin
 * aws-appmesh for a proxyConfiguration.
 *
 * *conflist is replaced (and freed) when there is something to add to its plugins. -EINVAL: it is
 * no conflist.
 */
int mesh_extend_conflist(const struct task_spec *task, char **conflist, struct error *err);

#endif
