/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "netns/addr.h"

static int read_type(const struct nlmsghdr *header, void *data)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	unsigned char *type = data;

	if (header->nlmsg_type == RTM_NEWROUTE)
		*type = message->rtm_type;
	return 0;
}

/* Where would a packet to the address go: to ourselves? */
static int is_local(struct netlink *netlink, const struct ip_address *address, int link_index,
		    struct error *err)
{
	char text[IP_TEXT_SIZE];
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETROUTE, 0, "look up the route to %s",
						  ip_format(address, text));
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	unsigned char type = RTN_UNSPEC;
	int r;

	message->rtm_family = (uint8_t)address->family;
	message->rtm_dst_len = (uint8_t)ip_bits(address);
	mnl_attr_put(header, RTA_DST, ip_size(address), address->bytes);
	/* As if it came in by the link: a link-local address is local on its own link only. */
	mnl_attr_put_u32(header, RTA_OIF, (uint32_t)link_index);
	r = netlink_query(netlink, query, read_type, NULL, &type, err);
	netlink_batch_free(query);
	if (r == -ENETUNREACH || r == -EHOSTUNREACH)
		return 0;
	return r < 0 ? r : type == RTN_LOCAL;
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
