/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is forwarded is looked at twice, in two chains at the same hook, as an accept ends only the
 * chain that it stands in: what the source may send, then what the destination may receive. A
 * packet whose addresses are in no map is not looked at.
 */
#include "netns/firewall_table.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netlink.h>

#include "netns/firewall_names.h"
#include "netns/link.h"
#include "netns/nft_rule.h"

#define FAMILY NFPROTO_INET

#define CHAIN_SEND    "forward-out"
#define CHAIN_RECEIVE "forward-in"
#define CHAIN_OUTPUT  "output"
#define CHAIN_INPUT   "input"
#define CHAIN_TO_HOST "to-host"
#define PORT_DOMAIN   53

#define PRIORITY_FILTER 0

/* Neighbour and router discovery: RS, RA, NS, NA. */
#define DISCOVERY_FIRST ND_ROUTER_SOLICIT
#define DISCOVERY_LAST  ND_NEIGHBOR_ADVERT

/* What nft(8) knows them by. */
#define TYPE_IPV4 7
#define TYPE_IPV6 8

#define VERDICT_SIZE 16 /* on this side only that it is not 0 matters */

static struct nftnl_rule *rule_in(const char *table, const char *chain)
{
	return nft_rule_new(FAMILY, table, chain);
}

static void add_chain(struct nft_batch *batch, const char *table, const char *name)
{
	nft_batch_chain(batch, NLM_F_CREATE, FAMILY, table, &(struct nft_chain){ .name = name });
}

