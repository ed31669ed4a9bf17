/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/alloc.h"
#include "netns/nft_socket.h"
#include "netns/route.h"

#define TUPLE_SIZE   256
#define REQUEST_SIZE 1024
/* What of a tuple the kernel compares: its protocol's number. */
#define FILTER_PROTOCOL (1u << 3)

/* How a flow began, as the kernel wrote it down. */
struct flow {
	char tuple[TUPLE_SIZE];
	uint16_t tuple_size;
	uint16_t zone; /* network order, like the next */
	uint32_t id;
	bool has_zone, has_id;
	struct ip_address to;
	uint16_t to_port;
	uint8_t protocol;
};

struct reading {
	const uint16_t *ports;
	size_t port_count;
	struct flow *flows;
	size_t count;
	int code;
};

static int read_address(const struct nlattr *attr, void *data)
{
	struct flow *flow = data;
	uint16_t size = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) == CTA_IP_V4_DST && size == 4)
		flow->to.family = AF_INET;
	else if (mnl_attr_get_type(attr) == CTA_IP_V6_DST && size == 16)
		flow->to.family = AF_INET6;
	else
		return MNL_CB_OK;
	memcpy(flow->to.bytes, mnl_attr_get_payload(attr), size);
	return MNL_CB_OK;
}

static int read_protocol(const struct nlattr *attr, void *data)
{
	struct flow *flow = data;

	if (mnl_attr_get_type(attr) == CTA_PROTO_NUM)
		flow->protocol = mnl_attr_get_u8(attr);
	else if (mnl_attr_get_type(attr) == CTA_PROTO_DST_PORT)
		flow->to_port = ntohs(mnl_attr_get_u16(attr));
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
		flow->tuple_size = mnl_attr_get_payload_len(attr);
		memcpy(flow->tuple, mnl_attr_get_payload(attr), flow->tuple_size);
		mnl_attr_parse_nested(attr, read_inner, flow);
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

static bool is_wanted(const struct reading *reading, const struct flow *flow)
{
	if (flow->protocol != IPPROTO_UDP || !flow->tuple_size)
		return false;
	for (size_t i = 0; i < reading->port_count; i++)
		if (reading->ports[i] == flow->to_port)
			return true;
	return false;
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
	if (!is_wanted(reading, &flow))
		return 0;
	reading->flows = xreallocarray(reading->flows, reading->count + 1, sizeof(*reading->flows));
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

/* Only UDP, where the kernel can tell (5.8 and later); the others are skipped here. */
static void put_filter(struct nlmsghdr *header)
{
	struct nlattr *tuple, *nest = mnl_attr_nest_start(header, CTA_FILTER);

	mnl_attr_put_u32(header, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL);
	mnl_attr_put_u32(header, CTA_FILTER_REPLY_FLAGS, 0);
	mnl_attr_nest_end(header, nest);
	tuple = mnl_attr_nest_start(header, CTA_TUPLE_ORIG);
	nest = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(header, CTA_PROTO_NUM, IPPROTO_UDP);
	mnl_attr_nest_end(header, nest);
	mnl_attr_nest_end(header, tuple);
}

static int list_flows(int family, struct reading *reading, struct error *err)
{
	char buffer[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *header = begin(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	struct nft_socket socket;
	int r = nft_socket_open(&socket, "list tracked connections", err);

	if (r < 0)
		return r;
	put_filter(header);
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
	struct nlmsghdr *header = begin(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow->to.family);
	int code = 0, r;

	mnl_attr_put(header, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->tuple_size, flow->tuple);
	if (flow->has_id)
		mnl_attr_put_u32(header, CTA_ID, flow->id);
	if (flow->has_zone)
		mnl_attr_put_u16(header, CTA_ZONE, flow->zone);
	r = nft_socket_exchange(socket, buffer, header->nlmsg_len, 1, note_code, &code, err);
	if (r == 0 && code && code != -ENOENT)
		r = error_set(err, -code, "forget a tracked connection");
	return r;
}

static int forget_local(struct netlink *netlink, const struct reading *reading, struct error *err)
{
	struct nft_socket socket;
	int r = nft_socket_open(&socket, "forget tracked connections", err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < reading->count; i++) {
		struct route_target target = { 0 };

		if (route_lookup(netlink, &reading->flows[i].to, 0, &target, NULL) == 0 &&
		    target.is_local)
			r = forget(&socket, &reading->flows[i], err);
	}
	nft_socket_close(&socket);
	return r;
}

int conntrack_forget_udp(struct netlink *netlink, int family, const uint16_t *ports, size_t count,
			 struct error *err)
{
	struct reading reading = { .ports = ports, .port_count = count };
	int r;

	if (count == 0)
		return 0;
	r = list_flows(family, &reading, err);
	if (r == 0 && reading.count > 0)
		r = forget_local(netlink, &reading, err);
	free(reading.flows);
	return r;
}
