/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/capabilities.h"

#include <stdlib.h>

#include "agent/ecs/host.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/version.h"

#define COM "com.amazonaws.ecs.capability."
#define ECS "ecs.capability."

/*
 * The scheduler expresses what a task definition needs of the runtime as versions of Docker's API.
 * These are the ones that it knows, and the features that it asks for with them are there.
 */
static const char *const api_versions[] = { "1.17", "1.18", "1.19", "1.20", "1.21", "1.22", "1.23",
					    "1.24", "1.25", "1.28", "1.29", "1.30", "1.32" };

/* Log drivers that Berth has. */
static const char *const own_drivers[] = { "json-file", "none" };

void ecs_attributes_add(struct ecs_attributes *attributes, const char *name, const char *value)
{
	attributes->items =
		xreallocarray(attributes->items, attributes->count + 1, sizeof(*attributes->items));
	attributes->items[attributes->count].name = xstrdup(name);
	attributes->items[attributes->count].value = xstrdup_null(value);
	attributes->count++;
}

void ecs_attributes_free(struct ecs_attributes *attributes)
{
	for (size_t i = 0; i < attributes->count; i++) {
		free(attributes->items[i].name);
		free(attributes->items[i].value);
	}
	free(attributes->items);
	*attributes = (struct ecs_attributes){ 0 };
}

static void add(struct ecs_attributes *attributes, bool condition, const char *name)
{
	if (condition)
		ecs_attributes_add(attributes, name, NULL);
}

/* Plugins of our own are of our version. Of others' it is not known. */
static void add_plugin_version(const struct agent_config *config, bool condition, const char *name,
			       struct ecs_attributes *ret)
{
	_cleanup_free_ char *version = xasprintf("%s-%s", berth_commit(), berth_version());

	if (condition && str_eq(config->cni_plugins_path, config->libexec_dir))
		ecs_attributes_add(ret, name, version);
}

/*
 * Branches of a trunk are given to instances that have devices. On an external instance the control
 * plane has no network for tasks.
 */
static void add_task_networking(const struct agent_config *config,
				const struct host_resources *host, struct ecs_attributes *ret)
{
	bool task_eni = config->task_eni && !config->external;
	bool trunking =
		task_eni && config->high_density_eni && config->eni_driver == CONFIG_ENI_DEVICE;

	add(ret, task_eni, ECS "task-eni");
	/* Beside IPv4, and alone. */
	add(ret, task_eni && host->ipv6, ECS "task-eni.ipv6");
	add(ret, host->ipv6, ECS "ipv6-only");
	add(ret, task_eni && config->awsvpc_block_imds, ECS "task-eni-block-instance-metadata");
	add(ret, task_eni, ECS "aws-appmesh");
	add(ret, trunking, ECS "task-eni-trunking");
	add_plugin_version(config, task_eni, ECS "cni-plugin-version", ret);
	add_plugin_version(config, trunking, ECS "branch-cni-plugin-version", ret);
}

/*
 * Not here, because Berth does not do what they promise: secrets and environment files, private
 * registries and ECR, execution roles, Docker's plugins and volumes, EFS, S3 and EBS, FireLens and
 * other log drivers, SELinux and AppArmor labels, GPUs, pidMode and ipcMode task, inference
 * accelerators, gMSA, ECS Exec, Service Connect, fault injection.
 */
void capabilities_list(const struct agent_config *config, const struct host_resources *host,
		       struct ecs_attributes *ret)
{
	add(ret, true, ECS "container-ordering");
	add(ret, true, ECS "full-sync");
	add(ret, true, ECS "network.container-port-range");
	add(ret, true, ECS "container-restart-policy");
	add(ret, !config->disable_privileged, COM "privileged-container");
	for (size_t i = 0; i < sizeof(api_versions) / sizeof(api_versions[0]); i++) {
		_cleanup_free_ char *name = xasprintf(COM "docker-remote-api.%s", api_versions[i]);

		add(ret, true, name);
	}
	for (size_t i = 0; i < sizeof(own_drivers) / sizeof(own_drivers[0]); i++) {
		_cleanup_free_ char *name = xasprintf(COM "logging-driver.%s", own_drivers[i]);

		add(ret, str_list_has(&config->logging_drivers, own_drivers[i]), name);
	}
	add(ret, config->task_iam_role, COM "task-iam-role");
	add(ret, config->task_iam_role_network_host, COM "task-iam-role-network-host");
	add(ret, config->task_cpu_mem_limit, ECS "task-cpu-mem-limit");
	add(ret, config->task_cpu_mem_limit, ECS "increased-task-cpu-limit");
	add_task_networking(config, host, ret);
	add(ret, !config->disable_health_check, ECS "container-health-check");
	add(ret, config->external, ECS "external");
}

int capabilities_print(const struct agent_config *config, FILE *out, struct error *err)
{
	struct ecs_attributes attributes = { 0 };
	struct host_resources host = { 0 };
	int r = host_resources_read(config, &host, err);

	if (r < 0)
		return r;
	capabilities_list(config, &host, &attributes);
	for (size_t i = 0; i < attributes.count; i++)
		fprintf(out, "%s\t%s\n", attributes.items[i].name,
			attributes.items[i].value ? attributes.items[i].value : "");
	ecs_attributes_free(&attributes);
	host_resources_free(&host);
	return 0;
}
