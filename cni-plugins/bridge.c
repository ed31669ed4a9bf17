/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/bridge.h"

#include <errno.h>

#include "base/str.h"
#include "cni-plugins/delegate.h"
#include "cni-plugins/host_end.h"
#include "netns/link.h"

/* Before an address is leased: a second ADD must not touch what the first one has. */
static int expect_free(const struct cni_request *request, struct cni_error *err)
{
	struct netlink *netlink = NULL;
	struct error why;
	int r = netlink_open_in(request->netns_fd, &netlink, &why);

	if (r == 0)
		r = task_setup_expect_free(netlink, request, request->ifname, &why);
	netlink_close(netlink);
	return r < 0 ? cni_fail_with(err, CNI_PLUGIN_FAILED, &why) : 0;
}

static int attach(const struct cni_request *request, void *data, struct cni_result *ret,
		  struct cni_error *err)
{
	struct bridge_config *config = data;

	if (bridge_config_complete(config, err) < 0)
		return -1;
	return bridge_attach(request, config, ret, err);
}

static int bridge_add(const struct cni_request *request, struct cni_result *ret,
		      struct cni_error *err)
{
	struct bridge_config config;

	if (bridge_config_read(request, &config, err) < 0 || cni_take_dns(request, ret, err) < 0 ||
	    expect_free(request, err) < 0)
		return -1;
	return task_config_lease(&config.task, request, config.ipam_type, attach, &config, ret,
				 err);
}

/* Everything is tried; the first failure is told. The delegate is called even when the namespace is
 * gone. */
static int bridge_del(const struct cni_request *request, struct cni_error *err)
{
	struct bridge_config config;

	if (bridge_config_read(request, &config, err) < 0)
		return -1;
	return cni_with_ipam(request, config.ipam_type, "DEL", bridge_detach(request, &config, err),
			     err);
}

/* The routes that were printed lead through the gateway: those are ours. */
static int bridge_check_all(const struct cni_request *request, struct cni_error *err)
{
	struct bridge_config config;

	if (bridge_config_read(request, &config, err) < 0 || cni_need_previous(request, err) < 0)
		return -1;
	if (cni_ipam_call(request, config.ipam_type, "CHECK", err) < 0 ||
	    task_config_take_previous(&config.task, request, err) < 0 ||
	    bridge_config_complete(&config, err) < 0)
		return -1;
	return bridge_check(request, &config, err);
}

static int bridge_gc(const struct cni_request *request, struct cni_error *err)
{
	struct bridge_config config;

	if (bridge_config_read(request, &config, err) < 0)
		return -1;
	return cni_with_ipam(request, config.ipam_type, "GC", host_end_collect(request, err), err);
}

static int bridge_status(const struct cni_request *request, struct cni_error *err)
{
	struct bridge_config config;
	struct netlink *netlink = NULL;
	struct link link;
	struct error why;
	int r;

	if (bridge_config_read(request, &config, err) < 0)
		return -1;
	r = netlink_open(&netlink, &why);
	if (r == 0)
		r = link_by_name(netlink, config.bridge, &link, &why);
	netlink_close(netlink);
	if (r < 0 && r != -ENODEV)
		return cni_fail_with(err, CNI_NOT_AVAILABLE, &why);
	if (r == 0 && !str_eq(link.kind, "bridge"))
		return cni_fail(err, CNI_NOT_AVAILABLE,
				"interface named %s already exists, but is not a bridge",
				config.bridge);
	return cni_ipam_call(request, config.ipam_type, "STATUS", err);
}

static const char *const capabilities[] = { "awsvpc-network-mode", NULL };

const struct cni_plugin bridge_plugin = {
	.name = "ecs-bridge",
	.about = "gives a namespace an interface on a bridge of the host",
	.capabilities = capabilities,
	.wants_netns = true,
	.add = bridge_add,
	.del = bridge_del,
	.check = bridge_check_all,
	.gc = bridge_gc,
	.status = bridge_status,
};
