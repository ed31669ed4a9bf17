/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a task needs on the host beside containers and network: its control group, and the volumes
 * that its containers mount. They are made side by side with pulls and network, as soon as the task
 * is let in; a container is created when those that it uses are there. Making one twice is making
 * it once, so nothing of this is saved: after a restart of the agent they are made again before the
 * next container is.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine/internal.h"
#include "base/alloc.h"
#include "base/str.h"

static bool mounts(const struct container_spec *container, const struct volume_spec *volume)
{
	for (size_t i = 0; i < container->mount_point_count; i++)
		if (str_eq(container->mount_points[i].source_volume, volume->name))
			return true;
	return false;
}

static bool is_mounted(const struct task_spec *spec, const struct volume_spec *volume)
{
	for (size_t i = 0; i < spec->container_count; i++)
		if (mounts(&spec->containers[i], volume))
			return true;
	return false;
}

/* The control group first; a volume that nobody mounts is not made. */
void resources_prepare(struct task *task)
{
	const struct task_spec *spec = task->state->spec;

	free(task->resources);
	task->resources = xcalloc(spec->volume_count + 1, sizeof(*task->resources));
	task->resources[0] = (struct resource){ .kind = RESOURCE_CGROUP };
	task->resource_count = 1;
	for (size_t i = 0; i < spec->volume_count; i++)
		if (is_mounted(spec, &spec->volumes[i]))
			task->resources[task->resource_count++] =
				(struct resource){ .kind = RESOURCE_VOLUME, .volume = i };
}

bool resources_ready(const struct task *task, size_t container)
{
	const struct task_spec *spec = task->state->spec;

	for (size_t i = 0; i < task->resource_count; i++) {
		const struct resource *resource = &task->resources[i];

		if (!resource->created &&
		    (resource->kind == RESOURCE_CGROUP ||
		     mounts(&spec->containers[container], &spec->volumes[resource->volume])))
			return false;
	}
	return true;
}

bool resources_in_flight(const struct task *task)
{
	for (size_t i = 0; i < task->resource_count; i++)
		if (task->resources[i].in_flight)
			return true;
	return false;
}

static bool any_to_create(const struct task *task)
{
	for (size_t i = 0; i < task->state->container_count; i++)
		if (task->state->containers[i].known < CONTAINER_STATUS_CREATED)
			return true;
	return false;
}

void resources_advance(struct engine *engine, struct task *task)
{
	if (!task->state->admitted || task->state->desired != TASK_STATUS_RUNNING ||
	    !any_to_create(task))
		return;
	for (size_t i = 0; i < task->resource_count; i++) {
		struct resource *resource = &task->resources[i];

		if (resource->created || resource->in_flight)
			continue;
		resource->in_flight = true;
		struct engine_effect *effect = effect_add(engine, EFFECT_CREATE_RESOURCE, task);

		effect->resource = (struct engine_resource){ resource->kind, i, resource->volume };
	}
}

/* The reference puts a resource's text into the task's reason: its first letter large, white space
 * as single blanks. */
static char *reason_of(const char *text)
{
	char *reason = xmalloc(strlen(text) + 1);
	size_t length = 0;

	for (const char *from = text; *from; from++)
		if (!isspace((unsigned char)*from))
			reason[length++] = *from;
		else if (length > 0 && reason[length - 1] != ' ')
			reason[length++] = ' ';
	reason[length] = '\0';
	reason[0] = (char)toupper((unsigned char)reason[0]);
	return reason;
}

static void fail(struct engine *engine, struct task *task, const struct resource *resource,
		 const struct engine_done *done)
{
	const char *text = done->error_text ? done->error_text : "no reason was given";
	char *whole =
		resource->kind == RESOURCE_CGROUP
			? xasprintf("CgroupError: Agent could not create task's platform "
				    "resources: %s",
				    text)
			: xasprintf(
				  "VolumeError: Agent could not create task's volume resources: %s",
				  text);
	char *reason = reason_of(whole);

	task_set_reason(task, reason);
	task_want_stop(engine, task, PERSIST_NOW);
	free(whole);
	free(reason);
}

void resource_done(struct engine *engine, struct task *task, const struct engine_done *done)
{
	if (done->resource >= task->resource_count || !task->resources[done->resource].in_flight)
		return; /* an echo */
	struct resource *resource = &task->resources[done->resource];

	resource->in_flight = false;
	resource->created = !done->failed;
	if (done->failed)
		fail(engine, task, resource, done);
}
