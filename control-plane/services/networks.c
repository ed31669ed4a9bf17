/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/networks.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/ip.h"
#include "base/str.h"
#include "control-plane/services/private.h"
#include "control-plane/store/security_groups.h"
#include "control-plane/store/vpcs.h"

/* The built-in VPC holds the /16 around each of its subnets, and the /56 of IPv6. */
#define VPC_PREFIX      16
#define VPC_IPV6_PREFIX 56
#define VPC_FALLBACK    "10.99.0.0/16"

static void free_pools(struct subnet **pools, size_t count)
{
	for (size_t i = 0; i < count; i++)
		subnet_free(pools[i]);
	free(pools);
}

/* The pool of that row, out of the old ones when it was there. */
static int take_pool(struct services *services, const struct vpc_subnet_row *row,
		     struct subnet **ret_pool, struct error *err)
{
	const struct subnet_config config = {
		.id = row->id,
		.vpc = row->vpc,
		.cidr = row->cidr,
		.ipv6_cidr = row->ipv6_cidr,
		.zone = row->zone,
		.gateway = row->gateway,
		.dns_server = row->dns_server,
	};

	for (size_t i = 0; i < services->subnet_count; i++)
		if (services->subnets[i] && str_eq(subnet_id(services->subnets[i]), row->id)) {
			*ret_pool = TAKE(services->subnets[i]);
			return subnet_set_ipv6(*ret_pool, row->ipv6_cidr, err);
		}
	return subnet_new(&config, ret_pool, err);
}

int networks_load(struct services *services, struct error *err)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list rows = { 0 };
	struct subnet **pools;
	size_t count = 0;
	int r = vpc_subnet_find(services->store, NULL, &rows, err);

	if (r < 0)
		return r;
	pools = xcalloc(rows.count + 1, sizeof(*pools));
	for (size_t i = 0; r == 0 && i < rows.count; i++) {
		r = take_pool(services, &rows.items[i], &pools[count], err);
		count += r == 0;
	}
	/* What the store has was checked when it was written: a failure here ends the program. */
	free_pools(services->subnets, services->subnet_count);
	services->subnets = pools;
	services->subnet_count = count;
	return r;
}

int networks_changed(struct services *services, struct error *err)
{
	services->wrote = true;
	services_network_changed(services);
	return networks_load(services, err);
}

size_t networks_free_count(const struct services *services, const char *subnet)
{
	const struct subnet *pool = services_find_subnet(services, subnet);

	return pool ? subnet_free_ipv4_count(pool) : 0;
}

/* --- what is there from the beginning */

static int add_vpc(struct store *store, struct error *err)
{
	const struct vpc_row vpc = { .id = (char[]){ NETWORKS_VPC },
				     .cidrs = (char[]){ VPC_FALLBACK },
				     .built_in = true };
	const struct security_group_row group = {
		.id = (char[]){ NETWORKS_GROUP },
		.vpc = (char[]){ NETWORKS_VPC },
		.name = (char[]){ SECURITY_GROUP_DEFAULT },
		.description = (char[]){ "default VPC security group" },
	};
	_cleanup_(vpc_list_clear) struct vpc_list vpcs = { 0 };
	int r = vpc_find(store, NETWORKS_VPC, &vpcs, err);

	if (r < 0 || vpcs.count > 0)
		return r;
	r = vpc_add(store, &vpc, err);
	if (r == 0)
		r = security_group_add(store, &group, err);
	/* What --subnet gives is reached from the host and its network, without a word of groups.
	 */
	if (r == 0)
		r = security_rule_add_all(store, group.id, false, "0.0.0.0/0", err);
	if (r == 0)
		r = security_rule_add_all(store, group.id, false, "::/0", err);
	if (r == 0)
		r = security_rule_add_all(store, group.id, true, "::/0", err);
	return r;
}

static int say_overlap(const char *id, const char *cidr, const char *other, const char *other_cidr,
		       struct error *err)
{
	return error_say(err, EINVAL, "subnet %s (%s) overlaps subnet %s (%s)", id, cidr, other,
			 other_cidr);
}

static int refuse_overlap(const struct vpc_subnet_list *rows, const struct services_subnet *subnet,
			  struct error *err)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct vpc_subnet_row *row = &rows->items[i];

		if (str_eq(row->id, subnet->id))
			return error_say(err, EINVAL,
					 row->built_in ? "subnet %s is configured twice"
						       : "subnet %s was made by CreateSubnet: give "
							 "the one of --subnet another id",
					 subnet->id);
		if (!str_eq(row->vpc, NETWORKS_VPC))
			continue;
		if (subnet_cidrs_overlap(row->cidr, subnet->cidr))
			return say_overlap(subnet->id, subnet->cidr, row->id, row->cidr, err);
		if (subnet_cidrs_overlap(row->ipv6_cidr, subnet->ipv6_cidr))
			return say_overlap(subnet->id, subnet->ipv6_cidr, row->id, row->ipv6_cidr,
					   err);
	}
	return 0;
}

