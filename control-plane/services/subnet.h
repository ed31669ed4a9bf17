/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_SUBNET_H
#define BERTH_CONTROL_PLANE_SERVICES_SUBNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

/*
 * The addresses of one IPv4 subnet. As in a VPC, five are never given out: the network, the router
 * (+1), the DNS server
 * (+2), the one reserved (+3), and the broadcast address; and a gateway of one's own, where it is
 * another.
 *
 * An address that was given back is given out again as late as can be, so that a peer's ARP cache
 * or an interface that is just going away does not meet its successor.
 */
struct subnet;

#define SUBNET_ADDRESS_SIZE 16

struct subnet_config {
	const char *id;
	const char *vpc;
	const char *cidr;       /* prefix length 16 .. 28 */
	const char *zone;       /* NULL: any */
	const char *gateway;    /* NULL: network + 1; must lie inside */
	const char *dns_server; /* NULL: network + 2 */
};

/* -EINVAL with a sentence for a CIDR, gateway or DNS server that is not right. */
int subnet_new(const struct subnet_config *config, struct subnet **ret_subnet, struct error *err);
void subnet_free(struct subnet *subnet);
DEFINE_CLEANUP(struct subnet, subnet_free);

const char *subnet_id(const struct subnet *subnet);
const char *subnet_vpc(const struct subnet *subnet);
const char *subnet_zone(const struct subnet *subnet); /* NULL: any */
const char *subnet_cidr(const struct subnet *subnet);
const char *subnet_gateway(const struct subnet *subnet); /* "10.0.0.1/24" */
const char *subnet_dns_server(const struct subnet *subnet);
size_t subnet_free_count(const struct subnet *subnet);

/* Of two IPv4 subnets; false for what is none. */
bool subnet_cidrs_overlap(const char *a, const char *b);

/* False: no address is left. */
bool subnet_take(struct subnet *subnet, char address[SUBNET_ADDRESS_SIZE]);
/* Marks an address that a task holds already. False: it is not of this subnet, or taken. */
bool subnet_mark(struct subnet *subnet, const char *address);
/* Nothing when the address is not of this subnet. */
void subnet_give_back(struct subnet *subnet, const char *address);
/* Forgets all that was taken. */
void subnet_reset(struct subnet *subnet);

#endif
