/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/addr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define LOOPBACK_INDEX 1 /* of lo, in every namespace */

static void put_address(struct nlmsghdr *header, int link_index, const struct ip_prefix *address,
			uint8_t flags)
{
	struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	const struct ip_address *ip = &address->address;

	message->ifa_family = (uint8_t)ip->family;
	message->ifa_prefixlen = (uint8_t)address->length;
	message->ifa_index = (uint32_t)link_index;
	message->ifa_flags = flags;
	message->ifa_scope = link_index == LOOPBACK_INDEX ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	mnl_attr_put(header, IFA_LOCAL, ip_size(ip), ip->bytes);
	mnl_attr_put(header, IFA_ADDRESS, ip_size(ip), ip->bytes);
}

void address_add(struct netlink_batch *batch, int link_index, const char *link_name,
		 const struct ip_prefix *address)
{
	char text[IP_TEXT_SIZE];
	struct nlmsghdr *header =
		netlink_request(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
				"add address %s to %s", ip_prefix_format(address, text), link_name);

	put_address(header, link_index, address,
		    address->address.family == AF_INET6 ? IFA_F_NODAD : 0);
}

void address_set_no_prefix_route(struct netlink_batch *batch)
{
	struct nlmsghdr *header = netlink_last_request(batch);
	const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);

	/* The header has room for eight flags only. */
	mnl_attr_put_u32(header, IFA_FLAGS, message->ifa_flags | IFA_F_NOPREFIXROUTE);
}

void address_delete(struct netlink_batch *batch, int link_index, const char *link_name,
		    const struct ip_prefix *address)
{
	char text[IP_TEXT_SIZE];
	struct nlmsghdr *header =
		netlink_request(batch, RTM_DELADDR, 0, "remove address %s from %s",
				ip_prefix_format(address, text), link_name);

	put_address(header, link_index, address, 0);
	netlink_tolerate(batch, EADDRNOTAVAIL);
	netlink_tolerate(batch, ENODEV);
}

struct listing {
	struct address_list list;
	uint32_t link_index;
};

static int attribute_of_address(const struct nlattr *attr, void *data)
{
	const struct nlattr **found = data;

	/* IFA_LOCAL is the address itself where there is one; IPv6 has only IFA_ADDRESS. */
	if (mnl_attr_get_type(attr) == IFA_LOCAL)
		found[0] = attr;
	else if (mnl_attr_get_type(attr) == IFA_ADDRESS)
		found[1] = attr;
	return MNL_CB_OK;
}

static bool read_address(const struct nlmsghdr *header, struct ip_prefix *ret)
{
	const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *found[2] = { NULL, NULL };
	struct ip_prefix prefix = { .address.family = message->ifa_family,
				    .length = message->ifa_prefixlen };
	const struct nlattr *attr;

	if (header->nlmsg_type != RTM_NEWADDR ||
	    (message->ifa_family != AF_INET && message->ifa_family != AF_INET6))
		return false;
	mnl_attr_parse(header, sizeof(*message), attribute_of_address, found);
	attr = found[0] ? found[0] : found[1];
	if (!attr || mnl_attr_get_payload_len(attr) != ip_size(&prefix.address))
		return false;
	memcpy(prefix.address.bytes, mnl_attr_get_payload(attr), ip_size(&prefix.address));
	*ret = prefix;
	return true;
}

static int gather_address(const struct nlmsghdr *header, void *data)
{
	struct listing *listing = data;
	const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
	struct ip_prefix prefix;

	if (!read_address(header, &prefix) || message->ifa_index != listing->link_index)
		return 0;
	listing->list.items = xreallocarray(listing->list.items, listing->list.count + 1,
					    sizeof(*listing->list.items));
	listing->list.items[listing->list.count++] = prefix;
	return 0;
}

static void forget_addresses(void *data)
{
	struct listing *listing = data;

	address_list_free(&listing->list);
}

int address_list(struct netlink *netlink, int link_index, struct address_list *ret,
		 struct error *err)
{
	struct listing listing = { .link_index = (uint32_t)link_index };
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETADDR, NLM_F_DUMP, "list addresses");
	struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	int r;

	message->ifa_index = (uint32_t)link_index;
	r = netlink_query(netlink, query, gather_address, forget_addresses, &listing, err);
	netlink_batch_free(query);
	if (r < 0) {
		address_list_free(&listing.list);
		return r;
	}
	*ret = listing.list;
	return 0;
}

void address_list_free(struct address_list *list)
{
	free(list->items);
	*list = (struct address_list){ 0 };
}

struct finding {
	const struct ip_address *address;
	int link_index; /* 0: not found yet */
};

static int match_address(const struct nlmsghdr *header, void *data)
{
	struct finding *finding = data;
	const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
	struct ip_prefix prefix;

	if (read_address(header, &prefix) && ip_equal(&prefix.address, finding->address))
		finding->link_index = (int)message->ifa_index;
	return 0;
}

int address_find(struct netlink *netlink, const struct ip_address *address, int *ret_index,
		 struct error *err)
{
	struct finding finding = { .address = address };
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header = netlink_request(query, RTM_GETADDR, NLM_F_DUMP, "list addresses");
	struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	char text[IP_TEXT_SIZE];
	int r;

	message->ifa_family = (uint8_t)address->family;
	r = netlink_query(netlink, query, match_address, NULL, &finding, err);
	netlink_batch_free(query);
	if (r < 0)
		return r;
	if (finding.link_index == 0)
		return error_say(err, EADDRNOTAVAIL, "no link of this host has the address %s",
				 ip_format(address, text));
	*ret_index = finding.link_index;
	return 0;
}
