/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/task_tunnel.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "netns/neigh.h"
#include "netns/route.h"

static int configure(struct task_tunnel_place *place, struct error *err)
{
	int r = task_tunnel_links_create(place, err);

	if (r == 0)
		r = task_setup_configure(&place->task, &place->config->task, err);
	if (r == 0)
		r = task_setup_wait_ready(&place->task, &place->config->task, err);
	return r == 0 ? task_tunnel_links_reset(place, err) : r;
}

static int plug(struct task_tunnel_place *place, struct error *err)
{
	const struct cni_request *request = place->request;
	int r = task_setup_expect_free(place->task.netlink, request, request->ifname, err);

	if (r < 0)
		return r;
	place->task.gateway_mac = &task_tunnel_gateway_mac;
	r = configure(place, err);
	if (r < 0)
		task_tunnel_links_undo(place);
	return r;
}

static int add(const struct task_tunnel_maker *maker, const struct cni_request *request,
	       const struct task_tunnel_config *config, struct cni_result *ret,
	       struct cni_error *err)
{
	struct task_tunnel_place place = { .maker = maker, .request = request, .config = config };
	struct error why;
	char mac[MAC_TEXT_SIZE];
	int r;

	if (cni_take_dns(request, ret, err) < 0)
		return -1;
	r = task_setup_open(&place.task, request, &place.host, &why);
	if (r == 0)
		r = plug(&place, &why);
	task_setup_close(&place.task, place.host);
	if (r < 0)
		return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	/* The MAC that the kernel gave: of a tap, that of whoever has it open. */
	task_setup_result(&place.task, &config->task,
			  cni_result_add_interface(ret, request->ifname,
						   mac_format(&place.tunnel.mac, mac),
						   request->netns, TASK_TUNNEL_MTU),
			  ret);
	return 0;
}

int task_tunnel_add(const struct task_tunnel_maker *maker, const struct cni_request *request,
		    struct cni_result *ret, struct cni_error *err)
{
	struct task_tunnel_config config;
	int r = task_tunnel_config_read(request, &config, err);

	if (r == 0)
		r = add(maker, request, &config, ret, err);
	task_tunnel_config_free(&config);
	return r;
}

/* Without the namespace there is nothing. */
int task_tunnel_del(const struct task_tunnel_maker *maker, const struct cni_request *request,
		    struct cni_error *err)
{
	struct task_tunnel_config config;
	struct task_tunnel_place place = { .maker = maker, .request = request, .config = &config };
	struct error why;
	int r;

	if (request->netns_fd < 0)
		return 0;
	(void)task_tunnel_config_read(request, &config, NULL);
	r = task_setup_open(&place.task, request, NULL, &why);
	if (r == 0)
		r = task_tunnel_links_delete(&place, &why);
	task_setup_close(&place.task, place.host);
	task_tunnel_config_free(&config);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

/* ---- CHECK ---- */

struct gateway_search {
	const struct ip_address *gateway;
	bool found;
};

static void look_at_neighbour(void *data, const struct ip_address *address)
{
	struct gateway_search *search = data;

	search->found = search->found || ip_equal(address, search->gateway);
}

static int check_gateway(struct task_tunnel_place *place, struct error *err)
{
	const struct ip_address *gateway = &place->config->gateway;
	struct gateway_search search = { .gateway = gateway };
	char text[IP_TEXT_SIZE];
	int r;

	if (!place->config->task.has_default_route)
		return 0;
	r = neighbour_list(place->task.netlink, place->task.link.index, look_at_neighbour, &search,
			   err);
	if (r == 0 && !search.found)
		r = error_say(err, ENOENT, "the neighbour %s of link %s is gone",
			      ip_format(gateway, text), place->task.link.name);
	return r;
}

/* The MAC is what the ADD has said. */
static int check_mac(const struct task_tunnel_place *place, struct error *err)
{
	const struct cni_interface *answered =
		cni_result_task_end(place->request->previous, place->request->ifname);
	char mac[MAC_TEXT_SIZE];

	if (place->config->type != TASK_TUNNEL_GENEVE)
		return 0;
	mac_format(&place->task.link.mac, mac);
	if (answered && answered->mac && !str_eq(answered->mac, mac))
		return error_say(err, EINVAL, "link %s has another MAC address, %s",
				 place->task.link.name, mac);
	return 0;
}

int task_tunnel_check(const struct task_tunnel_maker *maker, const struct cni_request *request,
		      struct cni_error *err)
{
	struct task_tunnel_config config;
	struct task_tunnel_place place = { .maker = maker, .request = request, .config = &config };
	struct error why;
	int r = task_tunnel_config_read(request, &config, err);

	if (r == 0)
		r = cni_need_previous(request, err);
	if (r < 0) {
		task_tunnel_config_free(&config);
		return r;
	}
	r = task_setup_open(&place.task, request, NULL, &why);
	if (r == 0)
		r = task_tunnel_links_check(&place, &why);
	if (r == 0)
		r = check_mac(&place, &why);
	if (r == 0)
		r = task_setup_check(&place.task, &config.task, &why);
	if (r == 0)
		r = check_gateway(&place, &why);
	task_setup_close(&place.task, place.host);
	task_tunnel_config_free(&config);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

/* ---- the plugin ---- */

static int geneve_add(const struct cni_request *request, struct cni_result *ret,
		      struct cni_error *err)
{
	return task_tunnel_add(&task_tunnel_geneve_maker, request, ret, err);
}

static int geneve_del(const struct cni_request *request, struct cni_error *err)
{
	return task_tunnel_del(&task_tunnel_geneve_maker, request, err);
}

static int geneve_check(const struct cni_request *request, struct cni_error *err)
{
	return task_tunnel_check(&task_tunnel_geneve_maker, request, err);
}

/* That there is a way to the other end, where it is named; a tunnel dies with its namespace, so
 * there is nothing to collect. */
static int geneve_status(const struct cni_request *request, struct cni_error *err)
{
	struct task_tunnel_config config;
	struct netlink *netlink = NULL;
	struct route_target target;
	struct error why;
	int r = task_tunnel_config_read(request, &config, err);

	if (r == 0 && config.tunnel.port) {
		r = netlink_open(&netlink, &why);
		if (r == 0)
			r = route_lookup(netlink, &config.tunnel.remote, 0, &target, &why);
		netlink_close(netlink);
		if (r < 0)
			r = cni_fail_with(err, CNI_NOT_AVAILABLE, &why);
	}
	task_tunnel_config_free(&config);
	return r;
}

static const char *const capabilities[] = { "awsvpc-network-mode", NULL };

const struct cni_plugin task_tunnel_plugin = {
	.name = "ecs-tunnel",
	.about = "gives a task's namespace one end of a geneve tunnel",
	.capabilities = capabilities,
	.wants_netns = true,
	.add = geneve_add,
	.del = geneve_del,
	.check = geneve_check,
	.status = geneve_status,
};
