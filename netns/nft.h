/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_NFT_H
#define BERTH_NETNS_NFT_H

#include "base/error.h"

/*
 * Static nftables rules through libnftables, in the calling thread's namespace (netns_run() for
 * another). One call is one atomic transaction: either all of the commands hold or none. It
 * re-reads the ruleset each time (0.2 to 3 ms): per-task rules want netlink batches instead.
 */

/* Runs commands in nft(8) syntax. The error carries nft's own message, first line. */
int nft_run(const char *commands, struct error *err);

/* As nft_run(), and the output ("list table inet berth"); the caller frees. */
int nft_query(const char *commands, char **ret_output, struct error *err);

/* Deletes a table: nft_delete_table("inet", "berth"). One that is not there is no error. */
int nft_delete_table(const char *family, const char *table, struct error *err);

#endif
