/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/tunnel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"

#define KEY_SIZE (IP_TEXT_SIZE + 32)

struct tunnel *tunnel_new(const struct ip_address *local, uint16_t port)
{
	struct tunnel *tunnel = xcalloc(1, sizeof(*tunnel));

	tunnel->arena = arena_new();
	tunnel->networks_by_vni = map_new();
	tunnel->prefixes = map_new();
	tunnel->peers_by_key = map_new();
	tunnel->hosts_by_address = map_new();
	tunnel->links_by_key = map_new();
	if (local)
		tunnel->local = *local;
	tunnel->port = port;
	return tunnel;
}

void tunnel_free(struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	map_free(tunnel->networks_by_vni);
	map_free(tunnel->prefixes);
	map_free(tunnel->peers_by_key);
	map_free(tunnel->hosts_by_address);
	map_free(tunnel->links_by_key);
	free(tunnel->networks);
	free(tunnel->peers);
	free(tunnel->hosts);
	free(tunnel->links);
	arena_free(tunnel->arena);
	free(tunnel);
}

/* `family` 0: of both. */
static void copy_network(struct tunnel *copy, const struct tunnel_network *network, int family)
{
	_cleanup_free_ struct ip_prefix *prefixes =
		xcalloc(network->prefix_count + 1, sizeof(*prefixes));
	struct tunnel_network part = { .vni = network->vni, .prefixes = prefixes };

	for (size_t i = 0; i < network->prefix_count; i++)
		if (family == 0 || network->prefixes[i].address.family == family)
			prefixes[part.prefix_count++] = network->prefixes[i];
	tunnel_add_network(copy, &part);
}

struct tunnel *tunnel_copy_family(const struct tunnel *tunnel, int family)
{
	struct tunnel *copy = tunnel_new(&tunnel->local, tunnel->port);

	for (size_t i = 0; i < tunnel->network_count; i++)
		copy_network(copy, &tunnel->networks[i], family);
	for (size_t i = 0; i < tunnel->peer_count; i++)
		if (family == 0 || tunnel->peers[i].address.family == family)
			(void)tunnel_add_peer(copy, &tunnel->peers[i], NULL);
	return copy;
}

struct tunnel *tunnel_copy(const struct tunnel *tunnel)
{
	return tunnel_copy_family(tunnel, 0);
}

/* Maps hold the place in the list, counted from 1. */
static void note(struct map *map, const char *key, size_t place)
{
	map_set(map, key, (void *)(uintptr_t)place);
}

static size_t place_of(const struct map *map, const char *key)
{
	return (size_t)(uintptr_t)map_get(map, key);
}

static const char *vni_key(uint32_t vni, char key[KEY_SIZE])
{
	snprintf(key, KEY_SIZE, "%" PRIu32, vni);
	return key;
}

static const char *peer_key(uint32_t vni, const struct ip_address *address, char key[KEY_SIZE])
{
	char text[IP_TEXT_SIZE];

	snprintf(key, KEY_SIZE, "%" PRIu32 " %s", vni, ip_format(address, text));
	return key;
}

static const char *link_key(uint32_t vni, int family, const struct ip_address *host,
			    char key[KEY_SIZE])
{
	char text[IP_TEXT_SIZE];

	snprintf(key, KEY_SIZE, "%" PRIu32 " %d %s", vni, family, ip_format(host, text));
	return key;
}

/* The same for 10.0.0.1/24 and 10.0.0.0/24. */
static const char *prefix_key(const struct ip_prefix *prefix, char key[IP_TEXT_SIZE])
{
	const struct ip_prefix network = ip_prefix_network(prefix);

	return ip_prefix_format(&network, key);
}

static void add_prefixes(struct tunnel *tunnel, struct tunnel_network *to,
			 const struct tunnel_network *from)
{
	size_t count = to->prefix_count + from->prefix_count;
	struct ip_prefix *items = arena_calloc(tunnel->arena, count, sizeof(*items));
	char key[IP_TEXT_SIZE];

	if (to->prefix_count > 0)
		memcpy(items, to->prefixes, to->prefix_count * sizeof(*items));
	if (from->prefix_count > 0)
		memcpy(items + to->prefix_count, from->prefixes,
		       from->prefix_count * sizeof(*items));
	for (size_t i = 0; i < from->prefix_count; i++)
		map_set(tunnel->prefixes, prefix_key(&from->prefixes[i], key), tunnel);
	to->prefixes = items;
	to->prefix_count = count;
}

