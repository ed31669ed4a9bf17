/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/redirect.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "netns/namespace.h"

#define TABLE "berth-endpoint"
#define CHAIN "output"

#define PRIORITY_DNAT (-100)
#define BUFFER_SIZE   16384

struct redirect {
	struct in_addr address;
	uint16_t port; /* network order, like the next */
	uint16_t to_port;
};

/* ---- the rule ---- */

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	if (expr)
		nftnl_rule_add_expr(rule, expr);
	return expr;
}

/* `size` bytes at `offset` of the header are `value`. */
static bool add_match(struct nftnl_rule *rule, uint32_t base, uint32_t offset, const void *value,
		      uint32_t size)
{
	struct nftnl_expr *load = add(rule, "payload");
	struct nftnl_expr *compare = add(rule, "cmp");

	if (!load || !compare)
		return false;
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_LEN, size);
	nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(compare, NFTNL_EXPR_CMP_DATA, value, size);
	return true;
}

/* Another port, the same address. */
static bool add_dnat(struct nftnl_rule *rule, uint16_t to_port)
{
	struct nftnl_expr *value = add(rule, "immediate");
	struct nftnl_expr *nat = add(rule, "nat");

	if (!value || !nat)
		return false;
	nftnl_expr_set_u32(value, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(value, NFTNL_EXPR_IMM_DATA, &to_port, sizeof(to_port));
	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_1);
	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
	return true;
}

static struct nftnl_rule *make_rule(const struct redirect *redirect)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	const uint8_t tcp = IPPROTO_TCP;

	if (!rule)
		return NULL;
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, TABLE);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, CHAIN);
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
	if (add_match(rule, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, daddr),
		      &redirect->address, sizeof(redirect->address)) &&
	    add_match(rule, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, protocol), &tcp,
		      sizeof(tcp)) &&
	    add_match(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_dport),
		      &redirect->port, sizeof(redirect->port)) &&
	    add_dnat(rule, redirect->to_port))
		return rule;
	nftnl_rule_free(rule);
	return NULL;
}

/* ---- the batch ---- */

static struct nlmsghdr *begin(struct mnl_nlmsg_batch *batch, uint16_t type, uint16_t flags,
			      uint32_t *sequence)
{
	return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch), type, NFPROTO_IPV4,
				     (uint16_t)(flags | NLM_F_ACK), ++*sequence);
}

static void put_table(struct mnl_nlmsg_batch *batch, uint16_t type, uint16_t flags,
		      uint32_t *sequence)
{
	struct nftnl_table *table = nftnl_table_alloc();

	assert(table);
	nftnl_table_set_u32(table, NFTNL_TABLE_FAMILY, NFPROTO_IPV4);
	nftnl_table_set_str(table, NFTNL_TABLE_NAME, TABLE);
	nftnl_table_nlmsg_build_payload(begin(batch, type, flags, sequence), table);
	nftnl_table_free(table);
	mnl_nlmsg_batch_next(batch);
}

static void put_chain(struct mnl_nlmsg_batch *batch, uint32_t *sequence)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	assert(chain);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, CHAIN);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "nat");
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, NF_INET_LOCAL_OUT);
	nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, PRIORITY_DNAT);
	nftnl_chain_nlmsg_build_payload(begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, sequence),
					chain);
	nftnl_chain_free(chain);
	mnl_nlmsg_batch_next(batch);
}

static int put_rule(struct mnl_nlmsg_batch *batch, const struct redirect *redirect,
		    uint32_t *sequence)
{
	struct nftnl_rule *rule = make_rule(redirect);

	if (!rule)
		return -ENOMEM;
	nftnl_rule_nlmsg_build_payload(
		begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, sequence), rule);
	nftnl_rule_free(rule);
	mnl_nlmsg_batch_next(batch);
	return 0;
}

/* Reads `count` acknowledgements; the first failure is the batch's. */
static int await(struct mnl_socket *socket, unsigned count, struct error *err)
{
	_cleanup_free_ char *buffer = xmalloc(BUFFER_SIZE);
	int code = 0;

	while (count > 0) {
		ssize_t size = mnl_socket_recvfrom(socket, buffer, BUFFER_SIZE);
		int length = (int)size;

		if (size <= 0)
			return error_set(err, size < 0 ? errno : EIO, "read nftables' answer");
		for (const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)buffer;
		     mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

			if (message->nlmsg_type != NLMSG_ERROR)
				continue;
			if (answer->error != 0 && code == 0)
				code = -answer->error;
			/* A batch that failed as a whole is answered once. */
			count = code ? 0 : count - 1;
			if (count == 0)
				break;
		}
	}
	return code ? error_set(err, code, "add the nftables rule of the metadata endpoint") : 0;
}

static int redirect_here(void *data, struct error *err)
{
	const struct redirect *redirect = data;
	_cleanup_free_ char *buffer = xcalloc(1, BUFFER_SIZE);
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	uint32_t sequence = (uint32_t)time(NULL);
	struct mnl_nlmsg_batch *batch;
	int r;

	if (!socket)
		return error_set(err, errno, "open a netfilter socket");
	batch = mnl_nlmsg_batch_start(buffer, BUFFER_SIZE);
	nftnl_batch_begin(mnl_nlmsg_batch_current(batch), ++sequence);
	mnl_nlmsg_batch_next(batch);
	/* Added, deleted, added: in one transaction that succeeds whether it was there or not. */
	put_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, &sequence);
	put_table(batch, NFT_MSG_DELTABLE, 0, &sequence);
	put_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, &sequence);
	put_chain(batch, &sequence);
	r = put_rule(batch, redirect, &sequence);
	nftnl_batch_end(mnl_nlmsg_batch_current(batch), ++sequence);
	mnl_nlmsg_batch_next(batch);

	if (r < 0)
		r = error_set(err, -r, "build the nftables rule of the metadata endpoint");
	else if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
		 mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch),
				   mnl_nlmsg_batch_size(batch)) < 0)
		r = error_set(err, errno, "send the nftables rule of the metadata endpoint");
	else
		r = await(socket, 5, err);
	mnl_nlmsg_batch_stop(batch);
	mnl_socket_close(socket);
	return r;
}

int netns_redirect_tcp(int netns_fd, const struct ip_address *address, uint16_t port,
		       uint16_t to_port, struct error *err)
{
	struct redirect redirect = { .port = htons(port), .to_port = htons(to_port) };

	if (address->family != AF_INET)
		return error_say(err, EAFNOSUPPORT,
				 "redirect a port of an address that is not IPv4");
	__builtin_memcpy(&redirect.address, address->bytes, sizeof(redirect.address));
	return netns_run(netns_fd, redirect_here, &redirect, err);
}
