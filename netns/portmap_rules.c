/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/portmap_rules.h"

#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netlink.h>

#include "netns/nft_batch.h"
#include "netns/nft_rule.h"
#include "netns/nft_types.h"

#define PRIORITY_RAW  (-300)
#define PRIORITY_DNAT (-100)
#define PRIORITY_SNAT 100

/* "Masquerade this packet", as the port mapping plugins of others say it. */
#define MARK_MASQUERADE 0x2000u

#define CHAIN_PORTS "ports"

static const struct ip_prefix loopback = { { AF_INET, { 127 } }, 8 };

static const struct nft_chain prerouting = { "prerouting", "nat", NF_INET_PRE_ROUTING,
					     PRIORITY_DNAT };
static const struct nft_chain output = { "output", "nat", NF_INET_LOCAL_OUT, PRIORITY_DNAT };
static const struct nft_chain ports = { .name = CHAIN_PORTS };
static const struct nft_chain forward = { "forward", "filter", NF_INET_FORWARD, 0 };
static const struct nft_chain postrouting = { "postrouting", "nat", NF_INET_POST_ROUTING,
					      PRIORITY_SNAT };
static const struct nft_chain guard = { "guard", "filter", NF_INET_PRE_ROUTING, PRIORITY_RAW };

static uint32_t words_of(uint8_t family)
{
	return family == NFPROTO_IPV6 ? 4 : 1;
}

static void put_maps(struct nft_batch *batch, uint8_t family)
{
	uint32_t address = family == NFPROTO_IPV6 ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4;
	uint32_t address_size = 4 * words_of(family);
	const uint32_t port_type = NFT_TYPE_PROTOCOL << NFT_TYPE_BITS | NFT_TYPE_SERVICE;
	struct nft_set map = {
		.name = PORTMAP_BY_PORT,
		.key_type = port_type,
		.key_size = 8,
		.data_type = address << NFT_TYPE_BITS | NFT_TYPE_SERVICE,
		.data_size = address_size + 4,
	};
	static const struct nft_set links = { .name = PORTMAP_LOOPBACK,
					      .key_type = NFT_TYPE_IFNAME,
					      .key_size = IFNAMSIZ };

	nft_batch_set(batch, NLM_F_CREATE, family, PORTMAP_TABLE, &map);
	map.name = PORTMAP_BY_ADDRESS;
	map.key_type = address << 2 * NFT_TYPE_BITS | port_type;
	map.key_size += address_size;
	nft_batch_set(batch, NLM_F_CREATE, family, PORTMAP_TABLE, &map);
	if (family == NFPROTO_IPV4)
		nft_batch_set(batch, NLM_F_CREATE, family, PORTMAP_TABLE, &links);
}

static struct nftnl_rule *rule_in(uint8_t family, const struct nft_chain *chain)
{
	return nft_rule_new(family, PORTMAP_TABLE, chain->name);
}

/* What is for this host may be for one of its ports. */
static void put_entrance(struct nft_batch *batch, uint8_t family, const struct nft_chain *chain)
{
	struct nftnl_rule *rule = rule_in(family, chain);

	nft_match_local_destination(rule);
	nft_jump(rule, CHAIN_PORTS);
	nft_batch_rule(batch, rule);
}

/* `words` of the packet's destination stand in front of protocol and port. */
static void put_translation(struct nft_batch *batch, uint8_t family, const char *map,
			    uint32_t words)
{
	struct nftnl_rule *rule = rule_in(family, &ports);

	if (words)
		nft_load_destination(rule, NFT_WORD(0));
	nft_load_meta(rule, NFT_META_L4PROTO, NFT_WORD(words));
	/* The destination port stands at the same place for TCP and UDP. */
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_WORD(words + 1));
	nft_match_set(rule, map, NFT_WORD(0), NFT_WORD(0));
	nft_dnat(rule, NFT_WORD(0), NFT_WORD(words_of(family)));
	nft_batch_rule(batch, rule);
}

