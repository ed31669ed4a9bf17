/* SPDX-License-Identifier: Apache-2.0 */
/* ATTACH_NETWORK: side by side the interfaces (one after the other), the pause process and the
 * metadata endpoint; in the shape of EC2 the way to that is the last interface. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/executor/cni_awsvpc.h"
#include "agent/executor/cni_ecs_bridge.h"
#include "agent/executor/cni_mesh.h"
#include "agent/executor/live.h"
#include "agent/executor/paths.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

struct attaching {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	char *netns;
	size_t next; /* index of the interface that is being added; the count: of ecs-eth0 */
	char *address_text;
	char *local_address; /* of ecs-eth0 */
	char ifname[16];

	unsigned under_way; /* of the three, or two */
	int pause_pid;
	bool failed;
	struct error err;
	int listen_fd;
	struct error listen_err;
};

static void attaching_free(void *data)
{
	struct attaching *attaching = data;

	operation_end(&attaching->operation);
	if (attaching->listen_fd >= 0)
		close(attaching->listen_fd);
	address_free(&attaching->address);
	task_spec_unref(attaching->spec);
	free(attaching->netns);
	free(attaching->address_text);
	free(attaching->local_address);
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

static int conflist_of(const struct executor *executor, const struct eni_spec *eni, bool first,
		       char **ret, struct error *err)
{
	const struct executor_config *host = &executor->config;
	const struct agent_config *config = host->config;
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
		.vlan_id = eni->vlan_id,
		.trunk_mac = eni->trunk_mac_address,
	};
	bool is_ec2 = config->network_shape == CONFIG_SHAPE_EC2;
	const struct awsvpc_options options = {
		.driver = config->eni_driver == CONFIG_ENI_DEVICE ? "eni" : "veth",
		.mtu = host->task_mtu ? host->task_mtu(host->data) : 0,
		.routing_table =
			host->routing_table ? host->routing_table(host->data, eni->mac_address) : 0,
		.block_instance_metadata = config->awsvpc_block_imds,
		.endpoint = first && !is_ec2 ? NETWORK_ENDPOINT_ADDRESS : NULL,
		.local_routes = (const char *const *)config->local_routes.items,
		.local_route_count = first && !is_ec2 ? config->local_routes.count : 0,
		.amazon_names = is_ec2,
	};

	if (!str_is_empty(config->cni_config_dir))
		return cni_conflist_load(config->cni_config_dir, NULL, ret, err);
	return awsvpc_conflist(&interface, &options, ret, err);
}

/* Then the metadata endpoint is the host's. */
static bool has_local_interface(const struct executor *executor)
{
	return executor->config.config->network_shape == CONFIG_SHAPE_EC2;
}

static void attach_ended(struct attaching *attaching)
{
	struct executor *executor = attaching->executor;
	struct live_task *task;
	char ifname[16];

	if (--attaching->under_way > 0)
		return;
	task = live_task_get(executor, attaching->spec);
	if (!task->closing && !task->namespace_open) {
		task->namespace_open = true;
		if (!has_local_interface(executor))
			network_opened(task, task->id, TAKE_FD(attaching->listen_fd),
				       &attaching->listen_err);
		else if (attaching->local_address)
			executor->config.task_addressed(executor->config.data, task->id,
							attaching->local_address);
	}
	if (attaching->failed)
		answer_failed(executor, &attaching->address, NULL, &attaching->err);
	else
		answer(executor, &attaching->address,
		       (struct engine_done){ .network = { .pause_pid = attaching->pause_pid,
							  .netns_path = attaching->netns,
							  .interface = awsvpc_ifname(0, ifname),
							  .address = attaching->address_text } });
	attaching_free(attaching);
}

/* The first failure is the reason; whatever was made is taken back by TEAR_DOWN_NETWORK. */
static void attach_failed(struct attaching *attaching, const char *what, const struct error *err)
{
	if (attaching->failed) {
		attach_ended(attaching);
		return;
	}
	attaching->err = *err;
	error_prefix(&attaching->err, "ContainerNetworkingError: %s", what);
	attaching->failed = true;
	attach_ended(attaching);
}

static void attach_next(struct attaching *attaching);

static void local_attached(void *data, const struct cni_result *result, const struct error *err)
{
	struct attaching *attaching = data;
	struct error empty = ERROR_INIT;
	char text[IP_TEXT_SIZE];

	if (!err && result->ip_count == 0) {
		error_say(&empty, EBADMSG, "CNI plugin ecs-bridge ADD: it gave no address");
		err = &empty;
	}
	if (err) {
		attach_failed(attaching, "failed to setup network namespace", err);
		return;
	}
	attaching->local_address = xstrdup(ip_format(&result->ips[0].address.address, text));
	attach_ended(attaching);
}

