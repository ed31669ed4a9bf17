/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT_CONTAINER: ports of the host, a namespace of the container's own, the interface on the
 * bridge, the way to the relay of Service Connect, the metadata endpoint in it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/executor/cni_bridge.h"
#include "agent/executor/cni_mesh.h"
#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "agent/executor/service_connect.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "netns/namespace.h"
#include "wire/service_connect.h"

struct connecting {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	size_t index;
	char *runtime_id;
	char *netns;
	struct netns_sysctl *sysctls;
	size_t sysctl_count;
	struct port_binding *bindings;
	size_t binding_count;
	char *address_text;
	char *relay, *relay_ipv6; /* addresses of Service Connect's, once they are known */
	char *ipv6_text;
	int listen_fd;
	struct error listen_err;
	int result;
	struct error err;
};

static void connecting_free(void *data)
{
	struct connecting *connecting = data;

	operation_end(&connecting->operation);
	if (connecting->listen_fd >= 0)
		close(connecting->listen_fd);
	address_free(&connecting->address);
	task_spec_unref(connecting->spec);
	free(connecting->runtime_id);
	free(connecting->netns);
	free(connecting->sysctls);
	free(connecting->bindings);
	free(connecting->address_text);
	free(connecting->relay);
	free(connecting->relay_ipv6);
	free(connecting->ipv6_text);
	free(connecting);
}

/* What was made is taken back by DISCONNECT_CONTAINER. */
static void connect_failed(struct connecting *connecting, const char *name)
{
	answer_failed(connecting->executor, &connecting->address, name, &connecting->err);
	connecting_free(connecting);
}

static void listened(void *data)
{
	struct connecting *connecting = data;
	struct executor *executor = connecting->executor;
	struct live_container *container =
		live_container_get(executor, connecting->spec, connecting->index);

	network_opened(container->task, container->runtime_id, TAKE_FD(connecting->listen_fd),
		       &connecting->listen_err);
	answer(executor, &connecting->address,
	       (struct engine_done){
		       .connection = { .address = connecting->address_text,
				       .ipv6_address = connecting->ipv6_text,
				       .bindings = connecting->bindings,
				       .binding_count = connecting->binding_count } });
	connecting_free(connecting);
}

static void listen_work(void *data)
{
	struct connecting *connecting = data;

	connecting->listen_fd = network_listen(connecting->netns, true, &connecting->listen_err);
}

static void refused(struct connecting *connecting)
{
	error_prefix(&connecting->err, "failed to connect the container to its network");
	connect_failed(connecting, "ContainerNetworkingError");
}

static void relayed(void *data, const struct cni_result *result, const struct error *err)
{
	struct connecting *connecting = data;

	(void)result;
	if (err) {
		connecting->err = *err;
		refused(connecting);
		return;
	}
	operations_work(connecting->executor->operations, listen_work, listened, connecting);
}

/* Only now the families of the network are known, also of one that is an operator's. */
static void lead_to_relay(struct connecting *connecting)
{
	const struct mesh_bridge bridge = { .address = connecting->address_text,
					    .ipv6_address = connecting->ipv6_text,
					    .relay_address = connecting->relay,
					    .relay_ipv6 = connecting->relay_ipv6 };
	_cleanup_free_ char *conflist = NULL;

	if (mesh_bridge_conflist(connecting->spec, connecting->index, &bridge, &conflist,
				 &connecting->err) < 0) {
		refused(connecting);
		return;
	}
	if (!conflist) {
		operations_work(connecting->executor->operations, listen_work, listened,
				connecting);
		return;
	}
	cni_add(connecting->executor->cni,
		&(struct cni_attachment){ .container_id = connecting->runtime_id,
					  .netns_path = connecting->netns,
					  .ifname = MESH_IFNAME,
					  .conflist = conflist },
		relayed, connecting, NULL);
}

static void added(void *data, const struct cni_result *result, const struct error *err)
{
	struct connecting *connecting = data;
	char text[IP_TEXT_SIZE];

	if (err) {
		connecting->err = *err;
		refused(connecting);
		return;
	}
	for (size_t i = 0; i < result->ip_count; i++) {
		const struct ip_address *address = &result->ips[i].address.address;
		char **to = address->family == AF_INET6 ? &connecting->ipv6_text
							: &connecting->address_text;

		if (!*to)
			*to = xstrdup(ip_format(address, text));
	}
	lead_to_relay(connecting);
}

