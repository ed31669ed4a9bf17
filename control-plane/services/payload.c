/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/payload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "control-plane/services/definition.h"
#include "control-plane/services/delivery.h"
#include "wire/acs.h"

#define RESTART_ATTEMPT_PERIOD_S 300

static void set_text(json_t *object, const char *name, const char *text)
{
	if (!str_is_empty(text))
		json_object_set_new(object, name, json_string(text));
}

/* The same name, the same shape. */
static void copy(json_t *object, const json_t *from, const char *name)
{
	if (definition_has(from, name))
		json_object_set(object, name, json_object_get(from, name));
}

static void copy_list(json_t *object, const json_t *from, const char *name)
{
	if (json_array_size(json_object_get(from, name)) > 0)
		copy(object, from, name);
}

static json_t *raw(char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	free(text);
	return value;
}

/* [{name, value}] of the definition and then of the override, as one map. */
static json_t *environment(const json_t *container, const json_t *override)
{
	json_t *map = json_object();
	const json_t *lists[] = { json_object_get(container, "environment"),
				  json_object_get(override, "environment") };
	const json_t *item;
	size_t i;

	for (size_t k = 0; k < 2; k++)
		json_array_foreach (lists[k], i, item) {
			const char *value = definition_text(item, "value");

			if (definition_text(item, "name"))
				json_object_set_new(map, definition_text(item, "name"),
						    json_string(value ? value : ""));
		}
	return map;
}

/* The files of the definition first, so that those of the override win. */
static json_t *environment_files(const json_t *container, const json_t *override)
{
	json_t *list = json_array();

	json_array_extend(list, json_object_get(container, "environmentFiles"));
	json_array_extend(list, json_object_get(override, "environmentFiles"));
	return list;
}

/* arn:aws:ssm:us-west-2:...: the fourth part. NULL when it is no ARN. The caller frees. */
static char *region_of_arn(const char *arn)
{
	struct str_list parts = STR_LIST_INIT;
	char *region = NULL;

	str_list_split(&parts, arn, ':', true);
	if (parts.count > 4 && str_eq(parts.items[0], "arn"))
		region = xstrdup(parts.items[3]);
	str_list_free(&parts);
	return region;
}

static void add_secrets(json_t *list, const json_t *secrets, const char *type, const char *target)
{
	const json_t *item;
	size_t i;

	json_array_foreach (secrets, i, item) {
		const char *from = definition_text(item, "valueFrom");
		_cleanup_free_ char *region = from ? region_of_arn(from) : NULL;
		json_t *secret = json_object();

		set_text(secret, "name", definition_text(item, "name"));
		set_text(secret, "valueFrom", from);
		set_text(secret, "region", region);
		set_text(secret, "provider",
			 from && strstr(from, ":secretsmanager:") ? "asm" : "ssm");
		set_text(secret, "type", type);
		set_text(secret, "target", target);
		json_array_append_new(list, secret);
	}
}

static void set_secrets(json_t *object, const json_t *container)
{
	const json_t *log = json_object_get(container, "logConfiguration");
	json_t *list = json_array();

	add_secrets(list, json_object_get(container, "secrets"), "ENVIRONMENT_VARIABLE",
		    "CONTAINER");
	add_secrets(list, json_object_get(log, "secretOptions"), "BOOTSTRAP", "LOG_DRIVER");
	if (json_array_size(list) > 0)
		json_object_set(object, "secrets", list);
	json_decref(list);
}

/* <account>.dkr.ecr.<region>.amazonaws.com/...: the agent asks ECR for a token. */
static json_t *ecr_authentication(const char *image, bool execution_role)
{
	const char *middle = strstr(image, ".dkr.ecr.");
	const char *region = middle ? middle + strlen(".dkr.ecr.") : NULL;
	const char *end = region ? strchr(region, '.') : NULL;
	const char *slash = strchr(image, '/');
	json_t *data;

	if (!end || !slash || slash < end)
		return NULL;
	data = json_object();
	json_object_set_new(data, "registryId", json_stringn(image, (size_t)(middle - image)));
	json_object_set_new(data, "region", json_stringn(region, (size_t)(end - region)));
	json_object_set_new(data, "useExecutionRole", json_boolean(execution_role));
	return json_pack("{s:s, s:o}", "type", "ecr", "ecrAuthData", data);
}

