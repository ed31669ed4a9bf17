/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/alloc.h"
#include "base/map.h"
#include "netns/nft_socket.h"
#include "netns/route.h"

#define TUPLE_SIZE   256
#define REQUEST_SIZE 1024
/* What of a tuple the kernel compares: its source, its protocol's number. */
#define FILTER_SOURCE   (1u << 0)
#define FILTER_PROTOCOL (1u << 3)
/* The kernel looks through its table, which takes some milliseconds, twice for each address; of
 * more ends than one task has it hands over all of it once for each family. */
#define FILTERED_MAX 4

/* One direction of a flow. */
struct tuple {
	struct ip_address from, to;
	uint16_t to_port;
	uint8_t protocol;
};

struct flow {
	char bytes[TUPLE_SIZE]; /* how it began, as the kernel wrote it down */
	uint16_t size;
	uint16_t zone; /* network order, like the next */
	uint32_t id;
	bool has_zone, has_id;
	struct tuple original, reply;
};

struct reading {
	bool (*is_wanted)(const struct flow *flow, const void *data);
	const void *data;
	struct flow *flows;
	size_t count;
	int code;
};

static int read_address(const struct nlattr *attr, void *data)
{
	struct tuple *tuple = data;
	uint16_t type = mnl_attr_get_type(attr), size = mnl_attr_get_payload_len(attr);
	bool is_source = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
	struct ip_address *address = is_source ? &tuple->from : &tuple->to;

	if ((type == CTA_IP_V4_SRC || type == CTA_IP_V4_DST) && size == 4)
		address->family = AF_INET;
	else if ((type == CTA_IP_V6_SRC || type == CTA_IP_V6_DST) && size == 16)
		address->family = AF_INET6;
	else
		return MNL_CB_OK;
	memcpy(address->bytes, mnl_attr_get_payload(attr), size);
	return MNL_CB_OK;
}

static int read_protocol(const struct nlattr *attr, void *data)
{
	struct tuple *tuple = data;

	if (mnl_attr_get_type(attr) == CTA_PROTO_NUM)
		tuple->protocol = mnl_attr_get_u8(attr);
	else if (mnl_attr_get_type(attr) == CTA_PROTO_DST_PORT)
		tuple->to_port = ntohs(mnl_attr_get_u16(attr));
	return MNL_CB_OK;
}

static int read_inner(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
		mnl_attr_parse_nested(attr, read_address, data);
	else if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
		mnl_attr_parse_nested(attr, read_protocol, data);
	return MNL_CB_OK;
}

