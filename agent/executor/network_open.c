/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN_NETNS: the namespace of an awsvpc task, bound to its name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "agent/executor/plan.h"
#include "agent/executor/task_files.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "netns/namespace.h"

struct opening {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	char *netns;
	char *cgroup_task;
	char *directory;
	struct netns_sysctl *sysctls;
	size_t sysctl_count;
	struct cgroup_limits limits;
	int result;
	struct error err;
};

static void opening_free(void *data)
{
	struct opening *opening = data;

	operation_end(&opening->operation);
	address_free(&opening->address);
	task_spec_unref(opening->spec);
	free(opening->netns);
	free(opening->cgroup_task);
	free(opening->directory);
	free(opening->sysctls);
	free(opening);
}

static void open_work(void *data)
{
	struct opening *opening = data;
	const struct cgroup_host *cgroups = &opening->executor->cgroups;
	const struct netns_options options = { .sysctls = opening->sysctls,
					       .sysctl_count = opening->sysctl_count };
	int r;

	r = task_files_write(opening->directory, opening->spec, NULL, NULL, &opening->err);
	if (r == 0)
		r = cgroup_create(cgroups, opening->cgroup_task, &opening->limits, &opening->err);
	if (r == 0) {
		r = netns_create(opening->netns, &options, NULL, &opening->err);
		/* Of an attempt that was cut off: containers may be in it already. */
		if (r == -EEXIST)
			r = 0;
	}
	opening->result = r;
}

static void open_done(void *data)
{
	struct opening *opening = data;
	struct executor *executor = opening->executor;

	if (opening->result < 0) {
		error_prefix(&opening->err,
			     "ContainerNetworkingError: failed to setup network namespace");
		answer_failed(executor, &opening->address, NULL, &opening->err);
		opening_free(opening);
		return;
	}
	answer(executor, &opening->address,
	       (struct engine_done){ .network = { .netns_path = opening->netns } });
	opening_free(opening);
}

static void gather_sysctls(struct opening *opening)
{
	const struct task_spec *spec = opening->spec;
	size_t n = 0;

	for (size_t c = 0; c < spec->container_count; c++)
		n += spec->containers[c].docker.sysctls.count;
	opening->sysctls = xcalloc(n + 1, sizeof(*opening->sysctls));
	for (size_t c = 0; c < spec->container_count; c++) {
		const struct text_map *sysctls = &spec->containers[c].docker.sysctls;

		for (size_t i = 0; i < sysctls->count; i++) {
			if (str_starts_with(sysctls->items[i].name, "net."))
				opening->sysctls[opening->sysctl_count++] =
					(struct netns_sysctl){ sysctls->items[i].name,
							       sysctls->items[i].value };
		}
	}
}

void act_open_netns(struct executor *executor, const struct engine_effect *effect)
{
	const struct agent_config *config = executor->config.config;
	struct opening *opening = xcalloc(1, sizeof(*opening));
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	const char *unsupported = plan_unsupported(effect->spec, arena);

	opening->executor = executor;
	opening->address = address_of(effect);
	opening->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	if (unsupported) {
		error_say(&opening->err, ENOTSUP, "%s", unsupported);
		answer_failed(executor, &opening->address, NULL, &opening->err);
		opening_free(opening);
		return;
	}
	opening->netns = path_netns(config, effect->task_id);
	opening->cgroup_task = cgroup_path_task(config, effect->task_id);
	opening->directory = path_task(config, effect->task_id);
	if (config->task_cpu_mem_limit)
		opening->limits = task_cgroup_limits(config, effect->spec);
	gather_sysctls(opening);
	operation_begin(executor->operations, &opening->operation, opening_free, opening);
	operations_work(executor->operations, open_work, open_done, opening);
}
