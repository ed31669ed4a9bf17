/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN_NETNS, ATTACH_NETWORK, TEAR_DOWN_NETWORK: the namespace of an awsvpc task and the pause
 * process that holds it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/executor/cni_awsvpc.h"
#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "agent/executor/plan.h"
#include "agent/executor/task_files.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/namespace.h"
#include "netns/redirect.h"

/* Groups of dying processes are waited for this long. */
#define CGROUP_WAIT_MS 2000

#define ENDPOINT_ADDRESS "169.254.170.2"
/* Where containers ask, and where the socket is: programs of the task may listen on port 80
 * themselves. */
#define ENDPOINT_PORT        80
#define ENDPOINT_SOCKET_PORT 51679

/* ---- the pause process ---- */

static void pause_died(void *data, pid_t pid)
{
	struct live_task *task = data;
	struct engine_event event = {
		.type = EVENT_PAUSE_EXITED,
		.wall_ms = clock_wall_ms(),
		.task_id = task->id,
	};

	pause_unwatch(task->watch);
	task->watch = NULL;
	task->pause.pid = 0;
	if (task->closing)
		return;
	log_warn("the pause process of a task has ended", "task", task->id, "pid", LOG_NUM(pid));
	task->executor->config.post(task->executor->config.data, &event);
}

void network_adopt_pause(struct live_task *task, const struct pause_process *process)
{
	struct error err = ERROR_INIT;

	/* The watch goes before the descriptor that it watches. */
	if (task->watch)
		pause_unwatch(task->watch);
	task->watch = NULL;
	if (task->pause.pidfd >= 0)
		close(task->pause.pidfd);
	task->pause = *process;
	if (pause_watch(task->executor->config.loop, &task->pause, pause_died, task, &task->watch,
			&err) < 0)
		log_error("a pause process cannot be watched: its end will not be noticed", "task",
			  task->id, "error", err.text);
}

/* ---- the endpoint's socket ---- */

int network_listen(const char *netns_path, struct error *err)
{
	_cleanup_close_ int netns = -1;
	struct ip_address address;
	int fd;
	int r;

	r = ip_parse(ENDPOINT_ADDRESS, &address, err);
	if (r == 0)
		r = netns_open(netns_path, &netns, err);
	if (r == 0)
		r = netns_redirect_tcp(netns, &address, ENDPOINT_PORT, ENDPOINT_SOCKET_PORT, err);
	if (r == 0)
		r = netns_listen_tcp(netns, &address, ENDPOINT_SOCKET_PORT, &fd, err);
	return r == 0 ? fd : r;
}

void network_opened(struct live_task *task, int listen_fd, const struct error *err)
{
	task->namespace_open = true;
	if (listen_fd < 0)
		log_error("the metadata endpoint of a task cannot be opened: its containers get "
			  "neither metadata nor "
			  "credentials",
			  "task", task->id, "error", err->text);
	else
		task->executor->config.namespace_opened(task->executor->config.data, task->id,
							listen_fd);
}

/* ---- open ---- */

struct opening {
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	char *netns;
	char *cgroup_task;
	char *cgroup_pause;
	char *program;
	char *directory;
	char *hostname;
	struct netns_sysctl *sysctls;
	size_t sysctl_count;
	struct cgroup_limits limits;
	struct pause_process pause;
	int listen_fd;
	int result;
	struct error err;
};

static void opening_free(struct opening *opening)
{
	if (opening->listen_fd >= 0)
		close(opening->listen_fd);
	address_free(&opening->address);
	task_spec_unref(opening->spec);
	free(opening->netns);
	free(opening->cgroup_task);
	free(opening->cgroup_pause);
	free(opening->program);
	free(opening->directory);
	free(opening->hostname);
	free(opening->sysctls);
	free(opening);
}

/* Whether what an earlier attempt left is whole: a pause process in the namespace that the file
 * names. */
static bool adopts(struct opening *opening)
{
	_cleanup_close_ int named = -1, held = -1;
	_cleanup_free_ char *path = NULL;
	struct netns_identity a, b;

	if (pause_observe(&opening->executor->cgroups, opening->cgroup_pause, &opening->pause,
			  NULL) < 0)
		return false;
	path = xasprintf("/proc/%d/ns/net", (int)opening->pause.pid);
	if (netns_open(opening->netns, &named, NULL) == 0 && netns_open(path, &held, NULL) == 0 &&
	    netns_identity(named, &a, NULL) == 0 && netns_identity(held, &b, NULL) == 0 &&
	    netns_identity_equal(&a, &b))
		return true;
	pause_stop_now(&opening->pause, &opening->executor->cgroups, opening->cgroup_pause, NULL);
	close(opening->pause.pidfd);
	opening->pause = (struct pause_process){ .pidfd = -1 };
	return false;
}

