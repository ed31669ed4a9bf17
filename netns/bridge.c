/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/bridge.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/random.h"
#include "base/str.h"
#include "netns/sysctl.h"

static struct mac_address random_mac(void)
{
	struct mac_address mac = { { 0 } };

	random_bytes(mac.bytes, sizeof(mac.bytes));
	/* Locally administered, no group. */
	mac.bytes[0] = (unsigned char)((mac.bytes[0] | 2) & 0xfe);
	return mac;
}

/*
 * Unless its MTU was changed by hand, a bridge takes the smallest of its ports': one task could
 * take IPv6, and the bridge's addresses, from all others.
 */
static int pin_mtu(struct netlink *netlink, const struct link *bridge, uint32_t mtu,
		   struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	int r;

	link_set_mtu(batch, bridge->index, bridge->name, mtu);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	return r;
}

static int create(struct netlink *netlink, const char *name, uint32_t mtu, struct error *err)
{
	const struct mac_address mac = random_mac();
	struct netlink_batch *batch = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
						  "create bridge %s", name);
	struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	struct nlattr *info;
	int r;

	message->ifi_flags = message->ifi_change = IFF_UP;
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	mnl_attr_put(header, IFLA_ADDRESS, MAC_SIZE, mac.bytes);
	if (mtu)
		mnl_attr_put_u32(header, IFLA_MTU, mtu - 1);
	info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(header, info);
	netlink_tolerate(batch, EEXIST);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	return r;
}

/*
 * While its link-local address is looked for elsewhere, a second after its first port, a bridge
 * asks for no neighbour: what the host forwards to a container by IPv6 would be lost.
 */
static int detect_no_duplicates(const char *name, struct error *err)
{
	int r = sysctl_set_link("ipv6", "conf", name, "accept_dad", "0", err);

	return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
}

int bridge_ensure(struct netlink *netlink, const char *name, uint32_t mtu, struct link *ret,
		  struct error *err)
{
	struct link link = { 0 };
	int r = link_by_name(netlink, name, &link, err);

	if (r == -ENODEV) {
		r = create(netlink, name, mtu, err);
		if (r == 0)
			r = link_by_name(netlink, name, &link, err);
		if (r == 0 && mtu) {
			r = pin_mtu(netlink, &link, mtu, err);
			link.mtu = mtu;
		}
		if (r == 0)
			r = detect_no_duplicates(name, err);
	}
	if (r < 0)
		return r;
	if (!str_eq(link.kind, "bridge"))
		return error_say(err, EEXIST,
				 "interface named %s already exists, but is not a bridge", name);
	if (!link.is_up) {
		struct netlink_batch *batch = netlink_batch_new();

		link_set_up(batch, link.index, name);
		r = netlink_run(netlink, batch, err);
		netlink_batch_free(batch);
	}
	if (r == 0)
		*ret = link;
	return r;
}

/* A change of what a bridge keeps of its port, asked of the bridge: by way of the link itself the
 * kernel would look at the port anew afterwards, and enable it. */
static struct nlmsghdr *begin_port(struct netlink_batch *batch, int index, const char *what,
				   const char *name, struct nlattr **ret_nest)
{
	struct nlmsghdr *header = netlink_request(batch, RTM_SETLINK, 0, "%s %s", what, name);
	struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	message->ifi_family = AF_BRIDGE;
	message->ifi_index = index;
	*ret_nest = mnl_attr_nest_start(header, IFLA_PROTINFO);
	return header;
}

void bridge_port_set_hairpin(struct netlink_batch *batch, int index, const char *name)
{
	struct nlattr *nest;
	struct nlmsghdr *header =
		begin_port(batch, index, "set hairpin on for bridge port", name, &nest);

	mnl_attr_put_u8(header, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN);
	mnl_attr_nest_end(header, nest);
}

void bridge_port_isolate(struct netlink_batch *batch, int index, const char *name)
{
	struct nlattr *nest;
	struct nlmsghdr *header = begin_port(batch, index, "isolate bridge port", name, &nest);

	mnl_attr_put_u8(header, IFLA_BRPORT_ISOLATED, 1);
	mnl_attr_nest_end(header, nest);
}

void bridge_port_bind(struct netlink_batch *batch, int index, const char *name,
		      const struct mac_address *mac)
{
	char text[MAC_TEXT_SIZE];
	struct nlattr *nest;
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
				"bind bridge port %s to %s", name, mac_format(mac, text));
	struct ndmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	message->ndm_family = AF_BRIDGE;
	message->ndm_ifindex = index;
	message->ndm_state = NUD_NOARP;
	message->ndm_flags = NTF_MASTER;
	mnl_attr_put(header, NDA_LLADDR, MAC_SIZE, mac->bytes);

	header = begin_port(batch, index, "lock bridge port", name, &nest);
	mnl_attr_put_u8(header, IFLA_BRPORT_LEARNING, 0);
	mnl_attr_put_u8(header, IFLA_BRPORT_LOCKED, 1);
	mnl_attr_nest_end(header, nest);
}

void bridge_port_disable(struct netlink_batch *batch, int index, const char *name)
{
	struct nlattr *nest;
	struct nlmsghdr *header = begin_port(batch, index, "disable bridge port", name, &nest);

	mnl_attr_put_u8(header, IFLA_BRPORT_STATE, BR_STATE_DISABLED);
	mnl_attr_put(header, IFLA_BRPORT_FLUSH, 0, NULL);
	mnl_attr_nest_end(header, nest);
}
