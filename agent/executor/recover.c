/* SPDX-License-Identifier: Apache-2.0 */
/* What is true when the agent starts, and the removal of what nobody knows. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/executor/cni_ecs_bridge.h"
#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/str.h"
#include "netns/namespace.h"

#define CGROUP_WAIT_MS 2000

static struct engine_observation seen_of(const struct container_observation *seen)
{
	struct engine_observation observation = { .seen = SEEN_NOTHING };

	switch (seen->state) {
	case CONTAINER_NONE:
	case CONTAINER_CREATING: /* the creation is repeated, and takes the monitor's result over */
		break;
	case CONTAINER_CREATED:
		observation.seen = SEEN_CREATED;
		break;
	case CONTAINER_RUNNING:
		observation.seen = SEEN_RUNNING;
		observation.pid = seen->pid;
		break;
	case CONTAINER_EXITED:
		observation.seen = SEEN_EXITED;
		observation.exit = container_exit_for_engine(&seen->exit);
		break;
	case CONTAINER_LOST:
		observation.seen = SEEN_VANISHED;
		break;
	}
	return observation;
}

static bool has_run_before(struct executor *executor, const struct task_state *task,
			   const struct container_state *state)
{
	_cleanup_free_ char *directory = path_state(executor->config.config, task->spec->id,
						    state->runtime_id, state->attempt - 1);
	struct container_observation seen = { 0 };

	return container_observe(directory, &seen, NULL) == 0 && seen.state != CONTAINER_NONE;
}

static struct engine_observation observe_container(struct executor *executor,
						   const struct task_state *task, size_t index)
{
	struct live_task *live = live_task_get(executor, task->spec);
	struct live_container *container = &live->containers[index];
	const struct container_state *state = &task->containers[index];
	_cleanup_free_ char *directory = NULL;
	struct container_observation seen = { 0 };
	struct engine_observation observation;
	struct error err = ERROR_INIT;

	/* The engine does not know the task yet, so nothing can be looked up there. */
	live_container_bind(container, state);
	directory = live_container_state_path(container);
	if (container_observe(directory, &seen, &err) < 0) {
		log_error("the state of a container cannot be read: it counts as vanished", "task",
			  task->spec->id, "container", state->spec->name, "error", err.text);
		return (struct engine_observation){ .seen = SEEN_VANISHED };
	}
	if ((seen.state == CONTAINER_RUNNING || seen.state == CONTAINER_CREATED) &&
	    container_watch(executor->runtime, container->run_id, directory, &err) < 0)
		log_error("a container cannot be watched", "task", task->spec->id, "container",
			  state->spec->name, "error", err.text);
	log_info("container found after a restart", "task", task->spec->id, "container",
		 state->spec->name, "state", container_phase_name(seen.state), "pid",
		 LOG_NUM(seen.pid));
	observation = seen_of(&seen);
	if (state->restarting && observation.seen == SEEN_NOTHING)
		observation.run_before = has_run_before(executor, task, state);
	return observation;
}

/* What was connected still is, unless the host has started anew. */
static void adopt_connection(struct executor *executor, const struct task_state *task, size_t index)
{
	struct live_container *container = &live_task_get(executor, task->spec)->containers[index];
	const struct connection_state *connection = &task->containers[index].connection;
	_cleanup_free_ char *netns =
		path_netns(executor->config.config, task->containers[index].runtime_id);
	struct error err = ERROR_INIT;

	if (connection->status != NETWORK_READY || access(netns, F_OK) < 0)
		return;
	if (ports_take_again(connection, &container->ports, &err) < 0)
		log_warn("a published port of a container could not be held again: another program "
			 "may take it",
			 "task", task->spec->id, "container", task->containers[index].spec->name,
			 "error", err.text);
	network_opened(container->task, container->runtime_id, network_listen(netns, false, &err),
		       &err);
}

/* By what the task was given, whatever the settings say now. */
static void adopt_endpoint(struct live_task *task, const char *netns)
{
	const struct executor_config *config = &task->executor->config;
	_cleanup_cni_result_ struct cni_result local = CNI_RESULT_INIT;
	struct error err = ERROR_INIT;
	char text[IP_TEXT_SIZE];
	int r = cni_cached_result(task->executor->cni, task->id, ECS_BRIDGE_IFNAME, &local, &err);

	if (r == 0 && local.ip_count > 0)
		config->task_addressed(config->data, task->id,
				       ip_format(&local.ips[0].address.address, text));
	else
		network_opened(task, task->id, network_listen(netns, false, &err), &err);
}

void executor_observe(struct executor *executor, const struct task_state *task,
		      struct engine_observation *ret_pause,
		      struct engine_observation *ret_containers)
{
	struct live_task *live = live_task_get(executor, task->spec);
	_cleanup_free_ char *cgroup = cgroup_path_pause(executor->config.config, task->spec->id);
	_cleanup_free_ char *netns = path_netns(executor->config.config, task->spec->id);
	struct pause_process process;

