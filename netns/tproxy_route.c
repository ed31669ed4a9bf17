/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/tproxy_route.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#define LOOPBACK_INDEX 1
/* Where the kernel puts the first rule that names no priority. Without one it takes the same rule
 * again and again. */
#define PRIORITY 32765

static const char *family_name(int family)
{
	return family == AF_INET6 ? "IPv6" : "IPv4";
}

static void put_rule(struct nlmsghdr *header, int family)
{
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(header, sizeof(*rule));

	rule->family = (uint8_t)family;
	rule->table = TPROXY_TABLE;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(header, FRA_FWMARK, TPROXY_MARK);
	/* Other bits are none of ours. */
	mnl_attr_put_u32(header, FRA_FWMASK, TPROXY_MARK);
	mnl_attr_put_u32(header, FRA_TABLE, TPROXY_TABLE);
	mnl_attr_put_u32(header, FRA_PRIORITY, PRIORITY);
}

static void put_route(struct nlmsghdr *header, int family)
{
	struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));

	route->rtm_family = (uint8_t)family;
	route->rtm_table = TPROXY_TABLE;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_HOST;
	route->rtm_type = RTN_LOCAL;
	mnl_attr_put_u32(header, RTA_OIF, LOOPBACK_INDEX);
}

void tproxy_route_add(struct netlink_batch *batch, int family)
{
	put_route(netlink_request(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
				  "add the local %s route of table %d", family_name(family),
				  TPROXY_TABLE),
		  family);
	netlink_tolerate(batch, EEXIST);
	put_rule(netlink_request(batch, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL,
				 "add the %s rule of mark %d", family_name(family), TPROXY_MARK),
		 family);
	netlink_tolerate(batch, EEXIST);
}

void tproxy_route_remove(struct netlink_batch *batch, int family)
{
	put_rule(netlink_request(batch, RTM_DELRULE, 0, "remove the %s rule of mark %d",
				 family_name(family), TPROXY_MARK),
		 family);
	netlink_tolerate(batch, ENOENT);
	/* A kernel without IPv6 has none of its. */
	netlink_tolerate(batch, EAFNOSUPPORT);
	netlink_tolerate(batch, EOPNOTSUPP);
	put_route(netlink_request(batch, RTM_DELROUTE, 0, "remove the local %s route of table %d",
				  family_name(family), TPROXY_TABLE),
		  family);
	netlink_tolerate(batch, ESRCH);
	netlink_tolerate(batch, EAFNOSUPPORT);
	netlink_tolerate(batch, EOPNOTSUPP);
}

static int read_type(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	bool *is_local = data;

	if (message->nlmsg_type == RTM_NEWROUTE)
		*is_local |= route->rtm_type == RTN_LOCAL;
	return MNL_CB_OK;
}

int tproxy_route_check(struct netlink *netlink, const struct ip_address *to, struct error *err)
{
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETROUTE, 0,
						  "look up the route of mark %d", TPROXY_MARK);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(header, sizeof(*route));
	bool is_local = false;
	int r;

	route->rtm_family = (uint8_t)to->family;
	route->rtm_dst_len = (uint8_t)ip_bits(to);
	mnl_attr_put(header, RTA_DST, ip_size(to), to->bytes);
	mnl_attr_put_u32(header, RTA_MARK, TPROXY_MARK);
	r = netlink_query(netlink, query, read_type, NULL, &is_local, err);
	netlink_batch_free(query);
	if (r == 0 || r == -ENETUNREACH || r == -EHOSTUNREACH)
		r = is_local ? 0
			     : error_say(err, ENOENT,
					 "the %s rule of mark %d, or the local route of table %d, "
					 "is gone",
					 family_name(to->family), TPROXY_MARK, TPROXY_TABLE);
	return r;
}
