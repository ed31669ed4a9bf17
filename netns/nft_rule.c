/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nft_rule.h"

#include <arpa/inet.h>
#include <assert.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/rtnetlink.h>

#include "base/alloc.h"
#include "netns/nft_types.h"

#define MSS_OFFSET 2 /* within its TCP option, behind kind and length */

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	assert(expr);
	nftnl_rule_add_expr(rule, expr);
	return expr;
}

static uint8_t family_of(const struct nftnl_rule *rule)
{
	return (uint8_t)nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY);
}

void nft_load_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t size,
		      uint32_t to)
{
	struct nftnl_expr *load = add(rule, "payload");

	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_DREG, to);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(load, NFTNL_EXPR_PAYLOAD_LEN, size);
}

void nft_load_meta(struct nftnl_rule *rule, uint32_t key, uint32_t to)
{
	struct nftnl_expr *load = add(rule, "meta");

	nftnl_expr_set_u32(load, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(load, NFTNL_EXPR_META_DREG, to);
}

void nft_load_value(struct nftnl_rule *rule, const void *value, uint32_t size, uint32_t to)
{
	struct nftnl_expr *load = add(rule, "immediate");

	nftnl_expr_set_u32(load, NFTNL_EXPR_IMM_DREG, to);
	nftnl_expr_set(load, NFTNL_EXPR_IMM_DATA, value, size);
}

void nft_load_address(struct nftnl_rule *rule, int family, bool source, uint32_t to)
{
	uint32_t offset;

	if (family == AF_INET6)
		offset = source ? offsetof(struct ip6_hdr, ip6_src)
				: offsetof(struct ip6_hdr, ip6_dst);
	else
		offset = source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);
	nft_load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, family == AF_INET6 ? 16 : 4, to);
}

static int address_family(const struct nftnl_rule *rule)
{
	return family_of(rule) == NFPROTO_IPV6 ? AF_INET6 : AF_INET;
}

void nft_load_source(struct nftnl_rule *rule, uint32_t to)
{
	nft_load_address(rule, address_family(rule), true, to);
}

void nft_load_destination(struct nftnl_rule *rule, uint32_t to)
{
	nft_load_address(rule, address_family(rule), false, to);
}

static void compare(struct nftnl_rule *rule, uint32_t operation, const void *value, uint32_t size)
{
	struct nftnl_expr *cmp = add(rule, "cmp");

	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, NFT_WORD(0));
	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, operation);
	nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, value, size);
}

/* register = (register & mask) ^ flip */
static void change_bits(struct nftnl_rule *rule, const void *mask, const void *flip, uint32_t size)
{
	struct nftnl_expr *bitwise = add(rule, "bitwise");

	nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, NFT_WORD(0));
	nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, NFT_WORD(0));
	nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, size);
	nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, mask, size);
	nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, flip, size);
}

static void match_bits(struct nftnl_rule *rule, uint32_t bits)
{
	const uint32_t none = 0;

	change_bits(rule, &bits, &none, sizeof(bits));
	compare(rule, NFT_CMP_NEQ, &none, sizeof(none));
}

void nft_match_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, const void *value,
		       uint32_t size)
{
	nft_load_payload(rule, base, offset, size, NFT_WORD(0));
	compare(rule, NFT_CMP_EQ, value, size);
}

void nft_match_family(struct nftnl_rule *rule, int family)
{
	const uint8_t value = nft_family(family);

	nft_load_meta(rule, NFT_META_NFPROTO, NFT_WORD(0));
	compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

void nft_match_protocol(struct nftnl_rule *rule, uint8_t protocol)
{
	nft_load_meta(rule, NFT_META_L4PROTO, NFT_WORD(0));
	compare(rule, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void nft_match_range(struct nftnl_rule *rule, uint32_t offset, const void *from, const void *to,
		     uint32_t size)
{
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offset, size, NFT_WORD(0));
	if (memcmp(from, to, size) == 0) {
		compare(rule, NFT_CMP_EQ, from, size);
		return;
	}
	compare(rule, NFT_CMP_GTE, from, size);
	compare(rule, NFT_CMP_LTE, to, size);
}

void nft_load_port(struct nftnl_rule *rule, uint32_t to)
{
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct udphdr, uh_dport),
			 sizeof(uint16_t), to);
}

void nft_match_ports(struct nftnl_rule *rule, uint16_t from, uint16_t to)
{
	const uint16_t first = htons(from), last = htons(to);

	nft_match_range(rule, offsetof(struct udphdr, uh_dport), &first, &last, sizeof(first));
}

