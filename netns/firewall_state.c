/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"

#define GROUP_PREFIX     "sg-"
#define GROUP_ID_MAX     63
#define INTERFACE_PREFIX "if-"
#define KEY_SIZE         (IP_TEXT_SIZE + 16)

struct firewall_state *firewall_state_new(void)
{
	struct firewall_state *state = xcalloc(1, sizeof(*state));

	state->arena = arena_new();
	state->groups_by_id = map_new();
	state->interfaces_by_name = map_new();
	state->interfaces_by_key = map_new();
	state->networks_by_key = map_new();
	state->links = map_new();
	return state;
}

void firewall_state_free(struct firewall_state *state)
{
	if (!state)
		return;
	map_free(state->groups_by_id);
	map_free(state->interfaces_by_name);
	map_free(state->interfaces_by_key);
	map_free(state->networks_by_key);
	map_free(state->links);
	free(state->groups);
	free(state->interfaces);
	free(state->networks);
	tunnel_free(state->tunnel);
	arena_free(state->arena);
	free(state);
}

static int compare_addresses(const void *a, const void *b)
{
	const struct ip_address *left = a, *right = b;

	if (left->family != right->family)
		return left->family < right->family ? -1 : 1;
	return memcmp(left->bytes, right->bytes, ip_size(left));
}

static struct firewall_addresses copy_addresses(struct arena *arena,
						const struct firewall_addresses *from)
{
	struct ip_address *items = arena_calloc(arena, from->count, sizeof(*items));
	size_t count = 0;

	if (from->count > 0) {
		memcpy(items, from->items, from->count * sizeof(*items));
		qsort(items, from->count, sizeof(*items), compare_addresses);
	}
	for (size_t i = 0; i < from->count; i++)
		if (count == 0 || !ip_equal(&items[count - 1], &items[i]))
			items[count++] = items[i];
	return (struct firewall_addresses){ items, count };
}

static struct firewall_rules copy_rules(struct arena *arena, const struct firewall_rules *from)
{
	struct firewall_rule *items = arena_calloc(arena, from->count, sizeof(*items));

	for (size_t i = 0; i < from->count; i++) {
		items[i] = from->items[i];
		if (items[i].group)
			items[i].group = arena_strdup(arena, items[i].group);
	}
	return (struct firewall_rules){ items, from->count };
}

static bool is_group_id(const char *id)
{
	size_t size = strlen(id);

	return str_starts_with(id, GROUP_PREFIX) && size <= GROUP_ID_MAX &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
		       size;
}

int firewall_state_add_group(struct firewall_state *state, const struct firewall_group *group,
			     struct error *err)
{
	struct firewall_group *added;

	if (!is_group_id(group->id))
		return error_say(err, EINVAL,
				 "security group \"%.80s\": an id must be " GROUP_PREFIX
				 " and letters, digits, _ and -, at most %d in all",
				 group->id, GROUP_ID_MAX);
	if (map_get(state->groups_by_id, group->id))
		return error_say(err, EEXIST, "security group %s is there twice", group->id);
	added = arena_calloc(state->arena, 1, sizeof(*added));
	*added = (struct firewall_group){
		.id = arena_strdup(state->arena, group->id),
		.in = copy_rules(state->arena, &group->in),
		.out = copy_rules(state->arena, &group->out),
		.members = copy_addresses(state->arena, &group->members),
	};
	state->groups = xgrow(state->groups, state->group_count, sizeof(struct firewall_group *));
	state->groups[state->group_count++] = added;
	map_set(state->groups_by_id, added->id, added);
	return 0;
}

static const char *network_key(uint32_t vni, char key[KEY_SIZE])
{
	snprintf(key, KEY_SIZE, "%" PRIu32, vni);
	return key;
}

static const char *address_key(uint32_t vni, const struct ip_address *address, char key[KEY_SIZE])
{
	char text[IP_TEXT_SIZE];

	snprintf(key, KEY_SIZE, "%" PRIu32 "-%s", vni, ip_format(address, text));
	return key;
}

/* nft(8) reads a name without colons. */
static char *name_of(struct arena *arena, uint32_t vni, const struct ip_address *address)
{
	char text[sizeof(INTERFACE_PREFIX) + KEY_SIZE] = INTERFACE_PREFIX;
	char *rest = text + strlen(INTERFACE_PREFIX);

	if (vni)
		address_key(vni, address, rest);
	else
		ip_format(address, rest);
	for (char *p = text; *p; p++)
		if (*p == ':')
			*p = '_';
	return arena_strdup(arena, text);
}

