/* SPDX-License-Identifier: Apache-2.0 */
/* Which launch types could run a task definition. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

/* Memory in MiB that Fargate has for a number of CPU units: min, max, and the step between. */
static const struct fargate_size {
	int64_t cpu, min, max, step;
} fargate_sizes[] = {
	{ 256, 512, 512, 512 },       { 256, 1024, 2048, 1024 },      { 512, 1024, 4096, 1024 },
	{ 1024, 2048, 8192, 1024 },   { 2048, 4096, 16384, 1024 },    { 4096, 8192, 30720, 1024 },
	{ 8192, 16384, 61440, 4096 }, { 16384, 32768, 122880, 8192 },
};

static bool fargate_has_size(int64_t cpu, int64_t memory)
{
	for (size_t i = 0; i < sizeof(fargate_sizes) / sizeof(fargate_sizes[0]); i++) {
		const struct fargate_size *size = &fargate_sizes[i];

		if (size->cpu == cpu && memory >= size->min && memory <= size->max &&
		    (memory - size->min) % size->step == 0)
			return true;
	}
	return false;
}

/* 123456789012.dkr.ecr.us-east-1.amazonaws.com/repository */
bool image_is_ecr(const char *image)
{
	size_t host_length = strcspn(image, "/");
	_cleanup_free_ char *host = xstrndup(image, host_length);

	return image[host_length] == '/' && strspn(host, "0123456789") == 12 &&
	       (str_starts_with(host + 12, ".dkr.ecr.") ||
		str_starts_with(host + 12, ".dkr.ecr-fips.")) &&
	       (str_ends_with(host, ".amazonaws.com") || str_ends_with(host, ".amazonaws.com.cn"));
}

/* A member of a container that Fargate does not have, or NULL. */
static const char *unsupported_member(const json_t *container)
{
	static const char *const lists[] = { "links",
					     "dnsServers",
					     "dnsSearchDomains",
					     "extraHosts",
					     "dockerSecurityOptions",
					     "resourceRequirements" };
	static const char *const parameters[] = { "devices", "tmpfs" };
	const json_t *linux_parameters = json_object_get(container, "linuxParameters");

	if (member_bool(container, "privileged", false))
		return "privileged";
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (json_array_size(member_list(container, lists[i])) > 0)
			return lists[i];
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (json_array_size(member_list(linux_parameters, parameters[i])) > 0)
			return parameters[i];
	if (member_integer(linux_parameters, "sharedMemorySize", 0) > 0)
		return "sharedMemorySize";
	return NULL;
}

static char *refused_capabilities(const json_t *container)
{
	const json_t *parameters = json_object_get(container, "linuxParameters");
	const json_t *capabilities = json_object_get(parameters, "capabilities");
	size_t i;
	json_t *name;

	json_array_foreach (member_list(capabilities, "add"), i, name)
		if (!str_eq(json_string_value(name), "SYS_PTRACE"))
			return xasprintf("Fargate compatible task definitions only support adding "
					 "the capability SYS_PTRACE, not %s.",
					 json_string_value(name));
	return NULL;
}

static char *refused_log(const json_t *container, bool has_role)
{
	const json_t *log = json_object_get(container, "logConfiguration");
	const char *driver = member_string(log, "logDriver");

	if (!log)
		return NULL;
	if (!str_eq(driver, "awslogs") && !str_eq(driver, "splunk") &&
	    !str_eq(driver, "awsfirelens"))
		return xasprintf(
			"Fargate compatible task definitions do not support log driver %s.",
			driver);
	if (str_eq(driver, "awslogs") && !has_role)
		return xstrdup("Fargate requires task definition to have execution role ARN to "
			       "support log driver awslogs.");
	if (str_eq(driver, "awslogs") &&
	    str_is_empty(member_string(json_object_get(log, "options"), "awslogs-stream-prefix")))
		return xstrdup("Log driver awslogs requires options: awslogs-stream-prefix");
	return NULL;
}

