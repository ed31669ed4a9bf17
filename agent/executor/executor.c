/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/executor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/executor/image_cleanup.h"
#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "netns/namespace.h"

/* A runtime keeps about one CPU busy while it creates; two for each hide its waits. */
#define CREATIONS_PER_CPU 2

static char *libexec(const struct agent_config *config, const char *program)
{
	return xasprintf("%s/%s", config->libexec_dir, program);
}

static int open_runtime(struct executor *executor, struct error *err)
{
	const struct agent_config *config = executor->config.config;
	_cleanup_free_ char *monitor = libexec(config, "berth-monitor");
	_cleanup_free_ char *root = xasprintf("%s/runtime", config->run_dir);
	const struct container_runtime_config runtime = {
		.monitor_path = monitor,
		.runtime_path = config->runtime,
		.runtime_root = root,
		.run_dir = config->run_dir,
		.create_timeout_ms = config->container_create_timeout_ms,
		.start_timeout_ms = config->container_start_timeout_ms,
		.on_exit = containers_on_exit,
		.data = executor,
	};

	return container_runtime_new(executor->config.loop, &runtime, &executor->runtime, err);
}

static int open_images(struct executor *executor, struct error *err)
{
	const struct agent_config *config = executor->config.config;
	_cleanup_free_ char *run = xasprintf("%s/registry", config->run_dir);
	const struct image_store_config images = {
		.ctr_path = config->ctr,
		.address = config->containerd_address,
		.name_space = config->containerd_namespace,
		.run_dir = run,
	};

	return image_store_new(executor->config.loop, &images, &executor->images, err);
}

static struct image_cleanup *new_image_cleanup(struct executor *executor)
{
	const struct image_cleanup_config cleanup = {
		.loop = executor->config.loop,
		.config = executor->config.config,
		.store = executor->config.store,
		.images = executor->images,
		.operations = executor->operations,
		.next_task = executor->config.next_task,
		.data = executor->config.data,
	};

	return image_cleanup_new(&cleanup);
}

static int open_cni(struct executor *executor, struct error *err)
{
	const struct agent_config *config = executor->config.config;
	_cleanup_free_ char *cache = xasprintf("%s/cni", config->run_dir);
	_cleanup_free_ char *ipam = xasprintf("IPAM_DB_PATH=%s/ipam", config->run_dir);
	const char *const environment[] = { ipam, NULL };
	const struct cni_runtime_config cni = {
		.loop = executor->config.loop,
		.plugin_path = config->cni_plugins_path,
		.cache_directory = cache,
		.environment = environment,
	};

	return cni_runtime_new(&cni, &executor->cni, err);
}

int executor_new(const struct executor_config *config, struct executor **ret, struct error *err)
{
	struct executor *executor = xcalloc(1, sizeof(*executor));
	_cleanup_free_ char *netns = path_netns_directory(config->config);
	_cleanup_free_ char *tasks = path_tasks(config->config);
	uv_cpu_info_t *cpus = NULL;
	int cpu_count = 1;
	int r;

	executor->config = *config;
	executor->tasks = map_new();
	executor->containers = map_new();
	executor->creations_last = &executor->creations_first;
	executor->operations = operations_new(config->loop);
	executor->ports = ports_new((uint16_t)config->config->dynamic_host_ports[0],
				    (uint16_t)config->config->dynamic_host_ports[1]);
	ports_reserve(executor->ports, TRANSPORT_TCP, config->config->reserved_ports.items,
		      config->config->reserved_ports.count);
	ports_reserve(executor->ports, TRANSPORT_UDP, config->config->reserved_ports_udp.items,
		      config->config->reserved_ports_udp.count);
	if (uv_cpu_info(&cpus, &cpu_count) == 0)
		uv_free_cpu_info(cpus, cpu_count);
	executor->creations_max = (unsigned)cpu_count * CREATIONS_PER_CPU;

	r = file_mkdirs(config->config->run_dir, 0711, err);
	if (r == 0)
		r = file_mkdirs(tasks, 0711, err);
	if (r == 0)
		r = netns_directory_prepare(netns, err);
	if (r == 0)
		r = cgroup_host_detect(&executor->cgroups, err);
	if (r == 0)
		r = open_runtime(executor, err);
	if (r == 0)
		r = open_images(executor, err);
	if (r == 0)
		r = open_cni(executor, err);
	if (r < 0) {
		executor_free(executor);
		return r;
	}
	executor->image_cleanup = new_image_cleanup(executor);
	*ret = executor;
	return 0;
}

void executor_start_image_cleanup(struct executor *executor)
{
	image_cleanup_start(executor->image_cleanup);
}

void executor_settings_changed(struct executor *executor)
{
	const struct agent_config *config = executor->config.config;

	container_runtime_set_timeouts(executor->runtime, config->container_create_timeout_ms,
				       config->container_start_timeout_ms);
	image_cleanup_settings_changed(executor->image_cleanup);
}

