/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/geneve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define KIND "geneve"

static void put_device(struct nlmsghdr *header, const struct geneve_spec *spec)
{
	struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(header, IFLA_INFO_KIND, KIND);
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u32(header, IFLA_GENEVE_ID, spec->vni);
	mnl_attr_put(header,
		     spec->remote.family == AF_INET6 ? IFLA_GENEVE_REMOTE6 : IFLA_GENEVE_REMOTE,
		     ip_size(&spec->remote), spec->remote.bytes);
	mnl_attr_put_u16(header, IFLA_GENEVE_PORT, htons(spec->port));
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
}

int geneve_create(struct netlink *netlink, const char *name, int netns_fd, uint32_t mtu,
		  const struct geneve_spec *spec, struct error *err)
{
	struct netlink_batch *batch = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
						  "create geneve link %s", name);
	int r;

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	mnl_attr_put_u32(header, IFLA_MTU, mtu);
	put_device(header, spec);
	r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	if (r == -EOPNOTSUPP)
		error_say(err, EOPNOTSUPP,
			  "create geneve link %s: this kernel has no geneve links (geneve)", name);
	return r;
}

/* What one link of a listing is. */
struct seen {
	bool is_geneve;
	struct geneve_spec spec;
};

struct search {
	const struct geneve_spec *wanted;
	int index; /* 0: not found */
};

static void read_remote(const struct nlattr *attr, int family, struct seen *seen)
{
	struct ip_address remote = { .family = family };

	if (mnl_attr_get_payload_len(attr) != ip_size(&remote))
		return;
	memcpy(remote.bytes, mnl_attr_get_payload(attr), ip_size(&remote));
	seen->spec.remote = remote;
}

static int read_data(const struct nlattr *attr, void *data)
{
	struct seen *seen = data;
	uint16_t size = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case IFLA_GENEVE_ID:
		if (size == sizeof(uint32_t))
			seen->spec.vni = mnl_attr_get_u32(attr);
		break;
	case IFLA_GENEVE_REMOTE:
		read_remote(attr, AF_INET, seen);
		break;
	case IFLA_GENEVE_REMOTE6:
		read_remote(attr, AF_INET6, seen);
		break;
	case IFLA_GENEVE_PORT:
		if (size == sizeof(uint16_t))
			seen->spec.port = ntohs(mnl_attr_get_u16(attr));
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

/* The kind comes before the data. */
static int read_info(const struct nlattr *attr, void *data)
{
	struct seen *seen = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		seen->is_geneve = strncmp(mnl_attr_get_payload(attr), KIND,
					  mnl_attr_get_payload_len(attr)) == 0;
	else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && seen->is_geneve)
		mnl_attr_parse_nested(attr, read_data, seen);
	return MNL_CB_OK;
}

static int read_link(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
		mnl_attr_parse_nested(attr, read_info, data);
	return MNL_CB_OK;
}

static int look(const struct nlmsghdr *header, void *data)
{
	const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
	struct search *search = data;
	struct seen seen = { 0 };

	if (header->nlmsg_type != RTM_NEWLINK)
		return 0;
	mnl_attr_parse(header, sizeof(*message), read_link, &seen);
	if (seen.is_geneve && seen.spec.vni == search->wanted->vni &&
	    seen.spec.port == search->wanted->port &&
	    ip_equal(&seen.spec.remote, &search->wanted->remote))
		search->index = message->ifi_index;
	return 0;
}

int geneve_find(struct netlink *netlink, const struct geneve_spec *spec, struct link *ret,
		struct error *err)
{
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header =
		netlink_request(query, RTM_GETLINK, NLM_F_DUMP, "list geneve links");
	struct search search = { .wanted = spec };
	char remote[IP_TEXT_SIZE];
	int r;

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = netlink_query(netlink, query, look, NULL, &search, err);
	netlink_batch_free(query);
	if (r < 0)
		return r;
	if (search.index == 0)
		return error_say(err, ENODEV, "no link is the tunnel %x to %s, port %u", spec->vni,
				 ip_format(&spec->remote, remote), spec->port);
	return link_by_index(netlink, search.index, ret, err);
}