static void open_work(void *data)
{
	struct opening *opening = data;
	const struct cgroup_host *cgroups = &opening->executor->cgroups;
	const struct netns_options options = { .sysctls = opening->sysctls,
					       .sysctl_count = opening->sysctl_count };
	struct pause_spec pause = {
		.program = opening->program,
		.hostname = opening->hostname,
		.netns_path = opening->netns,
		.netns_fd = -1,
		.cgroup_host = cgroups,
		.cgroup_path = opening->cgroup_pause,
	};
	int r;

	r = task_files_write(opening->directory, opening->spec, NULL, &opening->err);
	if (r == 0 && adopts(opening)) {
		opening->listen_fd = network_listen(opening->netns, &opening->err);
		return;
	}
	if (r == 0)
		r = cgroup_create(cgroups, opening->cgroup_task, &opening->limits, &opening->err);
	if (r == 0) {
		r = netns_create(opening->netns, &options, NULL, &opening->err);
		/* One without its pause process: of an attempt that was cut off. */
		if (r == -EEXIST && netns_delete(opening->netns, NULL, &opening->err) == 0)
			r = netns_create(opening->netns, &options, NULL, &opening->err);
	}
	if (r == 0) {
		r = pause_start_now(&pause, &opening->pause, &opening->err);
		if (r < 0)
			netns_delete(opening->netns, NULL, NULL);
	}
	if (r == 0)
		opening->listen_fd = network_listen(opening->netns, &opening->err);
	opening->result = r;
}

static void open_done(void *data)
{
	struct opening *opening = data;
	struct executor *executor = opening->executor;
	struct live_task *task;

	if (opening->result < 0) {
		error_prefix(&opening->err,
			     "ContainerNetworkingError: failed to setup network namespace");
		answer_failed(executor, &opening->address, NULL, &opening->err);
		opening_free(opening);
		return;
	}
	task = live_task_get(executor, opening->spec);
	network_adopt_pause(task, &opening->pause);
	if (!task->namespace_open) {
		network_opened(task, TAKE_FD(opening->listen_fd), &opening->err);
	}
	answer(executor, &opening->address,
	       (struct engine_done){ .network = { .pause_pid = opening->pause.pid,
						  .netns_path = opening->netns } });
	opening_free(opening);
}

static void gather_sysctls(struct opening *opening)
{
	const struct task_spec *spec = opening->spec;
	size_t n = 0;

	for (size_t c = 0; c < spec->container_count; c++)
		n += spec->containers[c].docker.sysctls.count;
	opening->sysctls = xcalloc(n + 1, sizeof(*opening->sysctls));
	for (size_t c = 0; c < spec->container_count; c++) {
		const struct text_map *sysctls = &spec->containers[c].docker.sysctls;

		for (size_t i = 0; i < sysctls->count; i++) {
			if (str_starts_with(sysctls->items[i].name, "net."))
				opening->sysctls[opening->sysctl_count++] =
					(struct netns_sysctl){ sysctls->items[i].name,
							       sysctls->items[i].value };
		}
	}
}

void act_open_netns(struct executor *executor, const struct engine_effect *effect)
{
	const struct agent_config *config = executor->config.config;
	struct opening *opening = xcalloc(1, sizeof(*opening));
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	const char *unsupported = plan_unsupported(effect->spec, arena);

	opening->executor = executor;
	opening->address = address_of(effect);
	opening->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	opening->pause.pidfd = -1;
	opening->listen_fd = -1;
	if (unsupported) {
		error_say(&opening->err, ENOTSUP, "%s", unsupported);
		answer_failed(executor, &opening->address, NULL, &opening->err);
		opening_free(opening);
		return;
	}
	opening->netns = path_netns(config, effect->task_id);
	opening->cgroup_task = cgroup_path_task(config, effect->task_id);
	opening->cgroup_pause = cgroup_path_pause(config, effect->task_id);
	opening->program = xasprintf("%s/berth-pause", config->libexec_dir);
	opening->directory = path_task(config, effect->task_id);
	opening->hostname = task_hostname(effect->spec, NULL);
	if (config->task_cpu_mem_limit)
		opening->limits = task_cgroup_limits(effect->spec);
	gather_sysctls(opening);
	loop_work(executor->config.loop, open_work, open_done, opening);
}

