/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FIREWALL_TABLE_H
#define BERTH_NETNS_FIREWALL_TABLE_H

#include "netns/firewall_diff.h"
#include "netns/nft_batch.h"

/* What the firewall looks like in nftables: docs/networking.md has a picture of the table. */

/* The table (family inet) with all that is the same whatever the state, in the place of one that
 * may be there. */
void firewall_write_table(struct nft_batch *batch, const char *table);
/* None: the same whether there is one or not. */
void firewall_write_none(struct nft_batch *batch, const char *table);
/* One that is jumped to. */
void firewall_add_chain(struct nft_batch *batch, const char *table, const char *name);
/* A set of addresses. */
void firewall_write_set(struct nft_batch *batch, const char *table, const char *name, int family);
void firewall_write_steps(struct nft_batch *batch, const char *table,
			  const struct firewall_steps *steps);

#endif
