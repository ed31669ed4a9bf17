/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/network_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/ip.h"
#include "base/map.h"
#include "base/str.h"
#include "control-plane/services/private.h"
#include "control-plane/store/attributes.h"
#include "control-plane/store/security_groups.h"
#include "control-plane/store/vpcs.h"

/* Of one interface: one of each family. */
#define ADDRESSES_MAX 2

enum group_part { PART_NONE, PART_MEMBERS, PART_WHOLE };

struct view_group {
	struct acs_security_group group;
	enum group_part part; /* of the instance that is asked about */
	bool referenced;      /* by a rule of a group that it has whole */
};

struct view_vpc {
	int64_t vni;
	bool here; /* the instance that is asked about has an interface in it */
};

struct view_subnet {
	const struct subnet *pool;
	struct view_vpc *vpc;
};

/* One interface of a task that is not STOPPED. */
struct view_interface {
	const struct task *task;
	struct view_subnet *subnet;
	struct text_list addresses;
	struct text_list groups; /* those that exist */
	const char *host;        /* NULL: the instance has not said */
};

struct network_view {
	struct services *services;
	struct arena *arena;
	struct arena *part;         /* of the instance that was asked about last */
	struct view_group **groups; /* in order of creation */
	size_t group_count;
	struct map *groups_by_id;
	struct map *vpcs;    /* id -> struct view_vpc */
	struct map *subnets; /* id -> struct view_subnet */
	struct map *hosts;   /* instance ARN -> address, "" when there is none */
	struct view_interface *interfaces;
	size_t interface_count;
};

/* Lists grow by doubling; what they leave behind stays in the arena. */
static bool must_grow(size_t count)
{
	return (count & (count - 1)) == 0;
}

static void add_text(struct network_view *view, struct text_list *list, const char *text)
{
	const char **items = (const char **)(uintptr_t)list->items;

	if (must_grow(list->count)) {
		items = arena_calloc(view->arena, list->count * 2 + 1, sizeof(*items));
		if (list->count > 0)
			memcpy(items, list->items, list->count * sizeof(*items));
	}
	items[list->count++] = text;
	list->items = items;
}

/* --- groups and their rules */

static int read_groups(struct network_view *view, struct error *err)
{
	_cleanup_(security_group_list_clear) struct security_group_list rows = { 0 };
	int r = security_group_find(view->services->store, NULL, &rows, err);

	if (r < 0)
		return r;
	view->groups = arena_calloc(view->arena, rows.count, sizeof(*view->groups));
	for (size_t i = 0; i < rows.count; i++) {
		struct view_group *group = arena_calloc(view->arena, 1, sizeof(*group));

		group->group.id = arena_strdup(view->arena, rows.items[i].id);
		group->group.vpc_id = arena_strdup(view->arena, rows.items[i].vpc);
		view->groups[view->group_count++] = group;
		map_set(view->groups_by_id, group->group.id, group);
	}
	return 0;
}

/* The permission for the same traffic, made when there is none. */
static struct acs_permission *permission_of(struct network_view *view,
					    const struct acs_permission **list, size_t *count,
					    const struct security_rule_row *row)
{
	struct acs_permission *items = (struct acs_permission *)(uintptr_t)*list;

	for (size_t i = 0; i < *count; i++)
		if (str_eq(items[i].protocol, row->protocol) &&
		    items[i].from_port == row->from_port && items[i].to_port == row->to_port)
			return &items[i];
	if (must_grow(*count)) {
		items = arena_calloc(view->arena, *count * 2 + 1, sizeof(*items));
		if (*count > 0)
			memcpy(items, *list, *count * sizeof(*items));
		*list = items;
	}
	items[*count] = (struct acs_permission){
		.protocol = arena_strdup(view->arena, row->protocol),
		.from_port = row->from_port,
		.to_port = row->to_port,
	};
	return &items[(*count)++];
}

