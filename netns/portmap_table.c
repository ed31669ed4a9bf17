/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/portmap_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netlink.h>

#include "base/alloc.h"
#include "base/str.h"
#include "netns/nft_batch.h"
#include "netns/nft_types.h"
#include "netns/portmap_rules.h"

static const uint8_t families[2] = { NFPROTO_IPV4, NFPROTO_IPV6 };
static const char *const maps[2] = { PORTMAP_BY_PORT, PORTMAP_BY_ADDRESS };

static uint8_t family_of(const struct portmap_entry *entry)
{
	return nft_family(entry->container.family);
}

static const char *map_of(const struct portmap_entry *entry)
{
	return maps[entry->host.family != 0];
}

static uint32_t append(unsigned char *out, uint32_t size, const void *bytes, size_t count)
{
	memcpy(out + size, bytes, count);
	/* Each part of a concatenation fills whole words. */
	return size + (uint32_t)((count + 3) / 4 * 4);
}

static struct nft_element element_of(const struct portmap_entry *entry, const char *owner)
{
	const uint16_t host_port = htons(entry->host_port);
	const uint16_t container_port = htons(entry->container_port);
	struct nft_element element = { 0 };

	if (entry->host.family)
		element.key_size = append(element.key, 0, entry->host.bytes, ip_size(&entry->host));
	element.key_size =
		append(element.key, element.key_size, &entry->protocol, sizeof(entry->protocol));
	element.key_size = append(element.key, element.key_size, &host_port, sizeof(host_port));
	element.data_size =
		append(element.data, 0, entry->container.bytes, ip_size(&entry->container));
	element.data_size =
		append(element.data, element.data_size, &container_port, sizeof(container_port));
	if (owner)
		snprintf(element.comment, sizeof(element.comment), "%s", owner);
	return element;
}