void nft_match_syn(struct nftnl_rule *rule)
{
	const uint8_t mask = TH_SYN | TH_RST, none = 0, syn = TH_SYN;

	nft_match_protocol(rule, IPPROTO_TCP);
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_flags),
			 sizeof(syn), NFT_WORD(0));
	change_bits(rule, &mask, &none, sizeof(mask));
	compare(rule, NFT_CMP_EQ, &syn, sizeof(syn));
}

void nft_match_link_group(struct nftnl_rule *rule, uint32_t key, uint32_t group)
{
	nft_load_meta(rule, key, NFT_WORD(0));
	compare(rule, NFT_CMP_EQ, &group, sizeof(group));
}

void nft_match_link(struct nftnl_rule *rule, uint32_t key, bool is, const char *link)
{
	char name[IFNAMSIZ] = "";

	snprintf(name, sizeof(name), "%s", link);
	nft_load_meta(rule, key, NFT_WORD(0));
	compare(rule, is ? NFT_CMP_EQ : NFT_CMP_NEQ, name, sizeof(name));
}

static void match_prefix(struct nftnl_rule *rule, bool is, const struct ip_prefix *prefix)
{
	static const unsigned char none[16];
	const struct ip_prefix network = ip_prefix_network(prefix);
	struct ip_prefix mask = { .address.family = prefix->address.family,
				  .length = prefix->length };
	uint32_t size = (uint32_t)ip_size(&prefix->address);

	memset(mask.address.bytes, 0xff, size);
	mask = ip_prefix_network(&mask);
	change_bits(rule, mask.address.bytes, none, size);
	compare(rule, is ? NFT_CMP_EQ : NFT_CMP_NEQ, network.address.bytes, size);
}

void nft_match_source(struct nftnl_rule *rule, bool is, const struct ip_prefix *prefix)
{
	nft_load_address(rule, prefix->address.family, true, NFT_WORD(0));
	match_prefix(rule, is, prefix);
}

void nft_match_destination(struct nftnl_rule *rule, bool is, const struct ip_prefix *prefix)
{
	nft_load_address(rule, prefix->address.family, false, NFT_WORD(0));
	match_prefix(rule, is, prefix);
}

void nft_match_ct(struct nftnl_rule *rule, uint32_t key, uint32_t bits)
{
	struct nftnl_expr *load = add(rule, "ct");

	nftnl_expr_set_u32(load, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(load, NFTNL_EXPR_CT_DREG, NFT_WORD(0));
	match_bits(rule, bits);
}

void nft_match_mark(struct nftnl_rule *rule, uint32_t bits)
{
	nft_load_meta(rule, NFT_META_MARK, NFT_WORD(0));
	match_bits(rule, bits);
}

static void load_fib(struct nftnl_rule *rule, uint32_t result, uint32_t flags)
{
	struct nftnl_expr *fib = add(rule, "fib");

	nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_DREG, NFT_WORD(0));
	nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_FLAGS, flags);
}

static void match_local(struct nftnl_rule *rule, uint32_t flags)
{
	const uint32_t local = RTN_LOCAL;

	load_fib(rule, NFT_FIB_RESULT_ADDRTYPE, flags);
	compare(rule, NFT_CMP_EQ, &local, sizeof(local));
}

void nft_match_local_destination(struct nftnl_rule *rule)
{
	match_local(rule, NFTA_FIB_F_DADDR);
}

void nft_match_local_source(struct nftnl_rule *rule)
{
	match_local(rule, NFTA_FIB_F_SADDR);
}

void nft_match_owner(struct nftnl_rule *rule, uint32_t key, uint32_t id)
{
	nft_load_meta(rule, key, NFT_WORD(0));
	compare(rule, NFT_CMP_EQ, &id, sizeof(id));
}

void nft_match_transparent_socket(struct nftnl_rule *rule)
{
	struct nftnl_expr *socket = add(rule, "socket");
	const uint8_t transparent = 1;

	nftnl_expr_set_u32(socket, NFTNL_EXPR_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
	nftnl_expr_set_u32(socket, NFTNL_EXPR_SOCKET_DREG, NFT_WORD(0));
	compare(rule, NFT_CMP_EQ, &transparent, sizeof(transparent));
}

void nft_match_destination_behind_input(struct nftnl_rule *rule)
{
	const uint32_t none = 0;

	load_fib(rule, NFT_FIB_RESULT_OIF, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF);
	compare(rule, NFT_CMP_NEQ, &none, sizeof(none));
}

void nft_match_foreign_source(struct nftnl_rule *rule)
{
	const uint32_t none = 0;

	load_fib(rule, NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF);
	compare(rule, NFT_CMP_EQ, &none, sizeof(none));
}

void nft_match_set(struct nftnl_rule *rule, const char *set, uint32_t from, uint32_t to)
{
	struct nftnl_expr *lookup = add(rule, "lookup");

	nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, set);
	nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, from);
	if (to)
		nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_DREG, to);
}