static int read_rules(struct network_view *view, struct error *err)
{
	_cleanup_(security_rule_list_clear) struct security_rule_list rows = { 0 };
	int r = security_rule_find(view->services->store, NULL, &rows, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.count; i++) {
		const struct security_rule_row *row = &rows.items[i];
		struct view_group *of = map_get(view->groups_by_id, row->group);
		const struct view_group *target = map_get(view->groups_by_id, row->target);
		struct acs_permission *permission;

		if (!of)
			continue;
		permission = row->egress ? permission_of(view, &of->group.egress,
							 &of->group.egress_count, row)
					 : permission_of(view, &of->group.ingress,
							 &of->group.ingress_count, row);
		if (target)
			add_text(view, &permission->groups, target->group.id);
		else
			add_text(view, &permission->cidrs, arena_strdup(view->arena, row->target));
	}
	return 0;
}

/* --- subnets and interfaces */

static int read_subnets(struct network_view *view, struct error *err)
{
	_cleanup_(vpc_list_clear) struct vpc_list vpcs = { 0 };
	int r = vpc_find(view->services->store, NULL, &vpcs, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < vpcs.count; i++) {
		struct view_vpc *vpc = arena_calloc(view->arena, 1, sizeof(*vpc));

		vpc->vni = vpcs.items[i].vni;
		map_set(view->vpcs, vpcs.items[i].id, vpc);
	}
	for (size_t i = 0; i < view->services->subnet_count; i++) {
		const struct subnet *pool = view->services->subnets[i];
		struct view_subnet *subnet = arena_calloc(view->arena, 1, sizeof(*subnet));

		*subnet = (struct view_subnet){ pool, map_get(view->vpcs, subnet_vpc(pool)) };
		if (subnet->vpc)
			map_set(view->subnets, subnet_id(pool), subnet);
	}
	return 0;
}

/* *ret_value NULL: the instance or the attribute is not there. */
static int read_attribute(struct services *services, const char *instance_arn, const char *name,
			  bool *ret_found, char **ret_value, struct error *err)
{
	_cleanup_(arn_clear) struct arn arn = { 0 };
	int r = arn_parse(instance_arn, &arn, err);

	if (r == 0)
		r = attribute_get(services->store, arn.cluster ? arn.cluster : "", arn.id, name,
				  ret_value, err);
	*ret_found = r == 0;
	return r == -ENOENT ? 0 : r;
}

int network_is_announced(struct services *services, const char *instance_arn, bool *ret_announced,
			 struct error *err)
{
	_cleanup_free_ char *value = NULL;

	return read_attribute(services, instance_arn, ACS_NETWORK_CAPABILITY, ret_announced, &value,
			      err);
}

static int host_of(struct network_view *view, const char *instance_arn, const char **ret_host,
		   struct error *err)
{
	char *host = map_get(view->hosts, instance_arn);
	_cleanup_free_ char *value = NULL;
	struct ip_address address;
	bool found;
	int r;

	if (!host) {
		r = read_attribute(view->services, instance_arn, ACS_NETWORK_ADDRESS, &found,
				   &value, err);
		if (r < 0)
			return r;
		/* What is no address would make the other agents refuse the whole message. */
		host = arena_strdup(view->arena,
				    value && ip_parse(value, &address, NULL) == 0 ? value : "");
		map_set(view->hosts, instance_arn, host);
	}
	*ret_host = host[0] ? host : NULL;
	return 0;
}

/* The interface as a member of its groups. */
static void join_groups(struct network_view *view, struct view_interface *interface)
{
	const struct task_eni *eni = interface->task->eni;

	for (size_t i = 0; i < eni->security_group_count; i++) {
		struct view_group *group = map_get(view->groups_by_id, eni->security_groups[i]);

		if (!group)
			continue;
		add_text(view, &interface->groups, group->group.id);
		for (size_t j = 0; j < interface->addresses.count; j++)
			add_text(view, &group->group.members, interface->addresses.items[j]);
	}
}