/* ecs-eth0, behind all others. */
static void attach_local(struct attaching *attaching)
{
	struct executor *executor = attaching->executor;
	const struct str_list *routes = &executor->config.config->local_routes;
	const struct task_spec *spec = attaching->spec;
	const struct ecs_bridge_request request = {
		.id = spec->enis[spec->eni_count - 1].mac_address,
		.routes = (const char *const *)routes->items,
		.route_count = routes->count,
	};
	_cleanup_free_ char *conflist = ecs_bridge_conflist(&request);

	cni_add(executor->cni,
		&(struct cni_attachment){ .container_id = attaching->address.task_id,
					  .netns_path = attaching->netns,
					  .ifname = ECS_BRIDGE_IFNAME,
					  .conflist = conflist },
		local_attached, attaching, NULL);
}

static bool is_of_network(const struct executor *executor, const struct eni_spec *eni)
{
	const struct executor_config *config = &executor->config;

	return config->routing_table && config->routing_table(config->data, eni->mac_address);
}

/* The rules of a network are written before the link is made, for the name that it will have. With
 * another one, as that was taken, it would be behind no rule. */
static int check_host_end(const struct attaching *attaching, const struct cni_result *result,
			  struct error *err)
{
	const struct task_spec *spec = attaching->spec;
	_cleanup_str_list_ struct str_list ends = STR_LIST_INIT;
	char name[16];

	if (!is_of_network(attaching->executor, &spec->enis[attaching->next]))
		return 0;
	awsvpc_link_name(spec->id, attaching->next, name);
	network_host_ends(result, &ends);
	if (str_list_has(&ends, name))
		return 0;
	return error_say(err, EEXIST,
			 "the host's end of interface %s is %s, and %s is what the rules of its "
			 "network are for: another link has this name",
			 attaching->ifname, ends.count > 0 ? ends.items[0] : "not known", name);
}

static void attached(void *data, const struct cni_result *result, const struct error *err)
{
	struct attaching *attaching = data;
	struct error unknown = ERROR_INIT;
	char text[IP_TEXT_SIZE];

	if (!err && check_host_end(attaching, result, &unknown) < 0)
		err = &unknown;
	if (err) {
		attach_failed(attaching, "failed to setup network namespace", err);
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
	struct cni_attachment attachment;
	struct error err = ERROR_INIT;
	int r;

	if (attaching->next == attaching->spec->eni_count) {
		if (has_local_interface(executor))
			attach_local(attaching);
		else
			attach_ended(attaching);
		return;
	}
	r = conflist_of(executor, &attaching->spec->enis[attaching->next], attaching->next == 0,
			&conflist, &err);
	/* What concerns the namespace as a whole stands behind its first interface. */
	if (r == 0 && attaching->next == 0)
		r = mesh_extend_conflist(attaching->spec, &conflist, &err);
	if (r < 0) {
		attach_failed(attaching, "unable to build cni configuration", &err);
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

/* The control plane has told which network one of the interfaces is of: it is filtered, or is not
 * made. */
static bool has_rules(const struct attaching *attaching)
{
	for (size_t i = 0; i < attaching->spec->eni_count; i++)
		if (is_of_network(attaching->executor, &attaching->spec->enis[i]))
			return true;
	return false;
}

static void rules_hold(void *data, const struct error *err)
{
	struct attaching *attaching = data;

	if (err && has_rules(attaching))
		attach_failed(attaching, "the rules of the task's network cannot be enforced", err);
	else
		attach_next(attaching);
}

/* A task's first packet is filtered already. */
static void attach_first(struct attaching *attaching)
{
	const struct executor_config *config = &attaching->executor->config;

	if (!config->wait_for_rules ||
	    !config->wait_for_rules(config->data, attaching->spec, rules_hold, attaching))
		attach_next(attaching);
}

static void listen_work(void *data)
{
	struct attaching *attaching = data;

	attaching->listen_fd = network_listen(attaching->netns, true, &attaching->listen_err);
}

static void listen_done(void *data)
{
	attach_ended(data);
}

static void held(void *data, int pid, const struct error *err)
{
	struct attaching *attaching = data;

	attaching->pause_pid = pid;
	if (pid == 0)
		attach_failed(attaching, "failed to start the pause container", err);
	else
		attach_ended(attaching);
}

void act_attach_network(struct executor *executor, const struct engine_effect *effect)
{
	struct attaching *attaching = xcalloc(1, sizeof(*attaching));

	attaching->executor = executor;
	attaching->address = address_of(effect);
	attaching->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	attaching->netns = path_netns(executor->config.config, effect->task_id);
	attaching->listen_fd = -1;
	attaching->under_way = has_local_interface(executor) ? 2 : 3;
	operation_begin(executor->operations, &attaching->operation, attaching_free, attaching);
	network_hold(executor, effect->spec, held, attaching);
	if (!has_local_interface(executor))
		operations_work(executor->operations, listen_work, listen_done, attaching);
	attach_first(attaching);
}
