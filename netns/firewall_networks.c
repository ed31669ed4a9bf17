/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall_networks.h"

#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netlink.h>

#include "netns/firewall_names.h"
#include "netns/firewall_table.h"
#include "netns/nft_rule.h"
#include "netns/nft_types.h"
#include "netns/vxlan_link.h"

#define FAMILY NFPROTO_INET

#define PRIORITY_ZONE    NF_IP_PRI_RAW_BEFORE_DEFRAG /* fragments of a zone are put together */
#define PRIORITY_RAW     NF_IP_PRI_RAW               /* before connections are looked up */
#define PRIORITY_BETWEEN (-3)                        /* before the groups */

static const int families[] = { AF_INET, AF_INET6 };

static const struct {
	struct nft_chain chain;
	uint32_t key; /* which link of a packet says what network it is of */
} hooks[FIREWALL_NETWORK_CHAINS] = {
	[FIREWALL_ZONE] = { { "zone", "filter", NF_INET_PRE_ROUTING, PRIORITY_ZONE },
			    NFT_META_IIFNAME },
	[FIREWALL_ERRORS] = { { "error-zone", "filter", NF_INET_LOCAL_OUT, PRIORITY_RAW },
			      NFT_META_OIFNAME },
	[FIREWALL_BETWEEN] = { { "between", "filter", NF_INET_FORWARD, PRIORITY_BETWEEN },
			       NFT_META_IIFNAME },
	[FIREWALL_CLAIM] = { { "claim", "filter", NF_INET_FORWARD, PRIORITY_BETWEEN },
			     NFT_META_OIFNAME },
};

static void add_links(struct nft_batch *batch, const char *table, const char *name, bool verdicts)
{
	const struct nft_set set = { .name = name,
				     .key_type = NFT_TYPE_IFNAME,
				     .key_size = IFNAMSIZ,
				     .data_type = verdicts ? NFT_DATA_VERDICT : 0,
				     .data_size = verdicts ? FIREWALL_VERDICT_SIZE : 0 };

	nft_batch_set(batch, NLM_F_CREATE | NLM_F_EXCL, FAMILY, table, &set);
}

void firewall_write_networks(struct nft_batch *batch, const char *table)
{
	add_links(batch, table, FIREWALL_LINKS, false);
	for (enum firewall_network_chain of = 0; of < FIREWALL_NETWORK_CHAINS; of++) {
		struct nftnl_rule *rule = nft_rule_new(FAMILY, table, hooks[of].chain.name);

		add_links(batch, table, firewall_network_map(of), true);
		nft_batch_chain(batch, NLM_F_CREATE, FAMILY, table, &hooks[of].chain);
		nft_load_meta(rule, hooks[of].key, NFT_WORD(0));
		nft_verdict(rule, firewall_network_map(of), NFT_WORD(0));
		nft_batch_rule(batch, rule);
	}
}

/* --- one network */

/* What is for an address of the set. */
static void add_zone_rule(struct nft_batch *batch, const char *table, uint32_t vni, int family,
			  const char *set)
{
	char chain[FIREWALL_NAME_SIZE];
	struct nftnl_rule *rule =
		nft_rule_new(FAMILY, table, firewall_network_chain_name(FIREWALL_ZONE, vni, chain));

	nft_match_family(rule, family);
	nft_load_address(rule, family, false, NFT_WORD(0));
	nft_match_set(rule, set, NFT_WORD(0), 0);
	nft_set_zone(rule, firewall_zone(vni));
	nft_batch_rule(batch, rule);
}

/* An error holds the packet that it is about: where that was sent to. */
static void add_error_rule(struct nft_batch *batch, const char *table, uint32_t vni, int family,
			   const char *set, uint8_t first, uint8_t last)
{
	bool v6 = family == AF_INET6;
	size_t at = v6 ? sizeof(struct icmp6_hdr) + offsetof(struct ip6_hdr, ip6_dst)
		       : sizeof(struct icmphdr) + offsetof(struct iphdr, daddr);
	char chain[FIREWALL_NAME_SIZE];
	struct nftnl_rule *rule = nft_rule_new(
		FAMILY, table, firewall_network_chain_name(FIREWALL_ERRORS, vni, chain));

	nft_match_family(rule, family);
	nft_match_protocol(rule, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	nft_match_range(rule, 0, &first, &last, sizeof(first));
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, (uint32_t)at, v6 ? 16 : 4,
			 NFT_WORD(0));
	nft_match_set(rule, set, NFT_WORD(0), 0);
	nft_set_zone(rule, firewall_zone(vni));
	nft_batch_rule(batch, rule);
}

static void add_zone_rules(struct nft_batch *batch, const char *table, uint32_t vni, int family,
			   const char *set)
{
	add_zone_rule(batch, table, vni, family, set);
	if (family == AF_INET6) {
		add_error_rule(batch, table, vni, family, set, ICMP6_DST_UNREACH, ICMP6_PARAM_PROB);
		return;
	}
	add_error_rule(batch, table, vni, family, set, ICMP_DEST_UNREACH, ICMP_DEST_UNREACH);
	add_error_rule(batch, table, vni, family, set, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB);
}

