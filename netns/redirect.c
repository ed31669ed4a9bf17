/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/redirect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "netns/namespace.h"
#include "netns/nft_batch.h"
#include "netns/nft_rule.h"

#define TABLE "berth-endpoint"
#define CHAIN "output"

#define PRIORITY_DNAT (-100)

struct redirect {
	struct ip_prefix address;
	uint16_t port; /* network order, like the next */
	uint16_t to_port;
};

/* To another port, at the same address. */
static struct nftnl_rule *make_rule(const struct redirect *redirect)
{
	struct nftnl_rule *rule = nft_rule_new(NFPROTO_IPV4, TABLE, CHAIN);
	const uint8_t tcp = IPPROTO_TCP;

	nft_match_destination(rule, true, &redirect->address);
	nft_match_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, protocol), &tcp,
			  sizeof(tcp));
	nft_match_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, th_dport),
			  &redirect->port, sizeof(redirect->port));
	nft_load_value(rule, &redirect->to_port, sizeof(redirect->to_port), NFT_WORD(0));
	nft_dnat(rule, 0, NFT_WORD(0));
	return rule;
}

static int redirect_here(void *data, struct error *err)
{
	static const struct nft_chain chain = {
		.name = CHAIN,
		.type = "nat",
		.hook = NF_INET_LOCAL_OUT,
		.priority = PRIORITY_DNAT,
	};
	struct nft_batch *batch = nft_batch_new();
	int r;

	/* Added, deleted, added: in one transaction that succeeds whether it was there or not. */
	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_IPV4, TABLE);
	nft_batch_table(batch, NFT_MSG_DELTABLE, 0, NFPROTO_IPV4, TABLE);
	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_IPV4, TABLE);
	nft_batch_chain(batch, NLM_F_CREATE, NFPROTO_IPV4, TABLE, &chain);
	nft_batch_rule(batch, make_rule(data));
	r = nft_batch_run(batch, "add the nftables rule of the metadata endpoint", NULL, err);
	nft_batch_free(batch);
	return r;
}

int netns_redirect_tcp(int netns_fd, const struct ip_address *address, uint16_t port,
		       uint16_t to_port, struct error *err)
{
	struct redirect redirect = {
		.address = ip_host_prefix(address),
		.port = htons(port),
		.to_port = htons(to_port),
	};

	if (address->family != AF_INET)
		return error_say(err, EAFNOSUPPORT,
				 "redirect a port of an address that is not IPv4");
	return netns_run(netns_fd, redirect_here, &redirect, err);
}