static uint16_t read_port(const unsigned char *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static struct portmap_entry entry_of(const struct nft_element *element, bool by_address,
				     uint8_t nfproto)
{
	int family = nfproto == NFPROTO_IPV6 ? AF_INET6 : AF_INET;
	struct portmap_entry entry = { .container.family = family };
	size_t size = ip_size(&entry.container);
	const unsigned char *key = element->key;

	if (by_address) {
		entry.host.family = family;
		memcpy(entry.host.bytes, key, size);
		key += size;
	}
	entry.protocol = key[0];
	entry.host_port = read_port(key + 4);
	memcpy(entry.container.bytes, element->data, size);
	entry.container_port = read_port(element->data + size);
	return entry;
}

/* "host port 8080/tcp", "host port 127.0.0.1:8080/tcp" */
struct words {
	char text[128];
};

static struct words describe(const struct portmap_entry *entry)
{
	char address[IP_TEXT_SIZE];
	struct words words;

	snprintf(words.text, sizeof(words.text), "host port %s%s%u/%s",
		 entry->host.family ? ip_format(&entry->host, address) : "",
		 entry->host.family ? " " : "", entry->host_port,
		 entry->protocol == IPPROTO_UDP ? "udp" : "tcp");
	return words;
}

static void put_entries(struct nft_batch *batch, uint16_t type, const struct portmap_entry *entries,
			size_t count, const char *owner)
{
	for (size_t i = 0; i < count; i++) {
		const struct nft_element element = element_of(&entries[i], owner);

		nft_batch_element(
			batch, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE | NLM_F_EXCL : 0,
			family_of(&entries[i]), PORTMAP_TABLE, map_of(&entries[i]), &element);
	}
}

static void put_link(struct nft_batch *batch, uint16_t type, const char *link, const char *owner)
{
	struct nft_element element = { .key_size = IFNAMSIZ };

	snprintf((char *)element.key, IFNAMSIZ, "%s", link);
	if (owner)
		snprintf(element.comment, sizeof(element.comment), "%s", owner);
	nft_batch_element(batch, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, NFPROTO_IPV4,
			  PORTMAP_TABLE, PORTMAP_LOOPBACK, &element);
}

/* The container of an owner, for a sentence. */
static int container_length(const char *owner)
{
	return (int)strcspn(owner, ":");
}

static int say_taken(const struct portmap_entry *entry, const char *owner, const char *other,
		     struct error *err)
{
	const struct words words = describe(entry);

	if (str_eq(owner, other))
		return error_say(err, EADDRINUSE, "%s is mapped to this container already",
				 words.text);
	return error_say(err, EADDRINUSE, "%s is already mapped to container %.*s: choose another",
			 words.text, container_length(other), other);
}

static int say_who_has_it(const struct portmap_entry *entry, const char *owner, struct error *err)
{
	struct nft_element element = element_of(entry, NULL);
	const struct words words = describe(entry);

	if (nft_element_find(family_of(entry), PORTMAP_TABLE, map_of(entry), &element, NULL) < 0)
		return error_say(err, EADDRINUSE, "%s is mapped twice", words.text);
	return say_taken(entry, owner, element.comment, err);
}

static int try_add(const struct portmap_entry *entries, size_t count, const char *owner,
		   const struct portmap_loopback *loopback, struct error *err)
{
	struct nft_batch *batch = nft_batch_new();
	size_t refused = 0;
	int r;

	put_entries(batch, NFT_MSG_NEWSETELEM, entries, count, owner);
	if (loopback)
		put_link(batch, NFT_MSG_NEWSETELEM, loopback->link,
			 loopback->is_shared ? NULL : owner);
	r = nft_batch_run(batch, "add published ports to nftables", &refused, err);
	nft_batch_free(batch);
	if (r == -EEXIST && refused < count)
		r = say_who_has_it(&entries[refused], owner, err);
	return r;
}

static int ensure_rules(const struct portmap_entry *entries, size_t count, struct error *err)
{
	int r = 0;

	for (size_t f = 0; r == 0 && f < 2; f++)
		for (size_t i = 0; i < count; i++)
			if (family_of(&entries[i]) == families[f]) {
				r = portmap_rules_ensure(families[f], err);
				break;
			}
	return r;
}

/* Who has the port of one address in the way of one who wants it of all. */
struct overlap {
	const struct portmap_entry *entries;
	size_t count;
	const char *owner;
	uint8_t family;
	size_t found; /* `count`: none */
	char other[NFT_ELEMENT_COMMENT];
};

static void look_for_overlap(void *data, const struct nft_element *element)
{
	struct overlap *overlap = data;
	const struct portmap_entry theirs = entry_of(element, true, overlap->family);

	if (overlap->found < overlap->count || str_eq(element->comment, overlap->owner))
		return;
	for (size_t i = 0; i < overlap->count; i++) {
		const struct portmap_entry *entry = &overlap->entries[i];

		if (!entry->host.family && family_of(entry) == overlap->family &&
		    entry->protocol == theirs.protocol && entry->host_port == theirs.host_port) {
			overlap->found = i;
			memcpy(overlap->other, element->comment, sizeof(overlap->other));
			return;
		}
	}
}

static int check_one_against_all(const struct portmap_entry *entry, const char *owner,
				 struct error *err)
{
	struct portmap_entry all = *entry;
	struct nft_element element;

	all.host = (struct ip_address){ 0 };
	element = element_of(&all, NULL);
	if (nft_element_find(family_of(&all), PORTMAP_TABLE, map_of(&all), &element, NULL) < 0 ||
	    str_eq(element.comment, owner))
		return 0;
	return say_taken(entry, owner, element.comment, err);
}

/*
 * A port of one address and the same of all are two keys, but one port. After ours are in: of two
 * who add at once at least one sees the other.
 */
static int check_overlaps(const struct portmap_entry *entries, size_t count, const char *owner,
			  struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		if (entries[i].host.family)
			r = check_one_against_all(&entries[i], owner, err);
	for (size_t f = 0; r == 0 && f < 2; f++) {
		struct overlap overlap = { .entries = entries,
					   .count = count,
					   .owner = owner,
					   .family = families[f],
					   .found = count };

		r = nft_element_list(families[f], PORTMAP_TABLE, PORTMAP_BY_ADDRESS,
				     look_for_overlap, &overlap, err);
		if (r == 0 && overlap.found < count)
			r = say_taken(&entries[overlap.found], owner, overlap.other, err);
	}
	return r;
}

int portmap_table_add(const struct portmap_entry *entries, size_t count, const char *owner,
		      const struct portmap_loopback *loopback, struct error *err)
{
	int r;

	if (strlen(owner) > NFT_COMMENT_MAX)
		return error_say(err, ENAMETOOLONG,
				 "container id, interface and network name together are longer "
				 "than %d bytes",
				 NFT_COMMENT_MAX);
	r = try_add(entries, count, owner, loopback, err);
	if (r == -ENOENT) {
		r = ensure_rules(entries, count, err);
		if (r == 0)
			r = try_add(entries, count, owner, loopback, err);
	}
	if (r == 0) {
		r = check_overlaps(entries, count, owner, err);
		if (r < 0) {
			struct portmap_list removed;

			if (portmap_table_remove(entries, count, owner, &removed, NULL) == 0)
				portmap_list_free(&removed);
		}
	}
	return r;
}

static int check_entry(const struct portmap_entry *entry, const char *owner, struct error *err)
{
	const struct nft_element wanted = element_of(entry, owner);
	struct nft_element element = wanted;
	const struct words words = describe(entry);
	int r = nft_element_find(family_of(entry), PORTMAP_TABLE, map_of(entry), &element, err);

	if (r == -ENOENT)
		return error_say(err, ENOENT, "%s is not mapped any more", words.text);
	if (r == 0 && (!str_eq(element.comment, owner) ||
		       memcmp(element.data, wanted.data, wanted.data_size) != 0))
		return error_say(err, ENOENT, "%s is mapped elsewhere now, to container %.*s",
				 words.text, container_length(element.comment), element.comment);
	return r;
}

int portmap_table_check(const struct portmap_entry *entries, size_t count, const char *owner,
			struct error *err)
{
	bool seen[2] = { false, false };
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = check_entry(&entries[i], owner, err);
		seen[family_of(&entries[i]) == NFPROTO_IPV6] = true;
	}
	for (size_t f = 0; r == 0 && f < 2; f++)
		if (seen[f])
			r = portmap_rules_check(families[f], err);
	return r;
}

