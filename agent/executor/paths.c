/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/paths.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* No container of a task definition can have this name. */
#define PAUSE_NAME "~internal~ecs~pause"

char *path_tasks(const struct agent_config *config)
{
	return xasprintf("%s/tasks", config->data_dir);
}

char *path_task(const struct agent_config *config, const char *task_id)
{
	return xasprintf("%s/tasks/%s", config->data_dir, task_id);
}

char *path_volumes(const struct agent_config *config, const char *task_id)
{
	return xasprintf("%s/tasks/%s/volumes", config->data_dir, task_id);
}

char *path_container(const struct agent_config *config, const char *task_id, const char *runtime_id)
{
	return xasprintf("%s/tasks/%s/%s", config->data_dir, task_id, runtime_id);
}

char *path_bundle(const struct agent_config *config, const char *task_id, const char *runtime_id)
{
	return xasprintf("%s/tasks/%s/%s/bundle", config->data_dir, task_id, runtime_id);
}

char *path_state(const struct agent_config *config, const char *task_id, const char *runtime_id,
		 uint32_t attempt)
{
	return xasprintf("%s/tasks/%s/%s/state-%u", config->data_dir, task_id, runtime_id, attempt);
}

char *run_id(const char *runtime_id, uint32_t attempt)
{
	return attempt == 1 ? xstrdup(runtime_id) : xasprintf("%s.%u", runtime_id, attempt);
}

char *path_log(const struct agent_config *config, const char *task_id, const char *runtime_id)
{
	return xasprintf("%s/tasks/%s/%s/json.log", config->data_dir, task_id, runtime_id);
}

char *path_netns_directory(const struct agent_config *config)
{
	return xasprintf("%s/netns", config->run_dir);
}

char *path_netns(const struct agent_config *config, const char *task_id)
{
	return xasprintf("%s/netns/%s", config->run_dir, task_id);
}

char *cgroup_path_task(const struct agent_config *config, const char *task_id)
{
	return xasprintf("%s/%s", config->cgroup_parent, task_id);
}

char *cgroup_path_container(const struct agent_config *config, const char *task_id,
			    const struct container_state *container)
{
	static const char suffix[] = "-1"; /* of every runtime id */
	const char *name = container->runtime_id;
	size_t length, id_length = strlen(task_id);

	if (strncmp(name, task_id, id_length) == 0 && name[id_length] == '-')
		name += id_length + 1;
	length = strlen(name);
	if (str_ends_with(name, suffix))
		length -= strlen(suffix);
	return xasprintf("%s/%s/%.*s", config->cgroup_parent, task_id, (int)length, name);
}

char *cgroup_path_pause(const struct agent_config *config, const char *task_id)
{
	return xasprintf("%s/%s/%s", config->cgroup_parent, task_id, PAUSE_NAME);
}
