/* SPDX-License-Identifier: Apache-2.0 */
/* TEAR_DOWN_NETWORK: interfaces in reverse, the pause process, the namespace; last the address by
 * which the task was known. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/executor/cni_awsvpc.h"
#include "agent/executor/cni_ecs_bridge.h"
#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/namespace.h"

/* Groups of dying processes are waited for this long. */
#define CGROUP_WAIT_MS 2000

struct closing {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	char *netns;
	char *cgroup_pause;
	size_t left; /* interfaces still to be deleted */
	char ifname[16];
	struct str_list host_ends;  /* of the interfaces that are deleted */
	struct pause_process pause; /* pid 0: look for one */
	int result;
	struct error err;
};

static void closing_free(void *data)
{
	struct closing *closing = data;

	operation_end(&closing->operation);
	if (closing->pause.pidfd >= 0)
		close(closing->pause.pidfd);
	str_list_free(&closing->host_ends);
	address_free(&closing->address);
	task_spec_unref(closing->spec);
	free(closing->netns);
	free(closing->cgroup_pause);
	free(closing);
}

static void close_work(void *data)
{
	struct closing *closing = data;
	const struct cgroup_host *cgroups = &closing->executor->cgroups;
	int r = 0;

	if (closing->pause.pid > 0 ||
	    pause_observe(cgroups, closing->cgroup_pause, &closing->pause, NULL) == 0) {
		r = pause_stop_now(&closing->pause, cgroups, closing->cgroup_pause, &closing->err);
	} else {
		cgroup_remove(cgroups, closing->cgroup_pause, CGROUP_WAIT_MS, NULL);
	}
	if (r == 0)
		r = netns_delete(closing->netns, NULL, &closing->err);
	closing->result = r;
}

static void close_failed(struct closing *closing)
{
	error_prefix(&closing->err, "remove the network namespace of task %s",
		     closing->address.task_id);
	answer_failed(closing->executor, &closing->address, "ContainerNetworkingError",
		      &closing->err);
	closing_free(closing);
}

static void close_succeeded(struct closing *closing)
{
	answer_ok(closing->executor, &closing->address);
	network_links_gone(closing->executor, &closing->host_ends);
	closing_free(closing);
}

/* ---- ecs-eth0 ---- */

/* Whether the task has it, or may have it half made. */
static bool has_local(const struct closing *closing)
{
	_cleanup_cni_result_ struct cni_result result = CNI_RESULT_INIT;

	return cni_cached_result(closing->executor->cni, closing->address.task_id,
				 ECS_BRIDGE_IFNAME, &result, NULL) != -ENOENT;
}

static void delete_local(struct closing *closing, char *conflist, bool keeps_record, cni_done done)
{
	cni_del(closing->executor->cni,
		&(struct cni_attachment){
			.container_id = closing->address.task_id,
			.netns_path = access(closing->netns, F_OK) == 0 ? closing->netns : NULL,
			.ifname = ECS_BRIDGE_IFNAME,
			.conflist = conflist,
			.keeps_record = keeps_record },
		done, closing, NULL);
	free(conflist);
}

static void local_released(void *data, const struct cni_result *result, const struct error *err)
{
	struct closing *closing = data;

	(void)result;
	if (err) {
		closing->err = *err;
		close_failed(closing);
	} else {
		close_succeeded(closing);
	}
}

static void close_done(void *data)
{
	struct closing *closing = data;
	const struct task_spec *spec = closing->spec;

	if (closing->result < 0)
		close_failed(closing);
	else if (has_local(closing))
		delete_local(
			closing,
			ecs_bridge_conflist_release(spec->enis[spec->eni_count - 1].mac_address),
			false, local_released);
	else
		close_succeeded(closing);
}

/* ---- the others ---- */

static void detach_next(struct closing *closing);

static void detached(void *data, const struct cni_result *result, const struct error *err)
{
	struct closing *closing = data;

	network_host_ends(result, &closing->host_ends);
	/* The namespace goes all the same, and what is in it with it. */
	if (err)
		log_error("a network interface could not be removed as its plugin would", "task",
			  closing->address.task_id, "interface",
			  closing->ifname[0] ? closing->ifname : ECS_BRIDGE_IFNAME, "error",
			  err->text);
	detach_next(closing);
}

static void detach_next(struct closing *closing)
{
	struct executor *executor = closing->executor;
	struct live_task *task;
	struct cni_attachment attachment;

	if (closing->left > 0) {
		closing->left--;
		attachment = (struct cni_attachment){
			.container_id = closing->address.task_id,
			.netns_path = access(closing->netns, F_OK) == 0 ? closing->netns : NULL,
			.ifname = awsvpc_ifname(closing->left, closing->ifname),
		};
		cni_del(executor->cni, &attachment, detached, closing, NULL);
		return;
	}
	task = live_task_find(executor, closing->address.task_id);
	if (task) {
		if (task->watch)
			pause_unwatch(task->watch);
		task->watch = NULL;
		closing->pause = task->pause;
		task->pause = (struct pause_process){ .pidfd = -1 };
	}
	operations_work(executor->operations, close_work, close_done, closing);
}

void act_tear_down_network(struct executor *executor, const struct engine_effect *effect)
{
	struct closing *closing = xcalloc(1, sizeof(*closing));
	struct live_task *task = live_task_get(executor, effect->spec);

	task->closing = true;
	if (task->namespace_open)
		executor->config.namespace_closing(executor->config.data, task->id, task->id);
	task->namespace_open = false;
	closing->executor = executor;
	closing->address = address_of(effect);
	closing->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	closing->netns = path_netns(executor->config.config, effect->task_id);
	closing->cgroup_pause = cgroup_path_pause(executor->config.config, effect->task_id);
	closing->pause.pidfd = -1;
	closing->left = effect->spec->eni_count;
	operation_begin(executor->operations, &closing->operation, closing_free, closing);
	/* Its record stays until its address is given back: whatever ends the agent meanwhile, that
	 * is not forgotten. */
	if (has_local(closing))
		delete_local(closing, ecs_bridge_conflist_detach(), true, detached);
	else
		detach_next(closing);
}
