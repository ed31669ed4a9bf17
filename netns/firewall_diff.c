/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

static void add(struct firewall_steps *steps, struct firewall_step step)
{
	steps->items = xgrow(steps->items, steps->count, sizeof(*steps->items));
	steps->items[steps->count++] = step;
}

static bool has(const struct firewall_addresses *addresses, const struct ip_address *address)
{
	size_t low = 0, high = addresses->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ip_address *item = &addresses->items[middle];
		int order = item->family != address->family
				    ? item->family - address->family
				    : memcmp(item->bytes, address->bytes, ip_size(address));

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* A step for each of `addresses` that is not among the `others` (NULL: none). */
static void add_addresses(struct firewall_steps *steps, struct firewall_step step,
			  const struct firewall_addresses *addresses,
			  const struct firewall_addresses *others)
{
	for (size_t i = 0; i < addresses->count; i++) {
		step.address = &addresses->items[i];
		if (!others || !has(others, step.address))
			add(steps, step);
	}
}

static const struct firewall_group *group_in(const struct firewall_state *state, const char *id)
{
	return state ? firewall_state_group(state, id) : NULL;
}

static const struct firewall_interface *interface_in(const struct firewall_state *state,
						     const char *name)
{
	return state ? firewall_state_interface(state, name) : NULL;
}

static void add_members(struct firewall_steps *steps, const struct firewall_group *old,
			const struct firewall_group *wanted)
{
	add_addresses(steps, (struct firewall_step){ FIREWALL_ADD_MEMBER, .group = wanted },
		      &wanted->members, old ? &old->members : NULL);
	if (old)
		add_addresses(steps,
			      (struct firewall_step){ FIREWALL_DELETE_MEMBER, .group = wanted },
			      &old->members, &wanted->members);
}

static void add_rules(struct firewall_steps *steps, const struct firewall_group *old,
		      const struct firewall_group *wanted)
{
	static const struct firewall_rules none;

	if (!firewall_rules_equal(old ? &old->in : &none, &wanted->in))
		add(steps, (struct firewall_step){ FIREWALL_SET_RULES_IN, .group = wanted });
	if (!firewall_rules_equal(old ? &old->out : &none, &wanted->out))
		add(steps, (struct firewall_step){ FIREWALL_SET_RULES_OUT, .group = wanted });
}

/* All sets and chains of groups before the rules that name them. */
static void add_groups(struct firewall_steps *steps, const struct firewall_state *old,
		       const struct firewall_state *wanted)
{
	for (size_t i = 0; i < wanted->group_count; i++)
		if (!group_in(old, wanted->groups[i]->id))
			add(steps, (struct firewall_step){ FIREWALL_ADD_GROUP,
							   .group = wanted->groups[i] });
	for (size_t i = 0; i < wanted->group_count; i++) {
		const struct firewall_group *group = wanted->groups[i];

		add_members(steps, group_in(old, group->id), group);
		add_rules(steps, group_in(old, group->id), group);
	}
}

static bool has_same_link(const struct firewall_interface *a, const struct firewall_interface *b)
{
	return a && b && a->vni == b->vni && str_eq(a->link, b->link);
}

/* Before they are added: an address may go from one interface to another. */
static void delete_addresses(struct firewall_steps *steps, const struct firewall_state *old,
			     const struct firewall_state *wanted)
{
	for (size_t i = 0; i < old->interface_count; i++) {
		const struct firewall_interface *was = old->interfaces[i];
		const struct firewall_interface *is = interface_in(wanted, was->name);

		add_addresses(steps,
			      (struct firewall_step){ FIREWALL_DELETE_ADDRESS, .interface = was },
			      &was->addresses, has_same_link(was, is) ? &is->addresses : NULL);
		if (was->link && !has_same_link(was, is))
			add(steps,
			    (struct firewall_step){ FIREWALL_DELETE_LINK, .interface = was });
	}
}

static void add_interfaces(struct firewall_steps *steps, const struct firewall_state *old,
			   const struct firewall_state *wanted)
{
	for (size_t i = 0; i < wanted->interface_count; i++) {
		const struct firewall_interface *is = wanted->interfaces[i];
		const struct firewall_interface *was = interface_in(old, is->name);

		if (!was)
			add(steps,
			    (struct firewall_step){ FIREWALL_ADD_INTERFACE, .interface = is });
		if (!was || !firewall_interface_same_groups(was, is))
			add(steps, (struct firewall_step){ FIREWALL_SET_GROUPS, .interface = is });
		add_addresses(steps,
			      (struct firewall_step){ FIREWALL_ADD_ADDRESS, .interface = is },
			      &is->addresses, has_same_link(was, is) ? &was->addresses : NULL);
		if (is->link && !has_same_link(was, is))
			add(steps, (struct firewall_step){ FIREWALL_ADD_LINK, .interface = is });
	}
}

static void delete_groups(struct firewall_steps *steps, enum firewall_step_type type,
			  const struct firewall_state *old, const struct firewall_state *wanted)
{
	for (size_t i = 0; i < old->group_count; i++)
		if (!group_in(wanted, old->groups[i]->id))
			add(steps, (struct firewall_step){ type, .group = old->groups[i] });
}

/* Interfaces lead to groups, and rules of groups to the sets of others. */
static void delete_rest(struct firewall_steps *steps, const struct firewall_state *old,
			const struct firewall_state *wanted)
{
	for (size_t i = 0; i < old->interface_count; i++)
		if (!interface_in(wanted, old->interfaces[i]->name))
			add(steps, (struct firewall_step){ FIREWALL_DELETE_INTERFACE,
							   .interface = old->interfaces[i] });
	delete_groups(steps, FIREWALL_DELETE_CHAINS, old, wanted);
	delete_groups(steps, FIREWALL_DELETE_SETS, old, wanted);
}

/* Those of `of` that the `other` has not. */
static void add_networks(struct firewall_steps *steps, enum firewall_step_type type,
			 const struct firewall_state *of, const struct firewall_state *other)
{
	for (size_t i = 0; i < of->network_count; i++)
		if (!other || !firewall_state_has_network(other, of->networks[i]))
			add(steps, (struct firewall_step){ type, .vni = of->networks[i] });
}

void firewall_diff(const struct firewall_state *old, const struct firewall_state *wanted,
		   struct firewall_steps *ret)
{
	*ret = (struct firewall_steps){ 0 };
	add_groups(ret, old, wanted);
	add_networks(ret, FIREWALL_ADD_NETWORK, wanted, old);
	if (old)
		delete_addresses(ret, old, wanted);
	add_interfaces(ret, old, wanted);
	if (old) {
		delete_rest(ret, old, wanted);
		add_networks(ret, FIREWALL_DELETE_NETWORK, old, wanted);
	}
}

void firewall_steps_free(struct firewall_steps *steps)
{
	free(steps->items);
	*steps = (struct firewall_steps){ 0 };
}
