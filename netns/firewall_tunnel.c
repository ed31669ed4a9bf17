/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall_tunnel.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "netns/firewall_names.h"
#include "netns/firewall_table.h"
#include "netns/link.h"
#include "netns/nft_rule.h"
#include "netns/nft_types.h"

#define FAMILY NFPROTO_INET

#define CHAIN_IN   "tunnel-in"   /* what comes to this host */
#define CHAIN_PEER "tunnel-peer" /* of it, what is for a network that is here */
#define CHAIN_PASS "tunnel-pass" /* what is forwarded */
#define CHAIN_HOST "tunnel-host" /* of it, what is for another host's port */
#define SET_VNIS   "tunnel-networks"
#define SET_HOSTS  "tunnel-hosts"
#define SET_PEERS4 "tunnel-peers4"
#define SET_PEERS6 "tunnel-peers6"

#define PRIORITY_IN   (-2) /* before the groups */
#define PRIORITY_PASS (-150)

#define WORD     4
#define VNI_SIZE 3

/* From the UDP header on: its 8 bytes, 8 of VXLAN (the VNI is the fifth to seventh), the frame. */
#define AT_VNI   (sizeof(struct udphdr) + 4)
#define AT_FRAME (sizeof(struct udphdr) + 8)
#define AT_TYPE  (AT_FRAME + offsetof(struct ether_header, ether_type))
#define AT_IP    (AT_FRAME + sizeof(struct ether_header))

static const char *peers_set(int family)
{
	return family == AF_INET6 ? SET_PEERS6 : SET_PEERS4;
}

/* --- the skeleton */

static void add_set(struct nft_batch *batch, const char *table, const char *name, uint32_t type,
		    uint32_t size)
{
	const struct nft_set set = { .name = name, .key_type = type, .key_size = size };

	nft_batch_set(batch, NLM_F_CREATE | NLM_F_EXCL, FAMILY, table, &set);
}

static void add_peers_set(struct nft_batch *batch, const char *table, int outer, int inner)
{
	add_set(batch, table, peers_set(inner),
		((nft_address_type(outer) << NFT_TYPE_BITS | NFT_TYPE_MARK) << NFT_TYPE_BITS) |
			nft_address_type(inner),
		nft_address_size(outer) + WORD + nft_address_size(inner));
}

static void add_hook(struct nft_batch *batch, const char *table, const char *name, uint32_t hook,
		     int32_t priority)
{
	const struct nft_chain chain = {
		.name = name, .type = "filter", .hook = hook, .priority = priority
	};

	nft_batch_chain(batch, NLM_F_CREATE, FAMILY, table, &chain);
}

/* A rule for what goes to the port of VXLAN. */
static struct nftnl_rule *rule_on_port(const char *table, const char *chain,
				       const struct tunnel *tunnel)
{
	struct nftnl_rule *rule = nft_rule_new(FAMILY, table, chain);

	nft_match_family(rule, tunnel->local.family);
	nft_match_protocol(rule, IPPROTO_UDP);
	nft_match_ports(rule, tunnel->port, tunnel->port);
	return rule;
}

static void drop_all(struct nft_batch *batch, const char *table, const char *chain)
{
	struct nftnl_rule *rule = nft_rule_new(FAMILY, table, chain);

	nft_drop(rule);
	nft_batch_rule(batch, rule);
}

/* Somebody behind another link, a container say, that calls itself a host. */
static void drop_foreign(struct nft_batch *batch, const char *table, const char *chain)
{
	struct nftnl_rule *rule = nft_rule_new(FAMILY, table, chain);

	nft_match_foreign_source(rule);
	nft_drop(rule);
	nft_batch_rule(batch, rule);
}

/* Host, network and inner source belong together. */
static void accept_peers(struct nft_batch *batch, const char *table, int outer, int inner)
{
	const uint16_t type = htons(inner == AF_INET6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	const uint32_t words = nft_address_size(outer) / WORD;
	const size_t source = inner == AF_INET6 ? offsetof(struct ip6_hdr, ip6_src)
						: offsetof(struct iphdr, saddr);
	struct nftnl_rule *rule = nft_rule_new(FAMILY, table, CHAIN_PEER);

	nft_match_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, AT_TYPE, &type, sizeof(type));
	nft_load_address(rule, outer, true, NFT_WORD(0));
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, AT_VNI, VNI_SIZE, NFT_WORD(words));
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, (uint32_t)(AT_IP + source),
			 nft_address_size(inner), NFT_WORD(words + 1));
	nft_match_set(rule, peers_set(inner), NFT_WORD(0), 0);
	nft_accept(rule);
	nft_batch_rule(batch, rule);
}

static void add_in(struct nft_batch *batch, const char *table, const struct tunnel *tunnel)
{
	int outer = tunnel->local.family;
	struct nftnl_rule *rule;

	firewall_add_chain(batch, table, CHAIN_PEER);
	drop_foreign(batch, table, CHAIN_PEER);
	accept_peers(batch, table, outer, AF_INET);
	accept_peers(batch, table, outer, AF_INET6);
	drop_all(batch, table, CHAIN_PEER);
	add_hook(batch, table, CHAIN_IN, NF_INET_LOCAL_IN, PRIORITY_IN);
	/* Nothing that was unpacked is for the host itself. */
	rule = nft_rule_new(FAMILY, table, CHAIN_IN);
	nft_match_link_group(rule, NFT_META_IIFGROUP, LINK_GROUP_TUNNEL);
	nft_drop(rule);
	nft_batch_rule(batch, rule);
	/* Networks of others, on the same port, are their business. */
	rule = rule_on_port(table, CHAIN_IN, tunnel);
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, AT_VNI, VNI_SIZE, NFT_WORD(0));
	nft_match_set(rule, SET_VNIS, NFT_WORD(0), 0);
	nft_jump(rule, CHAIN_PEER);
	nft_batch_rule(batch, rule);
}