/* ---- attach: the interfaces one after the other ---- */

struct attaching {
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	char *netns;
	size_t next; /* index of the interface that is being added */
	char *address_text;
	char ifname[16];
};

static void attaching_free(struct attaching *attaching)
{
	address_free(&attaching->address);
	task_spec_unref(attaching->spec);
	free(attaching->netns);
	free(attaching->address_text);
	free(attaching);
}

static const char **address_list(const struct eni_address *addresses, size_t count)
{
	const char **list = xcalloc(count + 1, sizeof(*list));

	for (size_t i = 0; i < count; i++)
		list[i] = addresses[i].address;
	return list;
}

static char *gateway_text(const struct eni_gateway *gateway)
{
	return gateway->address ? xasprintf("%s/%u", gateway->address, gateway->prefix) : NULL;
}

static int conflist_of(const struct agent_config *config, const struct eni_spec *eni, bool first,
		       char **ret, struct error *err)
{
	_cleanup_free_ const char **ipv4 = address_list(eni->ipv4, eni->ipv4_count);
	_cleanup_free_ const char **ipv6 = address_list(eni->ipv6, eni->ipv6_count);
	_cleanup_free_ char *gateway4 = gateway_text(&eni->gateway_ipv4);
	_cleanup_free_ char *gateway6 = gateway_text(&eni->gateway_ipv6);
	const struct awsvpc_eni interface = {
		.id = eni->ec2_id,
		.mac = eni->mac_address,
		.ipv4_addresses = ipv4,
		.ipv4_count = eni->ipv4_count,
		.ipv6_addresses = ipv6,
		.ipv6_count = eni->ipv6_count,
		.ipv4_gateway = gateway4,
		.ipv6_gateway = gateway6,
		.name_servers = eni->dns_servers.items,
		.name_server_count = eni->dns_servers.count,
		.search_domains = eni->dns_search.items,
		.search_domain_count = eni->dns_search.count,
	};
	const struct awsvpc_options options = {
		.driver = config->eni_driver == CONFIG_ENI_DEVICE ? "eni" : "veth",
		.block_instance_metadata = config->awsvpc_block_imds,
		.endpoint = first ? ENDPOINT_ADDRESS : NULL,
	};

	if (!str_is_empty(config->cni_config_dir))
		return cni_conflist_load(config->cni_config_dir, NULL, ret, err);
	return awsvpc_conflist(&interface, &options, ret, err);
}

static void attach_next(struct attaching *attaching);

static void attached(void *data, const struct cni_result *result, const struct error *err)
{
	struct attaching *attaching = data;
	char text[IP_TEXT_SIZE];

	if (err) {
		struct error copy = *err;

		error_prefix(&copy, "ContainerNetworkingError: failed to setup network namespace");
		answer_failed(attaching->executor, &attaching->address, NULL, &copy);
		attaching_free(attaching);
		return;
	}
	if (attaching->next == 0 && result->ip_count > 0)
		attaching->address_text = xstrdup(ip_format(&result->ips[0].address.address, text));
	attaching->next++;
	attach_next(attaching);
}

static void attach_next(struct attaching *attaching)
{
	struct executor *executor = attaching->executor;
	_cleanup_free_ char *conflist = NULL;
	struct error err = ERROR_INIT;
	struct cni_attachment attachment;
	char ifname[16];

	if (attaching->next == attaching->spec->eni_count) {
		answer(executor, &attaching->address,
		       (struct engine_done){ .network = { .netns_path = attaching->netns,
							  .interface = awsvpc_ifname(0, ifname),
							  .address = attaching->address_text } });
		attaching_free(attaching);
		return;
	}
	if (conflist_of(executor->config.config, &attaching->spec->enis[attaching->next],
			attaching->next == 0, &conflist, &err) < 0) {
		error_prefix(&err, "ContainerNetworkingError: unable to build cni configuration");
		answer_failed(executor, &attaching->address, NULL, &err);
		attaching_free(attaching);
		return;
	}
	attachment = (struct cni_attachment){
		.container_id = attaching->address.task_id,
		.netns_path = attaching->netns,
		.ifname = awsvpc_ifname(attaching->next, attaching->ifname),
		.conflist = conflist,
	};
	cni_add(executor->cni, &attachment, attached, attaching, NULL);
}