/* An operator's network of the name "bridge" takes the place of ours. */
static int find_conflist(const struct connecting *connecting, char **ret, struct error *err)
{
	const struct agent_config *config = connecting->executor->config.config;
	const struct bridge_request request = {
		.bridge = config->bridge,
		.subnet = config->bridge_subnet,
		.ipv6_subnet = config->bridge_subnet_ipv6,
		.container_id = connecting->runtime_id,
		.endpoint = NETWORK_ENDPOINT_ADDRESS,
	};
	_cleanup_free_ char *conflist = NULL;
	int r = -ENOENT;

	if (!str_is_empty(config->cni_config_dir))
		r = cni_conflist_load(config->cni_config_dir, BRIDGE_NETWORK, &conflist, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT)
		conflist = bridge_conflist(&request);
	*ret = conflist ? bridge_conflist_publish(conflist, connecting->bindings,
						  connecting->binding_count)
			: NULL;
	return *ret ? 0 : error_say(err, EINVAL, "the CNI configuration cannot be made");
}

static void opened(void *data)
{
	struct connecting *connecting = data;
	_cleanup_free_ char *conflist = NULL;

	if (connecting->result == 0)
		connecting->result = find_conflist(connecting, &conflist, &connecting->err);
	if (connecting->result < 0) {
		refused(connecting);
		return;
	}
	cni_add(connecting->executor->cni,
		&(struct cni_attachment){ .container_id = connecting->runtime_id,
					  .netns_path = connecting->netns,
					  .ifname = BRIDGE_IFNAME,
					  .conflist = conflist },
		added, connecting, NULL);
}

static void open_work(void *data)
{
	struct connecting *connecting = data;
	const struct netns_options options = { .sysctls = connecting->sysctls,
					       .sysctl_count = connecting->sysctl_count };
	int r = netns_create(connecting->netns, &options, NULL, &connecting->err);

	/* Of an attempt that was cut off. */
	connecting->result = r == -EEXIST ? 0 : r;
}

static void gather_sysctls(struct connecting *connecting)
{
	const struct text_map *sysctls =
		&connecting->spec->containers[connecting->index].docker.sysctls;

	connecting->sysctls = xcalloc(sysctls->count + 1, sizeof(*connecting->sysctls));
	for (size_t i = 0; i < sysctls->count; i++)
		if (str_starts_with(sysctls->items[i].name, "net."))
			connecting->sysctls[connecting->sysctl_count++] =
				(struct netns_sysctl){ sysctls->items[i].name,
						       sysctls->items[i].value };
}

static int take_ports(struct connecting *connecting, struct live_container *container)
{
	struct container_spec spec = *live_container_spec(container);
	_cleanup_free_ struct port_mapping *mappings = NULL;
	int r = 0;

	/* Held since an attempt of this process that failed later on. */
	ports_release(&container->ports);
	if (service_connect_is_relay(connecting->spec, &spec)) {
		r = service_connect_publish(connecting->spec, &spec, &mappings, &connecting->err);
		if (r < 0)
			return r;
	}
	return ports_take(connecting->executor->ports, &spec, &container->ports,
			  &connecting->bindings, &connecting->binding_count, &connecting->err);
}

/* The engine connects it first. */
static void find_relay(struct connecting *connecting)
{
	const struct executor_config *config = &connecting->executor->config;
	const struct task_spec *spec = connecting->spec;
	const struct task_state *task = config->task(config->data, spec->id);
	const struct container_state *relay =
		task && spec->service_connect
			? task_state_container(task, spec->service_connect->container)
			: NULL;

	if (!relay)
		return;
	connecting->relay = xstrdup_null(relay->connection.address);
	connecting->relay_ipv6 = xstrdup_null(relay->connection.ipv6_address);
}

