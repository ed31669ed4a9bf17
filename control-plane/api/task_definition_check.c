/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the checks, and what is of the task and not of one container. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"
#include "control-plane/scheduler/query.h"

#define FAMILY_LENGTH_MAX 255
#define CONSTRAINTS_MAX   10
#define STORAGE_MIN_GIB   21
#define STORAGE_MAX_GIB   200

const char *definition_network_mode(const json_t *definition)
{
	const char *mode = member_string(definition, "networkMode");

	return mode ? mode : "bridge";
}

bool definition_is_awsvpc(const json_t *definition)
{
	return str_eq(definition_network_mode(definition), "awsvpc");
}

json_t *definition_container(const json_t *definition, const char *name)
{
	size_t i;
	json_t *container;

	json_array_foreach (member_list(definition, "containerDefinitions"), i, container)
		if (str_eq(member_string(container, "name"), name))
			return container;
	return NULL;
}

bool definition_requires(const json_t *definition, const char *compatibility)
{
	size_t i;
	json_t *item;

	json_array_foreach (member_list(definition, "requiresCompatibilities"), i, item)
		if (str_eq(json_string_value(item), compatibility))
			return true;
	return false;
}

bool container_is_essential(const json_t *container)
{
	return member_bool(container, "essential", true);
}

static int check_family(struct api_call *call, const json_t *definition)
{
	const char *family = member_string(definition, "family");

	if (str_is_empty(family) || family[strspn(family, " \t")] == '\0')
		return api_error(call, API_CLIENT, "Family can not be blank.");
	if (!api_is_name(family, FAMILY_LENGTH_MAX))
		return api_error(call, API_CLIENT,
				 "Family contains invalid characters when it should only contain "
				 "up to %d alphanumeric, hyphen, underscore characters.",
				 FAMILY_LENGTH_MAX);
	return 0;
}

static int check_words(struct api_call *call, const json_t *definition)
{
	static const char *const modes[] = { "bridge", "host", "awsvpc", "none", NULL };
	static const char *const pid_modes[] = { "host", "task", NULL };
	static const char *const ipc_modes[] = { "host", "task", "none", NULL };
	static const char *const compatibilities[] = { "EC2", "FARGATE", "EXTERNAL",
						       "MANAGED_INSTANCES", NULL };
	static const struct {
		const char *name;
		const char *const *words;
	} members[] = {
		{ "networkMode", modes },
		{ "pidMode", pid_modes },
		{ "ipcMode", ipc_modes },
	};
	size_t i;
	json_t *item;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *text = member_string(definition, members[i].name);

		if (text &&
		    api_check_enum(call, API_CLIENT, members[i].name, text, members[i].words) < 0)
			return -EINVAL;
	}
	json_array_foreach (member_list(definition, "requiresCompatibilities"), i, item)
		if (api_check_enum(call, API_CLIENT, "requiresCompatibilities",
				   json_string_value(item), compatibilities) < 0)
			return -EINVAL;
	return 0;
}

/* A name or an ARN; only the form is looked at. */
int roles_check(struct api_call *call, const json_t *definition)
{
	static const char *const members[] = { "taskRoleArn", "executionRoleArn" };

	for (size_t i = 0; i < 2; i++) {
		const char *role = member_string(definition, members[i]);

		if (str_is_empty(role))
			continue;
		if (strpbrk(role, " \t\r\n") || (arn_looks_like(role) && !strstr(role, ":role/")))
			return api_error(call, API_CLIENT, "Role is not valid");
	}
	return 0;
}

static int check_platform(struct api_call *call, const json_t *definition)
{
	static const char *const architectures[] = { "X86_64", "ARM64", NULL };
	static const char *const systems[] = { "WINDOWS_SERVER_2019_FULL",
					       "WINDOWS_SERVER_2019_CORE",
					       "WINDOWS_SERVER_2016_FULL",
					       "WINDOWS_SERVER_2004_CORE",
					       "WINDOWS_SERVER_2022_CORE",
					       "WINDOWS_SERVER_2022_FULL",
					       "WINDOWS_SERVER_2025_CORE",
					       "WINDOWS_SERVER_2025_FULL",
					       "WINDOWS_SERVER_20H2_CORE",
					       "LINUX",
					       NULL };
	const json_t *platform = json_object_get(definition, "runtimePlatform");
	const json_t *storage = json_object_get(definition, "ephemeralStorage");
	const char *architecture = member_string(platform, "cpuArchitecture");
	const char *system = member_string(platform, "operatingSystemFamily");
	int64_t size = member_integer(storage, "sizeInGiB", 0);

	if (architecture &&
	    api_check_enum(call, API_CLIENT, "cpuArchitecture", architecture, architectures) < 0)
		return -EINVAL;
	if (system &&
	    api_check_enum(call, API_CLIENT, "operatingSystemFamily", system, systems) < 0)
		return -EINVAL;
	if (storage && (size < STORAGE_MIN_GIB || size > STORAGE_MAX_GIB))
		return api_error(call, API_CLIENT,
				 "Invalid 'ephemeralStorage' setting for task: sizeInGiB must be "
				 "between %d and %d.",
				 STORAGE_MIN_GIB, STORAGE_MAX_GIB);
	return 0;
}

