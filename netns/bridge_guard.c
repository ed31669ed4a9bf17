/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/bridge_guard.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netlink.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "netns/nft_batch.h"
#include "netns/nft_rule.h"
#include "netns/nft_types.h"

#define TABLE        "berth-bridge"
#define RULES        3
#define SOURCE_RULES 2

/* Pairs of one octet with itself: two registers cannot be compared otherwise. */
#define OCTETS      "octets"
#define OCTET_COUNT 256
#define OCTET_SIZE  8 /* two registers */
/* Two numbers of one byte to nft(8), which knows them as protocols only. */
#define OCTET_TYPE (12 << 6 | 12)
#define MAC_TYPE   9

/* Of an Ethernet header, and of one of IPv4. A task's MAC ends with its address. */
#define SOURCE_MAC_OFFSET     6
#define SOURCE_MAC_ADDRESS    2
#define SOURCE_ADDRESS_OFFSET 12
#define ADDRESS_SIZE          4

static char *closed_of(const char *bridge)
{
	return xasprintf("%s-closed", bridge);
}

static char *sources_of(const char *bridge)
{
	return xasprintf("%s-sources", bridge);
}

/* The MACs that a bridge of this name has had. */
static char *macs_of(const char *bridge)
{
	return xasprintf("%s-macs", bridge);
}

/* Answers come back from where the host has led the questions. */
static struct nftnl_rule *let_answers_in(uint8_t family, const char *chain, const char *bridge)
{
	struct nftnl_rule *rule = nft_rule_new(family, TABLE, chain);

	nft_match_link(rule, NFT_META_OIFNAME, true, bridge);
	nft_match_ct(rule, NFT_CT_STATE,
		     NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	nft_accept(rule);
	return rule;
}

static struct nftnl_rule *keep_others_out(uint8_t family, const char *chain, const char *bridge)
{
	struct nftnl_rule *rule = nft_rule_new(family, TABLE, chain);

	nft_match_link(rule, NFT_META_IIFNAME, false, bridge);
	nft_match_link(rule, NFT_META_OIFNAME, true, bridge);
	nft_drop(rule);
	return rule;
}

/* What was sent to the host to be led back. Where the kernel filters bridges, what passes from port
 * to port is seen here as well, and is the ports' business. */
static struct nftnl_rule *lead_nothing_back(uint8_t family, const char *chain, const char *bridge)
{
	_cleanup_free_ char *macs = macs_of(bridge);
	struct nftnl_rule *rule = nft_rule_new(family, TABLE, chain);

	nft_match_link(rule, NFT_META_IIFNAME, true, bridge);
	nft_match_link(rule, NFT_META_OIFNAME, true, bridge);
	nft_load_payload(rule, NFT_PAYLOAD_LL_HEADER, 0, MAC_SIZE, NFT_WORD(0));
	nft_match_set(rule, macs, NFT_WORD(0), 0);
	nft_drop(rule);
	return rule;
}

static struct nft_element mac_element(const struct link *bridge)
{
	struct nft_element element = { .key_size = MAC_SIZE };

	memcpy(element.key, bridge->mac.bytes, MAC_SIZE);
	return element;
}

static void add_macs_set(struct nft_batch *batch, uint8_t family, const char *name)
{
	const struct nft_set set = { .name = name, .key_type = MAC_TYPE, .key_size = MAC_SIZE };

	nft_batch_set(batch, NLM_F_CREATE, family, TABLE, &set);
}

static void add_mac(struct nft_batch *batch, uint8_t family, const struct link *bridge)
{
	_cleanup_free_ char *name = macs_of(bridge->name);
	const struct nft_element element = mac_element(bridge);

	add_macs_set(batch, family, name);
	nft_batch_element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, TABLE, name, &element);
}

static void add_octets(struct nft_batch *batch, uint8_t family)
{
	const struct nft_set set = {
		.name = OCTETS,
		.key_type = OCTET_TYPE,
		.key_size = OCTET_SIZE,
	};

	nft_batch_set(batch, NLM_F_CREATE, family, TABLE, &set);
	for (unsigned int octet = 0; octet < OCTET_COUNT; octet++) {
		struct nft_element pair = { .key_size = OCTET_SIZE };

		pair.key[0] = pair.key[OCTET_SIZE / 2] = (unsigned char)octet;
		nft_batch_element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, TABLE, OCTETS,
				  &pair);
	}
}

/* Each octet of the source is that of its sender's MAC, which the port is bound to. */
static struct nftnl_rule *let_own_sources_in(uint8_t family, const char *chain, const char *bridge)
{
	struct nftnl_rule *rule = nft_rule_new(family, TABLE, chain);

	nft_match_link(rule, NFT_META_IIFNAME, true, bridge);
	for (uint32_t i = 0; i < ADDRESS_SIZE; i++) {
		nft_load_payload(rule, NFT_PAYLOAD_LL_HEADER,
				 SOURCE_MAC_OFFSET + SOURCE_MAC_ADDRESS + i, 1, NFT_WORD(0));
		nft_load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, SOURCE_ADDRESS_OFFSET + i, 1,
				 NFT_WORD(1));
		nft_match_set(rule, OCTETS, NFT_WORD(0), 0);
	}
	nft_accept(rule);
	return rule;
}