/*
 * Who asks from behind the same link as who answers, itself for one, would be answered directly, by
 * an address that it did not ask: it asks in the host's name instead. Found out here, as the chains
 * that translate cannot compare the two links.
 */
static void put_hairpin(struct nft_batch *batch, uint8_t family)
{
	struct nftnl_rule *rule = rule_in(family, &forward);

	nft_match_ct(rule, NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_NEW));
	nft_match_ct(rule, NFT_CT_STATUS, IPS_DST_NAT);
	nft_match_destination_behind_input(rule);
	nft_set_mark(rule, MARK_MASQUERADE);
	nft_batch_rule(batch, rule);
	rule = rule_in(family, &postrouting);
	nft_match_ct(rule, NFT_CT_STATUS, IPS_DST_NAT);
	nft_match_mark(rule, MARK_MASQUERADE);
	nft_masquerade(rule);
	nft_batch_rule(batch, rule);
}

/* 127.0.0.0/8 is the host's own: it leaves in its name, and nobody else speaks as it, or to it. */
static void put_loopback(struct nft_batch *batch)
{
	struct nftnl_rule *rule = rule_in(NFPROTO_IPV4, &postrouting);

	nft_match_source(rule, true, &loopback);
	nft_match_link(rule, NFT_META_OIFNAME, false, "lo");
	nft_match_ct(rule, NFT_CT_STATUS, IPS_DST_NAT);
	nft_masquerade(rule);
	nft_batch_rule(batch, rule);
	for (int i = 0; i < 2; i++) {
		rule = rule_in(NFPROTO_IPV4, &guard);
		nft_load_meta(rule, NFT_META_IIFNAME, NFT_WORD(0));
		nft_match_set(rule, PORTMAP_LOOPBACK, NFT_WORD(0), 0);
		if (i == 0)
			nft_match_destination(rule, true, &loopback);
		else
			nft_match_source(rule, true, &loopback);
		nft_drop(rule);
		nft_batch_rule(batch, rule);
	}
}

static void put_all(struct nft_batch *batch, uint8_t family)
{
	const struct nft_chain *const chains[] = { &prerouting, &output,      &ports,
						   &forward,    &postrouting, &guard };

	/* Exclusively: rules cannot be told apart, and would be there twice. */
	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, family, PORTMAP_TABLE);
	put_maps(batch, family);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		if (chains[i] != &guard || family == NFPROTO_IPV4)
			nft_batch_chain(batch, NLM_F_CREATE, family, PORTMAP_TABLE, chains[i]);
	put_entrance(batch, family, &prerouting);
	put_entrance(batch, family, &output);
	/* A port of one address goes before the same port of all. */
	put_translation(batch, family, PORTMAP_BY_ADDRESS, words_of(family));
	put_translation(batch, family, PORTMAP_BY_PORT, 0);
	put_hairpin(batch, family);
	if (family == NFPROTO_IPV4)
		put_loopback(batch);
}

int portmap_rules_ensure(uint8_t family, struct error *err)
{
	struct nft_batch *batch = nft_batch_new();
	int r;

	put_all(batch, family);
	r = nft_batch_run(batch, "make the nftables rules of published ports", NULL, err);
	nft_batch_free(batch);
	return r == -EEXIST ? 0 : r;
}

int portmap_rules_check(uint8_t family, struct error *err)
{
	const struct {
		const char *chain;
		int rules;
	} wanted[] = {
		{ "prerouting", 1 },
		{ "output", 1 },
		{ CHAIN_PORTS, 2 },
		{ "forward", 1 },
		{ "postrouting", family == NFPROTO_IPV4 ? 2 : 1 },
		{ "guard", family == NFPROTO_IPV4 ? 2 : 0 },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		int count = nft_rule_count(family, PORTMAP_TABLE, wanted[i].chain, err);

		if (count < 0)
			return count;
		if (count < wanted[i].rules)
			return error_say(err, ENOENT,
					 "nftables rules of published ports are gone (table %s, "
					 "chain %s): delete the table, and start the tasks with "
					 "ports again",
					 PORTMAP_TABLE, wanted[i].chain);
	}
	return 0;
}
