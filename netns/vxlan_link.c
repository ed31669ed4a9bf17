/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/vxlan_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/number.h"
#include "base/str.h"
#include "netns/addr.h"
#include "netns/ipv6.h"
#include "netns/sysctl.h"

#define NAME_PREFIX  "vx"
#define VNI_MAX      0xffffff
#define VXLAN_HEADER 8
#define LOOPBACK_MTU 1500 /* an address on lo says nothing of the links behind it */
#define SMALLEST_MTU 1280 /* of IPv6 */

const char *vxlan_name(uint32_t vni, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, NAME_PREFIX "%" PRIu32, vni);
	return name;
}

uint32_t vxlan_name_vni(const char *name)
{
	int64_t vni;

	if (!str_starts_with(name, NAME_PREFIX) ||
	    number_parse_i64(name + strlen(NAME_PREFIX), 1, VNI_MAX, &vni, NULL) < 0)
		return 0;
	return (uint32_t)vni;
}

struct mac_address vxlan_mac(const struct ip_address *host)
{
	struct mac_address mac = { { 0x02, 0xbe } };
	uint64_t value;

	if (host->family == AF_INET) {
		memcpy(mac.bytes + 2, host->bytes, 4);
		return mac;
	}
	mac.bytes[0] = 0x06;
	/* For an address that does not fit. */
	value = hash64(HASH64_START, host->bytes, ip_size(host));
	value ^= value >> 40;
	for (size_t i = 1; i < MAC_SIZE; i++, value >>= 8)
		mac.bytes[i] = (unsigned char)value;
	return mac;
}

struct ip_address vxlan_gateway(int family, const struct ip_address *host)
{
	const struct mac_address mac = vxlan_mac(host);

	if (family == AF_INET && host->family == AF_INET)
		return *host;
	return (struct ip_address){ AF_INET6,
				    { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac.bytes[0] ^ 0x02,
				      mac.bytes[1], mac.bytes[2], 0xff, 0xfe, mac.bytes[3],
				      mac.bytes[4], mac.bytes[5] } };
}

static void put_device(struct nlmsghdr *header, const struct vxlan_spec *spec)
{
	struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(header, IFLA_INFO_KIND, "vxlan");
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u32(header, IFLA_VXLAN_ID, spec->vni);
	mnl_attr_put(header, spec->local.family == AF_INET6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL,
		     ip_size(&spec->local), spec->local.bytes);
	mnl_attr_put_u16(header, IFLA_VXLAN_PORT, htons(spec->port));
	mnl_attr_put_u8(header, IFLA_VXLAN_LEARNING, 0);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
}

static int create(struct netlink *netlink, const struct vxlan_spec *spec, const char *name,
		  struct error *err)
{
	const struct mac_address mac = vxlan_mac(&spec->local);
	struct netlink_batch *batch = netlink_batch_new();
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
				"create VXLAN device %s on port %u", name, spec->port);
	struct link other;
	int r;

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	mnl_attr_put(header, IFLA_ADDRESS, MAC_SIZE, mac.bytes);
	mnl_attr_put_u32(header, IFLA_MTU, spec->mtu);
	mnl_attr_put_u32(header, IFLA_GROUP, LINK_GROUP_TUNNEL);
	put_device(header, spec);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	if (r == -EEXIST && link_by_name(netlink, name, &other, NULL) == 0)
		return error_say(err, EEXIST,
				 "create VXLAN device %s: another program's link has this name",
				 name);
	return r;
}

static int ignore_absent(int r)
{
	return r == -ENOENT ? 0 : r;
}

/* New links may be without it though the host speaks it (net.ipv6.conf.default.disable_ipv6). */
static int allow_ipv6(const struct link *link, struct error *err)
{
	if (ipv6_check(NULL) < 0)
		return 0;
	return sysctl_set_link("ipv6", "conf", link->name, "disable_ipv6", "0", err);
}

static int set_up(struct netlink *netlink, const struct link *link, const char *alias,
		  struct error *err)
{
	struct netlink_batch *batch;
	int r = allow_ipv6(link, err);

	if (r < 0)
		return r;
	batch = netlink_batch_new();
	link_set_alias(batch, link->index, link->name, alias);
	link_set_tunnel_ipv4(batch, link->index, link->name);
	link_set_no_link_local(batch, link->index, link->name);
	/* A kernel without IPv6. */
	netlink_tolerate(batch, EAFNOSUPPORT);
	netlink_tolerate(batch, EOPNOTSUPP);
	link_set_up(batch, link->index, link->name);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	/* From 6.17 on a link forwards by itself; before, net.ipv6.conf.all.forwarding decides. */
	if (r == 0)
		r = ignore_absent(
			sysctl_set_link("ipv6", "conf", link->name, "force_forwarding", "1", err));
	return r;
}

int vxlan_create(struct netlink *netlink, const struct vxlan_spec *spec, struct link *ret,
		 struct error *err)
{
	char name[IFNAMSIZ];
	struct netlink_batch *batch;
	struct link link = { 0 };
	int r = create(netlink, spec, vxlan_name(spec->vni, name), err);

	if (r == 0)
		r = link_by_name(netlink, name, &link, err);
	if (r < 0)
		return r;
	r = set_up(netlink, &link, spec->alias, err);
	if (r == 0) {
		*ret = link;
		return 0;
	}
	batch = netlink_batch_new();
	link_delete(batch, link.index, link.name);
	(void)netlink_run(netlink, batch, NULL);
	netlink_batch_free(batch);
	return r;
}

int vxlan_mtu(struct netlink *netlink, const struct ip_address *local, uint32_t *ret,
	      struct error *err)
{
	const uint32_t overhead = (uint32_t)((local->family == AF_INET6 ? sizeof(struct ip6_hdr)
									: sizeof(struct iphdr)) +
					     sizeof(struct udphdr) + VXLAN_HEADER + ETH_HLEN);
	struct link link = { 0 };
	int index = 0, r = address_find(netlink, local, &index, err);

	if (r == 0)
		r = link_by_index(netlink, index, &link, err);
	if (r < 0)
		return r;
	if (link.is_loopback)
		link.mtu = LOOPBACK_MTU;
	if (link.mtu < SMALLEST_MTU + overhead)
		return error_say(err, EMSGSIZE,
				 "link %s has MTU %u: at least %u are needed to reach other hosts",
				 link.name, link.mtu, SMALLEST_MTU + overhead);
	*ret = link.mtu - overhead;
	return 0;
}