/* What is masqueraded on its way out would come from this host, as what it packs itself does. */
static void add_pass(struct nft_batch *batch, const char *table, const struct tunnel *tunnel)
{
	struct nftnl_rule *rule;

	firewall_add_chain(batch, table, CHAIN_HOST);
	drop_foreign(batch, table, CHAIN_HOST);
	rule = nft_rule_new(FAMILY, table, CHAIN_HOST);
	nft_load_address(rule, tunnel->local.family, true, NFT_WORD(0));
	nft_match_set(rule, SET_HOSTS, NFT_WORD(0), 0);
	nft_accept(rule);
	nft_batch_rule(batch, rule);
	drop_all(batch, table, CHAIN_HOST);
	add_hook(batch, table, CHAIN_PASS, NF_INET_FORWARD, PRIORITY_PASS);
	rule = rule_on_port(table, CHAIN_PASS, tunnel);
	nft_load_address(rule, tunnel->local.family, false, NFT_WORD(0));
	nft_match_set(rule, SET_HOSTS, NFT_WORD(0), 0);
	nft_jump(rule, CHAIN_HOST);
	nft_batch_rule(batch, rule);
	rule = nft_rule_new(FAMILY, table, CHAIN_PASS);
	nft_match_link_group(rule, NFT_META_OIFGROUP, LINK_GROUP_TUNNEL);
	nft_match_syn(rule);
	nft_clamp_mss(rule);
	nft_batch_rule(batch, rule);
}

void firewall_write_tunnel(struct nft_batch *batch, const char *table, const struct tunnel *tunnel)
{
	int outer = tunnel->local.family;

	add_set(batch, table, SET_VNIS, NFT_TYPE_MARK, WORD);
	add_set(batch, table, SET_HOSTS, nft_address_type(outer), nft_address_size(outer));
	add_peers_set(batch, table, outer, AF_INET);
	add_peers_set(batch, table, outer, AF_INET6);
	add_in(batch, table, tunnel);
	add_pass(batch, table, tunnel);
}

/* --- what is in the sets */

struct change {
	struct nft_batch *batch;
	const char *table;
	bool add;
};

static void append_vni(struct nft_element *element, uint32_t vni)
{
	/* As three bytes of a packet are loaded: the fourth is 0. */
	const unsigned char bytes[WORD] = { (unsigned char)(vni >> 16), (unsigned char)(vni >> 8),
					    (unsigned char)vni, 0 };

	nft_element_append(element, bytes, sizeof(bytes));
}

static void change_element(const struct change *change, const char *set,
			   const struct nft_element *element)
{
	nft_batch_element(change->batch, change->add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
			  change->add ? NLM_F_CREATE | NLM_F_EXCL : 0, FAMILY, change->table, set,
			  element);
}

static void change_network(const struct change *change, uint32_t vni)
{
	struct nft_element element = { 0 };

	append_vni(&element, vni);
	change_element(change, SET_VNIS, &element);
}

static void change_host(const struct change *change, const struct ip_address *host)
{
	struct nft_element element = { 0 };

	nft_element_append(&element, host->bytes, ip_size(host));
	change_element(change, SET_HOSTS, &element);
}

static void change_peer(const struct change *change, const struct tunnel_peer *peer)
{
	struct nft_element element = { 0 };

	nft_element_append(&element, peer->host.bytes, ip_size(&peer->host));
	append_vni(&element, peer->vni);
	nft_element_append(&element, peer->address.bytes, ip_size(&peer->address));
	change_element(change, peers_set(peer->address.family), &element);
}

/* Wherever it is. */
static void change_peer_address(const struct change *change, const struct tunnel_peer *peer)
{
	struct nft_element element = { 0 };
	char set[FIREWALL_NAME_SIZE];

	nft_element_append(&element, peer->address.bytes, ip_size(&peer->address));
	change_element(change, firewall_network_set(true, peer->address.family, peer->vni, set),
		       &element);
}

static bool has_peer(const struct tunnel *tunnel, const struct tunnel_peer *peer)
{
	const struct tunnel_peer *found = tunnel_find_peer(tunnel, peer->vni, &peer->address);

	return found && tunnel_peer_equal(found, peer);
}

/* What `of` has and the `other` has not. */
static void change_what_differs(const struct change *change, const struct tunnel *of,
				const struct tunnel *other)
{
	for (size_t i = 0; i < of->network_count; i++)
		if (!other || !tunnel_find_network(other, of->networks[i].vni))
			change_network(change, of->networks[i].vni);
	for (size_t i = 0; i < of->host_count; i++)
		if (!other || !tunnel_has_host(other, &of->hosts[i]))
			change_host(change, &of->hosts[i]);
	for (size_t i = 0; i < of->peer_count; i++) {
		const struct tunnel_peer *peer = &of->peers[i];

		if (!other || !has_peer(other, peer))
			change_peer(change, peer);
		/* With its network the set has gone. */
		if (!other || (!tunnel_find_peer(other, peer->vni, &peer->address) &&
			       (change->add || tunnel_find_network(other, peer->vni))))
			change_peer_address(change, peer);
	}
}

void firewall_write_tunnel_change(struct nft_batch *batch, const char *table,
				  const struct tunnel *old, const struct tunnel *wanted)
{
	change_what_differs(&(struct change){ batch, table, .add = true }, wanted, old);
	if (old)
		change_what_differs(&(struct change){ batch, table, .add = false }, old, wanted);
}
