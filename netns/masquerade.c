/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/masquerade.h"

#include <errno.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "netns/nft_batch.h"
#include "netns/nft_rule.h"
#include "netns/nft_types.h"

#define TABLE         "berth-bridge"
#define PRIORITY_SNAT 100

static const struct ip_prefix multicast[2] = {
	{ { AF_INET, { 224 } }, 4 },
	{ { AF_INET6, { 0xff } }, 8 },
};

static uint8_t family_of(const struct ip_prefix *subnet)
{
	return nft_family(subnet->address.family);
}

/* "berth0-10.88.0.0/16". nft(8) knows no colons in names. */
static char *chain_name(const char *bridge, const struct ip_prefix *subnet)
{
	const struct ip_prefix network = ip_prefix_network(subnet);
	char text[IP_TEXT_SIZE];

	ip_prefix_format(&network, text);
	for (char *p = text; *p; p++)
		if (*p == ':')
			*p = '_';
	return xasprintf("%s-%s", bridge, text);
}

static struct nftnl_rule *make_rule(const char *chain, const char *bridge,
				    const struct ip_prefix *subnet)
{
	struct nftnl_rule *rule = nft_rule_new(family_of(subnet), TABLE, chain);

	nft_match_source(rule, true, subnet);
	nft_match_link(rule, NFT_META_OIFNAME, false, bridge);
	nft_match_destination(rule, false, &multicast[subnet->address.family == AF_INET6]);
	nft_masquerade(rule);
	return rule;
}

int masquerade_ensure(const char *bridge, const struct ip_prefix *subnet, struct error *err)
{
	_cleanup_free_ char *name = chain_name(bridge, subnet);
	_cleanup_free_ char *what = xasprintf("masquerade what leaves bridge %s", bridge);
	const struct nft_chain chain = {
		.name = name,
		.type = "nat",
		.hook = NF_INET_POST_ROUTING,
		.priority = PRIORITY_SNAT,
	};
	uint8_t family = family_of(subnet);
	struct nft_batch *batch;
	int r;

	/* A transaction waits for the kernel, a look does not. */
	r = masquerade_check(bridge, subnet, err);
	if (r != -ENOENT)
		return r;
	batch = nft_batch_new();
	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, family, TABLE);
	/* Without its rule it was emptied by somebody: there must not be two. */
	nft_batch_chain(batch, NLM_F_CREATE, family, TABLE, &chain);
	nft_batch_flush(batch, family, TABLE, name);
	nft_batch_rule(batch, make_rule(name, bridge, subnet));
	r = nft_batch_run(batch, what, NULL, err);
	nft_batch_free(batch);
	return r;
}

int masquerade_check(const char *bridge, const struct ip_prefix *subnet, struct error *err)
{
	_cleanup_free_ char *name = chain_name(bridge, subnet);
	int count = nft_rule_count(family_of(subnet), TABLE, name, err);

	if (count < 0)
		return count;
	if (count == 0)
		return error_say(err, ENOENT,
				 "the nftables rule that masquerades what leaves bridge %s is gone "
				 "(table %s, chain %s)",
				 bridge, TABLE, name);
	return 0;
}