/* To another network's link. Others, as that to the world, are none of this. */
static void add_between_rules(struct nft_batch *batch, const char *table, uint32_t vni)
{
	char chain[FIREWALL_NAME_SIZE], set[FIREWALL_NAME_SIZE];

	firewall_network_chain_name(FIREWALL_BETWEEN, vni, chain);
	for (int own = 1; own >= 0; own--) {
		struct nftnl_rule *rule = nft_rule_new(FAMILY, table, chain);

		nft_load_meta(rule, NFT_META_OIFNAME, NFT_WORD(0));
		nft_match_set(rule, own ? firewall_network_links(vni, set) : FIREWALL_LINKS,
			      NFT_WORD(0), 0);
		if (own)
			nft_return(rule);
		else
			nft_drop(rule);
		nft_batch_rule(batch, rule);
	}
}

/* What comes by a link of its own may be of the network. */
static void accept_own_links(struct nft_batch *batch, const char *table, uint32_t vni)
{
	char chain[FIREWALL_NAME_SIZE], set[FIREWALL_NAME_SIZE];
	struct nftnl_rule *rule = nft_rule_new(
		FAMILY, table, firewall_network_chain_name(FIREWALL_CLAIM, vni, chain));

	nft_load_meta(rule, NFT_META_IIFNAME, NFT_WORD(0));
	nft_match_set(rule, firewall_network_links(vni, set), NFT_WORD(0), 0);
	nft_return(rule);
	nft_batch_rule(batch, rule);
}

/* Whoever else says to be at an address of the set is not: groups are told by their members'
 * addresses. */
static void add_claim_rule(struct nft_batch *batch, const char *table, uint32_t vni, int family,
			   const char *set)
{
	char chain[FIREWALL_NAME_SIZE];
	struct nftnl_rule *rule = nft_rule_new(
		FAMILY, table, firewall_network_chain_name(FIREWALL_CLAIM, vni, chain));

	nft_match_family(rule, family);
	nft_load_address(rule, family, true, NFT_WORD(0));
	nft_match_set(rule, set, NFT_WORD(0), 0);
	nft_drop(rule);
	nft_batch_rule(batch, rule);
}

void firewall_add_network(struct nft_batch *batch, const char *table, uint32_t vni)
{
	char name[FIREWALL_NAME_SIZE], device[IFNAMSIZ];

	for (enum firewall_network_chain of = 0; of < FIREWALL_NETWORK_CHAINS; of++) {
		const struct nft_chain chain = { .name = firewall_network_chain_name(of, vni,
										     name) };

		nft_batch_chain(batch, NLM_F_CREATE | NLM_F_EXCL, FAMILY, table, &chain);
	}
	add_links(batch, table, firewall_network_links(vni, name), false);
	add_between_rules(batch, table, vni);
	accept_own_links(batch, table, vni);
	for (size_t i = 0; i < 2; i++)
		for (int peers = 0; peers < 2; peers++) {
			firewall_network_set(peers, families[i], vni, name);
			firewall_write_set(batch, table, name, families[i]);
			add_zone_rules(batch, table, vni, families[i], name);
			add_claim_rule(batch, table, vni, families[i], name);
		}
	firewall_change_link(batch, table, vxlan_name(vni, device), vni, true);
}

void firewall_delete_network(struct nft_batch *batch, const char *table, uint32_t vni)
{
	char name[FIREWALL_NAME_SIZE], device[IFNAMSIZ];

	firewall_change_link(batch, table, vxlan_name(vni, device), vni, false);
	for (enum firewall_network_chain of = 0; of < FIREWALL_NETWORK_CHAINS; of++)
		nft_batch_delete_chain(batch, FAMILY, table,
				       firewall_network_chain_name(of, vni, name));
	nft_batch_delete_set(batch, FAMILY, table, firewall_network_links(vni, name));
	for (size_t i = 0; i < 2; i++)
		for (int peers = 0; peers < 2; peers++)
			nft_batch_delete_set(batch, FAMILY, table,
					     firewall_network_set(peers, families[i], vni, name));
}

void firewall_change_link(struct nft_batch *batch, const char *table, const char *link,
			  uint32_t vni, bool add)
{
	const uint16_t type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
	const uint16_t flags = add ? NLM_F_CREATE | NLM_F_EXCL : 0;
	struct nft_element element = { .key_size = IFNAMSIZ };
	char name[FIREWALL_NAME_SIZE];

	for (size_t i = 0; i < IFNAMSIZ - 1 && link[i]; i++)
		element.key[i] = (unsigned char)link[i];
	nft_batch_element(batch, type, flags, FAMILY, table, FIREWALL_LINKS, &element);
	nft_batch_element(batch, type, flags, FAMILY, table, firewall_network_links(vni, name),
			  &element);
	for (enum firewall_network_chain of = 0; of < FIREWALL_NETWORK_CHAINS; of++) {
		element.jump = firewall_network_chain_name(of, vni, name);
		nft_batch_element(batch, type, flags, FAMILY, table, firewall_network_map(of),
				  &element);
	}
}
