/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/plan_docker.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

static const char *said(struct arena *arena, const char *what, const char *value)
{
	_cleanup_free_ char *text = xasprintf("%s %s", what, value);

	return arena_strdup(arena, text);
}

/* One of the words, or not given. */
static bool is_one_of(const char *text, const char *const *words)
{
	if (str_is_empty(text))
		return true;
	for (; *words; words++)
		if (str_eq(text, *words))
			return true;
	return false;
}

/*
 * The agent overrides it in awsvpc mode, as Amazon's does. In the other modes the control plane
 * says the task's mode once more.
 */
static const char *refused_network(const struct task_spec *task, const struct docker_config *docker,
				   struct arena *arena)
{
	static const char *const host[] = { "host", NULL }, *const none[] = { "none", NULL };
	static const char *const bridge[] = { "bridge", "default", NULL };
	const char *const *words = task->network_mode == NETWORK_MODE_HOST     ? host
				   : task->network_mode == NETWORK_MODE_NONE   ? none
				   : task->network_mode == NETWORK_MODE_BRIDGE ? bridge
									       : NULL;

	if (words && !is_one_of(docker->network_mode, words))
		return said(arena, "hostConfig.NetworkMode", docker->network_mode);
	/* With host and none Docker discards published ports; with the namespace of another
	 * container, which awsvpc is, it refuses them. */
	if (task->network_mode == NETWORK_MODE_AWSVPC && docker->port_binding_count > 0)
		return "hostConfig.PortBindings in network mode awsvpc";
	return NULL;
}

/* pidMode and ipcMode of the task win; see plan_namespaces() for what else has an effect. */
static const char *refused_namespaces(const struct task_spec *task,
				      const struct docker_config *docker, struct arena *arena)
{
	static const char *const pid[] = { "host", "private", NULL };
	static const char *const ipc[] = { "host", "none", "private", "shareable", NULL };

	if (task->pid_mode == PID_MODE_PRIVATE && !is_one_of(docker->pid_mode, pid))
		return said(arena, "hostConfig.PidMode", docker->pid_mode);
	if (task->ipc_mode == IPC_MODE_DEFAULT && !is_one_of(docker->ipc_mode, ipc))
		return said(arena, "hostConfig.IpcMode", docker->ipc_mode);
	return NULL;
}

/* Options that change nothing as they are given; those that log_options_read() reads have none. */
static const struct {
	const char *name, *harmless;
} log_options[] = {
	{ "max-size", NULL },
	{ "max-file", NULL },
	{ "mode", "blocking" },
	{ "compress", "false" },
};

static const char *refused_log(const struct container_spec *container, struct arena *arena)
{
	const struct text_map *options = &container->docker.log_options;

	if (container->logs_use_execution_role)
		return "logsAuthStrategy ExecutionRole";
	if (str_eq(container->docker.log_driver, "none"))
		return NULL; /* Docker looks at no option of it */
	/* First, for it is the cause of the buffer size that the decoder puts beside it. */
	if (str_eq(text_map_get(options, "mode"), "non-blocking"))
		return "log option mode=non-blocking";
	for (size_t i = 0; i < options->count; i++) {
		bool taken = false;

		for (size_t k = 0; k < sizeof(log_options) / sizeof(log_options[0]); k++)
			taken |= str_eq(options->items[i].name, log_options[k].name) &&
				 (!log_options[k].harmless ||
				  str_eq(options->items[i].value, log_options[k].harmless));
		if (!taken)
			return said(arena, "log option", options->items[i].name);
	}
	return NULL;
}

const char *plan_docker_unsupported(const struct task_spec *task,
				    const struct container_spec *container, struct arena *arena)
{
	static const char *const runtimes[] = { "runc", "io.containerd.runc.v2", NULL };
	const struct docker_config *docker = &container->docker;
	const char *what = refused_network(task, docker, arena);

	if (!what)
		what = refused_namespaces(task, docker, arena);
	if (!what)
		what = refused_log(container, arena);
	if (!what && !is_one_of(docker->runtime, runtimes))
		what = said(arena, "hostConfig.Runtime", docker->runtime);
	if (!what && !str_is_empty(docker->domainname))
		what = "config.Domainname";
	if (!what && docker->unknown_member)
		what = said(arena, "hostConfig member", docker->unknown_member);
	return what;
}