/* Two links with one address in one network cannot be told apart. */
static int check_interface(const struct firewall_state *state,
			   const struct firewall_interface *interface, struct error *err)
{
	char text[IP_TEXT_SIZE];

	if (interface->addresses.count == 0)
		return error_say(err, EINVAL, "an interface has no address");
	for (size_t i = 0; i < interface->addresses.count; i++) {
		const struct ip_address *address = &interface->addresses.items[i];

		if (firewall_state_at(state, interface->vni, address))
			return error_say(err, EEXIST, "two interfaces have the address %s",
					 ip_format(address, text));
	}
	if (interface->link && map_get(state->links, interface->link))
		return error_say(err, EEXIST, "two interfaces have the link %s", interface->link);
	return 0;
}

static const char *const *copy_texts(struct arena *arena, const char *const *from, size_t count)
{
	const char **items = arena_calloc(arena, count, sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i] = arena_strdup(arena, from[i]);
	return items;
}

static void note_network(struct firewall_state *state, uint32_t vni)
{
	char key[KEY_SIZE];

	if (vni == 0 || firewall_state_has_network(state, vni))
		return;
	state->networks = xgrow(state->networks, state->network_count, sizeof(*state->networks));
	state->networks[state->network_count++] = vni;
	map_set(state->networks_by_key, network_key(vni, key), state);
}

int firewall_state_add_interface(struct firewall_state *state,
				 const struct firewall_interface *interface, struct error *err)
{
	struct firewall_interface *added;
	char key[KEY_SIZE];
	int r = check_interface(state, interface, err);

	if (r < 0)
		return r;
	added = arena_calloc(state->arena, 1, sizeof(*added));
	*added = (struct firewall_interface){
		.name = name_of(state->arena, interface->vni, &interface->addresses.items[0]),
		.vni = interface->vni,
		.link = interface->vni && interface->link
				? arena_strdup(state->arena, interface->link)
				: NULL,
		.addresses = copy_addresses(state->arena, &interface->addresses),
		.groups = copy_texts(state->arena, interface->groups, interface->group_count),
		.group_count = interface->group_count,
	};
	state->interfaces = xgrow(state->interfaces, state->interface_count,
				  sizeof(struct firewall_interface *));
	state->interfaces[state->interface_count++] = added;
	map_set(state->interfaces_by_name, added->name, added);
	for (size_t i = 0; i < added->addresses.count; i++)
		map_set(state->interfaces_by_key,
			address_key(added->vni, &added->addresses.items[i], key), added);
	if (added->link)
		map_set(state->links, added->link, added);
	note_network(state, added->vni);
	return 0;
}

const struct firewall_group *firewall_state_group(const struct firewall_state *state,
						  const char *id)
{
	return map_get(state->groups_by_id, id);
}

const struct firewall_interface *firewall_state_interface(const struct firewall_state *state,
							  const char *name)
{
	return map_get(state->interfaces_by_name, name);
}

const struct firewall_interface *firewall_state_at(const struct firewall_state *state, uint32_t vni,
						   const struct ip_address *address)
{
	char key[KEY_SIZE];

	return map_get(state->interfaces_by_key, address_key(vni, address, key));
}

bool firewall_state_has_network(const struct firewall_state *state, uint32_t vni)
{
	char key[KEY_SIZE];

	return map_get(state->networks_by_key, network_key(vni, key));
}

static bool rule_equal(const struct firewall_rule *a, const struct firewall_rule *b)
{
	return a->protocol == b->protocol && a->from == b->from && a->to == b->to &&
	       str_eq(a->group, b->group) && (a->group || ip_prefix_equal(&a->prefix, &b->prefix));
}

bool firewall_rules_equal(const struct firewall_rules *a, const struct firewall_rules *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!rule_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

bool firewall_interface_same_groups(const struct firewall_interface *a,
				    const struct firewall_interface *b)
{
	if (a->group_count != b->group_count)
		return false;
	for (size_t i = 0; i < a->group_count; i++)
		if (!str_eq(a->groups[i], b->groups[i]))
			return false;
	return true;
}
