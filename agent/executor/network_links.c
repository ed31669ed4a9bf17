/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's ends of tasks' interfaces. The kernel removes them some time after the namespace that
 * their peers were in; that it does is made sure of here, when nobody waits any more.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/executor/live.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "cni-plugins/host_end.h"
#include "netns/link.h"

/* The kernel takes tens of milliseconds for one, and does one after the other. No thread waits so
 * long: a look afterwards suffices. */
#define GONE_WAIT_MS 2000

struct leaving {
	struct operation operation;
	struct executor *executor;
	struct loop_timer *timer;
	struct str_list names;
	size_t deleted;
	int result;
	struct error err;
};

static void leaving_free(void *data)
{
	struct leaving *leaving = data;

	operation_end(&leaving->operation);
	loop_timer_free(leaving->timer);
	str_list_free(&leaving->names);
	free(leaving);
}

/* Plugins of others name bridges and the like beside the host's end: only links of ours are waited
 * for and, at worst, deleted. */
static void gather_ours(struct netlink *netlink, const struct str_list *names,
			struct str_list *ret_ours)
{
	for (size_t i = 0; i < names->count; i++) {
		struct link link;

		if (link_by_name(netlink, names->items[i], &link, NULL) == 0 &&
		    link.group == LINK_GROUP_BERTH)
			str_list_add(ret_ours, link.name);
	}
}

static void leave_work(void *data)
{
	struct leaving *leaving = data;
	struct netlink *netlink = NULL;
	struct str_list ours = STR_LIST_INIT;
	int r = netlink_open(&netlink, &leaving->err);

	if (r == 0) {
		gather_ours(netlink, &leaving->names, &ours);
		str_list_free(&leaving->names);
		leaving->names = ours;
		if (ours.count > 0)
			r = links_wait_gone(netlink, (const char *const *)ours.items, ours.count, 0,
					    &leaving->deleted, &leaving->err);
	}
	netlink_close(netlink);
	leaving->result = r;
}

static void leave_done(void *data)
{
	struct leaving *leaving = data;

	if (leaving->result < 0)
		log_error("the host's end of a network interface cannot be removed", "interface",
			  leaving->names.items[0], "error", leaving->err.text);
	else if (leaving->deleted > 0)
		log_warn("the host's end of a network interface outlived its namespace and was "
			 "deleted",
			 "interface", leaving->names.items[0], "links", LOG_NUM(leaving->deleted));
	leaving_free(leaving);
}

static void look(void *data)
{
	struct leaving *leaving = data;

	operations_work(leaving->executor->operations, leave_work, leave_done, leaving);
}

void network_host_ends(const struct cni_result *result, struct str_list *names)
{
	for (size_t i = 0; result && i < result->interface_count; i++) {
		if (!result->interfaces[i].sandbox && result->interfaces[i].name)
			str_list_add(names, result->interfaces[i].name);
	}
}

void network_links_gone(struct executor *executor, struct str_list *names)
{
	struct leaving *leaving;

	if (names->count == 0)
		return;
	leaving = xcalloc(1, sizeof(*leaving));
	leaving->executor = executor;
	leaving->names = *names;
	*names = (struct str_list)STR_LIST_INIT;
	operation_begin(executor->operations, &leaving->operation, leaving_free, leaving);
	leaving->timer = loop_timer_new(executor->config.loop, look, leaving);
	loop_timer_start(leaving->timer, GONE_WAIT_MS);
}

const struct task_state *network_owner(struct executor *executor, const char *name,
				       size_t *ret_container)
{
	const struct executor_config *config = &executor->config;
	const struct task_state *task = config->task(config->data, name);

	*ret_container = SIZE_MAX;
	if (task)
		return task;
	/* A runtime id begins with the id of its task, which may hold dashes itself. */
	for (const char *dash = strchr(name, '-'); dash; dash = strchr(dash + 1, '-')) {
		_cleanup_free_ char *id = xstrndup(name, (size_t)(dash - name));

		task = config->task(config->data, id);
		for (size_t i = 0; task && i < task->container_count; i++) {
			if (!str_eq(task->containers[i].runtime_id, name))
				continue;
			*ret_container = i;
			return task;
		}
	}
	return NULL;
}

/* Not simply every link of an unknown task: other agents of this host have theirs, with the same
 * mark. */
static bool is_orphan(struct executor *executor, const struct link *link,
		      const struct str_list *swept)
{
	_cleanup_free_ char *owner = host_end_alias_container(link->alias);
	const struct task_state *task;
	size_t container;

	if (!owner)
		return false;
	task = network_owner(executor, owner, &container);
	if (!task)
		return str_list_has(swept, owner);
	return (container == SIZE_MAX
			? task->network.status
			: task->containers[container].connection.status) == NETWORK_GONE;
}

void network_links_sweep(struct executor *executor, const struct str_list *swept)
{
	struct netlink *netlink = NULL;
	struct link_list links = { 0 };
	_cleanup_str_list_ struct str_list names = STR_LIST_INIT;
	struct error err = ERROR_INIT;
	int r = netlink_open(&netlink, &err);

	if (r == 0)
		r = link_list(netlink, LINK_GROUP_BERTH, &links, &err);
	if (r < 0)
		log_error("the host's network interfaces cannot be listed", "error", err.text);
	for (size_t i = 0; i < links.count; i++) {
		if (is_orphan(executor, &links.items[i], swept))
			str_list_add(&names, links.items[i].name);
	}
	link_list_free(&links);
	netlink_close(netlink);
	network_links_gone(executor, &names);
}