static struct nftnl_rule *keep_other_sources_out(uint8_t family, const char *chain,
						 const char *bridge)
{
	struct nftnl_rule *rule = nft_rule_new(family, TABLE, chain);

	nft_match_link(rule, NFT_META_IIFNAME, true, bridge);
	nft_drop(rule);
	return rule;
}

/* Before connections are tracked. */
static void add_sources(struct nft_batch *batch, uint8_t family, const char *bridge)
{
	_cleanup_free_ char *name = sources_of(bridge);
	const struct nft_chain chain = {
		.name = name,
		.type = "filter",
		.hook = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_RAW,
	};

	add_octets(batch, family);
	nft_batch_chain(batch, NLM_F_CREATE, family, TABLE, &chain);
	nft_batch_flush(batch, family, TABLE, name);
	nft_batch_rule(batch, let_own_sources_in(family, name, bridge));
	nft_batch_rule(batch, keep_other_sources_out(family, name, bridge));
}

int bridge_guard_ensure(const struct link *bridge, int family, struct error *err)
{
	_cleanup_free_ char *name = closed_of(bridge->name);
	_cleanup_free_ char *what = xasprintf("keep others from bridge %s", bridge->name);
	const struct nft_chain chain = {
		.name = name,
		.type = "filter",
		.hook = NF_INET_FORWARD,
	};
	uint8_t nfproto = nft_family(family);
	struct nft_batch *batch;
	int r = bridge_guard_check(bridge, family, err);

	/* A transaction waits for the kernel, a look does not. */
	if (r != -ENOENT)
		return r;
	batch = nft_batch_new();
	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, nfproto, TABLE);
	add_mac(batch, nfproto, bridge);
	nft_batch_chain(batch, NLM_F_CREATE, nfproto, TABLE, &chain);
	nft_batch_flush(batch, nfproto, TABLE, name);
	nft_batch_rule(batch, let_answers_in(nfproto, name, bridge->name));
	nft_batch_rule(batch, keep_others_out(nfproto, name, bridge->name));
	nft_batch_rule(batch, lead_nothing_back(nfproto, name, bridge->name));
	if (family == AF_INET)
		add_sources(batch, nfproto, bridge->name);
	r = nft_batch_run(batch, what, NULL, err);
	nft_batch_free(batch);
	return r;
}

static int say_gone(const char *bridge, const char *what, const char *name, struct error *err)
{
	return error_say(err, ENOENT,
			 "the nftables rules that keep others from bridge %s are gone "
			 "(table %s, %s %s)",
			 bridge, TABLE, what, name);
}

static int check_chain(const char *bridge, int family, const char *chain, int rules,
		       struct error *err)
{
	int count = nft_rule_count(nft_family(family), TABLE, chain, err);

	if (count < 0)
		return count;
	return count < rules ? say_gone(bridge, "chain", chain, err) : 0;
}

static int check_mac(const struct link *bridge, int family, struct error *err)
{
	_cleanup_free_ char *macs = macs_of(bridge->name);
	struct nft_element element = mac_element(bridge);
	int r = nft_element_find(nft_family(family), TABLE, macs, &element, err);

	return r == -ENOENT ? say_gone(bridge->name, "set", macs, err) : r;
}

int bridge_guard_check(const struct link *bridge, int family, struct error *err)
{
	_cleanup_free_ char *closed = closed_of(bridge->name), *sources = sources_of(bridge->name);
	int r = check_chain(bridge->name, family, closed, RULES, err);

	/* One that was deleted and made again has another MAC. */
	if (r == 0)
		r = check_mac(bridge, family, err);
	if (r == 0 && family == AF_INET)
		r = check_chain(bridge->name, family, sources, SOURCE_RULES, err);
	return r;
}

/* Adds to the batch that the chain goes, where it has rules. 1: it has. */
static int drop_chain(struct nft_batch *batch, uint8_t family, const char *chain, struct error *err)
{
	int count = nft_rule_count(family, TABLE, chain, err);

	if (count > 0)
		nft_batch_delete_chain(batch, family, TABLE, chain);
	return count < 0 ? count : count > 0;
}

static int drop_family(struct nft_batch *batch, uint8_t family, const char *bridge,
		       struct error *err)
{
	_cleanup_free_ char *closed = closed_of(bridge), *sources = sources_of(bridge),
			    *macs = macs_of(bridge);
	int was_closed = drop_chain(batch, family, closed, err);
	int r = was_closed < 0 ? was_closed : drop_chain(batch, family, sources, err);

	if (r < 0 || !was_closed)
		return r < 0 ? r : 0;
	/* It may not be there. */
	add_macs_set(batch, family, macs);
	nft_batch_delete_set(batch, family, TABLE, macs);
	return 0;
}

int bridge_guard_remove(const char *bridge, struct error *err)
{
	static const uint8_t families[2] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	_cleanup_free_ char *what = xasprintf("open bridge %s to others", bridge);
	struct nft_batch *batch = nft_batch_new();
	int r = 0;

	for (size_t i = 0; r == 0 && i < 2; i++)
		r = drop_family(batch, families[i], bridge, err);
	/* A transaction waits for the kernel, a look does not. */
	if (r == 0 && nft_batch_count(batch) > 0)
		r = nft_batch_run(batch, what, NULL, err);
	nft_batch_free(batch);
	/* Another task's ADD was faster. */
	return r == -ENOENT ? 0 : r;
}
