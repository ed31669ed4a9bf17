/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/neigh.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

static struct nlmsghdr *put_neighbour(struct nlmsghdr *header, int link_index,
				      const struct ip_address *address)
{
	struct ndmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	message->ndm_family = (uint8_t)address->family;
	message->ndm_ifindex = link_index;
	message->ndm_state = NUD_PERMANENT;
	mnl_attr_put(header, NDA_DST, ip_size(address), address->bytes);
	return header;
}

void neighbour_set(struct netlink_batch *batch, int link_index, const char *link_name,
		   const struct ip_address *address, const struct mac_address *mac)
{
	char ip_text[IP_TEXT_SIZE], mac_text[MAC_TEXT_SIZE];
	struct nlmsghdr *header = netlink_request(
		batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "set neighbour %s at %s on %s",
		ip_format(address, ip_text), mac_format(mac, mac_text), link_name);

	mnl_attr_put(put_neighbour(header, link_index, address), NDA_LLADDR, MAC_SIZE, mac->bytes);
}

void neighbour_delete(struct netlink_batch *batch, int link_index, const char *link_name,
		      const struct ip_address *address)
{
	char text[IP_TEXT_SIZE];
	struct nlmsghdr *header =
		netlink_request(batch, RTM_DELNEIGH, 0, "remove neighbour %s from %s",
				ip_format(address, text), link_name);

	put_neighbour(header, link_index, address);
	netlink_tolerate(batch, ENOENT);
	netlink_tolerate(batch, ENODEV);
}
