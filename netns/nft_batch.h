/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_NFT_BATCH_H
#define BERTH_NETNS_NFT_BATCH_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>

/*
 * nftables by netlink messages of our own, in the calling thread's namespace (netns_run() for
 * another): a batch is one transaction, all or nothing, and costs a tenth of a millisecond however
 * long the ruleset is, as nobody reads it. Families are NFPROTO_IPV4, NFPROTO_IPV6, ...; `flags`
 * are NLM_F_CREATE, NLM_F_EXCL.
 */
struct nft_batch;

struct nft_batch *nft_batch_new(void);
void nft_batch_free(struct nft_batch *batch);
/* How many messages it holds: the number of the next one. */
size_t nft_batch_count(const struct nft_batch *batch);

/* NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE. */
void nft_batch_table(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family,
		     const char *table);

struct nft_chain {
	const char *name;
	const char *type; /* "nat", "filter"; NULL: no hook, to be jumped to */
	uint32_t hook;
	int32_t priority;
};
void nft_batch_chain(struct nft_batch *batch, uint16_t flags, uint8_t family, const char *table,
		     const struct nft_chain *chain);

/* Deletes all rules of a chain. */
void nft_batch_flush(struct nft_batch *batch, uint8_t family, const char *table, const char *chain);
/* With its rules. Nothing may lead to it any more. */
void nft_batch_delete_chain(struct nft_batch *batch, uint8_t family, const char *table,
			    const char *chain);

/* A rule without parts: netns/nft_rule.h has them. */
struct nftnl_rule *nft_rule_new(uint8_t family, const char *table, const char *chain);
/* Appended to its chain. Takes the rule. */
void nft_batch_rule(struct nft_batch *batch, struct nftnl_rule *rule);

/* A set, or a map when it has data. Types are nft(8)'s, for those who list it; the kernel knows
 * sizes only. */
struct nft_set {
	const char *name;
	uint32_t key_type, key_size;
	uint32_t data_type, data_size;
};
void nft_batch_set(struct nft_batch *batch, uint16_t flags, uint8_t family, const char *table,
		   const struct nft_set *set);
/* With its elements. No rule may use it any more. */
void nft_batch_delete_set(struct nft_batch *batch, uint8_t family, const char *table,
			  const char *set);

#define NFT_ELEMENT_SIZE    64
#define NFT_ELEMENT_COMMENT 256

struct nft_element {
	unsigned char key[NFT_ELEMENT_SIZE], data[NFT_ELEMENT_SIZE];
	uint32_t key_size, data_size; /* data_size 0: of a set, or with `jump` */
	const char *jump; /* of a map of verdicts (data_type NFT_DATA_VERDICT): to this chain */
	char comment[NFT_ELEMENT_COMMENT];
};
/* The most that a comment may have, its end not counted. */
#define NFT_COMMENT_MAX 250

/* More of its key, behind what it has. */
void nft_element_append(struct nft_element *element, const void *bytes, size_t size);

/* NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM (by its key). */
void nft_batch_element(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family,
		       const char *table, const char *set, const struct nft_element *element);

/*
 * Sends the batch, which is empty afterwards. `what` names it in the error. *ret_refused (may be
 * NULL): which message was refused first, SIZE_MAX when the kernel did not tell.
 */
int nft_batch_run(struct nft_batch *batch, const char *what, size_t *ret_refused,
		  struct error *err);

/* One element by its key; `element` receives its data and comment. -ENOENT when it, the set or the
 * table is not there. */
int nft_element_find(uint8_t family, const char *table, const char *set,
		     struct nft_element *element, struct error *err);

/* Calls each(data, element) for all of a set; none when there is no such set. */
int nft_element_list(uint8_t family, const char *table, const char *set,
		     void (*each)(void *data, const struct nft_element *element), void *data,
		     struct error *err);

/* How many rules a chain has; 0 when it is not there. < 0 on error. */
int nft_rule_count(uint8_t family, const char *table, const char *chain, struct error *err);

/* Whether the kernel has nftables. */
int nft_probe(struct error *err);

#endif
