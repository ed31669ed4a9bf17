/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_VPCS_H
#define BERTH_CONTROL_STORE_VPCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/store/store.h"

/* VPCs and their subnets. What is built in was made from the options of berth-control. */
struct vpc_row {
	char *id;
	char *cidrs;      /* "10.0.0.0/16"; several with a space between */
	char *ipv6_cidrs; /* "fd00:1:2:300::/56", likewise; "" or NULL: none */
	int64_t vni;      /* its number on the wire between hosts */
	bool built_in;
};

struct vpc_list {
	struct vpc_row *items;
	size_t count;
};

struct vpc_subnet_row {
	char *id;
	char *vpc;
	char *cidr;        /* NULL: IPv6 only */
	char *ipv6_cidr;   /* NULL: IPv4 only */
	bool assigns_ipv6; /* AssignIpv6AddressOnCreation */
	char *zone;        /* NULL: any */
	char *gateway;     /* NULL: the first address */
	char *dns_server;  /* NULL: the second address */
	bool built_in;
};

struct vpc_subnet_list {
	struct vpc_subnet_row *items;
	size_t count;
};

void vpc_list_clear(struct vpc_list *list);
void vpc_subnet_list_clear(struct vpc_subnet_list *list);

/* "vpc-0123456789abcdef0": a new id of that kind, allocated. */
char *vpc_resource_id(const char *kind);

/* All, or the one of that id, in order of creation. */
int vpc_find(struct store *store, const char *id, struct vpc_list *ret_list, struct error *err);
/* Gives it its number (row->vni is not read). */
int vpc_add(struct store *store, const struct vpc_row *row, struct error *err);
int vpc_set_cidrs(struct store *store, const char *id, const char *cidrs, const char *ipv6_cidrs,
		  struct error *err);
/* The caller has seen that nothing is in it. */
int vpc_delete(struct store *store, const char *id, struct error *err);

/* The built-in ones first. */
int vpc_subnet_find(struct store *store, const char *id, struct vpc_subnet_list *ret_list,
		    struct error *err);
int vpc_subnet_add(struct store *store, const struct vpc_subnet_row *row, struct error *err);
/* What can change of a subnet: its IPv6 block (NULL: none), and whether interfaces get an address
 * of it. */
int vpc_subnet_set_ipv6(struct store *store, const char *id, const char *cidr, bool assigns,
			struct error *err);
int vpc_subnet_delete(struct store *store, const char *id, struct error *err);

#endif
