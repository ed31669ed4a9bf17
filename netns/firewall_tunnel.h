/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FIREWALL_TUNNEL_H
#define BERTH_NETNS_FIREWALL_TUNNEL_H

#include "netns/nft_batch.h"
#include "netns/tunnel.h"

/*
 * The part of the firewall's table that guards the way to other hosts. VXLAN knows no sender: what
 * comes to its port is looked at before it is unpacked, and goes on when host, network and inner
 * source belong together. What others than the host itself would send there is dropped.
 */

/* Chains and empty sets. */
void firewall_write_tunnel(struct nft_batch *batch, const char *table, const struct tunnel *tunnel);
/* `old` NULL: the sets are empty. The networks are there, and those that are no more are gone. Both
 * have the same port and family. */
void firewall_write_tunnel_change(struct nft_batch *batch, const char *table,
				  const struct tunnel *old, const struct tunnel *wanted);

#endif
