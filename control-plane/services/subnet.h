/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_SUBNET_H
#define BERTH_CONTROL_PLANE_SERVICES_SUBNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/ip.h"

/*
 * The addresses of one subnet: of IPv4, of IPv6, or of both. As in a VPC, five of IPv4 are never
 * given out: the network, the router (+1), the DNS server (+2), the one reserved (+3), and the
 * broadcast address; and a gateway of one's own, where it is another.
 *
 * An address that was given back is given out again as late as can be, so that a peer's ARP cache
 * or an interface that is just going away does not meet its successor.
 */
struct subnet;

#define SUBNET_ADDRESS_SIZE 16

struct subnet_config {
	const char *id;
	const char *vpc;
	const char *cidr;       /* prefix length 16 .. 28; NULL: IPv6 only */
	const char *ipv6_cidr;  /* prefix length 64; NULL: IPv4 only */
	const char *zone;       /* NULL: any */
	const char *gateway;    /* of IPv4; NULL: network + 1; must lie inside */
	const char *dns_server; /* of either family; NULL: network + 2, of IPv4 if there is one */
};

/* Of one interface; "" where it has none. */
struct subnet_addresses {
	char ipv4[SUBNET_ADDRESS_SIZE];
	char ipv6[IP_TEXT_SIZE];
};

/* -EINVAL with a sentence for a CIDR, gateway or DNS server that is not right. */
int subnet_new(const struct subnet_config *config, struct subnet **ret_subnet, struct error *err);
void subnet_free(struct subnet *subnet);
DEFINE_CLEANUP(struct subnet, subnet_free);

const char *subnet_id(const struct subnet *subnet);
const char *subnet_vpc(const struct subnet *subnet);
const char *subnet_zone(const struct subnet *subnet);         /* NULL: any */
const char *subnet_cidr(const struct subnet *subnet);         /* of IPv4, if there is one */
const char *subnet_gateway(const struct subnet *subnet);      /* "10.0.0.1/24"; NULL: IPv6 only */
const char *subnet_ipv6_block(const struct subnet *subnet);   /* "fd00::/64"; NULL: IPv4 only */
const char *subnet_ipv6_gateway(const struct subnet *subnet); /* "fd00::1/64"; NULL: IPv4 only */
const char *subnet_dns_server(const struct subnet *subnet);
/* How many interfaces there is room for. */
size_t subnet_free_count(const struct subnet *subnet);
size_t subnet_free_ipv4_count(const struct subnet *subnet);

/* Gives it that IPv6 block, or takes it away (NULL). Nothing when it has it: else it forgets what
 * was given out of the other one. -EINVAL with a sentence. */
int subnet_set_ipv6(struct subnet *subnet, const char *cidr, struct error *err);

/* Of two subnets; false for those of two families, and for what is none (NULL, too). */
bool subnet_cidrs_overlap(const char *a, const char *b);

/* An address of each family that the subnet has. False: none is left. */
bool subnet_take(struct subnet *subnet, struct subnet_addresses *ret_addresses);
/* Marks the addresses that a task holds already (NULL: none). False: one is not of this subnet, or
 * taken. */
bool subnet_mark(struct subnet *subnet, const char *ipv4, const char *ipv6);
/* Nothing for an address that is not of this subnet. */
void subnet_give_back(struct subnet *subnet, const char *ipv4, const char *ipv6);
/* Forgets all that was taken. */
void subnet_reset(struct subnet *subnet);

#endif