static void add_hook(struct nft_batch *batch, const char *table, const char *name, uint32_t hook,
		     int32_t priority)
{
	const struct nft_chain chain = {
		.name = name, .type = "filter", .hook = hook, .priority = priority
	};
	struct nftnl_rule *rule = rule_in(table, name);

	nft_batch_chain(batch, NLM_F_CREATE, FAMILY, table, &chain);
	nft_match_ct(rule, NFT_CT_STATE,
		     NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	nft_accept(rule);
	nft_batch_rule(batch, rule);
}

void firewall_write_set(struct nft_batch *batch, const char *table, const char *name, int family,
			bool verdicts)
{
	const struct nft_set set = {
		.name = name,
		.key_type = family == AF_INET6 ? TYPE_IPV6 : TYPE_IPV4,
		.key_size = family == AF_INET6 ? 16 : 4,
		.data_type = verdicts ? NFT_DATA_VERDICT : 0,
		.data_size = verdicts ? VERDICT_SIZE : 0,
	};

	nft_batch_set(batch, NLM_F_CREATE | NLM_F_EXCL, FAMILY, table, &set);
}

static const int families[] = { AF_INET, AF_INET6 };

/* A rule for packets of this family, with their source or destination in the first register. */
static struct nftnl_rule *rule_on_address(const char *table, const char *chain, int family,
					  bool source)
{
	struct nftnl_rule *rule = rule_in(table, chain);

	nft_match_family(rule, family);
	nft_load_address(rule, family, source, NFT_WORD(0));
	return rule;
}

/* To the chains of the interface that has the source, or the destination. */
static void add_verdicts(struct nft_batch *batch, const char *table, const char *chain, bool out)
{
	char map[FIREWALL_NAME_SIZE];

	for (size_t i = 0; i < 2; i++) {
		struct nftnl_rule *rule = rule_on_address(table, chain, families[i], out);

		nft_verdict(rule, firewall_map_name(out, families[i], map), NFT_WORD(0));
		nft_batch_rule(batch, rule);
	}
}

static void accept_icmp(struct nft_batch *batch, const char *table, const char *chain,
			uint8_t protocol, uint8_t first, uint8_t last)
{
	struct nftnl_rule *rule = rule_in(table, chain);

	nft_match_protocol(rule, protocol);
	nft_match_range(rule, 0, &first, &last, sizeof(first));
	nft_accept(rule);
	nft_batch_rule(batch, rule);
}

/* rp_filter of the host's end does it for IPv4; IPv6 has none. */
static void drop_foreign_sources(struct nft_batch *batch, const char *table, const char *chain)
{
	struct nftnl_rule *rule = rule_in(table, chain);

	nft_match_family(rule, AF_INET6);
	nft_match_link_group(rule, NFT_META_IIFGROUP, LINK_GROUP_BERTH);
	nft_match_foreign_source(rule);
	nft_drop(rule);
	nft_batch_rule(batch, rule);
}

/* By the way to other hosts only a task of this one is sent to or from, and all of these have been
 * found by now: neither the host nor what it routes for others. */
static void drop_at_tunnel(struct nft_batch *batch, const char *table, const char *chain,
			   uint32_t key)
{
	struct nftnl_rule *rule = rule_in(table, chain);

	nft_match_link_group(rule, key, LINK_GROUP_TUNNEL);
	nft_drop(rule);
	nft_batch_rule(batch, rule);
}

static void accept_port(struct nft_batch *batch, const char *table, const char *chain,
			uint8_t protocol, uint16_t port)
{
	struct nftnl_rule *rule = rule_in(table, chain);

	nft_match_protocol(rule, protocol);
	nft_match_ports(rule, port, port);
	nft_accept(rule);
	nft_batch_rule(batch, rule);
}

/* Whoever is told of a resolver on the host must reach it. */
static void add_to_host(struct nft_batch *batch, const char *table)
{
	struct nftnl_rule *rule;

	add_chain(batch, table, CHAIN_TO_HOST);
	accept_icmp(batch, table, CHAIN_TO_HOST, IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHO);
	accept_icmp(batch, table, CHAIN_TO_HOST, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST,
		    ICMP6_ECHO_REQUEST);
	accept_port(batch, table, CHAIN_TO_HOST, IPPROTO_UDP, PORT_DOMAIN);
	accept_port(batch, table, CHAIN_TO_HOST, IPPROTO_TCP, PORT_DOMAIN);
	rule = rule_in(table, CHAIN_TO_HOST);
	nft_drop(rule);
	nft_batch_rule(batch, rule);
}

/* Any link has addresses like fe80::5: a task's are known by the link's group alone. */
static void link_local_to_host(struct nft_batch *batch, const char *table)
{
	const struct ip_prefix link_local = { { AF_INET6, { 0xfe, 0x80 } }, 10 };
	struct nftnl_rule *rule = rule_in(table, CHAIN_INPUT);

	nft_match_family(rule, AF_INET6);
	nft_match_link_group(rule, NFT_META_IIFGROUP, LINK_GROUP_BERTH);
	nft_match_source(rule, true, &link_local);
	nft_jump(rule, CHAIN_TO_HOST);
	nft_batch_rule(batch, rule);
}

static void add_input(struct nft_batch *batch, const char *table)
{
	char set[FIREWALL_NAME_SIZE];

	add_hook(batch, table, CHAIN_INPUT, NF_INET_LOCAL_IN, PRIORITY_FILTER);
	accept_icmp(batch, table, CHAIN_INPUT, IPPROTO_ICMPV6, DISCOVERY_FIRST, DISCOVERY_LAST);
	drop_foreign_sources(batch, table, CHAIN_INPUT);
	for (size_t i = 0; i < 2; i++) {
		struct nftnl_rule *rule = rule_on_address(table, CHAIN_INPUT, families[i], true);

		nft_match_set(rule, firewall_local_name(families[i], set), NFT_WORD(0), 0);
		nft_jump(rule, CHAIN_TO_HOST);
		nft_batch_rule(batch, rule);
	}
	link_local_to_host(batch, table);
}

static void add_sets(struct nft_batch *batch, const char *table)
{
	char name[FIREWALL_NAME_SIZE];

	for (size_t i = 0; i < 2; i++) {
		int family = families[i];

		firewall_write_set(batch, table, firewall_map_name(false, family, name), family,
				   true);
		firewall_write_set(batch, table, firewall_map_name(true, family, name), family,
				   true);
		firewall_write_set(batch, table, firewall_local_name(family, name), family, false);
	}
}

void firewall_write_none(struct nft_batch *batch, const char *table)
{
	/* Added first, as to delete what is not there is refused. */
	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, FAMILY, table);
	nft_batch_table(batch, NFT_MSG_DELTABLE, 0, FAMILY, table);
}

void firewall_write_table(struct nft_batch *batch, const char *table)
{
	firewall_write_none(batch, table);
	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, FAMILY, table);
	add_sets(batch, table);
	add_to_host(batch, table);
	add_hook(batch, table, CHAIN_SEND, NF_INET_FORWARD, PRIORITY_FILTER - 1);
	drop_foreign_sources(batch, table, CHAIN_SEND);
	add_verdicts(batch, table, CHAIN_SEND, true);
	drop_at_tunnel(batch, table, CHAIN_SEND, NFT_META_OIFGROUP);
	add_hook(batch, table, CHAIN_RECEIVE, NF_INET_FORWARD, PRIORITY_FILTER);
	add_verdicts(batch, table, CHAIN_RECEIVE, false);
	drop_at_tunnel(batch, table, CHAIN_RECEIVE, NFT_META_IIFGROUP);
	add_hook(batch, table, CHAIN_OUTPUT, NF_INET_LOCAL_OUT, PRIORITY_FILTER);
	accept_icmp(batch, table, CHAIN_OUTPUT, IPPROTO_ICMPV6, DISCOVERY_FIRST, DISCOVERY_LAST);
	add_verdicts(batch, table, CHAIN_OUTPUT, false);
	drop_at_tunnel(batch, table, CHAIN_OUTPUT, NFT_META_OIFGROUP);
	add_input(batch, table);
}