static void set_registry(json_t *object, const json_t *container, bool execution_role)
{
	const json_t *given = json_object_get(container, "repositoryCredentials");
	const char *parameter = definition_text(given, "credentialsParameter");
	json_t *authentication;

	if (parameter) {
		_cleanup_free_ char *region = region_of_arn(parameter);
		json_t *data = json_object();

		set_text(data, "credentialsParameter", parameter);
		set_text(data, "region", region);
		authentication = json_pack("{s:s, s:o}", "type", "asm", "asmAuthData", data);
	} else {
		authentication =
			ecr_authentication(definition_text(container, "image"), execution_role);
	}
	if (authentication)
		json_object_set_new(object, "registryAuthentication", authentication);
}

/* A string that holds JSON: {} or {"command": [...]}. */
static char *overrides_text(const json_t *override)
{
	_cleanup_json_ json_t *object = json_object();

	if (json_array_size(json_object_get(override, "command")) > 0)
		json_object_set(object, "command", json_object_get(override, "command"));
	return json_dump_compact(object);
}

static json_t *port_mappings(const json_t *container)
{
	json_t *list = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(container, "portMappings"), i, item) {
		json_t *mapping = json_object();

		copy(mapping, item, "containerPort");
		copy(mapping, item, "containerPortRange");
		copy(mapping, item, "hostPort");
		copy(mapping, item, "protocol");
		json_array_append_new(list, mapping);
	}
	return list;
}

/* Agents have no default for the time that a container must have run: it is always told. */
static void set_restart_policy(json_t *object, const json_t *container)
{
	json_t *policy;

	if (!definition_has(container, "restartPolicy"))
		return;
	policy = json_deep_copy(json_object_get(container, "restartPolicy"));
	if (!definition_has(policy, "restartAttemptPeriod"))
		json_object_set_new(policy, "restartAttemptPeriod",
				    json_integer(RESTART_ATTEMPT_PERIOD_S));
	json_object_set_new(object, "restartPolicy", policy);
}

static void set_sizes(json_t *object, const json_t *container, const json_t *override)
{
	int64_t number;

	if (!definition_container_number(container, override, "cpu", &number))
		number = 0;
	json_object_set_new(object, "cpu", json_integer(number));
	if (!definition_container_number(container, override, "memory", &number))
		number = 0;
	json_object_set_new(object, "memory", json_integer(number));
}

static json_t *container_object(const struct task *task, const struct task_container *state,
				const json_t *container, const json_t *override)
{
	json_t *object = json_object();
	_cleanup_free_ char *overrides = overrides_text(override);
	const json_t *log = json_object_get(container, "logConfiguration");

	json_object_set_new(object, "name", json_string(state->name));
	json_object_set_new(object, "image", json_string(state->image));
	json_object_set_new(object, "containerArn", json_string(state->arn));
	json_object_set_new(object, "essential", json_boolean(state->essential));
	json_object_set_new(object, "overrides", json_string(overrides));
	json_object_set_new(object, "environment", environment(container, override));
	json_object_set_new(object, "environmentFiles", environment_files(container, override));
	json_object_set_new(object, "portMappings", port_mappings(container));
	set_sizes(object, container, override);
	copy_list(object, container, "command");
	copy_list(object, container, "entryPoint");
	copy_list(object, container, "links");
	copy_list(object, container, "mountPoints");
	copy_list(object, container, "volumesFrom");
	copy_list(object, container, "dependsOn");
	copy_list(object, container, "credentialSpecs");
	copy(object, container, "startTimeout");
	copy(object, container, "stopTimeout");
	set_restart_policy(object, container);
	copy(object, container, "firelensConfiguration");
	set_secrets(object, container);
	set_registry(object, container, task->execution_role.role_arn != NULL);
	if (state->has_health_check)
		set_text(object, "healthCheckType", "docker");
	if (task->execution_role.role_arn && str_eq(definition_text(log, "logDriver"), "awslogs"))
		set_text(object, "logsAuthStrategy", "ExecutionRole");
	json_object_set_new(object, "dockerConfig",
			    payload_docker_config(container, override, task->network_mode));
	return object;
}