void act_connect(struct executor *executor, const struct engine_effect *effect)
{
	struct connecting *connecting = xcalloc(1, sizeof(*connecting));
	struct live_container *container =
		live_container_get(executor, effect->spec, effect->container_index);
	int r;

	connecting->executor = executor;
	connecting->address = address_of(effect);
	connecting->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	connecting->index = effect->container_index;
	connecting->listen_fd = -1;
	operation_begin(executor->operations, &connecting->operation, connecting_free, connecting);
	r = take_ports(connecting, container);
	if (r < 0) {
		/* One that somebody has is an error of the start, as with Docker. */
		if (r != -EADDRINUSE)
			error_prefix(&connecting->err, "error retrieving docker port map");
		connect_failed(connecting, r != -EADDRINUSE ? "HostConfigError" : NULL);
		return;
	}
	connecting->runtime_id = xstrdup(container->runtime_id);
	connecting->netns = path_netns(executor->config.config, container->runtime_id);
	find_relay(connecting);
	gather_sysctls(connecting);
	operations_work(executor->operations, open_work, opened, connecting);
}

/* ---- DISCONNECT_CONTAINER ---- */

struct disconnecting {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	size_t index;
	char *runtime_id;
	char *netns;
	struct str_list host_ends;
	int result;
	struct error err;
};

static void disconnecting_free(void *data)
{
	struct disconnecting *disconnecting = data;

	operation_end(&disconnecting->operation);
	address_free(&disconnecting->address);
	task_spec_unref(disconnecting->spec);
	free(disconnecting->runtime_id);
	free(disconnecting->netns);
	str_list_free(&disconnecting->host_ends);
	free(disconnecting);
}

static void closed(void *data)
{
	struct disconnecting *disconnecting = data;
	struct executor *executor = disconnecting->executor;
	struct live_container *container =
		live_container_get(executor, disconnecting->spec, disconnecting->index);

	if (disconnecting->result < 0) {
		error_prefix(&disconnecting->err, "take the container's network away");
		answer_failed(executor, &disconnecting->address, "ContainerNetworkingError",
			      &disconnecting->err);
	} else {
		ports_release(&container->ports);
		network_links_gone(executor, &disconnecting->host_ends);
		answer_ok(executor, &disconnecting->address);
	}
	disconnecting_free(disconnecting);
}

static void close_work(void *data)
{
	struct disconnecting *disconnecting = data;

	/* A rule that was left would lead to whoever gets the address next. */
	if (disconnecting->result == 0)
		disconnecting->result =
			netns_delete(disconnecting->netns, NULL, &disconnecting->err);
}

static void delete (struct disconnecting *disconnecting, const char *ifname, cni_done done)
{
	cni_del(disconnecting->executor->cni,
		&(struct cni_attachment){ .container_id = disconnecting->runtime_id,
					  .netns_path = access(disconnecting->netns, F_OK) == 0
								? disconnecting->netns
								: NULL,
					  .ifname = ifname },
		done, disconnecting, NULL);
}

static void note_failure(struct disconnecting *disconnecting, const struct error *err)
{
	if (!err)
		return;
	disconnecting->err = *err;
	disconnecting->result = -EIO;
}

static void deleted(void *data, const struct cni_result *result, const struct error *err)
{
	struct disconnecting *disconnecting = data;

	network_host_ends(result, &disconnecting->host_ends);
	note_failure(disconnecting, err);
	operations_work(disconnecting->executor->operations, close_work, closed, disconnecting);
}

static void unrelayed(void *data, const struct cni_result *result, const struct error *err)
{
	struct disconnecting *disconnecting = data;

	(void)result;
	note_failure(disconnecting, err);
	delete (disconnecting, BRIDGE_IFNAME, deleted);
}

void act_disconnect(struct executor *executor, const struct engine_effect *effect)
{
	struct disconnecting *disconnecting = xcalloc(1, sizeof(*disconnecting));
	struct live_container *container =
		live_container_get(executor, effect->spec, effect->container_index);

	disconnecting->executor = executor;
	disconnecting->address = address_of(effect);
	disconnecting->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	disconnecting->index = effect->container_index;
	disconnecting->runtime_id = xstrdup(container->runtime_id);
	disconnecting->netns = path_netns(executor->config.config, container->runtime_id);
	executor->config.namespace_closing(executor->config.data, effect->task_id,
					   container->runtime_id);
	operation_begin(executor->operations, &disconnecting->operation, disconnecting_free,
			disconnecting);
	if (disconnecting->spec->service_connect)
		delete (disconnecting, MESH_IFNAME, unrelayed);
	else
		delete (disconnecting, BRIDGE_IFNAME, deleted);
}