void act_attach_network(struct executor *executor, const struct engine_effect *effect)
{
	struct attaching *attaching = xcalloc(1, sizeof(*attaching));

	attaching->executor = executor;
	attaching->address = address_of(effect);
	attaching->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	attaching->netns = path_netns(executor->config.config, effect->task_id);
	attach_next(attaching);
}

/* ---- tear down: interfaces in reverse, the pause process, the namespace ---- */

struct closing {
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	char *netns;
	char *cgroup_pause;
	size_t left; /* interfaces still to be deleted */
	char ifname[16];
	struct pause_process pause; /* pid 0: look for one */
	int result;
	struct error err;
};

static void closing_free(struct closing *closing)
{
	address_free(&closing->address);
	task_spec_unref(closing->spec);
	free(closing->netns);
	free(closing->cgroup_pause);
	free(closing);
}

static void close_work(void *data)
{
	struct closing *closing = data;
	const struct cgroup_host *cgroups = &closing->executor->cgroups;
	int r = 0;

	if (closing->pause.pid > 0 ||
	    pause_observe(cgroups, closing->cgroup_pause, &closing->pause, NULL) == 0) {
		r = pause_stop_now(&closing->pause, cgroups, closing->cgroup_pause, &closing->err);
		if (closing->pause.pidfd >= 0)
			close(closing->pause.pidfd);
	} else {
		cgroup_remove(cgroups, closing->cgroup_pause, CGROUP_WAIT_MS, NULL);
	}
	if (r == 0)
		r = netns_delete(closing->netns, NULL, &closing->err);
	closing->result = r;
}

static void close_done(void *data)
{
	struct closing *closing = data;

	if (closing->result < 0) {
		error_prefix(&closing->err, "remove the network namespace of task %s",
			     closing->address.task_id);
		answer_failed(closing->executor, &closing->address, "ContainerNetworkingError",
			      &closing->err);
	} else {
		answer_ok(closing->executor, &closing->address);
	}
	closing_free(closing);
}

static void detach_next(struct closing *closing);

static void detached(void *data, const struct cni_result *result, const struct error *err)
{
	struct closing *closing = data;

	(void)result;
	/* The namespace goes all the same, and what is in it with it. */
	if (err)
		log_error("a network interface could not be removed as its plugin would", "task",
			  closing->address.task_id, "interface", closing->ifname, "error",
			  err->text);
	detach_next(closing);
}

static void detach_next(struct closing *closing)
{
	struct executor *executor = closing->executor;
	struct live_task *task;
	struct cni_attachment attachment;

	if (closing->left > 0) {
		closing->left--;
		attachment = (struct cni_attachment){
			.container_id = closing->address.task_id,
			.netns_path = access(closing->netns, F_OK) == 0 ? closing->netns : NULL,
			.ifname = awsvpc_ifname(closing->left, closing->ifname),
		};
		cni_del(executor->cni, &attachment, detached, closing, NULL);
		return;
	}
	task = live_task_find(executor, closing->address.task_id);
	if (task) {
		if (task->watch)
			pause_unwatch(task->watch);
		task->watch = NULL;
		closing->pause = task->pause;
		task->pause = (struct pause_process){ .pidfd = -1 };
	}
	loop_work(executor->config.loop, close_work, close_done, closing);
}

void act_tear_down_network(struct executor *executor, const struct engine_effect *effect)
{
	struct closing *closing = xcalloc(1, sizeof(*closing));
	struct live_task *task = live_task_get(executor, effect->spec);

	task->closing = true;
	if (task->namespace_open)
		executor->config.namespace_closing(executor->config.data, task->id);
	task->namespace_open = false;
	closing->executor = executor;
	closing->address = address_of(effect);
	closing->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	closing->netns = path_netns(executor->config.config, effect->task_id);
	closing->cgroup_pause = cgroup_path_pause(executor->config.config, effect->task_id);
	closing->pause.pidfd = -1;
	closing->left = effect->spec->eni_count;
	detach_next(closing);
}
