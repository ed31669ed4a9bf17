/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/bridge_guard.h"

#include <errno.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netlink.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "netns/nft_batch.h"
#include "netns/nft_rule.h"

#define TABLE "berth-bridge"
#define RULES 3

static uint8_t nft_family(int family)
{
	return family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
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
static struct nftnl_rule *lead_nothing_back(uint8_t family, const char *chain,
					    const struct link *bridge)
{
	struct nftnl_rule *rule = nft_rule_new(family, TABLE, chain);

	nft_match_link(rule, NFT_META_IIFNAME, true, bridge->name);
	nft_match_link(rule, NFT_META_OIFNAME, true, bridge->name);
	nft_match_payload(rule, NFT_PAYLOAD_LL_HEADER, 0, bridge->mac.bytes, MAC_SIZE);
	nft_drop(rule);
	return rule;
}

int bridge_guard_ensure(const struct link *bridge, int family, struct error *err)
{
	_cleanup_free_ char *name = xasprintf("%s-closed", bridge->name);
	_cleanup_free_ char *what = xasprintf("keep others from bridge %s", bridge->name);
	const struct nft_chain chain = {
		.name = name,
		.type = "filter",
		.hook = NF_INET_FORWARD,
	};
	uint8_t nfproto = nft_family(family);
	struct nft_batch *batch;
	int r = bridge_guard_check(bridge->name, family, err);

	/* A transaction waits for the kernel, a look does not. */
	if (r != -ENOENT)
		return r;
	batch = nft_batch_new();
	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, nfproto, TABLE);
	nft_batch_chain(batch, NLM_F_CREATE, nfproto, TABLE, &chain);
	nft_batch_flush(batch, nfproto, TABLE, name);
	nft_batch_rule(batch, let_answers_in(nfproto, name, bridge->name));
	nft_batch_rule(batch, keep_others_out(nfproto, name, bridge->name));
	nft_batch_rule(batch, lead_nothing_back(nfproto, name, bridge));
	r = nft_batch_run(batch, what, NULL, err);
	nft_batch_free(batch);
	return r;
}

int bridge_guard_check(const char *bridge, int family, struct error *err)
{
	_cleanup_free_ char *name = xasprintf("%s-closed", bridge);
	int count = nft_rule_count(nft_family(family), TABLE, name, err);

	if (count < 0)
		return count;
	if (count < RULES)
		return error_say(err, ENOENT,
				 "the nftables rules that keep others from bridge %s are gone "
				 "(table %s, chain %s)",
				 bridge, TABLE, name);
	return 0;
}
