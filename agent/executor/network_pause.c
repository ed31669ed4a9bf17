/* SPDX-License-Identifier: Apache-2.0 */
/* The pause process that holds an awsvpc task's namespace: started, found again, watched. */
#include <stdlib.h>
#include <unistd.h>

#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "agent/executor/task_files.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "netns/namespace.h"

static void pause_died(void *data, pid_t pid)
{
	struct live_task *task = data;
	struct engine_event event = {
		.type = EVENT_PAUSE_EXITED,
		.wall_ms = clock_wall_ms(),
		.task_id = task->id,
	};

	pause_unwatch(task->watch);
	task->watch = NULL;
	task->pause.pid = 0;
	if (task->closing)
		return;
	log_warn("the pause process of a task has ended", "task", task->id, "pid", LOG_NUM(pid));
	task->executor->config.post(task->executor->config.data, &event);
}

void network_adopt_pause(struct live_task *task, const struct pause_process *process)
{
	struct error err = ERROR_INIT;

	/* The watch goes before the descriptor that it watches. */
	if (task->watch)
		pause_unwatch(task->watch);
	task->watch = NULL;
	if (task->pause.pidfd >= 0)
		close(task->pause.pidfd);
	task->pause = *process;
	if (pause_watch(task->executor->config.loop, &task->pause, pause_died, task, &task->watch,
			&err) < 0)
		log_error("a pause process cannot be watched: its end will not be noticed", "task",
			  task->id, "error", err.text);
}

/* ---- start ---- */

struct holding {
	struct operation operation;
	struct executor *executor;
	struct task_spec *spec;
	char *netns;
	char *cgroup;
	char *program;
	char *hostname;
	void (*done)(void *data, int pid, const struct error *err);
	void *data;
	struct pause_process pause;
	int result;
	struct error err;
};

static void holding_free(void *data)
{
	struct holding *holding = data;

	operation_end(&holding->operation);
	/* The process itself is found again. */
	if (holding->pause.pidfd >= 0)
		close(holding->pause.pidfd);
	task_spec_unref(holding->spec);
	free(holding->netns);
	free(holding->cgroup);
	free(holding->program);
	free(holding->hostname);
	free(holding);
}

/* Whether what an earlier attempt left is whole: a pause process in the namespace that the file
 * names. */
static bool adopts(struct holding *holding)
{
	_cleanup_close_ int named = -1, held = -1;
	_cleanup_free_ char *path = NULL;
	struct netns_identity a, b;

	if (pause_observe(&holding->executor->cgroups, holding->cgroup, &holding->pause, NULL) < 0)
		return false;
	path = xasprintf("/proc/%d/ns/net", (int)holding->pause.pid);
	if (netns_open(holding->netns, &named, NULL) == 0 && netns_open(path, &held, NULL) == 0 &&
	    netns_identity(named, &a, NULL) == 0 && netns_identity(held, &b, NULL) == 0 &&
	    netns_identity_equal(&a, &b))
		return true;
	pause_stop_now(&holding->pause, &holding->executor->cgroups, holding->cgroup, NULL);
	close(holding->pause.pidfd);
	holding->pause = (struct pause_process){ .pidfd = -1 };
	return false;
}

static void hold_work(void *data)
{
	struct holding *holding = data;
	const struct pause_spec pause = {
		.program = holding->program,
		.hostname = holding->hostname,
		.netns_path = holding->netns,
		.netns_fd = -1,
		.cgroup_host = &holding->executor->cgroups,
		.cgroup_path = holding->cgroup,
	};

	if (!adopts(holding))
		holding->result = pause_start_now(&pause, &holding->pause, &holding->err);
}

static void hold_done(void *data)
{
	struct holding *holding = data;
	int pid = holding->result < 0 ? 0 : (int)holding->pause.pid;

	if (holding->result == 0) {
		network_adopt_pause(live_task_get(holding->executor, holding->spec),
				    &holding->pause);
		holding->pause.pidfd = -1;
	}
	holding->done(holding->data, pid, &holding->err);
	holding_free(holding);
}

void network_hold(struct executor *executor, const struct task_spec *spec,
		  void (*done)(void *data, int pid, const struct error *err), void *data)
{
	const struct agent_config *config = executor->config.config;
	struct holding *holding = xcalloc(1, sizeof(*holding));

	holding->executor = executor;
	holding->spec = task_spec_ref((struct task_spec *)(uintptr_t)spec);
	holding->netns = path_netns(config, spec->id);
	holding->cgroup = cgroup_path_pause(config, spec->id);
	holding->program = xasprintf("%s/berth-pause", config->libexec_dir);
	holding->hostname = task_hostname(spec, NULL);
	holding->pause.pidfd = -1;
	holding->done = done;
	holding->data = data;
	operation_begin(executor->operations, &holding->operation, holding_free, holding);
	operations_work(executor->operations, hold_work, hold_done, holding);
}
