/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "netns/addr.h"
#include "netns/route.h"

/* Where would a packet to the address go: to ourselves? */
static int is_local(struct netlink *netlink, const struct ip_address *address, int link_index,
		    struct error *err)
{
	struct route_target target;
	int r = route_lookup(netlink, address, link_index, &target, err);

	if (r == -ENETUNREACH || r == -EHOSTUNREACH)
		return 0;
	return r < 0 ? r : target.is_local;
}

int address_wait_ready(struct netlink *netlink, const struct ip_address *address, int link_index,
		       int64_t timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	char text[IP_TEXT_SIZE];
	int r;

	if (address->family != AF_INET6)
		return 0;
	r = is_local(netlink, address, link_index, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = netlink_listen(netlink, RTNLGRP_IPV6_ROUTE, true, err);
	while (r == 0) {
		int64_t wait_ms = deadline_ms - clock_monotonic_ms();

		r = is_local(netlink, address, link_index, err);
		if (r != 0)
			break;
		if (wait_ms <= 0)
			r = error_say(err, ETIMEDOUT, "address %s is there but not in use",
				      ip_format(address, text));
		else
			netlink_await(netlink, wait_ms);
	}
	(void)netlink_listen(netlink, RTNLGRP_IPV6_ROUTE, false, NULL);
	return r < 0 ? r : 0;
}
