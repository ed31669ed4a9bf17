/* SPDX-License-Identifier: Apache-2.0 */
#include "init/host.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "init/forwarding.h"
#include "init/rules.h"
#include "netns/netlink.h"
#include "netns/route.h"
#include "netns/sysctl.h"

#define ENDPOINT "169.254.170.2/32"

/* Lets packets for 127.0.0.1 that were redirected from elsewhere in; rules.c closes what it opens.
 */
#define ROUTE_LOCALNET_ALL     "net/ipv4/conf/all/route_localnet"
#define ROUTE_LOCALNET_DEFAULT "net/ipv4/conf/default/route_localnet"

static int make_directories(const struct init_settings *settings, struct error *err)
{
	const struct {
		const char *path;
		mode_t mode;
	} directories[] = { { "/etc/ecs", 0755 },
			    { "/var/log/ecs", 0755 },
			    { settings->data_dir, 0711 },
			    { settings->run_dir, 0711 } };

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		int r = file_mkdirs(directories[i].path, directories[i].mode, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int has_default_route(struct netlink *netlink, bool *ret, struct error *err)
{
	struct route_list routes = { 0 };
	int r = route_list(netlink, AF_INET, &routes, err);

	if (r < 0)
		return r;
	*ret = false;
	for (size_t i = 0; i < routes.count; i++)
		*ret |= routes.items[i].destination.length == 0;
	route_list_free(&routes);
	return 0;
}

/*
 * A host without a default route has no way to 169.254.170.2, and connect() fails before the rules
 * are asked: a route over lo makes it reach them.
 */
static int endpoint_route(bool wanted, struct error *err)
{
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = NULL;
	struct route route = { .type = ROUTE_UNICAST, .link_index = (int)if_nametoindex("lo") };
	bool has_default = false;
	int r;

	r = ip_prefix_parse(ENDPOINT, &route.destination, err);
	if (r == 0)
		r = netlink_open(&netlink, err);
	if (r < 0)
		return r;
	r = has_default_route(netlink, &has_default, err);
	if (r == 0 && !(wanted && has_default)) {
		batch = netlink_batch_new();
		if (wanted)
			route_replace(batch, &route);
		else
			route_delete(batch, &route);
		r = netlink_run(netlink, batch, err);
		netlink_batch_free(batch);
	}
	netlink_close(netlink);
	return r;
}

int host_prepare(const struct init_settings *settings, struct error *err)
{
	int r;

	r = make_directories(settings, err);
	if (r == 0)
		r = sysctl_set(ROUTE_LOCALNET_ALL, "1", err);
	if (r == 0)
		r = forwarding_on(settings, err);
	if (r == 0)
		r = endpoint_route(true, err);
	if (r == 0)
		r = rules_set(settings, err);
	if (r == 0)
		log_info("the host is prepared", "data_dir", settings->data_dir, "metadata_port",
			 LOG_NUM(settings->metadata_port));
	return r;
}

int host_restore(const struct init_settings *settings, struct error *err)
{
	_cleanup_free_ char *before = NULL;
	struct error other = ERROR_INIT;
	int r;

	r = sysctl_get(ROUTE_LOCALNET_DEFAULT, &before, err);
	if (r == 0)
		r = sysctl_set(ROUTE_LOCALNET_ALL, before, err);
	if (forwarding_restore(settings, &other) < 0 && r == 0) {
		*err = other;
		r = -other.code;
	}
	if (endpoint_route(false, &other) < 0)
		log_warn("the route to the metadata endpoint could not be removed", "error",
			 other.text);
	if (rules_remove(&other) < 0 && r == 0) {
		*err = other;
		r = -other.code;
	}
	return r;
}
