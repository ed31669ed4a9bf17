/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is forwarded is looked at twice, in two chains at the same hook, as an accept ends only the
 * chain that it stands in: what the source may send, then what the destination may receive. A
 * packet whose addresses are in no map is not looked at.
 */
#include "netns/firewall_table.h"

#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netlink.h>

#include "netns/firewall_names.h"
#include "netns/firewall_networks.h"
#include "netns/link.h"
#include "netns/nft_rule.h"
#include "netns/nft_types.h"

#define FAMILY NFPROTO_INET

#define CHAIN_SEND    "forward-out"
#define CHAIN_RECEIVE "forward-in"
#define CHAIN_OUTPUT  "output"
#define CHAIN_INPUT   "input"
#define CHAIN_TO_HOST "to-host"
#define CHAIN_SOURCE  "source"
#define PORT_DOMAIN   53

#define PRIORITY_FILTER 0

/* Neighbour and router discovery: RS, RA, NS, NA. */
#define DISCOVERY_FIRST ND_ROUTER_SOLICIT
#define DISCOVERY_LAST  ND_NEIGHBOR_ADVERT

#define LINK_WORDS (IFNAMSIZ / 4)

static struct nftnl_rule *rule_in(const char *table, const char *chain)
{
	return nft_rule_new(FAMILY, table, chain);
}

void firewall_add_chain(struct nft_batch *batch, const char *table, const char *name)
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

void firewall_write_set(struct nft_batch *batch, const char *table, const char *name, int family)
{
	const struct nft_set set = {
		.name = name,
		.key_type = nft_address_type(family),
		.key_size = nft_address_size(family),
	};

	nft_batch_set(batch, NLM_F_CREATE | NLM_F_EXCL, FAMILY, table, &set);
}

/* A map from addresses to verdicts, or a set of them; `of_link`: with their link. */
static void write_addresses(struct nft_batch *batch, const char *table, const char *name,
			    int family, bool of_link, bool verdicts)
{
	const struct nft_set set = {
		.name = name,
		.key_type = of_link ? NFT_TYPE_IFNAME << NFT_TYPE_BITS | nft_address_type(family)
				    : nft_address_type(family),
		.key_size = (of_link ? IFNAMSIZ : 0) + nft_address_size(family),
		.data_type = verdicts ? NFT_DATA_VERDICT : 0,
		.data_size = verdicts ? FIREWALL_VERDICT_SIZE : 0,
	};

	nft_batch_set(batch, NLM_F_CREATE | NLM_F_EXCL, FAMILY, table, &set);
}

static const int families[] = { AF_INET, AF_INET6 };

/* A rule for packets of this family, with their source or destination, behind the link that they
 * came or go by, in the first register. */
static struct nftnl_rule *rule_on_address(const char *table, const char *chain, int family,
					  bool source, bool of_link)
{
	struct nftnl_rule *rule = rule_in(table, chain);

	nft_match_family(rule, family);
	if (of_link)
		nft_load_meta(rule, source ? NFT_META_IIFNAME : NFT_META_OIFNAME, NFT_WORD(0));
	nft_load_address(rule, family, source, NFT_WORD(of_link ? LINK_WORDS : 0));
	return rule;
}

/* To the chains of the interface that has the source, or the destination. */
static void add_verdicts(struct nft_batch *batch, const char *table, const char *chain, bool out)
{
	char map[FIREWALL_NAME_SIZE];

	for (int of_link = 1; of_link >= 0; of_link--)
		for (size_t i = 0; i < 2; i++) {
			struct nftnl_rule *rule =
				rule_on_address(table, chain, families[i], out, of_link);

			nft_verdict(rule, firewall_map_name(of_link, out, families[i], map),
				    NFT_WORD(0));
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

/* rp_filter of the host's end does it for IPv4; IPv6 has none. Of a network the addresses are
 * known; fib looks into the main table alone, which may lead to another network's. */
static void drop_foreign_sources(struct nft_batch *batch, const char *table)
{
	struct nftnl_rule *rule;
	char set[FIREWALL_NAME_SIZE];

	firewall_add_chain(batch, table, CHAIN_SOURCE);
	rule = rule_on_address(table, CHAIN_SOURCE, AF_INET6, true, true);
	nft_match_set(rule, firewall_local_name(true, AF_INET6, set), NFT_WORD(0), 0);
	nft_return(rule);
	nft_batch_rule(batch, rule);
	rule = rule_in(table, CHAIN_SOURCE);
	nft_match_foreign_source(rule);
	nft_drop(rule);
	nft_batch_rule(batch, rule);
}

static void check_source(struct nft_batch *batch, const char *table, const char *chain)
{
	struct nftnl_rule *rule = rule_in(table, chain);

	nft_match_family(rule, AF_INET6);
	nft_match_link_group(rule, NFT_META_IIFGROUP, LINK_GROUP_BERTH);
	nft_jump(rule, CHAIN_SOURCE);
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

	firewall_add_chain(batch, table, CHAIN_TO_HOST);
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
	check_source(batch, table, CHAIN_INPUT);
	for (int of_link = 1; of_link >= 0; of_link--)
		for (size_t i = 0; i < 2; i++) {
			struct nftnl_rule *rule =
				rule_on_address(table, CHAIN_INPUT, families[i], true, of_link);

			nft_match_set(rule, firewall_local_name(of_link, families[i], set),
				      NFT_WORD(0), 0);
			nft_jump(rule, CHAIN_TO_HOST);
			nft_batch_rule(batch, rule);
		}
	link_local_to_host(batch, table);
}

static void add_sets(struct nft_batch *batch, const char *table)
{
	char name[FIREWALL_NAME_SIZE];

	for (int of_link = 0; of_link < 2; of_link++)
		for (size_t i = 0; i < 2; i++) {
			int family = families[i];

			for (int out = 0; out < 2; out++)
				write_addresses(batch, table,
						firewall_map_name(of_link, out, family, name),
						family, of_link, true);
			write_addresses(batch, table, firewall_local_name(of_link, family, name),
					family, of_link, false);
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
	firewall_write_networks(batch, table);
	drop_foreign_sources(batch, table);
	add_to_host(batch, table);
	add_hook(batch, table, CHAIN_SEND, NF_INET_FORWARD, PRIORITY_FILTER - 1);
	check_source(batch, table, CHAIN_SEND);
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
