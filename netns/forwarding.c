/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/forwarding.h"

#include <stdbool.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "netns/link.h"
#include "netns/sysctl.h"

#define FORWARD_IPV4 "net/ipv4/ip_forward"
#define FORWARD_IPV6 "net/ipv6/conf/all/forwarding"

static int is_on(const char *name, struct error *err)
{
	_cleanup_free_ char *value = NULL;
	int r = sysctl_get(name, &value, err);

	return r < 0 ? r : !str_eq(value, "0");
}

static int keep_advertised_routes(struct netlink *netlink, struct error *err)
{
	struct link_list links = { 0 };
	int r = link_list(netlink, 0, &links, err);

	for (size_t i = 0; r == 0 && i < links.count; i++) {
		_cleanup_free_ char *name = NULL, *value = NULL;

		name = sysctl_link_name("ipv6", "conf", links.items[i].name, "accept_ra");
		if (sysctl_get(name, &value, NULL) == 0 && str_eq(value, "1"))
			r = sysctl_set(name, "2", err);
	}
	link_list_free(&links);
	return r;
}

int forwarding_enable(struct netlink *netlink, int family, struct error *err)
{
	const char *name = family == AF_INET6 ? FORWARD_IPV6 : FORWARD_IPV4;
	int r = is_on(name, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = family == AF_INET6 ? keep_advertised_routes(netlink, err) : 0;
	return r == 0 ? sysctl_set(name, "1", err) : r;
}