static int read_interfaces(struct network_view *view, struct error *err)
{
	struct services *services = view->services;
	int r = 0;

	view->interfaces =
		arena_calloc(view->arena, services->task_count, sizeof(*view->interfaces));
	for (size_t i = 0; r == 0 && i < services->task_count; i++) {
		const struct task *task = services->tasks[i];
		struct view_interface *interface = &view->interfaces[view->interface_count];
		struct view_subnet *subnet;

		if (!task->eni || task->state == TASK_STOPPED || !task->eni->eni_id)
			continue;
		subnet = map_get(view->subnets, task->eni->subnet_id);
		if (!subnet)
			continue;
		interface->task = task;
		interface->subnet = subnet;
		if (task->eni->private_ip)
			add_text(view, &interface->addresses, task->eni->private_ip);
		if (task->eni->ipv6)
			add_text(view, &interface->addresses, task->eni->ipv6);
		join_groups(view, interface);
		r = host_of(view, task->instance_arn, &interface->host, err);
		view->interface_count++;
	}
	return r;
}

int network_view_new(struct services *services, struct network_view **ret_view, struct error *err)
{
	_cleanup_(network_view_free_cleanup) struct network_view *view = xcalloc(1, sizeof(*view));
	int r;

	view->services = services;
	view->arena = arena_new();
	view->groups_by_id = map_new();
	view->vpcs = map_new();
	view->subnets = map_new();
	view->hosts = map_new();
	r = read_groups(view, err);
	if (r == 0)
		r = read_rules(view, err);
	if (r == 0)
		r = read_subnets(view, err);
	if (r == 0)
		r = read_interfaces(view, err);
	if (r == 0)
		*ret_view = TAKE(view);
	return r;
}

void network_view_free(struct network_view *view)
{
	if (!view)
		return;
	map_free(view->groups_by_id);
	map_free(view->vpcs);
	map_free(view->subnets);
	map_free(view->hosts);
	arena_free(view->part);
	arena_free(view->arena);
	free(view);
}

/* --- the part of one instance */

static void forget_marks(struct network_view *view)
{
	struct view_vpc *vpc;
	size_t cursor = 0;

	for (size_t i = 0; i < view->group_count; i++) {
		view->groups[i]->part = PART_NONE;
		view->groups[i]->referenced = false;
	}
	while ((vpc = map_next(view->vpcs, &cursor, NULL)))
		vpc->here = false;
}

static void mark_groups(const struct network_view *view, const struct text_list *ids,
			enum group_part part)
{
	for (size_t i = 0; i < ids->count; i++) {
		struct view_group *group = map_get(view->groups_by_id, ids->items[i]);

		if (group && group->part < part)
			group->part = part;
	}
}

static void mark_referenced(const struct network_view *view,
			    const struct acs_permission *permissions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct text_list *ids = &permissions[i].groups;

		mark_groups(view, ids, PART_MEMBERS);
		for (size_t j = 0; j < ids->count; j++) {
			struct view_group *group = map_get(view->groups_by_id, ids->items[j]);

			if (group)
				group->referenced = true;
		}
	}
}

static bool is_on(const struct view_interface *interface, const char *instance_arn)
{
	return str_eq(interface->task->instance_arn, instance_arn);
}

static void add_interfaces(struct network_view *view, const char *instance_arn,
			   struct acs_network *network)
{
	struct acs_network_interface *items =
		arena_calloc(view->part, view->interface_count, sizeof(*items));

	for (size_t i = 0; i < view->interface_count; i++) {
		const struct view_interface *from = &view->interfaces[i];
		struct acs_network_interface *to = &items[network->interface_count];

		if (!is_on(from, instance_arn))
			continue;
		to->mac_address = from->task->eni->mac;
		to->subnet_id = from->task->eni->subnet_id;
		to->groups = from->groups;
		to->addresses = from->addresses;
		mark_groups(view, &from->groups, PART_WHOLE);
		from->subnet->vpc->here = true;
		network->interface_count++;
	}
	network->interfaces = items;
}