void tunnel_add_network(struct tunnel *tunnel, const struct tunnel_network *network)
{
	char key[KEY_SIZE];
	size_t place = place_of(tunnel->networks_by_vni, vni_key(network->vni, key));

	if (place == 0) {
		tunnel->networks =
			xgrow(tunnel->networks, tunnel->network_count, sizeof(*tunnel->networks));
		tunnel->networks[tunnel->network_count++] =
			(struct tunnel_network){ .vni = network->vni };
		place = tunnel->network_count;
		note(tunnel->networks_by_vni, key, place);
	}
	add_prefixes(tunnel, &tunnel->networks[place - 1], network);
}

static int check_peer(const struct tunnel *tunnel, const struct tunnel_peer *peer,
		      struct error *err)
{
	char address[IP_TEXT_SIZE], host[IP_TEXT_SIZE], local[IP_TEXT_SIZE];
	bool is_taken = tunnel_find_peer(tunnel, peer->vni, &peer->address);

	ip_format(&peer->address, address);
	ip_format(&peer->host, host);
	if (is_taken)
		return error_say(err, EEXIST,
				 "task %s of network %" PRIu32 " on host %s is not reached: "
				 "another one of the network has its address",
				 address, peer->vni, host);
	if (ip_equal(&peer->host, &tunnel->local))
		return error_say(err, EINVAL,
				 "task %s is not reached: its host says the address %s, which is "
				 "this host's",
				 address, host);
	if (peer->host.family != tunnel->local.family)
		return error_say(err, EINVAL,
				 "task %s is not reached: its host's address %s and this host's, "
				 "%s, are not of one family",
				 address, host, ip_format(&tunnel->local, local));
	return 0;
}

int tunnel_add_peer(struct tunnel *tunnel, const struct tunnel_peer *peer, struct error *err)
{
	char key[KEY_SIZE];
	int r = check_peer(tunnel, peer, err);

	if (r < 0)
		return r;
	tunnel->peers = xgrow(tunnel->peers, tunnel->peer_count, sizeof(*tunnel->peers));
	tunnel->peers[tunnel->peer_count++] = *peer;
	note(tunnel->peers_by_key, peer_key(peer->vni, &peer->address, key), tunnel->peer_count);
	if (!tunnel_has_host(tunnel, &peer->host)) {
		tunnel->hosts = xgrow(tunnel->hosts, tunnel->host_count, sizeof(*tunnel->hosts));
		tunnel->hosts[tunnel->host_count++] = peer->host;
		note(tunnel->hosts_by_address, ip_format(&peer->host, key), tunnel->host_count);
	}
	if (!tunnel_has_link(tunnel, peer->vni, peer->address.family, &peer->host)) {
		tunnel->links = xgrow(tunnel->links, tunnel->link_count, sizeof(*tunnel->links));
		tunnel->links[tunnel->link_count++] = *peer;
		note(tunnel->links_by_key,
		     link_key(peer->vni, peer->address.family, &peer->host, key),
		     tunnel->link_count);
	}
	return 0;
}

const struct tunnel_network *tunnel_find_network(const struct tunnel *tunnel, uint32_t vni)
{
	char key[KEY_SIZE];
	size_t place = place_of(tunnel->networks_by_vni, vni_key(vni, key));

	return place ? &tunnel->networks[place - 1] : NULL;
}

bool tunnel_has_prefix(const struct tunnel *tunnel, const struct ip_prefix *prefix)
{
	char key[IP_TEXT_SIZE];

	return map_get(tunnel->prefixes, prefix_key(prefix, key)) != NULL;
}

const struct tunnel_peer *tunnel_find_peer(const struct tunnel *tunnel, uint32_t vni,
					   const struct ip_address *address)
{
	char key[KEY_SIZE];
	size_t place = place_of(tunnel->peers_by_key, peer_key(vni, address, key));

	return place ? &tunnel->peers[place - 1] : NULL;
}

bool tunnel_has_host(const struct tunnel *tunnel, const struct ip_address *host)
{
	char key[IP_TEXT_SIZE];

	return place_of(tunnel->hosts_by_address, ip_format(host, key)) > 0;
}

bool tunnel_has_link(const struct tunnel *tunnel, uint32_t vni, int family,
		     const struct ip_address *host)
{
	char key[KEY_SIZE];

	return place_of(tunnel->links_by_key, link_key(vni, family, host, key)) > 0;
}

bool tunnel_peer_equal(const struct tunnel_peer *a, const struct tunnel_peer *b)
{
	return a->vni == b->vni && ip_equal(&a->address, &b->address) &&
	       ip_equal(&a->host, &b->host);
}
