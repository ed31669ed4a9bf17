/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_PORTMAP_TABLE_H
#define BERTH_NETNS_PORTMAP_TABLE_H

#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Published ports, in nftables of the host (the calling thread's namespace): a table
 * "berth-portmap" for each family, whose rules are made once and never change, and maps in it from
 * ports of the host to ports of containers. A container that comes or goes is a transaction of a
 * few elements, however many others there are. Each element says in its comment whose it is.
 *
 * A port is reached from outside, from the host by its own addresses and, IPv4, by 127.0.0.0/8,
 * from other containers, and from the container itself. ::1 cannot be translated.
 */
struct portmap_entry {
	uint8_t protocol;       /* IPPROTO_TCP, IPPROTO_UDP */
	struct ip_address host; /* family 0: any of the host's */
	uint16_t host_port;
	struct ip_address container; /* its family is the entry's */
	uint16_t container_port;
};

/* How 127.0.0.0/8 is opened: packets to and from it pass by the link, and none that others made
 * up. */
struct portmap_loopback {
	const char *link;
	bool is_shared; /* a bridge: it is not this owner's alone */
};

/*
 * All or nothing. `loopback` may be NULL. -EADDRINUSE names the port that another owner has. An
 * owner that is longer than a comment may be is refused.
 */
int portmap_table_add(const struct portmap_entry *entries, size_t count, const char *owner,
		      const struct portmap_loopback *loopback, struct error *err);

/* -ENOENT names the port that is not mapped as it was, or the rules that are gone. */
int portmap_table_check(const struct portmap_entry *entries, size_t count, const char *owner,
			struct error *err);

struct portmap_list {
	struct portmap_entry *items;
	size_t count;
};

/*
 * Removes what the owner has of these entries (container and its port do not matter). *ret_removed
 * receives what there was; the caller frees.
 */
int portmap_table_remove(const struct portmap_entry *entries, size_t count, const char *owner,
			 struct portmap_list *ret_removed, struct error *err);

/* Removes all that the owner has, whatever it is: this reads the maps. */
int portmap_table_remove_all(const char *owner, struct portmap_list *ret_removed,
			     struct error *err);

/* Removes all for whose owner keep() is false: this reads the maps. */
int portmap_table_collect(bool (*keep)(void *data, const char *owner), void *data,
			  struct portmap_list *ret_removed, struct error *err);

void portmap_list_free(struct portmap_list *list);

#endif
