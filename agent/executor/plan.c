/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/plan.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "agent/executor/plan_docker.h"
#include "agent/executor/plan_env.h"
#include "agent/executor/plan_mounts.h"
#include "agent/executor/service_connect.h"
#include "base/alloc.h"
#include "base/str.h"

static const char *const *terminated(struct arena *arena, const struct text_list *list)
{
	const char **items = arena_calloc(arena, list->count + 1, sizeof(*items));

	for (size_t i = 0; i < list->count; i++)
		items[i] = list->items[i];
	return items;
}

/* Docker's rules: an entry point of one's own drops the image's command. */
static int plan_args(const struct plan_input *input, struct arena *arena,
		     struct container_config *ret, struct error *err)
{
	const struct container_spec *spec = input->container->spec;
	const struct docker_config *docker = &spec->docker;
	struct text_list entry = { (const char *const *)input->image->entrypoint.items,
				   input->image->entrypoint.count };
	struct text_list command = { (const char *const *)input->image->command.items,
				     input->image->command.count };
	const char **args;
	size_t n = 0;

	if (docker->has_entry_point || spec->has_entry_point) {
		entry = docker->has_entry_point ? docker->entry_point : spec->entry_point;
		command.count = 0;
	}
	if (docker->has_command)
		command = docker->command;
	else if (spec->has_command)
		command = spec->command;
	if (entry.count + command.count == 0)
		return error_say(err, EINVAL,
				 "CannotCreateContainerError: no command specified: neither the "
				 "container definition "
				 "nor image %s has a command or an entry point",
				 container_spec_image(spec));

	args = arena_calloc(arena, entry.count + command.count + 1, sizeof(*args));
	for (size_t i = 0; i < entry.count; i++)
		args[n++] = entry.items[i];
	for (size_t i = 0; i < command.count; i++)
		args[n++] = command.items[i];
	ret->args = args;
	return 0;
}

static void plan_resources(const struct plan_input *input, struct container_config *ret)
{
	const struct container_spec *spec = input->container->spec;
	const struct docker_config *docker = &spec->docker;

	ret->cpu_shares = (uint64_t)container_spec_cpu_shares(spec);
	ret->cpu_quota_us = docker->cpu_quota_us;
	ret->cpu_period_us = docker->cpu_period_us > 0 ? (uint64_t)docker->cpu_period_us : 0;
	if (docker->nano_cpus > 0) {
		ret->cpu_period_us = 100000;
		ret->cpu_quota_us = docker->nano_cpus / 10000;
	}
	ret->memory_limit = container_spec_memory_bytes(spec);
	ret->memory_reservation = docker->memory_reservation_bytes;
	ret->memory_swap = docker->memory_swap_bytes;
	if (docker->has_memory_swappiness)
		ret->memory_swappiness = docker->memory_swappiness;
	ret->pids_limit =
		docker->pids_limit > 0 ? docker->pids_limit : input->config->task_pids_limit;
	ret->cpuset_cpus = docker->cpuset_cpus;
	if (docker->has_oom_score_adj) {
		ret->has_oom_score_adj = true;
		ret->oom_score_adj = (int)docker->oom_score_adj;
	}
}

static int plan_security(const struct plan_input *input, struct arena *arena,
			 struct container_config *ret, struct error *err)
{
	const struct docker_config *docker = &input->container->spec->docker;