static char *refused_container(const json_t *container, bool has_role)
{
	const char *name = member_string(container, "name");
	const char *unsupported = unsupported_member(container);
	int64_t start = member_integer(container, "startTimeout", 2);
	int64_t stop = member_integer(container, "stopTimeout", 0);
	char *refusal;

	if (unsupported)
		return xasprintf("Fargate compatible task definitions do not support %s.",
				 unsupported);
	if (start < 2 || start > 120)
		return xasprintf("Invalid 'startTimeout' setting for container '%s': it must be "
				 "between 2 and 120.",
				 name);
	if (stop < 0 || stop > 120)
		return xasprintf("Invalid 'stopTimeout' setting for container '%s': it must be "
				 "between 0 and 120.",
				 name);
	refusal = refused_capabilities(container);
	if (!refusal && !has_role && image_is_ecr(member_string(container, "image")))
		refusal = xstrdup("Fargate requires task definition to have execution role ARN to "
				  "support ECR images.");
	return refusal ? refusal : refused_log(container, has_role);
}

static char *refused_volume(const json_t *volume)
{
	if (member_has(json_object_get(volume, "host"), "sourcePath"))
		return xstrdup("Fargate compatible task definitions do not support sourcePath");
	if (member_has(volume, "dockerVolumeConfiguration"))
		return xstrdup("Fargate compatible task definitions do not support "
			       "dockerVolumeConfiguration");
	return NULL;
}

static char *refused_task(const json_t *definition)
{
	const char *pid_mode = member_string(definition, "pidMode");

	/* The quotation marks are curly on the wire. */
	if (!definition_is_awsvpc(definition))
		return xstrdup("Fargate only supports network mode ‘awsvpc’.");
	if (!member_has(definition, "cpu"))
		return xstrdup("Fargate requires that 'cpu' be defined at the task level.");
	if (!member_has(definition, "memory"))
		return xstrdup("Fargate requires that 'memory' be defined at the task level.");
	if (!fargate_has_size(definition_cpu(definition), definition_memory(definition)))
		return xstrdup("No Fargate configuration exists for given values.");
	if (str_eq(pid_mode, "host"))
		return xstrdup("Tasks using the Fargate launch type do not support pidMode 'host'. "
			       "The supported value for pidMode is 'task'.");
	if (member_has(definition, "ipcMode"))
		return xstrdup("Fargate compatible task definitions do not support ipcMode");
	if (json_array_size(member_list(definition, "placementConstraints")) > 0)
		return xstrdup("Fargate compatible task definitions do not support "
			       "placementConstraints");
	if (json_array_size(member_list(definition, "inferenceAccelerators")) > 0)
		return xstrdup("Fargate compatible task definitions do not support "
			       "inferenceAccelerators");
	return NULL;
}

char *fargate_refusal(const json_t *definition)
{
	bool has_role = !str_is_empty(member_string(definition, "executionRoleArn"));
	char *refusal = refused_task(definition);
	size_t i;
	json_t *item;

	json_array_foreach (member_list(definition, "containerDefinitions"), i, item) {
		if (refusal)
			return refusal;
		refusal = refused_container(item, has_role);
	}
	json_array_foreach (member_list(definition, "volumes"), i, item) {
		if (refusal)
			return refusal;
		refusal = refused_volume(item);
	}
	return refusal;
}

char *external_refusal(const json_t *definition)
{
	size_t i;
	json_t *volume;

	if (definition_is_awsvpc(definition))
		return xstrdup("External instances do not support network mode 'awsvpc'.");
	json_array_foreach (member_list(definition, "volumes"), i, volume)
		if (member_has(volume, "efsVolumeConfiguration") ||
		    member_has(volume, "fsxWindowsFileServerVolumeConfiguration"))
			return xasprintf("External instances do not support the file system of "
					 "volume '%s'.",
					 member_string(volume, "name"));
	if (json_array_size(member_list(definition, "inferenceAccelerators")) > 0)
		return xstrdup("External instances do not support inferenceAccelerators.");
	return NULL;
}

json_t *compatibilities_of(const json_t *definition)
{
	_cleanup_free_ char *external = external_refusal(definition);
	_cleanup_free_ char *fargate = fargate_refusal(definition);
	json_t *list = json_array();

	if (!external)
		json_array_append_new(list, json_string("EXTERNAL"));
	json_array_append_new(list, json_string("EC2"));
	if (!fargate)
		json_array_append_new(list, json_string("FARGATE"));
	if (definition_requires(definition, "MANAGED_INSTANCES"))
		json_array_append_new(list, json_string("MANAGED_INSTANCES"));
	return list;
}