	*ret_pause = (struct engine_observation){ .seen = SEEN_NOTHING };
	if (task_has_own_network(task->spec) &&
	    pause_observe(&executor->cgroups, cgroup, &process, NULL) == 0) {
		*ret_pause =
			(struct engine_observation){ .seen = SEEN_RUNNING, .pid = process.pid };
		network_adopt_pause(live, &process);
		/* One that is not ready yet is attached again, and gets its endpoint then. */
		if (task->network.status >= NETWORK_READY) {
			live->namespace_open = true;
			adopt_endpoint(live, netns);
		}
	} else if (task->network.status >= NETWORK_OPEN && task->network.status < NETWORK_GONE) {
		ret_pause->seen = SEEN_VANISHED;
	}
	for (size_t i = 0; i < task->container_count; i++) {
		ret_containers[i] = observe_container(executor, task, i);
		adopt_connection(executor, task, i);
	}
}

/* ---- the sweep ---- */

/* What the runtime keeps of each attempt. */
static void sweep_runs(struct executor *executor, const char *directory, const char *runtime_id)
{
	_cleanup_closedir_ DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *run = NULL;
		_cleanup_free_ char *runtime = NULL;
		uint64_t attempt;

		if (!str_starts_with(entry->d_name, "state-") ||
		    number_parse_u64(entry->d_name + strlen("state-"), 1, UINT32_MAX, &attempt,
				     NULL) < 0)
			continue;
		run = run_id(runtime_id, (uint32_t)attempt);
		runtime = xasprintf("%s/runtime/%s", executor->config.config->run_dir, run);
		file_remove_tree(AT_FDCWD, runtime, NULL);
	}
}

static void sweep_bundles(struct executor *executor, const char *directory)
{
	_cleanup_closedir_ DIR *dir = opendir(directory);
	struct dirent *entry;
	struct error err = ERROR_INIT;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *container = NULL;
		_cleanup_free_ char *bundle = NULL;

		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR)
			continue;
		container = xasprintf("%s/%s", directory, entry->d_name);
		bundle = xasprintf("%s/bundle", container);
		if (access(bundle, F_OK) == 0 && bundle_remove(bundle, &err) < 0)
			log_error("a left-over root file system cannot be removed", "path", bundle,
				  "error", err.text);
		sweep_runs(executor, container, entry->d_name);
	}
}

static void sweep_task(struct executor *executor, const char *task_id)
{
	const struct agent_config *config = executor->config.config;
	_cleanup_free_ char *directory = path_task(config, task_id);
	_cleanup_free_ char *cgroup = cgroup_path_task(config, task_id);
	_cleanup_free_ char *netns = path_netns(config, task_id);
	struct error err = ERROR_INIT;

	log_warn("removing what is left of a task that is not known", "task", task_id);
	cgroup_kill(&executor->cgroups, cgroup, NULL);
	if (cgroup_remove(&executor->cgroups, cgroup, CGROUP_WAIT_MS, &err) < 0)
		log_error("a left-over control group cannot be removed", "task", task_id, "error",
			  err.text);
	sweep_bundles(executor, directory);
	if (netns_delete(netns, NULL, &err) < 0)
		log_error("a left-over network namespace cannot be removed", "task", task_id,
			  "error", err.text);
	if (file_remove_tree(AT_FDCWD, directory, &err) < 0)
		log_error("a left-over directory cannot be removed", "task", task_id, "error",
			  err.text);
}

static void gather(const char *directory, struct str_list *ids)
{
	_cleanup_closedir_ DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && !str_list_has(ids, entry->d_name))
			str_list_add(ids, entry->d_name);
	}
}

static void swept(void *data, const struct cni_result *result, const struct error *err)
{
	(void)data;
	(void)result;
	if (err)
		log_error("a left-over network interface cannot be removed", "error", err->text);
}

struct attachment_sweep {
	struct executor *executor;
	struct str_list *task_ids; /* that were swept */
};

static void sweep_attachment(void *data, const char *container_id, const char *ifname,
			     const char *netns_path)
{
	const struct attachment_sweep *sweep = data;
	struct executor *executor = sweep->executor;
	struct cni_attachment attachment = { .container_id = container_id, .ifname = ifname };

	size_t container;

	if (network_owner(executor, container_id, &container))
		return;
	if (netns_path && access(netns_path, F_OK) == 0)
		attachment.netns_path = netns_path;
	if (!str_list_has(sweep->task_ids, container_id))
		str_list_add(sweep->task_ids, container_id);
	cni_del(executor->cni, &attachment, swept, NULL, NULL);
}

void executor_sweep(struct executor *executor)
{
	const struct agent_config *config = executor->config.config;
	_cleanup_free_ char *tasks = path_tasks(config);
	_cleanup_free_ char *netns = path_netns_directory(config);
	_cleanup_str_list_ struct str_list ids = STR_LIST_INIT;
	struct attachment_sweep attachments = { executor, &ids };
	size_t container;
	struct error err = ERROR_INIT;

	gather(tasks, &ids);
	gather(netns, &ids);
	cgroup_children(&executor->cgroups, config->cgroup_parent, &ids, NULL);
	for (size_t i = 0; i < ids.count; i++) {
		if (!network_owner(executor, ids.items[i], &container))
			sweep_task(executor, ids.items[i]);
	}
	if (cni_each_cached(executor->cni, sweep_attachment, &attachments, &err) < 0)
		log_error("the cache of network attachments cannot be read", "error", err.text);
	network_links_sweep(executor, &ids);
}