	ret->capabilities_add = terminated(arena, &docker->cap_add);
	ret->capabilities_drop = terminated(arena, &docker->cap_drop);
	ret->privileged = docker->privileged;
	ret->read_only_root = docker->readonly_rootfs;
	ret->seccomp = docker->privileged ? SECCOMP_UNCONFINED : SECCOMP_DEFAULT;
	ret->seccomp_all_architectures = input->config->seccomp_all_architectures;
	if (docker->privileged && input->config->disable_privileged)
		return error_say(
			err, EPERM,
			"HostConfigError: privileged containers are switched off on this host "
			"(ECS_DISABLE_PRIVILEGED)");
	for (size_t i = 0; i < docker->security_opt.count; i++) {
		const char *option = docker->security_opt.items[i];

		if (str_eq(option, "no-new-privileges") ||
		    str_eq(option, "no-new-privileges:true") ||
		    str_eq(option, "no-new-privileges=true"))
			ret->no_new_privileges = true;
		else if (str_eq(option, "no-new-privileges:false") ||
			 str_eq(option, "no-new-privileges=false"))
			ret->no_new_privileges = false;
		else if (str_eq(option, "seccomp=unconfined") ||
			 str_eq(option, "seccomp:unconfined"))
			ret->seccomp = SECCOMP_UNCONFINED;
		else
			return error_say(
				err, ENOTSUP,
				"HostConfigError: dockerSecurityOptions: \"%s\" is not supported; "
				"no-new-privileges and seccomp=unconfined are",
				option);
	}
	return 0;
}

static void plan_lists(const struct plan_input *input, struct arena *arena,
		       struct container_config *ret)
{
	const struct docker_config *docker = &input->container->spec->docker;
	struct container_rlimit *limits =
		arena_calloc(arena, docker->ulimit_count, sizeof(*limits));
	struct container_device *devices =
		arena_calloc(arena, docker->device_count, sizeof(*devices));
	struct container_sysctl *sysctls =
		arena_calloc(arena, docker->sysctls.count, sizeof(*sysctls));
	size_t sysctl_count = 0;

	for (size_t i = 0; i < docker->ulimit_count; i++)
		limits[i] = (struct container_rlimit){
			.name = docker->ulimits[i].name,
			.soft = docker->ulimits[i].soft < 0 ? UINT64_MAX
							    : (uint64_t)docker->ulimits[i].soft,
			.hard = docker->ulimits[i].hard < 0 ? UINT64_MAX
							    : (uint64_t)docker->ulimits[i].hard,
		};
	for (size_t i = 0; i < docker->device_count; i++)
		devices[i] =
			(struct container_device){ .host_path = docker->devices[i].host_path,
						   .path = docker->devices[i].container_path,
						   .permissions = docker->devices[i].permissions };
	/* Those of the network belong to the namespace: they are set when that is made. */
	for (size_t i = 0; i < docker->sysctls.count; i++) {
		if (input->netns_path && str_starts_with(docker->sysctls.items[i].name, "net."))
			continue;
		sysctls[sysctl_count++] =
			(struct container_sysctl){ docker->sysctls.items[i].name,
						   docker->sysctls.items[i].value };
	}
	ret->rlimits = limits;
	ret->rlimit_count = docker->ulimit_count;
	ret->devices = devices;
	ret->device_count = docker->device_count;
	ret->sysctls = sysctls;
	ret->sysctl_count = sysctl_count;
}

/* Labels become annotations; those of the agent win. */
static void plan_annotations(const struct plan_input *input, struct arena *arena,
			     struct container_config *ret)
{
	const struct task_spec *task = input->task->spec;
	const struct text_map *labels = &input->container->spec->docker.labels;
	struct container_sysctl *items = arena_calloc(arena, labels->count + 5, sizeof(*items));
	const struct container_sysctl own[] = {
		{ "com.amazonaws.ecs.task-arn", task->arn },
		{ "com.amazonaws.ecs.container-name", input->container->spec->name },
		{ "com.amazonaws.ecs.task-definition-family", task->family ? task->family : "" },
		{ "com.amazonaws.ecs.task-definition-version", task->version ? task->version : "" },
		{ "com.amazonaws.ecs.cluster",
		  str_is_empty(input->config->cluster) ? "default" : input->config->cluster },
	};
	size_t n = 0;

