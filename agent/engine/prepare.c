/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a task can run at all, before anything is done for it: names, links, dependencies, ports.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"
#include "wire/service_connect.h"

static size_t find(const struct task_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->container_count; i++)
		if (str_eq(spec->containers[i].name, name))
			return i;
	return SIZE_MAX;
}

/* One of each pair of containers and condition is enough. */
static void add(struct container *container, size_t on, enum container_condition condition)
{
	for (size_t i = 0; i < container->dependency_count; i++)
		if (container->dependencies[i].on == on &&
		    container->dependencies[i].condition == condition)
			return;
	container->dependencies[container->dependency_count].on = (uint32_t)on;
	container->dependencies[container->dependency_count].condition = condition;
	container->dependency_count++;
}

static int resource_failure(struct task *task, char *cause)
{
	char *reason = xasprintf("resource cannot be initialized for task %s: %s",
				 task->state->spec->arn, cause);

	task_set_reason(task, reason);
	free(reason);
	free(cause);
	return -EINVAL;
}

/* The task's reason is the reference's; the detail goes to the container. */
static int graph_failure(struct task *task, size_t index, char *detail)
{
	char *reason = xasprintf("Task dependencies cannot be resolved, taskArn: %s",
				 task->state->spec->arn);

	task_set_reason(task, reason);
	container_set_reason(task, index, "TaskDependencyError", detail);
	free(reason);
	free(detail);
	return -EINVAL;
}

/* "name" or "name:alias": the container must have started. */
static int add_link(struct task *task, struct container *container, const char *link)
{
	const char *colon = strchr(link, ':');

	if (colon && strchr(colon + 1, ':'))
		return resource_failure(task, xasprintf("invalid link format: %s", link));
	char *name = colon ? xstrndup(link, (size_t)(colon - link)) : xstrdup(link);
	size_t on = find(task->state->spec, name);

	if (on == SIZE_MAX) {
		char *cause = xasprintf("could not find container for link %s", name);

		free(name);
		return resource_failure(task, cause);
	}
	free(name);
	add(container, on, CONTAINER_CONDITION_START);
	return 0;
}

static int collect(struct task *task, size_t index)
{
	const struct task_spec *spec = task->state->spec;
	const struct container_spec *from = &spec->containers[index];
	struct container *container = &task->containers[index];

	free(container->dependencies);
	container->dependency_count = 0;
	container->dependencies =
		xcalloc(from->depends_on_count + from->links.count + from->volume_from_count +
				2, /* the log router, the relay */
			sizeof(*container->dependencies));
	for (size_t i = 0; i < from->depends_on_count; i++) {
		const struct container_dependency *wanted = &from->depends_on[i];
		size_t on = find(spec, wanted->container);

		if (on == SIZE_MAX)
			return graph_failure(
				task, index,
				xasprintf("container %s depends on %s, which is not in the task",
					  from->name, wanted->container));
		if (wanted->condition == CONTAINER_CONDITION_HEALTHY &&
		    !spec->containers[on].health_check_docker)
			return graph_failure(task, index,
					     xasprintf("container %s waits for %s to be HEALTHY, "
						       "but that has no health check",
						       from->name, wanted->container));
		if (wanted->condition == CONTAINER_CONDITION_OTHER)
			return graph_failure(task, index,
					     xasprintf("container %s waits for %s in a way that "
						       "this agent does not "
						       "know",
						       from->name, wanted->container));
		add(container, on, wanted->condition);
	}
	for (size_t i = 0; i < from->links.count; i++) {
		int r = add_link(task, container, from->links.items[i]);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < from->volume_from_count; i++) {
		size_t on = find(spec, from->volumes_from[i].source_container);

		if (on == SIZE_MAX)
			return resource_failure(
				task,
				xasprintf("could not find volume source container with name %s",
					  from->volumes_from[i].source_container));
		add(container, on, CONTAINER_CONDITION_CREATE);
	}
	return 0;
}

/*
 * Whoever logs through the router (log driver awsfirelens) starts after it, unless it depends on it
 * already. A router that has dependencies of its own is left alone: that would be a cycle all too
 * easily.
 */
static void add_log_router(struct task *task)
{
	const struct task_spec *spec = task->state->spec;
	size_t router = 0;

	while (router < spec->container_count && !spec->containers[router].firelens_type)
		router++;
	if (router == spec->container_count || task->containers[router].dependency_count > 0)
		return;
	for (size_t i = 0; i < spec->container_count; i++) {
		bool depends = false;

		for (size_t j = 0; j < task->containers[i].dependency_count; j++)
			depends |= task->containers[i].dependencies[j].on == router;
		if (i != router && !depends &&
		    str_eq(spec->containers[i].docker.log_driver, "awsfirelens"))
			add(&task->containers[i], router, CONTAINER_CONDITION_START);
	}
}

/* Which containers this one depends on, directly or through others, and itself. The caller frees.
 */
