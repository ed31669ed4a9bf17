/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/network/wanted.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/number.h"
#include "base/str.h"

/* With all its subnets. */
struct wanted_vpc {
	struct tunnel_network network;
	struct ip_prefix *prefixes; /* those of the network, to be filled in */
};

struct wanted_interface {
	const char *mac;
	const struct wanted_vpc *vpc; /* NULL: not told */
	struct firewall_interface interface;
};

struct network_wanted {
	struct arena *arena;
	struct firewall_group *groups;
	size_t group_count;
	struct wanted_interface *interfaces;
	size_t interface_count;
	struct tunnel_peer *peers;
	size_t peer_count;
	struct map *vpcs, *vpcs_by_subnet, *interfaces_by_mac;
};

static int protocol_of(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} names[] = { { "tcp", IPPROTO_TCP },
		      { "udp", IPPROTO_UDP },
		      { "icmp", IPPROTO_ICMP },
		      { "icmpv6", IPPROTO_ICMPV6 } };
	int64_t number = FIREWALL_ANY;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq(text, names[i].name))
			return names[i].number;
	/* The decoder has let -1 and 0..255 pass. */
	(void)number_parse_i64(text, FIREWALL_ANY, 255, &number, NULL);
	return (int)number;
}

static size_t count_rules(const struct acs_permission *permissions, size_t count)
{
	size_t rules = 0;

	for (size_t i = 0; i < count; i++)
		rules += permissions[i].cidrs.count + permissions[i].groups.count;
	return rules;
}

/* A rule for each other end of each permission. */
static struct firewall_rules rules_of(struct arena *arena, const struct acs_permission *permissions,
				      size_t count)
{
	struct firewall_rule *items =
		arena_calloc(arena, count_rules(permissions, count), sizeof(*items));
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		const struct acs_permission *permission = &permissions[i];
		const struct firewall_rule traffic = {
			.protocol = protocol_of(permission->protocol),
			.from = (int)permission->from_port,
			.to = (int)permission->to_port,
		};

		for (size_t j = 0; j < permission->groups.count; j++) {
			items[used] = traffic;
			items[used++].group = arena_strdup(arena, permission->groups.items[j]);
		}
		for (size_t j = 0; j < permission->cidrs.count; j++) {
			items[used] = traffic;
			if (ip_prefix_parse(permission->cidrs.items[j], &items[used].prefix,
					    NULL) == 0)
				used++;
		}
	}
	return (struct firewall_rules){ items, used };
}

static struct firewall_addresses addresses_of(struct arena *arena, const struct text_list *texts)
{
	struct ip_address *items = arena_calloc(arena, texts->count, sizeof(*items));
	size_t used = 0;

	for (size_t i = 0; i < texts->count; i++)
		if (ip_parse(texts->items[i], &items[used], NULL) == 0)
			used++;
	return (struct firewall_addresses){ items, used };
}

static const char *const *copy_texts(struct arena *arena, const struct text_list *texts)
{
	const char **items = arena_calloc(arena, texts->count, sizeof(*items));

	for (size_t i = 0; i < texts->count; i++)
		items[i] = arena_strdup(arena, texts->items[i]);
	return items;
}

static void take_group(struct network_wanted *wanted, const struct acs_security_group *group)
{
	struct arena *arena = wanted->arena;

	wanted->groups[wanted->group_count++] = (struct firewall_group){
		.id = arena_strdup(arena, group->id),
		.in = rules_of(arena, group->ingress, group->ingress_count),
		.out = rules_of(arena, group->egress, group->egress_count),
		.members = addresses_of(arena, &group->members),
	};
}

static void take_interface(struct network_wanted *wanted, const struct acs_network_interface *from)
{
	struct arena *arena = wanted->arena;
	struct wanted_interface *item = &wanted->interfaces[wanted->interface_count++];
	const struct wanted_vpc *vpc =
		from->subnet_id ? map_get(wanted->vpcs_by_subnet, from->subnet_id) : NULL;

	*item = (struct wanted_interface){
		.mac = arena_strdup(arena, from->mac_address),
		.vpc = vpc,
		.interface = {
			.vni = vpc ? vpc->network.vni : 0,
			.addresses = addresses_of(arena, &from->addresses),
			.groups = copy_texts(arena, &from->groups),
			.group_count = from->groups.count,
		},
	};
	if (!map_get(wanted->interfaces_by_mac, item->mac))
		map_set(wanted->interfaces_by_mac, item->mac, item);
}

static struct wanted_vpc *vpc_of(struct network_wanted *wanted, uint32_t vni)
{
	char key[16];
	struct wanted_vpc *vpc;

	snprintf(key, sizeof(key), "%" PRIu32, vni);
	vpc = map_get(wanted->vpcs, key);
	if (!vpc) {
		vpc = arena_calloc(wanted->arena, 1, sizeof(*vpc));
		vpc->network.vni = vni;
		map_set(wanted->vpcs, key, vpc);
	}
	return vpc;
}