static void keep_entry(struct portmap_list *list, const struct portmap_entry *entry)
{
	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = *entry;
}

void portmap_list_free(struct portmap_list *list)
{
	free(list->items);
	*list = (struct portmap_list){ 0 };
}

/* The batch's elements go; on success *ret_removed takes the list over. */
static int remove_all(struct nft_batch *batch, struct portmap_list *list,
		      struct portmap_list *ret_removed, struct error *err)
{
	int r;

	put_entries(batch, NFT_MSG_DELSETELEM, list->items, list->count, NULL);
	r = nft_batch_run(batch, "remove published ports from nftables", NULL, err);
	if (r < 0)
		portmap_list_free(list);
	else
		*ret_removed = *list;
	return r;
}

struct collecting {
	bool (*keep)(void *data, const char *owner);
	void *data;
	struct nft_batch *batch;
	struct portmap_list list;
	uint8_t family;
	bool by_address;
};

static void collect_entry(void *data, const struct nft_element *element)
{
	struct collecting *collecting = data;
	struct portmap_entry entry;

	if (collecting->keep(collecting->data, element->comment))
		return;
	entry = entry_of(element, collecting->by_address, collecting->family);
	keep_entry(&collecting->list, &entry);
}

/* What has no owner is a bridge's. */
static void collect_link(void *data, const struct nft_element *element)
{
	struct collecting *collecting = data;
	char name[IFNAMSIZ] = "";

	if (element->comment[0] == '\0' || collecting->keep(collecting->data, element->comment))
		return;
	memcpy(name, element->key, IFNAMSIZ - 1);
	put_link(collecting->batch, NFT_MSG_DELSETELEM, name, NULL);
}

/* The links, of which there are few, and the end of either way of removing. */
static int finish(struct collecting *collecting, int result, struct portmap_list *ret_removed,
		  struct error *err)
{
	int r = result;

	if (r == 0)
		r = nft_element_list(NFPROTO_IPV4, PORTMAP_TABLE, PORTMAP_LOOPBACK, collect_link,
				     collecting, err);
	if (r == 0)
		r = remove_all(collecting->batch, &collecting->list, ret_removed, err);
	else
		portmap_list_free(&collecting->list);
	nft_batch_free(collecting->batch);
	return r;
}

static bool is_anothers(void *data, const char *owner)
{
	return !str_eq(owner, data);
}

int portmap_table_remove(const struct portmap_entry *entries, size_t count, const char *owner,
			 struct portmap_list *ret_removed, struct error *err)
{
	struct collecting collecting = { .keep = is_anothers,
					 .data = (void *)owner,
					 .batch = nft_batch_new() };
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct nft_element element = element_of(&entries[i], NULL);

		r = nft_element_find(family_of(&entries[i]), PORTMAP_TABLE, map_of(&entries[i]),
				     &element, err);
		if (r == 0 && str_eq(element.comment, owner))
			keep_entry(&collecting.list, &entries[i]);
		else if (r == -ENOENT)
			r = 0;
	}
	return finish(&collecting, r, ret_removed, err);
}

int portmap_table_collect(bool (*keep)(void *data, const char *owner), void *data,
			  struct portmap_list *ret_removed, struct error *err)
{
	struct collecting collecting = { .keep = keep, .data = data, .batch = nft_batch_new() };
	int r = 0;

	for (size_t i = 0; r == 0 && i < 4; i++) {
		collecting.family = families[i / 2];
		collecting.by_address = i % 2 == 1;
		r = nft_element_list(collecting.family, PORTMAP_TABLE, maps[i % 2], collect_entry,
				     &collecting, err);
	}
	return finish(&collecting, r, ret_removed, err);
}

int portmap_table_remove_all(const char *owner, struct portmap_list *ret_removed, struct error *err)
{
	return portmap_table_collect(is_anothers, (void *)owner, ret_removed, err);
}
