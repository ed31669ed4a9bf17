/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE_RESOURCE: the task's control group, and the directories of its volumes. */
#include <stdlib.h>
#include <unistd.h>

#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "agent/executor/plan_mounts.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"

struct making {
	struct operation operation;
	struct executor *executor;
	struct address address;
	size_t index; /* of the resource */
	enum engine_resource_kind kind;
	char *path; /* of the control group, or of the directory */
	struct cgroup_limits limits;
	int result;
	struct error err;
};

static void making_free(void *data)
{
	struct making *making = data;

	operation_end(&making->operation);
	address_free(&making->address);
	free(making->path);
	free(making);
}

static void make_work(void *data)
{
	struct making *making = data;

	if (making->kind == RESOURCE_CGROUP)
		making->result = cgroup_create(&making->executor->cgroups, making->path,
					       &making->limits, &making->err);
	else if (access(making->path, F_OK) < 0)
		making->result = file_mkdirs(making->path, 0755, &making->err);
}

static void make_done(void *data)
{
	struct making *making = data;
	bool failed = making->result < 0;

	answer(making->executor, &making->address,
	       (struct engine_done){ .failed = failed,
				     .error_text = failed ? making->err.text : NULL,
				     .resource = making->index });
	making_free(making);
}

void act_create_resource(struct executor *executor, const struct engine_effect *effect)
{
	const struct agent_config *config = executor->config.config;
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	_cleanup_free_ char *volumes = path_volumes(config, effect->task_id);
	struct making *making = xcalloc(1, sizeof(*making));

	making->executor = executor;
	making->address = address_of(effect);
	making->index = effect->resource.index;
	making->kind = effect->resource.kind;
	if (making->kind == RESOURCE_CGROUP) {
		making->path = cgroup_path_task(config, effect->task_id);
		if (config->task_cpu_mem_limit)
			making->limits = task_cgroup_limits(config, effect->spec);
	} else {
		making->path = xstrdup(
			plan_volume_path(effect->spec, volumes, effect->resource.volume, arena));
	}
	operation_begin(executor->operations, &making->operation, making_free, making);
	operations_work(executor->operations, make_work, make_done, making);
}