	for (size_t i = 0; i < labels->count; i++) {
		bool ours = false;

		for (size_t j = 0; j < sizeof(own) / sizeof(own[0]); j++)
			ours |= str_eq(own[j].name, labels->items[i].name);
		if (!ours)
			items[n++] = (struct container_sysctl){ labels->items[i].name,
								labels->items[i].value };
	}
	for (size_t j = 0; j < sizeof(own) / sizeof(own[0]); j++)
		items[n++] = own[j];
	ret->annotations = items;
	ret->annotation_count = n;
}

/* Of the task; where it leaves them open, of the container's hostConfig. */
static void plan_namespaces(const struct plan_input *input, struct container_config *ret)
{
	const struct task_spec *task = input->task->spec;
	const struct docker_config *docker = &input->container->spec->docker;
	bool pid_host = task->pid_mode == PID_MODE_HOST ||
			(task->pid_mode == PID_MODE_PRIVATE && str_eq(docker->pid_mode, "host"));
	bool ipc_open = task->ipc_mode == IPC_MODE_DEFAULT;
	bool ipc_host =
		task->ipc_mode == IPC_MODE_HOST || (ipc_open && str_eq(docker->ipc_mode, "host"));
	bool ipc_none =
		task->ipc_mode == IPC_MODE_NONE || (ipc_open && str_eq(docker->ipc_mode, "none"));

	if (input->netns_path)
		ret->net = (struct container_namespace){ NAMESPACE_PATH, input->netns_path };
	else
		ret->net.mode =
			task->network_mode == NETWORK_MODE_HOST ? NAMESPACE_HOST : NAMESPACE_NEW;
	ret->pid.mode = pid_host ? NAMESPACE_HOST : NAMESPACE_NEW;
	ret->ipc.mode = ipc_host ? NAMESPACE_HOST : NAMESPACE_NEW;
	ret->uts.mode = NAMESPACE_NEW;
	ret->cgroup.mode = NAMESPACE_HOST;
	ret->shm_size = ipc_none ? -1 : docker->shm_size_bytes;
}

int plan_container(const struct plan_input *input, struct arena *arena,
		   struct container_config *ret, struct error *err)
{
	const struct container_spec *spec = input->container->spec;
	struct container_config config;
	int r;

	if (spec->docker_config_error)
		return error_say(err, EINVAL, "%s", spec->docker_config_error);

	container_config_init(&config);
	config.id = input->container->runtime_id;
	config.layers = &input->image->layers;
	config.user = spec->docker.user ? spec->docker.user : input->image->user;
	if (service_connect_is_relay(input->task->spec, spec))
		config.user = SERVICE_CONNECT_USER;
	config.cwd =
		spec->docker.working_dir ? spec->docker.working_dir : input->image->working_dir;
	config.additional_groups = terminated(arena, &spec->docker.group_add);
	config.hostname = input->hostname;
	config.cgroup_path = input->cgroup_path;
	r = plan_args(input, arena, &config, err);
	if (r < 0)
		return r;
	config.env = plan_env(input, arena);
	r = plan_mounts(input, arena, &config, err);
	if (r < 0)
		return r;
	r = plan_security(input, arena, &config, err);
	if (r < 0)
		return r;
	plan_resources(input, &config);
	plan_lists(input, arena, &config);
	plan_namespaces(input, &config);
	plan_annotations(input, arena, &config);
	*ret = config;
	return 0;
}

const char *const *plan_health_command(const struct container_spec *container,
				       const struct image *image, struct arena *arena)
{
	struct text_list test = container->docker.health_check.test;
	const char **command;

	if (test.count == 0)
		test = (struct text_list){ (const char *const *)image->healthcheck.test.items,
					   image->healthcheck.test.count };
	if (test.count < 2 || str_eq(test.items[0], "NONE"))
		return NULL;
	if (str_eq(test.items[0], "CMD-SHELL")) {
		command = arena_calloc(arena, 4, sizeof(*command));
		command[0] = "/bin/sh";
		command[1] = "-c";
		command[2] = test.items[1];
		return command;
	}
	command = arena_calloc(arena, test.count, sizeof(*command));
	for (size_t i = 1; i < test.count; i++)
		command[i - 1] = test.items[i];
	return command;
}

