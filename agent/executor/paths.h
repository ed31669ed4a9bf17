/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_PATHS_H
#define BERTH_AGENT_EXECUTOR_PATHS_H

#include "agent/config/config.h"
#include "agent/engine/state.h"

/*
 * Where what belongs to tasks stands on this host. All names are made of the task id and the
 *container's runtime id, which are fit to be file names and the same after a restart. The caller
 *frees each.
 *
 *	<data dir>/tasks/<task id>/                   hosts, hostname, resolv.conf, volumes/
 *	<data dir>/tasks/<task id>/<runtime id>/      bundle/, log
 *	.../<runtime id>/state-<attempt>/             the monitor's records of one run
 *	<run dir>/netns/<task id>                     the task's network namespace
 *	<cgroup parent>/<task id>/<container>
 */
char *path_tasks(const struct agent_config *config);
char *path_task(const struct agent_config *config, const char *task_id);
char *path_volumes(const struct agent_config *config, const char *task_id);
char *path_container(const struct agent_config *config, const char *task_id,
		     const char *runtime_id);
char *path_bundle(const struct agent_config *config, const char *task_id, const char *runtime_id);
char *path_state(const struct agent_config *config, const char *task_id, const char *runtime_id,
		 uint32_t attempt);
char *path_log(const struct agent_config *config, const char *task_id, const char *runtime_id);
char *path_netns_directory(const struct agent_config *config);
char *path_netns(const struct agent_config *config, const char *task_id);

char *cgroup_path_task(const struct agent_config *config, const char *task_id);
/* What the OCI runtime knows the attempt by: no two runs have the same name. */
char *run_id(const char *runtime_id, uint32_t attempt);
/* The runtime id without what all containers of the task have in common: unique in the task, and
 * fit to be a name. */
char *cgroup_path_container(const struct agent_config *config, const char *task_id,
			    const struct container_state *container);
char *cgroup_path_pause(const struct agent_config *config, const char *task_id);

#endif
