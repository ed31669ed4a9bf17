/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/neigh.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"

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

static struct nlmsghdr *put_fdb(struct nlmsghdr *header, int link_index,
				const struct mac_address *mac, const struct ip_address *host)
{
	struct ndmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	message->ndm_family = AF_BRIDGE;
	message->ndm_ifindex = link_index;
	message->ndm_state = NUD_PERMANENT;
	message->ndm_flags = NTF_SELF;
	mnl_attr_put(header, NDA_LLADDR, MAC_SIZE, mac->bytes);
	mnl_attr_put(header, NDA_DST, ip_size(host), host->bytes);
	return header;
}

void fdb_set(struct netlink_batch *batch, int link_index, const char *link_name,
	     const struct mac_address *mac, const struct ip_address *host)
{
	char ip_text[IP_TEXT_SIZE], mac_text[MAC_TEXT_SIZE];

	put_fdb(netlink_request(batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
				"send what is for %s on %s to host %s", mac_format(mac, mac_text),
				link_name, ip_format(host, ip_text)),
		link_index, mac, host);
}

void fdb_delete(struct netlink_batch *batch, int link_index, const char *link_name,
		const struct mac_address *mac, const struct ip_address *host)
{
	char ip_text[IP_TEXT_SIZE], mac_text[MAC_TEXT_SIZE];

	put_fdb(netlink_request(batch, RTM_DELNEIGH, 0, "forget that %s on %s is at host %s",
				mac_format(mac, mac_text), link_name, ip_format(host, ip_text)),
		link_index, mac, host);
	netlink_tolerate(batch, ENOENT);
	netlink_tolerate(batch, ENODEV);
}

/* --- what is there */

struct row {
	struct ip_address address; /* family 0: none */
	struct mac_address mac;
};

struct listing {
	int link_index;
	struct row *rows;
	size_t count;
};

static int read_attribute(const struct nlattr *attr, void *data)
{
	struct row *row = data;
	size_t size = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) == NDA_DST && (size == 4 || size == 16)) {
		row->address.family = size == 4 ? AF_INET : AF_INET6;
		memcpy(row->address.bytes, mnl_attr_get_payload(attr), size);
	} else if (mnl_attr_get_type(attr) == NDA_LLADDR && size == MAC_SIZE) {
		memcpy(row->mac.bytes, mnl_attr_get_payload(attr), MAC_SIZE);
	}
	return MNL_CB_OK;
}

static int gather_row(const struct nlmsghdr *header, void *data)
{
	struct listing *listing = data;
	const struct ndmsg *message = mnl_nlmsg_get_payload(header);
	struct row row = { 0 };

	if (header->nlmsg_type != RTM_NEWNEIGH || message->ndm_ifindex != listing->link_index ||
	    !(message->ndm_state & NUD_PERMANENT))
		return 0;
	mnl_attr_parse(header, sizeof(*message), read_attribute, &row);
	if (row.address.family == 0)
		return 0;
	listing->rows = xgrow(listing->rows, listing->count, sizeof(row));
	listing->rows[listing->count++] = row;
	return 0;
}

static void gather_again(void *data)
{
	struct listing *listing = data;

	listing->count = 0;
}

/* AF_UNSPEC: neighbours of both families; AF_BRIDGE: the forwarding table. The caller frees the
 * rows, whatever is returned. */
static int list(struct netlink *netlink, int family, struct listing *listing, struct error *err)
{
	struct netlink_batch *query = netlink_batch_new();
	struct nlmsghdr *header =
		netlink_request(query, RTM_GETNEIGH, NLM_F_DUMP, "list neighbours");
	struct ndmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	int r;

	message->ndm_family = (uint8_t)family;
	/* Of one link: an attribute where dumps are strict, this field for the forwarding table. */
	if (family == AF_BRIDGE)
		message->ndm_ifindex = listing->link_index;
	else
		mnl_attr_put_u32(header, NDA_IFINDEX, (uint32_t)listing->link_index);
	r = netlink_query(netlink, query, gather_row, gather_again, listing, err);
	netlink_batch_free(query);
	return r;
}

int neighbour_list(struct netlink *netlink, int link_index,
		   void (*each)(void *data, const struct ip_address *address), void *data,
		   struct error *err)
{
	struct listing listing = { .link_index = link_index };
	int r = list(netlink, AF_UNSPEC, &listing, err);

	for (size_t i = 0; r == 0 && i < listing.count; i++)
		each(data, &listing.rows[i].address);
	free(listing.rows);
	return r;
}

int neighbours_forget(struct netlink *netlink, int link_index, const struct mac_address *mac,
		      struct error *err)
{
	struct listing listing = { .link_index = link_index };
	struct netlink_batch *batch = netlink_batch_new();
	int r = list(netlink, AF_UNSPEC, &listing, err);

	for (size_t i = 0; r == 0 && i < listing.count; i++)
		if (mac_equal(&listing.rows[i].mac, mac))
			neighbour_delete(batch, link_index, "the bridge", &listing.rows[i].address);
	if (r == 0)
		r = netlink_run(netlink, batch, err);
	netlink_batch_free(batch);
	free(listing.rows);
	return r;
}

int fdb_list(struct netlink *netlink, int link_index,
	     void (*each)(void *data, const struct mac_address *mac, const struct ip_address *host),
	     void *data, struct error *err)
{
	struct listing listing = { .link_index = link_index };
	int r = list(netlink, AF_BRIDGE, &listing, err);

	for (size_t i = 0; r == 0 && i < listing.count; i++)
		each(data, &listing.rows[i].mac, &listing.rows[i].address);
	free(listing.rows);
	return r;
}