/* The gateways say whose networks they are in. */
static struct text_list cidrs_of(struct network_view *view, const struct subnet *subnet)
{
	const char *const gateways[] = { subnet_gateway(subnet), subnet_ipv6_gateway(subnet) };
	const char **items = arena_calloc(view->part, 2, sizeof(*items));
	size_t count = 0;

	for (size_t i = 0; i < 2; i++) {
		struct ip_prefix prefix;
		char text[IP_TEXT_SIZE];

		if (!gateways[i] || ip_prefix_parse(gateways[i], &prefix, NULL) < 0)
			continue;
		prefix = ip_prefix_network(&prefix);
		items[count++] = arena_strdup(view->part, ip_prefix_format(&prefix, text));
	}
	return (struct text_list){ items, count };
}

static void add_subnets(struct network_view *view, struct acs_network *network)
{
	struct services *services = view->services;
	struct acs_network_subnet *items =
		arena_calloc(view->part, services->subnet_count, sizeof(*items));

	for (size_t i = 0; i < services->subnet_count; i++) {
		const struct view_subnet *from =
			map_get(view->subnets, subnet_id(services->subnets[i]));
		struct acs_network_subnet *to = &items[network->subnet_count];

		if (!from || !from->vpc->here)
			continue;
		*to = (struct acs_network_subnet){ subnet_id(from->pool), from->vpc->vni,
						   cidrs_of(view, from->pool) };
		network->subnet_count++;
	}
	network->subnets = items;
}

/* Tasks of a VPC reach each other whatever their subnets. */
static void add_peers(struct network_view *view, const char *instance_arn,
		      struct acs_network *network)
{
	struct acs_network_peer *items =
		arena_calloc(view->part, view->interface_count * ADDRESSES_MAX, sizeof(*items));

	for (size_t i = 0; i < view->interface_count; i++) {
		const struct view_interface *from = &view->interfaces[i];

		if (is_on(from, instance_arn) || !from->subnet->vpc->here)
			continue;
		for (size_t j = 0; j < from->addresses.count; j++)
			items[network->peer_count++] = (struct acs_network_peer){
				.address = from->addresses.items[j],
				.vni = from->subnet->vpc->vni,
				.host = from->host,
			};
	}
	network->peers = items;
}

static void add_groups(struct network_view *view, struct acs_network *network)
{
	struct acs_security_group *items =
		arena_calloc(view->part, view->group_count, sizeof(*items));

	for (size_t i = 0; i < view->group_count; i++) {
		const struct view_group *group = view->groups[i];

		if (group->part != PART_WHOLE)
			continue;
		mark_referenced(view, group->group.ingress, group->group.ingress_count);
		mark_referenced(view, group->group.egress, group->group.egress_count);
	}
	for (size_t i = 0; i < view->group_count; i++) {
		const struct view_group *group = view->groups[i];

		if (group->part == PART_WHOLE) {
			items[network->group_count] = group->group;
			/* Nobody asks for them: a task more or less is no news to the others. */
			if (!group->referenced)
				items[network->group_count].members = (struct text_list){ 0 };
			network->group_count++;
		} else if (group->part == PART_MEMBERS)
			items[network->group_count++] = (struct acs_security_group){
				.id = group->group.id,
				.vpc_id = group->group.vpc_id,
				.members = group->group.members,
			};
	}
	network->groups = items;
}

void network_view_of(struct network_view *view, const char *instance_arn,
		     struct acs_network *ret_network)
{
	*ret_network = (struct acs_network){ .container_instance_arn = instance_arn };
	arena_free(view->part);
	view->part = arena_new();
	forget_marks(view);
	add_interfaces(view, instance_arn, ret_network);
	add_subnets(view, ret_network);
	add_peers(view, instance_arn, ret_network);
	add_groups(view, ret_network);
}
