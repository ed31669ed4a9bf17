/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_VPC_RULES_H
#define BERTH_NETNS_VPC_RULES_H

#include "base/cleanup.h"
#include "base/error.h"
#include "netns/ip.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Routing of networks (VPCs) that may have the same addresses, in the calling thread's namespace:
 * each has a table, and what comes by a link of a network is routed by its table first, then by the
 * main one. Also the way back to a source is looked up there, so that rp_filter holds in each
 * network for itself.
 */
#define VPC_TABLE 0xEC000000u

static inline uint32_t vpc_table(uint32_t vni)
{
	return VPC_TABLE | vni;
}

struct vpc_link {
	const char *name; /* it need not be there yet */
	uint32_t vni;     /* 1 .. 0xffffff */
	/* What is behind it: a route to it in the table belongs to whoever makes the link, and is
	 * made here for links that were there before the program began. */
	const struct ip_address *addresses;
	size_t address_count;
};

struct vpc_rules;

/* Nothing is done yet: what an earlier program of the same `owner` (any text) left stays until the
 * first vpc_rules_apply(). */
struct vpc_rules *vpc_rules_new(const char *owner);
/* What is in force stays. */
void vpc_rules_free(struct vpc_rules *rules);
DEFINE_CLEANUP(struct vpc_rules, vpc_rules_free);

/* A rule for each of these links (each once) and family, and no other. A message for each that
 * comes or goes. < 0: all of it is looked at the next time. Blocking; one call at a time. */
int vpc_rules_apply(struct vpc_rules *rules, const struct vpc_link *links, size_t count,
		    struct error *err);

#endif