static int add_subnet(struct store *store, const struct services_subnet *subnet, struct error *err)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list rows = { 0 };
	struct vpc_subnet_row row = {
		.id = (char *)(uintptr_t)subnet->id,
		.vpc = (char[]){ NETWORKS_VPC },
		.cidr = (char *)(uintptr_t)subnet->cidr,
		.ipv6_cidr = (char *)(uintptr_t)subnet->ipv6_cidr,
		.assigns_ipv6 = subnet->ipv6_cidr != NULL,
		.zone = (char *)(uintptr_t)subnet->zone,
		.gateway = (char *)(uintptr_t)subnet->gateway,
		.dns_server = (char *)(uintptr_t)subnet->dns_server,
		.built_in = true,
	};
	const struct subnet_config config = { .id = row.id,
					      .vpc = row.vpc,
					      .cidr = row.cidr,
					      .ipv6_cidr = row.ipv6_cidr,
					      .zone = row.zone,
					      .gateway = row.gateway,
					      .dns_server = row.dns_server };
	_cleanup_(subnet_free_cleanup) struct subnet *pool = NULL;
	/* Before it is written, as it is read back without a question. */
	int r = subnet_new(&config, &pool, err);

	if (r < 0)
		return r;
	/* As everybody writes it. */
	row.ipv6_cidr = (char *)(uintptr_t)subnet_ipv6_block(pool);
	if (r == 0)
		r = vpc_subnet_find(store, NULL, &rows, err);
	if (r == 0)
		r = refuse_overlap(&rows, subnet, err);
	if (r == 0)
		r = vpc_subnet_add(store, &row, err);
	return r;
}

static int forget_configured(struct store *store, struct error *err)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list rows = { 0 };
	int r = vpc_subnet_find(store, NULL, &rows, err);

	for (size_t i = 0; r == 0 && i < rows.count; i++)
		if (rows.items[i].built_in)
			r = vpc_subnet_delete(store, rows.items[i].id, err);
	return r;
}

/* The block of that length around a subnet, once. */
static int add_block(struct str_list *blocks, const char *cidr, unsigned int length,
		     struct error *err)
{
	struct ip_prefix prefix;
	char text[IP_TEXT_SIZE];
	int r = ip_prefix_parse(cidr, &prefix, err);

	if (r < 0)
		return r;
	prefix.length = length;
	prefix = ip_prefix_network(&prefix);
	if (!str_list_has(blocks, ip_prefix_format(&prefix, text)))
		str_list_add(blocks, text);
	return 0;
}

static int set_cidrs(struct store *store, struct error *err)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list rows = { 0 };
	_cleanup_str_list_ struct str_list cidrs = STR_LIST_INIT;
	_cleanup_str_list_ struct str_list ipv6_cidrs = STR_LIST_INIT;
	_cleanup_free_ char *joined = NULL, *ipv6_joined = NULL;
	int r = vpc_subnet_find(store, NULL, &rows, err);

	for (size_t i = 0; r == 0 && i < rows.count; i++) {
		const struct vpc_subnet_row *row = &rows.items[i];

		if (!str_eq(row->vpc, NETWORKS_VPC))
			continue;
		if (row->cidr)
			r = add_block(&cidrs, row->cidr, VPC_PREFIX, err);
		if (r == 0 && row->ipv6_cidr)
			r = add_block(&ipv6_cidrs, row->ipv6_cidr, VPC_IPV6_PREFIX, err);
	}
	if (r < 0)
		return r;
	/* A VPC always has an IPv4 block. */
	if (cidrs.count == 0)
		str_list_add(&cidrs, VPC_FALLBACK);
	joined = str_list_join(&cidrs, " ");
	ipv6_joined = str_list_join(&ipv6_cidrs, " ");
	return vpc_set_cidrs(store, NETWORKS_VPC, joined, ipv6_joined, err);
}

static int write_configured(struct store *store, const struct services_config *config,
			    struct error *err)
{
	int r = add_vpc(store, err);

	if (r == 0)
		r = forget_configured(store, err);
	for (size_t i = 0; r == 0 && i < config->subnet_count; i++)
		r = add_subnet(store, &config->subnets[i], err);
	return r < 0 ? r : set_cidrs(store, err);
}

int networks_open(struct services *services, const struct services_config *config,
		  struct error *err)
{
	struct store *store = services->store;
	int r = store_begin(store, err);

	if (r < 0)
		return r;
	r = write_configured(store, config, err);
	if (r == 0)
		r = store_commit(store, err);
	if (r < 0) {
		store_rollback(store);
		return r;
	}
	return networks_load(services, err);
}
