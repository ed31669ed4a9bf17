/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_OWNED_TABLE_H
#define BERTH_NETNS_OWNED_TABLE_H

#include "base/error.h"
#include "netns/nft_batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A table of nftables, in a task's namespace, that belongs to one attachment: it says whose it is,
 * as the comment of the one element of its set "owner". So whoever comes a second time takes the
 * place of himself, and of nobody else. Families: [0] IPv4, [1] IPv6. All in the calling thread's
 * namespace.
 */

extern const uint8_t owned_table_families[2];

/*
 * Puts into the batch: in each family that is wanted, the table, empty but for its owner; in the
 * others, none of this owner. -EEXIST when another has it, or nobody known.
 */
int owned_table_replace(struct nft_batch *batch, const char *table, const char *owner,
			const bool wanted[2], struct error *err);

/* Of both families. One that is gone already is no error; 1 when another's was found, which stays.
 */
int owned_table_remove(const char *table, const char *owner, struct error *err);

/* What somebody may have changed: -ENOENT with a sentence unless the table is this owner's; the
 * chain has as many rules; the set has these elements and no others (their comments do not count).
 */
int owned_table_check(uint8_t family, const char *table, const char *owner, struct error *err);
int owned_table_check_chain(uint8_t family, const char *table, const char *chain, size_t rules,
			    struct error *err);
int owned_table_check_set(uint8_t family, const char *table, const char *set,
			  const struct nft_element *elements, size_t count, struct error *err);

#endif
