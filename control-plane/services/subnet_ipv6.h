/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_SUBNET_IPV6_H
#define BERTH_CONTROL_PLANE_SERVICES_SUBNET_IPV6_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/ip.h"

/*
 * The addresses of one IPv6 subnet, always a /64. As in a VPC, the first four and the last are
 * never given out, and the others in no order: an address hardly ever comes back, and there is
 * always one left.
 */
struct subnet_ipv6;

/* -EINVAL with a sentence. */
int subnet_ipv6_new(const char *cidr, struct subnet_ipv6 **ret_pool, struct error *err);
void subnet_ipv6_free(struct subnet_ipv6 *pool);
DEFINE_CLEANUP(struct subnet_ipv6, subnet_ipv6_free);

/* "fd00:1:2:3::/64" */
const char *subnet_ipv6_cidr(const struct subnet_ipv6 *pool);
/* The address of that number in the subnet; with the prefix length if wanted. */
const char *subnet_ipv6_address(const struct subnet_ipv6 *pool, unsigned char number,
				bool with_length, char text[IP_TEXT_SIZE]);

void subnet_ipv6_take(struct subnet_ipv6 *pool, char address[IP_TEXT_SIZE]);
/* False: it is not of this subnet, or taken. */
bool subnet_ipv6_mark(struct subnet_ipv6 *pool, const char *address);
void subnet_ipv6_give_back(struct subnet_ipv6 *pool, const char *address);
/* Forgets all that was taken. */
void subnet_ipv6_reset(struct subnet_ipv6 *pool);
size_t subnet_ipv6_taken_count(const struct subnet_ipv6 *pool);

#endif
