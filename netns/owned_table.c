/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/owned_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "netns/nft_types.h"

#define OWNER_SET "owner"

const uint8_t owned_table_families[2] = { NFPROTO_IPV4, NFPROTO_IPV6 };

static const char *family_name(uint8_t family)
{
	return family == NFPROTO_IPV6 ? "ip6" : "ip";
}

static struct nft_element owner_element(const char *owner)
{
	struct nft_element element = { .key_size = sizeof(uint32_t) };

	snprintf(element.comment, sizeof(element.comment), "%.*s", NFT_COMMENT_MAX, owner);
	return element;
}

/* -ENOENT: there is no such table, or it does not say whose it is. 0: another's; 1: this one's. */
static int is_owned(uint8_t family, const char *table, const char *owner, struct error *err)
{
	const struct nft_element ours = owner_element(owner);
	struct nft_element element = { .key_size = sizeof(uint32_t) };
	int r = nft_element_find(family, table, OWNER_SET, &element, err);

	return r < 0 ? r : str_eq(element.comment, ours.comment);
}

static void put_table(struct nft_batch *batch, uint8_t family, const char *table, const char *owner)
{
	static const struct nft_set set = { .name = OWNER_SET,
					    .key_type = NFT_TYPE_MARK,
					    .key_size = sizeof(uint32_t) };
	const struct nft_element element = owner_element(owner);

	nft_batch_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, family, table);
	nft_batch_set(batch, NLM_F_CREATE, family, table, &set);
	nft_batch_element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, table, OWNER_SET,
			  &element);
}

int owned_table_replace(struct nft_batch *batch, const char *table, const char *owner,
			const bool wanted[2], struct error *err)
{
	for (size_t i = 0; i < 2; i++) {
		uint8_t family = owned_table_families[i];
		int r = is_owned(family, table, owner, err);

		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && wanted[i])
			return error_say(err, EEXIST,
					 "the nftables table %s %s belongs to another attachment",
					 family_name(family), table);
		if (r == 1)
			nft_batch_table(batch, NFT_MSG_DELTABLE, 0, family, table);
		if (wanted[i])
			put_table(batch, family, table, owner);
	}
	return 0;
}

int owned_table_remove(const char *table, const char *owner, struct error *err)
{
	struct nft_batch *batch = nft_batch_new();
	_cleanup_free_ char *what = xasprintf("remove the nftables table %s", table);
	bool is_anothers = false;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < 2; i++) {
		r = is_owned(owned_table_families[i], table, owner, err);
		is_anothers |= r == 0;
		if (r == 1)
			nft_batch_table(batch, NFT_MSG_DELTABLE, 0, owned_table_families[i], table);
		if (r == -ENOENT)
			r = 0;
	}
	if (r >= 0)
		r = nft_batch_run(batch, what, NULL, err);
	nft_batch_free(batch);
	/* Somebody in the namespace was faster. */
	if (r == -ENOENT)
		r = 0;
	return r < 0 ? r : is_anothers;
}

int owned_table_check(uint8_t family, const char *table, const char *owner, struct error *err)
{
	int r = is_owned(family, table, owner, err);

	if (r == -ENOENT)
		return error_say(err, ENOENT, "the nftables table %s %s is gone",
				 family_name(family), table);
	if (r == 0)
		return error_say(err, ENOENT,
				 "the nftables table %s %s belongs to another attachment",
				 family_name(family), table);
	return r < 0 ? r : 0;
}

int owned_table_check_chain(uint8_t family, const char *table, const char *chain, size_t rules,
			    struct error *err)
{
	int count = nft_rule_count(family, table, chain, err);

	if (count < 0)
		return count;
	if ((size_t)count != rules)
		return error_say(err, ENOENT,
				 "the nftables chain %s of table %s %s has %d rules, not %zu",
				 chain, family_name(family), table, count, rules);
	return 0;
}

struct comparing {
	const struct nft_element *elements;
	size_t count;
	size_t strangers;
	bool *seen;
};

static void compare_element(void *data, const struct nft_element *element)
{
	struct comparing *comparing = data;
	bool known = false;

	/* The same one may be expected twice. */
	for (size_t i = 0; i < comparing->count; i++) {
		const struct nft_element *expected = &comparing->elements[i];

		if (element->key_size == expected->key_size &&
		    element->data_size == expected->data_size &&
		    memcmp(element->key, expected->key, expected->key_size) == 0 &&
		    memcmp(element->data, expected->data, expected->data_size) == 0)
			known = comparing->seen[i] = true;
	}
	comparing->strangers += !known;
}

int owned_table_check_set(uint8_t family, const char *table, const char *set,
			  const struct nft_element *elements, size_t count, struct error *err)
{
	_cleanup_free_ bool *seen = xcalloc(count + 1, sizeof(*seen));
	struct comparing comparing = { .elements = elements, .count = count, .seen = seen };
	int r = nft_element_list(family, table, set, compare_element, &comparing, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		comparing.strangers += !seen[i];
	if (r == 0 && comparing.strangers > 0)
		return error_say(err, ENOENT,
				 "the nftables set %s of table %s %s was changed by somebody", set,
				 family_name(family), table);
	return r;
}
