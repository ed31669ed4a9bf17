/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_NFT_RULE_H
#define BERTH_NETNS_NFT_RULE_H

#include "netns/ip.h"
#include "netns/nft_batch.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The parts of a rule of nft_rule_new(). A part that does not match ends the rule for the
 * packet. Registers hold four bytes; longer values go on in the next ones. What only compares uses
 * NFT_REG32_00 and those that follow.
 */

/* The register that is `n` words behind the first. */
#define NFT_WORD(n) ((uint32_t)NFT_REG32_00 + (n))

/* Into a register: bytes of the packet, NFT_META_*, NFT_CT_*. */
void nft_load_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t size,
		      uint32_t to);
void nft_load_meta(struct nftnl_rule *rule, uint32_t key, uint32_t to);
void nft_load_value(struct nftnl_rule *rule, const void *value, uint32_t size, uint32_t to);
/* The network header's addresses, of 4 or 16 bytes by the rule's family. */
void nft_load_source(struct nftnl_rule *rule, uint32_t to);
void nft_load_destination(struct nftnl_rule *rule, uint32_t to);
/* The same in a table of the family inet, where the rule must match the family (AF_INET, AF_INET6)
 * first. */
void nft_load_address(struct nftnl_rule *rule, int family, bool source, uint32_t to);

void nft_match_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, const void *value,
		       uint32_t size);
/* The family (AF_INET, AF_INET6) and the protocol (IPPROTO_TCP, ...) of the packet. */
void nft_match_family(struct nftnl_rule *rule, int family);
void nft_match_protocol(struct nftnl_rule *rule, uint8_t protocol);
/* The destination port, of those protocols that have ports. */
void nft_load_port(struct nftnl_rule *rule, uint32_t to);
void nft_match_ports(struct nftnl_rule *rule, uint16_t from, uint16_t to);
/* These bytes of the transport header are from..to, in network order. */
void nft_match_range(struct nftnl_rule *rule, uint32_t offset, const void *from, const void *to,
		     uint32_t size);
/* It is a segment that opens a TCP connection, or the answer to one. */
void nft_match_syn(struct nftnl_rule *rule);
/* It came, or goes (NFT_META_IIFGROUP, NFT_META_OIFGROUP), by a link of this group. */
void nft_match_link_group(struct nftnl_rule *rule, uint32_t key, uint32_t group);
/* iifname or oifname (NFT_META_IIFNAME, NFT_META_OIFNAME) is, or is not, this link. */
void nft_match_link(struct nftnl_rule *rule, uint32_t key, bool is, const char *link);
/* The source or the destination is, or is not, in the prefix. In a table of the family inet the
 * rule must match the prefix's family first. */
void nft_match_source(struct nftnl_rule *rule, bool is, const struct ip_prefix *prefix);
void nft_match_destination(struct nftnl_rule *rule, bool is, const struct ip_prefix *prefix);
/* One of these bits is set in NFT_CT_STATUS, NFT_CT_STATE; in the packet's mark. */
void nft_match_ct(struct nftnl_rule *rule, uint32_t key, uint32_t bits);
void nft_match_mark(struct nftnl_rule *rule, uint32_t bits);
/* The packet's destination, or its source, is an address of this host. */
void nft_match_local_destination(struct nftnl_rule *rule);
void nft_match_local_source(struct nftnl_rule *rule);
/* It is from a socket of this user or group (NFT_META_SKUID, NFT_META_SKGID). */
void nft_match_owner(struct nftnl_rule *rule, uint32_t key, uint32_t id);
/* It is for a socket here that takes what is meant for others (IP_TRANSPARENT). */
void nft_match_transparent_socket(struct nftnl_rule *rule);
/* The way to the packet's destination is by the link that it came in by: both ends are behind it.
 */
void nft_match_destination_behind_input(struct nftnl_rule *rule);
/* The way back to the packet's source is not by the link that it came by. */
void nft_match_foreign_source(struct nftnl_rule *rule);
/* The value that begins in `from` is in a set; of a map, its data goes to `to` (0: a set). */
void nft_match_set(struct nftnl_rule *rule, const char *set, uint32_t from, uint32_t to);

void nft_set_mark(struct nftnl_rule *rule, uint32_t bits);
/* Connections are looked up in this zone: in a chain that comes before that. */
void nft_set_zone(struct nftnl_rule *rule, uint16_t zone);
/* The segments that the other end may send fit the link that this packet goes by. */
void nft_clamp_mss(struct nftnl_rule *rule);
/* To the address and port in these registers (0: the same address). */
void nft_dnat(struct nftnl_rule *rule, uint32_t address, uint32_t port);
/* To this host, to the port in the register; a socket finds the original destination by
 * SO_ORIGINAL_DST. */
void nft_redirect(struct nftnl_rule *rule, uint32_t port);
/* To the transparent socket that listens on the port in the register; source and destination stay
 * what they are. Where there is no such socket the rule ends. */
void nft_tproxy(struct nftnl_rule *rule, uint32_t port);
/* From whatever port: two flows at the same moment do not fight for one. */
void nft_masquerade(struct nftnl_rule *rule);
/* What a map of verdicts has for the value that begins in `from`; goes on where it has none. */
void nft_verdict(struct nftnl_rule *rule, const char *map, uint32_t from);
void nft_accept(struct nftnl_rule *rule);
void nft_drop(struct nftnl_rule *rule);
/* To the chain that jumped here. */
void nft_return(struct nftnl_rule *rule);
void nft_jump(struct nftnl_rule *rule, const char *chain);

#endif