/* How many prefixes there may be, then which. */
static void take_subnets(struct network_wanted *wanted, const struct acs_network_subnet *from,
			 size_t count)
{
	struct wanted_vpc *vpc;
	size_t cursor = 0;

	for (size_t i = 0; i < count; i++) {
		vpc = vpc_of(wanted, (uint32_t)from[i].vni);
		vpc->network.prefix_count += from[i].cidrs.count;
		if (!map_get(wanted->vpcs_by_subnet, from[i].id))
			map_set(wanted->vpcs_by_subnet, from[i].id, vpc);
	}
	while ((vpc = map_next(wanted->vpcs, &cursor, NULL))) {
		vpc->prefixes = arena_calloc(wanted->arena, vpc->network.prefix_count,
					     sizeof(*vpc->prefixes));
		vpc->network.prefixes = vpc->prefixes;
		vpc->network.prefix_count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		vpc = vpc_of(wanted, (uint32_t)from[i].vni);
		for (size_t j = 0; j < from[i].cidrs.count; j++)
			if (ip_prefix_parse(from[i].cidrs.items[j],
					    &vpc->prefixes[vpc->network.prefix_count], NULL) == 0)
				vpc->network.prefix_count++;
	}
}

/* A host that has not said its address is not reached. */
static void take_peer(struct network_wanted *wanted, const struct acs_network_peer *from)
{
	struct tunnel_peer *peer = &wanted->peers[wanted->peer_count];

	peer->vni = (uint32_t)from->vni;
	if (from->host && ip_parse(from->host, &peer->host, NULL) == 0 &&
	    ip_parse(from->address, &peer->address, NULL) == 0)
		wanted->peer_count++;
}

struct network_wanted *network_wanted_new(const struct acs_network *message)
{
	struct network_wanted *wanted = xcalloc(1, sizeof(*wanted));

	wanted->arena = arena_new();
	wanted->vpcs = map_new();
	wanted->vpcs_by_subnet = map_new();
	wanted->interfaces_by_mac = map_new();
	wanted->groups = arena_calloc(wanted->arena, message->group_count, sizeof(*wanted->groups));
	wanted->interfaces =
		arena_calloc(wanted->arena, message->interface_count, sizeof(*wanted->interfaces));
	wanted->peers = arena_calloc(wanted->arena, message->peer_count, sizeof(*wanted->peers));
	take_subnets(wanted, message->subnets, message->subnet_count);
	for (size_t i = 0; i < message->group_count; i++)
		take_group(wanted, &message->groups[i]);
	for (size_t i = 0; i < message->interface_count; i++)
		take_interface(wanted, &message->interfaces[i]);
	for (size_t i = 0; i < message->peer_count; i++)
		take_peer(wanted, &message->peers[i]);
	return wanted;
}

void network_wanted_free(struct network_wanted *wanted)
{
	if (!wanted)
		return;
	map_free(wanted->vpcs);
	map_free(wanted->vpcs_by_subnet);
	map_free(wanted->interfaces_by_mac);
	arena_free(wanted->arena);
	free(wanted);
}

uint32_t network_wanted_vni(const struct network_wanted *wanted, const char *mac)
{
	const struct wanted_interface *item = map_get(wanted->interfaces_by_mac, mac);

	return item ? item->interface.vni : 0;
}

int network_wanted_state(const struct network_wanted *wanted,
			 bool (*keep)(void *data, const char *mac),
			 const char *(*link)(void *data, const char *mac), void *data,
			 struct firewall_state **ret, struct error *left_out, struct error *err)
{
	_cleanup_(firewall_state_free_cleanup) struct firewall_state *state = firewall_state_new();

	for (size_t i = 0; i < wanted->group_count; i++) {
		int r = firewall_state_add_group(state, &wanted->groups[i], err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < wanted->interface_count; i++) {
		const struct wanted_interface *item = &wanted->interfaces[i];
		struct firewall_interface interface = item->interface;

		interface.link = link(data, item->mac);
		if (keep(data, item->mac))
			(void)firewall_state_add_interface(state, &interface, left_out);
	}
	*ret = TAKE(state);
	return 0;
}

struct tunnel *network_wanted_tunnel(const struct network_wanted *wanted,
				     bool (*keep)(void *data, const char *mac), void *data,
				     const struct firewall_state *state,
				     const struct ip_address *local, uint16_t port,
				     struct error *left_out)
{
	struct tunnel *tunnel = tunnel_new(local, port);

	for (size_t i = 0; i < wanted->interface_count; i++) {
		const struct wanted_interface *item = &wanted->interfaces[i];

		if (item->vpc && keep(data, item->mac) &&
		    firewall_state_has_network(state, item->interface.vni) &&
		    !tunnel_find_network(tunnel, item->interface.vni))
			tunnel_add_network(tunnel, &item->vpc->network);
	}
	for (size_t i = 0; i < wanted->peer_count; i++) {
		const struct tunnel_peer *peer = &wanted->peers[i];

		if (tunnel_find_network(tunnel, peer->vni) &&
		    !firewall_state_at(state, peer->vni, &peer->address))
			(void)tunnel_add_peer(tunnel, peer, left_out);
	}
	return tunnel;
}