static const char *unsupported_container(const struct task_spec *task,
					 const struct container_spec *container,
					 struct arena *arena)
{
	const struct docker_config *docker = &container->docker;

	if (container->secret_count > 0)
		return "secrets";
	if (container->environment_file_count > 0)
		return "environmentFiles";
	if (container->links.count > 0 && task->network_mode != NETWORK_MODE_BRIDGE)
		return "links";
	if (container->volume_from_count > 0)
		return "volumesFrom";
	if (container->firelens_type)
		return "firelensConfiguration";
	if (container->credential_specs.count > 0)
		return "credentialSpecs";
	if (container->registry_auth.type == REGISTRY_AUTH_ASM)
		return "repositoryCredentials";
	if (container->registry_auth.type == REGISTRY_AUTH_ECR)
		return "registryAuthentication of type ecr";
	if (docker->init)
		return "linuxParameters.initProcessEnabled";
	if (docker->tty)
		return "pseudoTerminal";
	if (docker->log_driver && !str_eq(docker->log_driver, "json-file") &&
	    !str_eq(docker->log_driver, "none"))
		return "logConfiguration.logDriver (json-file and none are supported)";
	if (!str_is_empty(docker->userns_mode))
		return "a user namespace mode";
	if (!str_is_empty(docker->uts_mode))
		return "a uts namespace mode";
	if (docker->network_disabled)
		return "disableNetworking";
	if (docker->oom_kill_disable)
		return "OomKillDisable";
	if (!str_is_empty(docker->cpuset_mems))
		return "CpusetMems";
	if (container->managed_agent_count > 0)
		return "a managed agent (ECS Exec)";
	return plan_docker_unsupported(task, container, arena);
}

const char *plan_unsupported(const struct task_spec *task, struct arena *arena)
{
	const char *what = NULL;
	const char *whose = NULL;
	char *text;
	const char *copy;

	switch (task->network_mode) {
	case NETWORK_MODE_AWSVPC:
		if (task->eni_count == 0)
			return "HostConfigError: network mode awsvpc, but the payload has no "
			       "network interface";
		break;
	case NETWORK_MODE_HOST:
	case NETWORK_MODE_NONE:
	case NETWORK_MODE_BRIDGE:
		break;
	case NETWORK_MODE_OTHER:
		what = "this network mode";
		break;
	}
	if (task->pid_mode == PID_MODE_TASK)
		what = "pidMode task";
	else if (task->ipc_mode == IPC_MODE_TASK)
		what = "ipcMode task";
	else if (task->proxy_container && task->network_mode != NETWORK_MODE_AWSVPC)
		what = "proxyConfiguration in another network mode than awsvpc";
	else if (task->service_connect && task->network_mode != NETWORK_MODE_AWSVPC &&
		 task->network_mode != NETWORK_MODE_BRIDGE)
		what = "Service Connect in another network mode than awsvpc and bridge";
	for (size_t i = 0; i < task->association_count && !what; i++)
		what = "an association (GPU, inference accelerator)";
	for (size_t i = 0; i < task->volume_count && !what; i++) {
		if (task->volumes[i].type != VOLUME_HOST) {
			what = "a volume that is not a host volume";
			whose = task->volumes[i].name;
		}
	}
	for (size_t i = 0; i < task->container_count && !what; i++) {
		what = unsupported_container(task, &task->containers[i], arena);
		whose = task->containers[i].name;
	}
	if (!what)
		return NULL;
	text = whose ? xasprintf("HostConfigError: %s: %s is not supported by this agent", whose,
				 what)
		     : xasprintf("HostConfigError: %s is not supported by this agent", what);
	copy = arena_strdup(arena, text);
	free(text);
	return copy;
}
