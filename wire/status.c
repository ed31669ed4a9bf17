/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/status.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const task_names[] = {
	[TASK_STATUS_NONE] = "NONE",       [TASK_STATUS_MANIFEST_PULLED] = "MANIFEST_PULLED",
	[TASK_STATUS_PULLED] = "PULLED",   [TASK_STATUS_CREATED] = "CREATED",
	[TASK_STATUS_RUNNING] = "RUNNING", [TASK_STATUS_STOPPED] = "STOPPED",
};

static const char *const container_names[] = {
	[CONTAINER_STATUS_NONE] = "NONE",
	[CONTAINER_STATUS_MANIFEST_PULLED] = "MANIFEST_PULLED",
	[CONTAINER_STATUS_PULLED] = "PULLED",
	[CONTAINER_STATUS_CREATED] = "CREATED",
	[CONTAINER_STATUS_RUNNING] = "RUNNING",
	[CONTAINER_STATUS_RESOURCES_PROVISIONED] = "RESOURCES_PROVISIONED",
	[CONTAINER_STATUS_STOPPED] = "STOPPED",
};

static const char *const health_names[] = {
	[HEALTH_STATUS_UNKNOWN] = "UNKNOWN",
	[HEALTH_STATUS_HEALTHY] = "HEALTHY",
	[HEALTH_STATUS_UNHEALTHY] = "UNHEALTHY",
};

static const char *const managed_agent_names[] = {
	[MANAGED_AGENT_STATUS_NONE] = "NONE",
	[MANAGED_AGENT_STATUS_CREATED] = "CREATED",
	[MANAGED_AGENT_STATUS_RUNNING] = "RUNNING",
	[MANAGED_AGENT_STATUS_STOPPED] = "STOPPED",
};

/* What has no name on the wire is not found by container_condition_of(). */
static const char *const condition_names[] = {
	[CONTAINER_CONDITION_START] = "START",     [CONTAINER_CONDITION_COMPLETE] = "COMPLETE",
	[CONTAINER_CONDITION_SUCCESS] = "SUCCESS", [CONTAINER_CONDITION_HEALTHY] = "HEALTHY",
	[CONTAINER_CONDITION_CREATE] = "CREATE",   [CONTAINER_CONDITION_OTHER] = "OTHER",
};

static const char *name_in(const char *const *names, size_t count, unsigned int index)
{
	return index < count ? names[index] : "?";
}

static int find(const char *const *names, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], text) == 0)
			return (int)i;
	}
	return -1;
}

const char *task_status_name(enum task_status status)
{
	return name_in(task_names, COUNT(task_names), status);
}

const char *container_status_name(enum container_status status)
{
	return name_in(container_names, COUNT(container_names), status);
}

const char *health_status_name(enum health_status status)
{
	return name_in(health_names, COUNT(health_names), status);
}

const char *managed_agent_status_name(enum managed_agent_status status)
{
	return name_in(managed_agent_names, COUNT(managed_agent_names), status);
}

const char *container_condition_name(enum container_condition condition)
{
	return name_in(condition_names, COUNT(condition_names), condition);
}

const char *task_status_wire(enum task_status status)
{
	return status == TASK_STATUS_RUNNING || status == TASK_STATUS_STOPPED
		       ? task_status_name(status)
		       : "PENDING";
}

const char *container_status_wire(enum container_status status)
{
	switch (status) {
	case CONTAINER_STATUS_RUNNING:
	case CONTAINER_STATUS_RESOURCES_PROVISIONED: /* the steady state of a pause container */
		return "RUNNING";
	case CONTAINER_STATUS_STOPPED:
		return "STOPPED";
	default:
		return "PENDING";
	}
}

int task_status_parse(const char *text, enum task_status *ret, struct error *err)
{
	int found = find(task_names, COUNT(task_names), text);

	if (strcmp(text, "UNKNOWN") == 0)
		found = TASK_STATUS_NONE;
	if (strcmp(text, "DEAD") == 0)
		found = TASK_STATUS_STOPPED;
	if (found < 0)
		return error_say(err, EINVAL, "unrecognized task status \"%s\"", text);
	*ret = (enum task_status)found;
	return 0;
}

int container_status_parse(const char *text, enum container_status *ret, struct error *err)
{
	int found = find(container_names, COUNT(container_names), text);

	if (strcmp(text, "UNKNOWN") == 0)
		found = CONTAINER_STATUS_NONE;
	if (strcmp(text, "DEAD") == 0)
		found = CONTAINER_STATUS_STOPPED;
	if (found < 0)
		return error_say(err, EINVAL, "unrecognized container status \"%s\"", text);
	*ret = (enum container_status)found;
	return 0;
}

int health_status_parse(const char *text, enum health_status *ret, struct error *err)
{
	int found = find(health_names, COUNT(health_names), text);

	if (found < 0)
		return error_say(err, EINVAL, "unrecognized health status \"%s\"", text);
	*ret = (enum health_status)found;
	return 0;
}

int managed_agent_status_parse(const char *text, enum managed_agent_status *ret, struct error *err)
{
	int found = find(managed_agent_names, COUNT(managed_agent_names), text);

	if (found < 0)
		return error_say(err, EINVAL, "unrecognized managed agent status \"%s\"", text);
	*ret = (enum managed_agent_status)found;
	return 0;
}

enum container_condition container_condition_of(const char *text)
{
	int found = text ? find(condition_names, COUNT(condition_names), text) : -1;

	/* CREATE is ours alone: who sends it means something that we do not know. */
	if (found < 0 || found == CONTAINER_CONDITION_CREATE)
		return CONTAINER_CONDITION_OTHER;
	return (enum container_condition)found;
}
