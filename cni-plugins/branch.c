/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/branch.h"

#include <errno.h>

#include "cni-plugins/own_link.h"

static int find_trunk(struct netlink *netlink, const struct branch_config *config, struct link *ret,
		      struct error *err)
{
	int r = config->trunk_name ? link_by_name(netlink, config->trunk_name, ret, err)
				   : link_by_mac(netlink, &config->trunk_mac, ret, err);

	if (r < 0)
		error_prefix(err, "find the trunk");
	return r;
}

static int open_place(struct branch_place *place, struct error *err)
{
	int r = task_setup_open(&place->task, place->request, &place->host, err);

	return r == 0 ? find_trunk(place->host, place->config, &place->trunk, err) : r;
}

static int set_trunk_up(struct branch_place *place, struct error *err)
{
	struct netlink_batch *batch;

	if (place->trunk.is_up)
		return 0;
	batch = netlink_batch_new();
	link_set_up(batch, place->trunk.index, place->trunk.name);
	return netlink_finish(place->host, batch, err);
}

/* An ADD that has answered is one that works: what is sent to a link that does not run yet is lost.
 * (A tap runs when somebody has it open.) */
static int wait_ready(struct branch_place *place, struct error *err)
{
	int r = 0;

	if (place->config->type == BRANCH_VLAN)
		r = link_wait_running(place->task.netlink, place->task.link.name,
				      TASK_READY_TIMEOUT_MS, err);
	return r == 0 ? task_setup_wait_ready(&place->task, &place->config->task, err) : r;
}

static int configure(struct branch_place *place, struct error *err)
{
	int r = branch_links_create(place, err);

	if (r == 0)
		r = task_setup_configure(&place->task, &place->config->task, err);
	if (r == 0)
		r = wait_ready(place, err);
	/* As it is now, for the answer. */
	return r == 0 ? link_by_name(place->task.netlink, place->request->ifname, &place->task.link,
				     err)
		      : r;
}

static int plug(struct branch_place *place, struct error *err)
{
	const struct cni_request *request = place->request;
	int r = task_setup_expect_free(place->task.netlink, request, request->ifname, err);

	if (r == 0)
		r = task_setup_look(&place->task, &place->config->task, err);
	if (r == 0)
		r = set_trunk_up(place, err);
	if (r < 0)
		return r;
	r = configure(place, err);
	if (r < 0) {
		task_setup_undo(&place->task, &place->config->task);
		branch_links_undo(place);
	}
	return r;
}

static int add(const struct branch_maker *maker, const struct cni_request *request,
	       const struct branch_config *config, struct cni_result *ret, struct cni_error *err)
{
	struct branch_place place = { .maker = maker, .request = request, .config = config };
	struct error why;
	char mac[MAC_TEXT_SIZE];
	int r;

	if (cni_take_dns(request, ret, err) < 0)
		return -1;
	r = open_place(&place, &why);
	if (r == 0)
		r = plug(&place, &why);
	task_setup_close(&place.task, place.host);
	if (r < 0)
		return cni_fail_with(err, CNI_PLUGIN_FAILED, &why);
	/* Of a tap, whoever has it open is known by the branch's MAC. */
	task_setup_result(&place.task, &config->task,
			  cni_result_add_interface(ret, request->ifname,
						   mac_format(&config->mac, mac), request->netns,
						   place.task.link.mtu),
			  ret);
	return 0;
}

int branch_add(const struct branch_maker *maker, const struct cni_request *request,
	       struct cni_result *ret, struct cni_error *err)
{
	struct branch_config config;
	int r = branch_config_read(request, &config, err);

	if (r == 0)
		r = add(maker, request, &config, ret, err);
	branch_config_free(&config);
	return r;
}

/* What lo and the routes have is as much that of other attachments in the namespace. */
static void undo_task(struct branch_place *place)
{
	bool has_others = true;

	(void)own_link_has_others(place->task.netlink, place->request, &has_others, NULL);
	if (!has_others)
		task_setup_undo(&place->task, &place->config->task);
}

/* The trunk is not asked for, and without the namespace there is nothing. */
int branch_del(const struct branch_maker *maker, const struct cni_request *request,
	       struct cni_error *err)
{
	struct branch_config config;
	struct branch_place place = { .maker = maker, .request = request, .config = &config };
	struct error why;
	int r = 0;

	if (request->netns_fd < 0)
		return 0;
	(void)branch_config_read(request, &config, NULL);
	r = task_setup_open(&place.task, request, NULL, &why);
	if (r == 0)
		r = branch_links_delete(&place, &why);
	if (place.task.netlink)
		undo_task(&place);
	task_setup_close(&place.task, place.host);
	branch_config_free(&config);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

int branch_check(const struct branch_maker *maker, const struct cni_request *request,
		 struct cni_error *err)
{
	struct branch_config config;
	struct branch_place place = { .maker = maker, .request = request, .config = &config };
	struct error why;
	int r = branch_config_read(request, &config, err);

	if (r == 0)
		r = cni_need_previous(request, err);
	if (r < 0) {
		branch_config_free(&config);
		return r;
	}
	r = open_place(&place, &why);
	if (r == 0)
		r = branch_links_check(&place, &why);
	if (r == 0)
		r = task_setup_check(&place.task, &config.task, &why);
	task_setup_close(&place.task, place.host);
	branch_config_free(&config);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

static int vlan_add(const struct cni_request *request, struct cni_result *ret,
		    struct cni_error *err)
{
	return branch_add(&branch_vlan_maker, request, ret, err);
}

static int vlan_del(const struct cni_request *request, struct cni_error *err)
{
	return branch_del(&branch_vlan_maker, request, err);
}

static int vlan_check(const struct cni_request *request, struct cni_error *err)
{
	return branch_check(&branch_vlan_maker, request, err);
}

/* That the trunk is there, where it is named; a branch dies with its namespace, so there is nothing
 * to collect. */
static int vlan_status(const struct cni_request *request, struct cni_error *err)
{
	static const struct mac_address none;
	struct branch_config config;
	struct netlink *netlink = NULL;
	struct link trunk;
	struct error why;
	int r = branch_config_read(request, &config, err);

	if (r == 0 && (config.trunk_name || !mac_equal(&config.trunk_mac, &none))) {
		r = netlink_open(&netlink, &why);
		if (r == 0)
			r = find_trunk(netlink, &config, &trunk, &why);
		netlink_close(netlink);
		if (r < 0)
			r = cni_fail_with(err, CNI_NOT_AVAILABLE, &why);
	}
	branch_config_free(&config);
	return r;
}

static const char *const capabilities[] = { "awsvpc-network-mode", NULL };

const struct cni_plugin branch_plugin = {
	.name = "ecs-branch-eni",
	.about = "gives a task's namespace a branch of a trunk interface",
	.capabilities = capabilities,
	.wants_netns = true,
	.add = vlan_add,
	.del = vlan_del,
	.check = vlan_check,
	.status = vlan_status,
};