void nft_verdict(struct nftnl_rule *rule, const char *map, uint32_t from)
{
	struct nftnl_expr *lookup = add(rule, "lookup");

	nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, map);
	nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, from);
	nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
}

void nft_set_mark(struct nftnl_rule *rule, uint32_t bits)
{
	const uint32_t others = ~bits;
	struct nftnl_expr *mark;

	nft_load_meta(rule, NFT_META_MARK, NFT_WORD(0));
	change_bits(rule, &others, &bits, sizeof(bits));
	mark = add(rule, "meta");
	nftnl_expr_set_u32(mark, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(mark, NFTNL_EXPR_META_SREG, NFT_WORD(0));
}

void nft_set_zone(struct nftnl_rule *rule, uint16_t zone)
{
	struct nftnl_expr *ct;

	nft_load_value(rule, &zone, sizeof(zone), NFT_WORD(0));
	ct = add(rule, "ct");
	nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_KEY, NFT_CT_ZONE);
	nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_SREG, NFT_WORD(0));
}

void nft_clamp_mss(struct nftnl_rule *rule)
{
	struct nftnl_expr *route = add(rule, "rt"), *order = add(rule, "byteorder"), *write;

	nftnl_expr_set_u32(route, NFTNL_EXPR_RT_KEY, NFT_RT_TCPMSS);
	nftnl_expr_set_u32(route, NFTNL_EXPR_RT_DREG, NFT_WORD(0));
	nftnl_expr_set_u32(order, NFTNL_EXPR_BYTEORDER_SREG, NFT_WORD(0));
	nftnl_expr_set_u32(order, NFTNL_EXPR_BYTEORDER_DREG, NFT_WORD(0));
	nftnl_expr_set_u32(order, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftnl_expr_set_u32(order, NFTNL_EXPR_BYTEORDER_LEN, sizeof(uint16_t));
	nftnl_expr_set_u32(order, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(uint16_t));
	/* The kernel never makes it larger than it is. */
	write = add(rule, "exthdr");
	nftnl_expr_set_u32(write, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	nftnl_expr_set_u8(write, NFTNL_EXPR_EXTHDR_TYPE, TCPOPT_MAXSEG);
	nftnl_expr_set_u32(write, NFTNL_EXPR_EXTHDR_SREG, NFT_WORD(0));
	nftnl_expr_set_u32(write, NFTNL_EXPR_EXTHDR_OFFSET, MSS_OFFSET);
	nftnl_expr_set_u32(write, NFTNL_EXPR_EXTHDR_LEN, sizeof(uint16_t));
}

void nft_dnat(struct nftnl_rule *rule, uint32_t address, uint32_t port)
{
	struct nftnl_expr *nat = add(rule, "nat");
	uint32_t flags = NF_NAT_RANGE_PROTO_SPECIFIED;

	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_FAMILY, family_of(rule));
	if (address) {
		nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_ADDR_MIN, address);
		flags |= NF_NAT_RANGE_MAP_IPS;
	}
	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_PROTO_MIN, port);
	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_FLAGS, flags);
}

void nft_redirect(struct nftnl_rule *rule, uint32_t port)
{
	struct nftnl_expr *redirect = add(rule, "redir");

	nftnl_expr_set_u32(redirect, NFTNL_EXPR_REDIR_REG_PROTO_MIN, port);
	nftnl_expr_set_u32(redirect, NFTNL_EXPR_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

void nft_tproxy(struct nftnl_rule *rule, uint32_t port)
{
	struct nftnl_expr *tproxy = add(rule, "tproxy");

	nftnl_expr_set_u32(tproxy, NFTNL_EXPR_TPROXY_FAMILY, family_of(rule));
	nftnl_expr_set_u32(tproxy, NFTNL_EXPR_TPROXY_REG_PORT, port);
}

void nft_masquerade(struct nftnl_rule *rule)
{
	nftnl_expr_set_u32(add(rule, "masq"), NFTNL_EXPR_MASQ_FLAGS,
			   NF_NAT_RANGE_PROTO_RANDOM_FULLY);
}

static void add_verdict(struct nftnl_rule *rule, int verdict, const char *chain)
{
	struct nftnl_expr *expr = add(rule, "immediate");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain);
}

void nft_accept(struct nftnl_rule *rule)
{
	add_verdict(rule, NF_ACCEPT, NULL);
}

void nft_drop(struct nftnl_rule *rule)
{
	add_verdict(rule, NF_DROP, NULL);
}

void nft_return(struct nftnl_rule *rule)
{
	add_verdict(rule, NFT_RETURN, NULL);
}

void nft_jump(struct nftnl_rule *rule, const char *chain)
{
	add_verdict(rule, NFT_JUMP, chain);
}