struct ping {
	struct operation operation;
	struct ping *next, **link; /* in executor->pings */
	void (*done)(void *data, bool healthy);
	void *data;
};

static void ping_free(void *data)
{
	struct ping *ping = data;

	operation_end(&ping->operation);
	*ping->link = ping->next;
	if (ping->next)
		ping->next->link = ping->link;
	free(ping);
}

void executor_free(struct executor *executor)
{
	_cleanup_free_ char *netns = NULL;
	struct live_task *task;
	size_t cursor;

	if (!executor)
		return;
	operations_abandon(executor->operations);
	for (cursor = 0; (task = map_next(executor->tasks, &cursor, NULL)); cursor = 0)
		live_task_free(task);
	if (executor->cni)
		cni_runtime_free(executor->cni);
	ports_free(executor->ports);
	image_cleanup_free(executor->image_cleanup);
	if (executor->images)
		image_store_free(executor->images);
	if (executor->runtime)
		container_runtime_free(executor->runtime);
	/* Those above have forgotten whom they would have called. */
	operations_free(executor->operations);
	/* Stays as long as a task has its namespace there. */
	netns = path_netns_directory(executor->config.config);
	netns_directory_release(netns, NULL);
	cgroup_host_free(&executor->cgroups);
	map_free(executor->tasks);
	map_free(executor->containers);
	free(executor);
}

static const struct {
	enum engine_effect_type type;
	void (*act)(struct executor *executor, const struct engine_effect *effect);
} acts[] = {
	{ EFFECT_CREATE_RESOURCE, act_create_resource },
	{ EFFECT_OPEN_NETNS, act_open_netns },
	{ EFFECT_ATTACH_NETWORK, act_attach_network },
	{ EFFECT_TEAR_DOWN_NETWORK, act_tear_down_network },
	{ EFFECT_CONNECT_CONTAINER, act_connect },
	{ EFFECT_DISCONNECT_CONTAINER, act_disconnect },
	{ EFFECT_PULL_IMAGE, act_pull },
	{ EFFECT_CREATE_CONTAINER, act_create },
	{ EFFECT_START_CONTAINER, act_start },
	{ EFFECT_RESTART_CONTAINER, act_restart },
	{ EFFECT_STOP_CONTAINER, act_stop },
	{ EFFECT_PROBE_HEALTH, act_probe },
	{ EFFECT_REMOVE_CONTAINER, act_remove },
	{ EFFECT_CLEAN_UP_TASK, act_clean_up },
};

bool executor_does(enum engine_effect_type type)
{
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (acts[i].type == type)
			return true;
	}
	return false;
}

void executor_act(struct executor *executor, const struct engine_effect *effect)
{
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (acts[i].type == effect->type) {
			log_debug("effect", "effect", engine_effect_name(effect->type), "task",
				  effect->task_id, "container",
				  effect->container ? effect->container : "");
			acts[i].act(executor, effect);
			return;
		}
	}
}

static void pinged(void *data, const struct image_result *result)
{
	struct ping *ping = data;

	ping->done(ping->data, result->failure == IMAGE_OK);
	ping_free(ping);
}

void executor_ping(struct executor *executor, void (*done)(void *data, bool healthy), void *data)
{
	struct ping *ping;

	/* A containerd that hangs is not asked by ever more processes. */
	for (ping = executor->pings; ping; ping = ping->next) {
		if (ping->done == done && ping->data == data)
			return;
	}
	ping = xcalloc(1, sizeof(*ping));
	*ping = (struct ping){
		.done = done,
		.data = data,
		.next = executor->pings,
		.link = &executor->pings,
	};
	if (ping->next)
		ping->next->link = &ping->next;
	executor->pings = ping;
	operation_begin(executor->operations, &ping->operation, ping_free, ping);
	if (image_store_ping(executor->images, pinged, ping, NULL, NULL) < 0) {
		done(data, false);
		ping_free(ping);
	}
}

int executor_read_stats(struct executor *executor, const char *task_id, const char *name,
			struct container_stats *ret, struct network_stats *ret_network,
			struct error *err)
{
	const struct task_state *state = executor->config.task(executor->config.data, task_id);
	const struct container_state *container = state ? task_state_container(state, name) : NULL;
	struct live_container *live;
	int r;

	if (!container || container->pid <= 0)
		return error_say(err, ENOENT, "container %s of task %s does not run", name,
				 task_id);
	live = live_container_get(executor, state->spec, (size_t)(container - state->containers));
	if (!live->stats) {
		r = stats_open(&executor->cgroups, live->cgroup, &live->stats, err);
		if (r < 0)
			return r;
	}
	if (ret_network) {
		memset(ret_network, 0, sizeof(*ret_network));
		if (task_has_interfaces(state->spec))
			stats_read_network(container->pid, ret_network, NULL);
	}
	return stats_read(live->stats, ret, err);
}