static int check_constraints(struct api_call *call, const json_t *definition)
{
	const json_t *constraints = member_list(definition, "placementConstraints");
	struct error err = ERROR_INIT;
	size_t i;
	json_t *constraint;

	if (json_array_size(constraints) > CONSTRAINTS_MAX)
		return api_error(call, API_CLIENT,
				 "placementConstraints can have at most %d items.",
				 CONSTRAINTS_MAX);
	json_array_foreach (constraints, i, constraint) {
		const char *type = member_string(constraint, "type");
		const char *expression = member_string(constraint, "expression");
		_cleanup_(query_free_cleanup) struct query *query = NULL;

		if (!str_eq(type, "memberOf"))
			return api_error(call, API_CLIENT, "constraint.type '%s' is not supported.",
					 type ? type : "");
		if (str_is_empty(expression))
			return api_error(call, API_CLIENT,
					 "constraint.expression can not be blank.");
		if (query_parse(expression, &query, &err) < 0)
			return api_error(call, API_CLIENT, "Invalid expression: %s", err.text);
	}
	return 0;
}

static int check_proxy(struct api_call *call, const json_t *definition)
{
	static const char *const types[] = { "APPMESH", NULL };
	const json_t *proxy = json_object_get(definition, "proxyConfiguration");
	const char *type = member_string(proxy, "type");
	const char *container = member_string(proxy, "containerName");

	if (!proxy)
		return 0;
	if (type && api_check_enum(call, API_CLIENT, "proxyConfiguration.type", type, types) < 0)
		return -EINVAL;
	if (!definition_is_awsvpc(definition))
		return api_error(call, API_CLIENT,
				 "proxyConfiguration is only supported when networkMode=awsvpc.");
	if (!container || !definition_container(definition, container))
		return api_error(call, API_CLIENT,
				 "proxyConfiguration names container '%s', which the task "
				 "definition does not have.",
				 container ? container : "");
	return 0;
}

static int check_containers(struct api_call *call, const json_t *definition)
{
	const json_t *containers = member_list(definition, "containerDefinitions");
	size_t essential = 0;
	size_t routers = 0;
	size_t i;
	json_t *container;

	json_array_foreach (containers, i, container) {
		const char *name = member_string(container, "name");

		if (container_check(call, definition, container) < 0)
			return -EINVAL;
		for (size_t before = 0; before < i; before++)
			if (str_eq(member_string(json_array_get(containers, before), "name"), name))
				return api_error(call, API_CLIENT,
						 "Container.name contains duplicate value '%s'.",
						 name);
		if (container_network_check(call, definition, container) < 0 ||
		    container_linux_check(call, definition, container) < 0 ||
		    container_logs_check(call, definition, container) < 0)
			return -EINVAL;
		essential += container_is_essential(container);
		routers += member_has(container, "firelensConfiguration");
	}
	if (essential == 0)
		return api_error(call, API_CLIENT,
				 "All containers must not be non-essential: at least one container "
				 "of a task definition must be essential.");
	if (routers > 1)
		return api_error(call, API_CLIENT,
				 "Only one container of a task definition can have a "
				 "firelensConfiguration.");
	return 0;
}

/* What the caller asks for with requiresCompatibilities must be possible. */
static int check_launch_types(struct api_call *call, const json_t *definition)
{
	_cleanup_free_ char *refusal = NULL;

	if (definition_requires(definition, "FARGATE"))
		refusal = fargate_refusal(definition);
	if (!refusal && definition_requires(definition, "EXTERNAL"))
		refusal = external_refusal(definition);
	if (refusal)
		return api_error(call, API_CLIENT, "%s", refusal);
	return 0;
}

static int check_size(struct api_call *call, const json_t *definition)
{
	_cleanup_free_ char *text = json_dump_compact(definition);
	size_t size = strlen(text);

	if (size > TASK_DEFINITION_SIZE_MAX)
		return api_error(call, API_CLIENT,
				 "Actual length: '%zu'. Max allowed length is '%d' bytes.", size,
				 TASK_DEFINITION_SIZE_MAX);
	return 0;
}

int task_definition_check(struct api_call *call, json_t *definition)
{
	size_t containers;

	if (check_family(call, definition) < 0)
		return -EINVAL;
	containers = json_array_size(member_list(definition, "containerDefinitions"));
	if (containers == 0)
		return api_error(call, API_CLIENT, "Container list cannot be empty.");
	if (containers > TASK_DEFINITION_CONTAINERS_MAX)
		return api_error(call, API_CLIENT, "Too many containers.");

	if (check_size(call, definition) < 0 || check_words(call, definition) < 0 ||
	    sizes_check(call, definition) < 0 || roles_check(call, definition) < 0 ||
	    check_platform(call, definition) < 0 || check_constraints(call, definition) < 0 ||
	    api_tags_check(call, member_list(definition, "tags")) < 0 ||
	    volumes_check(call, definition) < 0 || check_containers(call, definition) < 0 ||
	    check_proxy(call, definition) < 0 || ports_check(call, definition) < 0 ||
	    dependencies_check(call, definition) < 0 || check_launch_types(call, definition) < 0)
		return -EINVAL;
	return container_sizes_check(call, definition);
}