static bool *needed_by(const struct task *task, size_t index)
{
	size_t count = task->state->container_count;
	bool *needed = xcalloc(count, sizeof(*needed));
	bool moved = true;

	needed[index] = true;
	while (moved) {
		moved = false;
		for (size_t i = 0; i < count; i++)
			for (size_t j = 0; needed[i] && j < task->containers[i].dependency_count;
			     j++) {
				bool *on = &needed[task->containers[i].dependencies[j].on];

				moved |= !*on;
				*on = true;
			}
	}
	return needed;
}

/* All others speak by way of Service Connect's relay: it is there first, and last; but for those
 * that it needs itself, such as its log router. */
static void add_relay(struct task *task)
{
	const struct task_spec *spec = task->state->spec;
	_cleanup_free_ bool *needed = NULL;
	size_t relay;

	if (!spec->service_connect)
		return;
	relay = find(spec, spec->service_connect->container);
	needed = needed_by(task, relay);
	for (size_t i = 0; i < spec->container_count; i++)
		if (!needed[i])
			add(&task->containers[i], relay,
			    spec->containers[relay].health_check_docker
				    ? CONTAINER_CONDITION_HEALTHY
				    : CONTAINER_CONDITION_START);
}

/* A GPU belongs to one container. */
static int check_associations(struct task *task)
{
	const struct task_spec *spec = task->state->spec;

	for (size_t i = 0; i < spec->association_count; i++) {
		const struct task_association *association = &spec->associations[i];

		if (!str_eq(association->type, "gpu"))
			continue;
		if (association->containers.count != 1)
			return resource_failure(
				task, xasprintf("could not associate multiple containers to GPU %s",
						association->name));
		if (find(spec, association->containers.items[0]) == SIZE_MAX)
			return resource_failure(task, xasprintf("could not find container with "
								"name %s for associating GPU %s",
								association->containers.items[0],
								association->name));
	}
	return 0;
}

/* Picks containers whose dependencies have all been picked; who is left over stands on a cycle, or
 * behind one. */
static int check_cycles(struct task *task)
{
	size_t count = task->state->container_count, picked_count = 0;
	bool *picked = xcalloc(count, sizeof(*picked));
	bool moved = true;

	while (moved) {
		moved = false;
		for (size_t i = 0; i < count; i++) {
			bool ready = !picked[i];

			for (size_t j = 0; ready && j < task->containers[i].dependency_count; j++)
				ready = picked[task->containers[i].dependencies[j].on];
			if (!ready)
				continue;
			picked[i] = moved = true;
			picked_count++;
		}
	}
	size_t left = 0;

	while (left < count && picked[left])
		left++;
	free(picked);
	if (picked_count == count)
		return 0;
	return graph_failure(task, left,
			     xasprintf("container %s waits for itself through its dependencies",
				       task->state->spec->containers[left].name));
}

static int check_limits(struct task *task)
{
	const struct task_spec *spec = task->state->spec;

	for (size_t i = 0; spec->memory_mib > 0 && i < spec->container_count; i++)
		if (spec->containers[i].memory_mib > spec->memory_mib)
			return resource_failure(task,
						xasprintf("cgroup resource: unable to build "
							  "resource spec for task: task memory "
							  "spec builder: container memory "
							  "limit(%lld) greater than task memory "
							  "limit(%lld)",
							  (long long)spec->containers[i].memory_mib,
							  (long long)spec->memory_mib));
	return 0;
}

static int check_network(struct task *task)
{
	const struct task_spec *spec = task->state->spec;

	switch (spec->network_mode) {
	case NETWORK_MODE_AWSVPC:
		if (spec->eni_count > 0)
			return 0;
		return resource_failure(
			task, xstrdup("network mode awsvpc needs an elastic network interface, and "
				      "the payload brought none"));
	case NETWORK_MODE_HOST:
	case NETWORK_MODE_NONE:
	case NETWORK_MODE_BRIDGE:
		return 0;
	case NETWORK_MODE_OTHER:
		break;
	}
	return resource_failure(
		task,
		xasprintf("network mode %s is not supported by this agent; use awsvpc, bridge, "
			  "host or none",
			  spec->network_mode_name));
}

int task_prepare(struct engine *engine, struct task *task)
{
	const struct task_spec *spec = task->state->spec;
	int r = 0;

	ask_clear(&task->ask);
	ask_compute(engine, spec, &task->ask);
	resources_prepare(task);
	if (spec->container_count == 0) {
		task_set_reason(task, "TaskStateError: the task has no containers");
		return -EINVAL;
	}
	for (size_t i = 0; r == 0 && i < spec->container_count; i++)
		r = collect(task, i);
	if (r == 0) {
		add_log_router(task);
		add_relay(task);
	}
	if (r == 0)
		r = check_cycles(task);
	if (r == 0)
		r = check_associations(task);
	if (r == 0)
		r = check_limits(task);
	if (r == 0)
		r = check_network(task);
	if (r == 0 && !spec->skips_host_resources) {
		char *refusal = admission_refusal(engine, &task->ask);

		if (refusal)
			r = resource_failure(task, refusal);
	}
	/* A task that will never run waits for nothing, least of all for itself. */
	for (size_t i = 0; r < 0 && i < spec->container_count; i++)
		task->containers[i].dependency_count = 0;
	return r;
}
