/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/stacked_link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"

/* Up to where the kind begins; *ret_info is open. */
static struct nlmsghdr *begin(struct netlink_batch *batch, const struct stacked_link *spec,
			      const char *kind, struct nlattr **ret_info)
{
	struct nlmsghdr *header = netlink_request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
						  "create %s link %s", kind, spec->name);

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, spec->name);
	mnl_attr_put_u32(header, IFLA_LINK, (uint32_t)spec->below);
	if (spec->netns_fd >= 0)
		mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)spec->netns_fd);
	if (spec->mac)
		mnl_attr_put(header, IFLA_ADDRESS, MAC_SIZE, spec->mac->bytes);
	if (spec->mtu)
		mnl_attr_put_u32(header, IFLA_MTU, spec->mtu);
	*ret_info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, kind);
	return header;
}

int vlan_create(struct netlink *netlink, const struct stacked_link *spec, uint16_t vlan_id,
		struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct nlattr *info, *data;
	struct nlmsghdr *header = begin(batch, spec, "vlan", &info);
	int r;

	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u16(header, IFLA_VLAN_ID, vlan_id);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	if (r == -EOPNOTSUPP)
		error_say(err, EOPNOTSUPP,
			  "create vlan link %s: this kernel has no 802.1Q links (8021q)",
			  spec->name);
	return r;
}

int macvtap_create(struct netlink *netlink, const struct stacked_link *spec, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct nlattr *info, *data;
	struct nlmsghdr *header = begin(batch, spec, "macvtap", &info);
	int r;

	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u32(header, IFLA_MACVLAN_MODE, MACVLAN_MODE_PASSTHRU);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	return r;
}

int tap_create(const char *name, uid_t uid, gid_t gid, struct error *err)
{
	struct ifreq request = {
		.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL),
	};
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, errno, "open /dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return error_set(err, errno == EBUSY ? EEXIST : errno, "create tap %s", name);
	/* One that is not persistent yet goes with the descriptor. */
	if (ioctl(fd, TUNSETOWNER, (unsigned long)uid) < 0 ||
	    ioctl(fd, TUNSETGROUP, (unsigned long)gid) < 0)
		return error_set(err, errno, "give tap %s to user %u and group %u", name, uid, gid);
	if (ioctl(fd, TUNSETPERSIST, 1UL) < 0)
		return error_set(err, errno, "keep tap %s", name);
	return 0;
}
