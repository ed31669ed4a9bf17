/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_TUNNEL_H
#define BERTH_NETNS_TUNNEL_H

#include "base/cleanup.h"
#include "base/error.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct map;

/*
 * What is wanted of the way to other hosts: the networks (VPCs) that this host has tasks of, and
 * which other host each address of theirs is on. What is handed in is copied.
 */

struct tunnel_network {
	uint32_t vni; /* 1 .. 0xffffff */
	const struct ip_prefix *prefixes;
	size_t prefix_count;
};

struct tunnel_peer {
	uint32_t vni;
	struct ip_address address, host;
};

struct tunnel {
	struct arena *arena;
	struct ip_address local; /* by which other hosts reach this one; family 0: they do not */
	uint16_t port;           /* UDP, the same on all hosts */
	struct tunnel_network *networks;
	size_t network_count;
	struct tunnel_peer *peers;
	size_t peer_count;
	/* The hosts of the peers, each once; and once for each network and family that it has peers
	 * of, where of `address` only the family counts. */
	struct ip_address *hosts;
	size_t host_count;
	struct tunnel_peer *links;
	size_t link_count;
	struct map *networks_by_vni, *prefixes, *peers_by_key, *hosts_by_address, *links_by_key;
};

/* `local` NULL: no way to other hosts. */
struct tunnel *tunnel_new(const struct ip_address *local, uint16_t port);
void tunnel_free(struct tunnel *tunnel);
DEFINE_CLEANUP(struct tunnel, tunnel_free);
struct tunnel *tunnel_copy(const struct tunnel *tunnel);
/* Only the prefixes and peers of one family, with all networks. */
struct tunnel *tunnel_copy_family(const struct tunnel *tunnel, int family);

/* Prefixes of the same VNI gather. */
void tunnel_add_network(struct tunnel *tunnel, const struct tunnel_network *network);
/* -EEXIST: another peer of the network has the address; -EINVAL: its host is this one, or has an
 * address of another family. */
int tunnel_add_peer(struct tunnel *tunnel, const struct tunnel_peer *peer, struct error *err);

/* NULL when there is none. */
const struct tunnel_network *tunnel_find_network(const struct tunnel *tunnel, uint32_t vni);
/* Whether any network has it. */
bool tunnel_has_prefix(const struct tunnel *tunnel, const struct ip_prefix *prefix);
const struct tunnel_peer *tunnel_find_peer(const struct tunnel *tunnel, uint32_t vni,
					   const struct ip_address *address);
bool tunnel_has_host(const struct tunnel *tunnel, const struct ip_address *host);
bool tunnel_has_link(const struct tunnel *tunnel, uint32_t vni, int family,
		     const struct ip_address *host);
bool tunnel_peer_equal(const struct tunnel_peer *a, const struct tunnel_peer *b);

#endif
