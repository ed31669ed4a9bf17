/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN_NETNS: the namespace of an awsvpc task and the pause process that holds it. */
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
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	char *netns;
	char *cgroup_task;
	char *cgroup_pause;
	char *program;
	char *directory;
	char *hostname;
	struct netns_sysctl *sysctls;
	size_t sysctl_count;
	struct cgroup_limits limits;
	struct pause_process pause;
	int result;
	struct error err;
};

static void opening_free(struct opening *opening)
{
	address_free(&opening->address);
	task_spec_unref(opening->spec);
	free(opening->netns);
	free(opening->cgroup_task);
	free(opening->cgroup_pause);
	free(opening->program);
	free(opening->directory);
	free(opening->hostname);
	free(opening->sysctls);
	free(opening);
}

/* Whether what an earlier attempt left is whole: a pause process in the namespace that the file
 * names. */
static bool adopts(struct opening *opening)
{
	_cleanup_close_ int named = -1, held = -1;
	_cleanup_free_ char *path = NULL;
	struct netns_identity a, b;

	if (pause_observe(&opening->executor->cgroups, opening->cgroup_pause, &opening->pause,
			  NULL) < 0)
		return false;
	path = xasprintf("/proc/%d/ns/net", (int)opening->pause.pid);
	if (netns_open(opening->netns, &named, NULL) == 0 && netns_open(path, &held, NULL) == 0 &&
	    netns_identity(named, &a, NULL) == 0 && netns_identity(held, &b, NULL) == 0 &&
	    netns_identity_equal(&a, &b))
		return true;
	pause_stop_now(&opening->pause, &opening->executor->cgroups, opening->cgroup_pause, NULL);
	close(opening->pause.pidfd);
	opening->pause = (struct pause_process){ .pidfd = -1 };
	return false;
}

static void open_work(void *data)
{
	struct opening *opening = data;
	const struct cgroup_host *cgroups = &opening->executor->cgroups;
	const struct netns_options options = { .sysctls = opening->sysctls,
					       .sysctl_count = opening->sysctl_count };
	struct pause_spec pause = {
		.program = opening->program,
		.hostname = opening->hostname,
		.netns_path = opening->netns,
		.netns_fd = -1,
		.cgroup_host = cgroups,
		.cgroup_path = opening->cgroup_pause,
	};
	int r;

	r = task_files_write(opening->directory, opening->spec, NULL, &opening->err);
	if (r == 0 && adopts(opening))
		return;
	if (r == 0)
		r = cgroup_create(cgroups, opening->cgroup_task, &opening->limits, &opening->err);
	if (r == 0) {
		r = netns_create(opening->netns, &options, NULL, &opening->err);
		/* One without its pause process: of an attempt that was cut off. */
		if (r == -EEXIST && netns_delete(opening->netns, NULL, &opening->err) == 0)
			r = netns_create(opening->netns, &options, NULL, &opening->err);
	}
	if (r == 0) {
		r = pause_start_now(&pause, &opening->pause, &opening->err);
		if (r < 0)
			netns_delete(opening->netns, NULL, NULL);
	}
	opening->result = r;
}

static void open_done(void *data)
{
	struct opening *opening = data;
	struct executor *executor = opening->executor;
	struct live_task *task;

	if (opening->result < 0) {
		error_prefix(&opening->err,
			     "ContainerNetworkingError: failed to setup network namespace");
		answer_failed(executor, &opening->address, NULL, &opening->err);
		opening_free(opening);
		return;
	}
	task = live_task_get(executor, opening->spec);
	network_adopt_pause(task, &opening->pause);
	answer(executor, &opening->address,
	       (struct engine_done){ .network = { .pause_pid = opening->pause.pid,
						  .netns_path = opening->netns } });
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
	opening->pause.pidfd = -1;
	if (unsupported) {
		error_say(&opening->err, ENOTSUP, "%s", unsupported);
		answer_failed(executor, &opening->address, NULL, &opening->err);
		opening_free(opening);
		return;
	}
	opening->netns = path_netns(config, effect->task_id);
	opening->cgroup_task = cgroup_path_task(config, effect->task_id);
	opening->cgroup_pause = cgroup_path_pause(config, effect->task_id);
	opening->program = xasprintf("%s/berth-pause", config->libexec_dir);
	opening->directory = path_task(config, effect->task_id);
	opening->hostname = task_hostname(effect->spec, NULL);
	if (config->task_cpu_mem_limit)
		opening->limits = task_cgroup_limits(effect->spec);
	gather_sysctls(opening);
	loop_work(executor->config.loop, open_work, open_done, opening);
}
