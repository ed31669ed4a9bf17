/* SPDX-License-Identifier: Apache-2.0 */
/* What an instance must be able to do, by what the definition uses. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

#define AGENT   "ecs.capability."
#define COM     "com.amazonaws.ecs.capability."
#define DOCKER  COM "docker-remote-api."
#define SECRETS AGENT "secrets."

/* Each name once. */
static void need(json_t *list, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item)
		if (str_eq(member_string(item, "name"), name))
			return;
	json_array_append_new(list, json_pack("{s:s}", "name", name));
}

static void need_role(json_t *list, const json_t *definition)
{
	if (str_is_empty(member_string(definition, "taskRoleArn")))
		return;
	if (str_eq(definition_network_mode(definition), "host"))
		need(list, COM "task-iam-role-network-host");
	else
		need(list, COM "task-iam-role");
}

/* Secrets Manager by its ARN; everything else is a parameter of Systems Manager. */
static bool is_secrets_manager(const char *value)
{
	return arn_looks_like(value) && strstr(value, ":secretsmanager:");
}

static void need_secrets(json_t *list, const json_t *secrets, const char *ssm, const char *asm_name)
{
	size_t i;
	json_t *secret;

	json_array_foreach (secrets, i, secret)
		need(list, is_secrets_manager(member_string(secret, "valueFrom")) ? asm_name : ssm);
}

/* The version of Docker's API with which a log driver came. */
static const char *log_driver_version(const char *driver)
{
	static const struct {
		const char *driver, *version;
	} versions[] = {
		{ "awslogs", DOCKER "1.19" },  { "fluentd", DOCKER "1.19" },
		{ "journald", DOCKER "1.19" }, { "gelf", DOCKER "1.20" },
		{ "splunk", DOCKER "1.22" },
	};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (str_eq(driver, versions[i].driver))
			return versions[i].version;
	return DOCKER "1.18";
}

static void need_logs(json_t *list, const json_t *container, bool has_role)
{
	const json_t *log = json_object_get(container, "logConfiguration");
	const json_t *options = json_object_get(log, "options");
	const char *driver = member_string(log, "logDriver");
	_cleanup_free_ char *name = NULL;

	if (!log)
		return;
	name = xasprintf(COM "logging-driver.%s", driver);
	need(list, name);
	if (!str_eq(driver, "awsfirelens"))
		need(list, log_driver_version(driver));
	if (str_eq(driver, "awslogs") && has_role)
		need(list, AGENT "execution-role-awslogs");
	if (str_eq(driver, "awslogs") && str_eq(member_string(options, "mode"), "non-blocking") &&
	    member_has(options, "max-buffer-size"))
		need(list, DOCKER "1.28");
	need_secrets(list, member_list(log, "secretOptions"), SECRETS "ssm.bootstrap.log-driver",
		     SECRETS "asm.bootstrap.log-driver");
}

static void need_firelens(json_t *list, const json_t *container)
{
	const char *type =
		member_string(json_object_get(container, "firelensConfiguration"), "type");
	_cleanup_free_ char *name = NULL;

	if (!type)
		return;
	name = xasprintf(AGENT "firelens.%s", type);
	need(list, name);
}

static void need_security(json_t *list, const json_t *container)
{
	size_t i;
	json_t *option;

	if (member_bool(container, "privileged", false))
		need(list, COM "privileged-container");
	json_array_foreach (member_list(container, "dockerSecurityOptions"), i, option) {
		if (str_starts_with(json_string_value(option), "label"))
			need(list, COM "selinux");
		if (str_starts_with(json_string_value(option), "apparmor"))
			need(list, COM "apparmor");
	}
}

/* Members that Docker took from some version of its API on. */
static void need_docker_versions(json_t *list, const json_t *container)
{
	const json_t *parameters = json_object_get(container, "linuxParameters");

	if (!str_is_empty(member_string(container, "user")))
		need(list, DOCKER "1.17");
	if (json_array_size(member_list(container, "ulimits")) > 0 ||
	    json_object_size(json_object_get(container, "dockerLabels")) > 0 ||
	    json_array_size(member_list(container, "extraHosts")) > 0 ||
	    member_bool(container, "readonlyRootFilesystem", false))
		need(list, DOCKER "1.18");
	if (member_has(container, "memoryReservation"))
		need(list, DOCKER "1.21");
	if (member_has(parameters, "sharedMemorySize"))
		need(list, DOCKER "1.22");
	if (member_bool(parameters, "initProcessEnabled", false))
		need(list, DOCKER "1.25");
	if (member_has(container, "healthCheck")) {
		need(list, AGENT "container-health-check");
		need(list, DOCKER "1.29");
	}
}

static void need_of_container(json_t *list, const json_t *container, bool has_role)
{
	size_t i;
	json_t *mapping;

	if (image_is_ecr(member_string(container, "image"))) {
		need(list, COM "ecr-auth");
		if (has_role)
			need(list, AGENT "execution-role-ecr-pull");
	}
	need_logs(list, container, has_role);
	need_firelens(list, container);
	need_security(list, container);
	need_docker_versions(list, container);
	need_secrets(list, member_list(container, "secrets"), SECRETS "ssm.environment-variables",
		     SECRETS "asm.environment-variables");
	if (json_array_size(member_list(container, "dependsOn")) > 0)
		need(list, AGENT "container-ordering");
	if (member_has(container, "repositoryCredentials"))
		need(list, AGENT "private-registry-authentication.secretsmanager");
	if (json_array_size(member_list(container, "environmentFiles")) > 0)
		need(list, AGENT "env-files.s3");
	if (member_bool(json_object_get(container, "restartPolicy"), "enabled", false))
		need(list, AGENT "container-restart-policy");
	json_array_foreach (member_list(container, "portMappings"), i, mapping)
		if (member_has(mapping, "containerPortRange"))
			need(list, AGENT "network.container-port-range");
}

static void need_of_volume(json_t *list, const json_t *volume)
{
	const json_t *efs = json_object_get(volume, "efsVolumeConfiguration");
	const char *driver =
		member_string(json_object_get(volume, "dockerVolumeConfiguration"), "driver");
	_cleanup_free_ char *name = NULL;

	if (efs)
		need(list, AGENT "efs");
	if (member_has(efs, "authorizationConfig"))
		need(list, AGENT "efsAuth");
	if (!str_is_empty(driver)) {
		name = xasprintf(AGENT "docker-plugin.%s", driver);
		need(list, name);
	}
}

json_t *required_attributes_of(const json_t *definition)
{
	bool has_role = !str_is_empty(member_string(definition, "executionRoleArn"));
	json_t *list = json_array();
	size_t i;
	json_t *item;

	need_role(list, definition);
	if (definition_is_awsvpc(definition)) {
		need(list, AGENT "task-eni");
		need(list, DOCKER "1.18");
	} else if (member_has(definition, "cpu") || member_has(definition, "memory")) {
		need(list, AGENT "task-cpu-mem-limit");
	}
	if (member_has(definition, "pidMode") || member_has(definition, "ipcMode"))
		need(list, AGENT "pid-ipc-namespace-sharing");
	if (member_has(definition, "proxyConfiguration"))
		need(list, AGENT "aws-appmesh");
	if (member_bool(definition, "enableFaultInjection", false))
		need(list, AGENT "fault-injection");
	json_array_foreach (member_list(definition, "containerDefinitions"), i, item)
		need_of_container(list, item, has_role);
	json_array_foreach (member_list(definition, "volumes"), i, item)
		need_of_volume(list, item);
	return list;
}