static int read_attribute(const struct nlattr *attr, void *data)
{
	struct flow *flow = data;

	switch (mnl_attr_get_type(attr)) {
	case CTA_TUPLE_ORIG:
		if (mnl_attr_get_payload_len(attr) > TUPLE_SIZE)
			break;
		flow->size = mnl_attr_get_payload_len(attr);
		memcpy(flow->bytes, mnl_attr_get_payload(attr), flow->size);
		mnl_attr_parse_nested(attr, read_inner, &flow->original);
		break;
	case CTA_TUPLE_REPLY:
		mnl_attr_parse_nested(attr, read_inner, &flow->reply);
		break;
	case CTA_ID:
		flow->id = mnl_attr_get_u32(attr);
		flow->has_id = true;
		break;
	case CTA_ZONE:
		flow->zone = mnl_attr_get_u16(attr);
		flow->has_zone = true;
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int gather_flow(const struct nlmsghdr *message, void *data)
{
	struct reading *reading = data;
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
	struct flow flow = { 0 };

	if (message->nlmsg_type == NLMSG_ERROR) {
		reading->code = answer->error;
		return 0;
	}
	if (message->nlmsg_type != ((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW))
		return 0;
	mnl_attr_parse(message, sizeof(struct nfgenmsg), read_attribute, &flow);
	if (!flow.size || !reading->is_wanted(&flow, reading->data))
		return 0;
	reading->flows = xgrow(reading->flows, reading->count, sizeof(*reading->flows));
	reading->flows[reading->count++] = flow;
	return 0;
}

static struct nlmsghdr *begin(char *buffer, uint16_t type, uint16_t flags, int family)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *message;

	header->nlmsg_type = (uint16_t)((NFNL_SUBSYS_CTNETLINK << 8) | type);
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	header->nlmsg_seq = 1;
	message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->nfgen_family = (uint8_t)family;
	message->version = NFNETLINK_V0;
	return header;
}

/* Which flows the kernel is to tell of, where it can (5.8 and later); the others are skipped here.
 */
struct filter {
	uint32_t original, reply; /* what is compared of each tuple */
	const struct ip_address *source;
};

static void put_tuple(struct nlmsghdr *header, uint16_t type, uint32_t what,
		      const struct ip_address *source)
{
	struct nlattr *tuple, *nest;

	if (!what)
		return;
	tuple = mnl_attr_nest_start(header, type);
	if (what & FILTER_SOURCE) {
		nest = mnl_attr_nest_start(header, CTA_TUPLE_IP);
		mnl_attr_put(header, source->family == AF_INET6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC,
			     ip_size(source), source->bytes);
		mnl_attr_nest_end(header, nest);
	}
	if (what & FILTER_PROTOCOL) {
		nest = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
		mnl_attr_put_u8(header, CTA_PROTO_NUM, IPPROTO_UDP);
		mnl_attr_nest_end(header, nest);
	}
	mnl_attr_nest_end(header, tuple);
}

static void put_filter(struct nlmsghdr *header, const struct filter *filter)
{
	struct nlattr *nest = mnl_attr_nest_start(header, CTA_FILTER);

	mnl_attr_put_u32(header, CTA_FILTER_ORIG_FLAGS, filter->original);
	mnl_attr_put_u32(header, CTA_FILTER_REPLY_FLAGS, filter->reply);
	mnl_attr_nest_end(header, nest);
	put_tuple(header, CTA_TUPLE_ORIG, filter->original, filter->source);
	put_tuple(header, CTA_TUPLE_REPLY, filter->reply, filter->source);
}

/* `filter` NULL: all of the family. */
static int list_flows(int family, const struct filter *filter, struct reading *reading,
		      struct error *err)
{
	char buffer[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *header = begin(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	struct nft_socket socket;
	int r = nft_socket_open(&socket, "list tracked connections", err);

	if (r < 0)
		return r;
	if (filter)
		put_filter(header, filter);
	r = nft_socket_exchange(&socket, buffer, header->nlmsg_len, 1, gather_flow, reading, err);
	nft_socket_close(&socket);
	if (r == 0 && reading->code)
		r = error_set(err, -reading->code, "list tracked connections");
	return r;
}

static int note_code(const struct nlmsghdr *message, void *data)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == NLMSG_ERROR)
		*(int *)data = answer->error;
	return 0;
}

/* One that has ended meanwhile is no error. */
static int forget(struct nft_socket *socket, const struct flow *flow, struct error *err)
{
	char buffer[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *header =
		begin(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow->original.to.family);
	int code = 0, r;

	mnl_attr_put(header, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->size, flow->bytes);
	if (flow->has_id)
		mnl_attr_put_u32(header, CTA_ID, flow->id);
	if (flow->has_zone)
		mnl_attr_put_u16(header, CTA_ZONE, flow->zone);
	r = nft_socket_exchange(socket, buffer, header->nlmsg_len, 1, note_code, &code, err);
	if (r == 0 && code && code != -ENOENT)
		r = error_set(err, -code, "forget a tracked connection");
	return r;
}

/* --- ports of this host */

struct ports {
	const uint16_t *items;
	size_t count;
};

static bool is_to_port(const struct flow *flow, const void *data)
{
	const struct ports *ports = data;

	if (flow->original.protocol != IPPROTO_UDP)
		return false;
	for (size_t i = 0; i < ports->count; i++)
		if (ports->items[i] == flow->original.to_port)
			return true;
	return false;
}

static int forget_local(struct netlink *netlink, const struct reading *reading, struct error *err)
{
	struct nft_socket socket;
	int r = nft_socket_open(&socket, "forget tracked connections", err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < reading->count; i++) {
		struct route_target target = { 0 };

		if (route_lookup(netlink, &reading->flows[i].original.to, 0, &target, NULL) == 0 &&
		    target.is_local)
			r = forget(&socket, &reading->flows[i], err);
	}
	nft_socket_close(&socket);
	return r;
}

int conntrack_forget_udp(struct netlink *netlink, int family, const uint16_t *ports, size_t count,
			 struct error *err)
{
	const struct filter udp = { .original = FILTER_PROTOCOL };
	const struct ports wanted = { ports, count };
	struct reading reading = { .is_wanted = is_to_port, .data = &wanted };
	int r;

	if (count == 0)
		return 0;
	r = list_flows(family, &udp, &reading, err);
	if (r == 0 && reading.count > 0)
		r = forget_local(netlink, &reading, err);
	free(reading.flows);
	return r;
}

/* --- addresses of zones */

#define KEY_SIZE (IP_TEXT_SIZE + 8)

static const char *end_key(uint16_t zone, const struct ip_address *address, char key[KEY_SIZE])
{
	char text[IP_TEXT_SIZE];

	snprintf(key, KEY_SIZE, "%u %s", zone, ip_format(address, text));
	return key;
}

/* Whoever began it is its source; who answers, whatever the destination was translated to, is the
 * source of the answer. */
static bool has_end(const struct flow *flow, const void *data)
{
	const struct map *ends = data;
	const uint16_t zone = flow->has_zone ? ntohs(flow->zone) : 0;
	char key[KEY_SIZE];

	return map_get(ends, end_key(zone, &flow->original.from, key)) ||
	       map_get(ends, end_key(zone, &flow->reply.from, key));
}

static int list_of_end(const struct ip_address *address, struct reading *reading, struct error *err)
{
	const struct filter began = { .original = FILTER_SOURCE, .source = address };
	const struct filter answers = { .reply = FILTER_SOURCE, .source = address };
	int r = list_flows(address->family, &began, reading, err);

	return r < 0 ? r : list_flows(address->family, &answers, reading, err);
}

static int list_of_ends(const struct conntrack_end *ends, size_t count, struct reading *reading,
			struct error *err)
{
	bool has[2] = { false, false };
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (count > FILTERED_MAX)
			has[ends[i].address.family == AF_INET6] = true;
		else if (i == 0 || !ip_equal(&ends[i].address, &ends[i - 1].address))
			r = list_of_end(&ends[i].address, reading, err);
	}
	for (int v6 = 0; r == 0 && v6 < 2; v6++)
		if (has[v6])
			r = list_flows(v6 ? AF_INET6 : AF_INET, NULL, reading, err);
	return r;
}

static int forget_all(const struct reading *reading, struct error *err)
{
	struct nft_socket socket;
	int r = nft_socket_open(&socket, "forget tracked connections", err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < reading->count; i++)
		r = forget(&socket, &reading->flows[i], err);
	nft_socket_close(&socket);
	return r;
}

int conntrack_forget_ends(const struct conntrack_end *ends, size_t count, struct error *err)
{
	struct map *wanted = map_new();
	struct reading reading = { .is_wanted = has_end, .data = wanted };
	char key[KEY_SIZE];
	int r;

	for (size_t i = 0; i < count; i++)
		map_set(wanted, end_key(ends[i].zone, &ends[i].address, key), wanted);
	r = list_of_ends(ends, count, &reading, err);
	if (r == 0 && reading.count > 0)
		r = forget_all(&reading, err);
	free(reading.flows);
	map_free(wanted);
	return r;
}