static json_t *volume_object(const json_t *volume)
{
	json_t *object = json_object();

	set_text(object, "name", definition_text(volume, "name"));
	if (definition_has(volume, "dockerVolumeConfiguration")) {
		set_text(object, "type", "docker");
		copy(object, volume, "dockerVolumeConfiguration");
	} else if (definition_has(volume, "efsVolumeConfiguration")) {
		set_text(object, "type", "efs");
		copy(object, volume, "efsVolumeConfiguration");
	} else if (definition_has(volume, "fsxWindowsFileServerVolumeConfiguration")) {
		set_text(object, "type", "fsxWindowsFileServer");
		copy(object, volume, "fsxWindowsFileServerVolumeConfiguration");
	} else {
		set_text(object, "type", "host");
		json_object_set_new(object, "host", json_object());
		copy(object, volume, "host");
	}
	return object;
}

/* {containerName, type, properties: [{name, value}]} to a map of properties. */
static void set_proxy(json_t *object, const json_t *definition)
{
	const json_t *proxy = json_object_get(definition, "proxyConfiguration");
	json_t *properties, *given;
	const json_t *item;
	size_t i;

	if (!json_is_object(proxy))
		return;
	given = json_object();
	properties = json_object();
	json_array_foreach (json_object_get(proxy, "properties"), i, item)
		if (definition_text(item, "name") && definition_text(item, "value"))
			json_object_set(properties, definition_text(item, "name"),
					json_object_get(item, "value"));
	set_text(given, "type",
		 definition_has(proxy, "type") ? definition_text(proxy, "type") : "APPMESH");
	set_text(given, "containerName", definition_text(proxy, "containerName"));
	json_object_set_new(given, "properties", properties);
	json_object_set_new(object, "proxyConfiguration", given);
}

static void set_containers(json_t *object, const struct task *task, const json_t *definition,
			   const json_t *overrides)
{
	json_t *list = json_array();
	const json_t *container;
	size_t i;

	json_array_foreach (definition_containers(definition), i, container)
		if (i < task->container_count)
			json_array_append_new(
				list,
				container_object(
					task, &task->containers[i], container,
					definition_override(overrides, task->containers[i].name)));
	json_object_set_new(object, "containers", list);
}

json_t *payload_task(const struct task *task, const char *desired_status, const json_t *definition,
		     const json_t *overrides, const struct role_credentials *role,
		     const struct role_credentials *execution_role)
{
	_cleanup_free_ char *version = xasprintf("%" PRId64, task->revision);
	json_t *object = json_object();
	json_t *volumes = json_array();
	const json_t *volume;
	int64_t number;
	size_t i;

	json_object_set_new(object, "arn", json_string(task->arn));
	json_object_set_new(object, "taskClusterArn", json_string(task->cluster_arn));
	json_object_set_new(object, "family", json_string(task->family));
	json_object_set_new(object, "version", json_string(version));
	json_object_set_new(object, "desiredStatus", json_string(desired_status));
	json_object_set_new(object, "group", json_string(task->group));
	json_object_set_new(object, "launchType", json_string(task->launch_type));
	json_object_set_new(object, "networkMode", json_string(task->network_mode));
	if (definition_task_cpu(definition, overrides, &number))
		json_object_set_new(object, "cpu", json_real((double)number / 1024));
	if (definition_task_memory(definition, overrides, &number))
		json_object_set_new(object, "memory", json_integer(number));
	copy(object, definition, "pidMode");
	copy(object, definition, "ipcMode");
	copy(object, definition, "enableFaultInjection");
	set_proxy(object, definition);
	set_containers(object, task, definition, overrides);
	json_array_foreach (json_object_get(definition, "volumes"), i, volume)
		json_array_append_new(volumes, volume_object(volume));
	json_object_set_new(object, "volumes", volumes);
	if (role)
		json_object_set_new(object, "roleCredentials",
				    raw(acs_encode_role_credentials(role)));
	if (execution_role)
		json_object_set_new(object, "executionRoleCredentials",
				    raw(acs_encode_role_credentials(execution_role)));
	if (task->eni) {
		struct acs_eni_out eni;

		delivery_eni(task, &eni);
		json_object_set_new(object, "elasticNetworkInterfaces",
				    json_pack("[o]", raw(acs_encode_eni(&eni))));
	}
	return object;
}
