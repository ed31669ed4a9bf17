/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FIREWALL_NETWORKS_H
#define BERTH_NETNS_FIREWALL_NETWORKS_H

#include "netns/nft_batch.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The part of the firewall's table that keeps networks (VPCs) apart, which may have the same
 * addresses. A network is known by its links, and the device to other hosts is one of them. Its
 * connections are tracked in a zone of their own, and what comes by a link of one network does not
 * leave by a link of another. What goes to a network and says to come from an address of it must
 * have come by one of its links.
 */

#define FIREWALL_VERDICT_SIZE 16 /* on this side only that it is not 0 matters */

/* Two networks have the same zone when 65536 others lie between them: then only flows that are
 * alike in all their addresses and ports are mixed up. */
static inline uint16_t firewall_zone(uint32_t vni)
{
	return (uint16_t)vni;
}

/* Chains, and empty maps from links to the chains of networks. */
void firewall_write_networks(struct nft_batch *batch, const char *table);

/* The sets and chains of a network, with the device to other hosts as its only link. */
void firewall_add_network(struct nft_batch *batch, const char *table, uint32_t vni);
/* No other link is left. */
void firewall_delete_network(struct nft_batch *batch, const char *table, uint32_t vni);
void firewall_change_link(struct nft_batch *batch, const char *table, const char *link,
			  uint32_t vni, bool add);

#endif
