/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FIREWALL_STATE_H
#define BERTH_NETNS_FIREWALL_STATE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "netns/ip.h"
#include "netns/tunnel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct map;

/*
 * What is wanted of the firewall: security groups, and interfaces that are in them. An interface is
 * known by its addresses, so its link need not be there yet. What is handed in is copied.
 */

#define FIREWALL_ANY (-1)

/* One kind of traffic, and one other end. */
struct firewall_rule {
	int protocol; /* 0..255, or FIREWALL_ANY */
	/* TCP, UDP: ports; ICMP, ICMPv6: type and code, each or FIREWALL_ANY; others: not looked at
	 */
	int from, to;
	const char *group; /* its members; NULL: who is in the prefix */
	struct ip_prefix prefix;
};

struct firewall_rules {
	const struct firewall_rule *items;
	size_t count;
};

struct firewall_addresses {
	const struct ip_address *items; /* sorted, each once, in what was copied */
	size_t count;
};

struct firewall_group {
	const char *id; /* "sg-...": chains and sets are named after it */
	struct firewall_rules in, out;
	struct firewall_addresses members;
};

/*
 * Lets in and out what any of its groups lets. Of a network (VPC) its addresses count on its own
 * link alone: two networks may have the same ones.
 */
struct firewall_interface {
	const char *name; /* of an interface that was added: "if-7-10.0.1.37" */
	uint32_t vni;     /* of its network, 1 .. 0xffffff; 0: not known */
	/* The host's end, when the network is known; NULL: not known yet, nothing comes by it. */
	const char *link;
	struct firewall_addresses addresses;
	const char *const *groups;
	size_t group_count;
};

struct firewall_state {
	struct arena *arena;
	struct firewall_group **groups;
	size_t group_count;
	struct firewall_interface **interfaces;
	size_t interface_count;
	struct tunnel *tunnel; /* owned; NULL: no way to other hosts */
	uint32_t *networks;    /* of the interfaces, each once, but 0 */
	size_t network_count;
	struct map *groups_by_id, *interfaces_by_name, *interfaces_by_key, *networks_by_key, *links;
};

struct firewall_state *firewall_state_new(void);
void firewall_state_free(struct firewall_state *state);
DEFINE_CLEANUP(struct firewall_state, firewall_state_free);

/* -EINVAL: the id is not "sg-" and at most 60 of A-Z a-z 0-9 _ - more; -EEXIST: it is there. */
int firewall_state_add_group(struct firewall_state *state, const struct firewall_group *group,
			     struct error *err);

/* Its name is made of its network and first address. -EINVAL: it has none; -EEXIST: another one of
 * the network has one of them, or its link. */
int firewall_state_add_interface(struct firewall_state *state,
				 const struct firewall_interface *interface, struct error *err);

/* NULL when there is none. */
const struct firewall_group *firewall_state_group(const struct firewall_state *state,
						  const char *id);
const struct firewall_interface *firewall_state_interface(const struct firewall_state *state,
							  const char *name);

/* NULL when no interface of the network has it. */
const struct firewall_interface *firewall_state_at(const struct firewall_state *state, uint32_t vni,
						   const struct ip_address *address);
bool firewall_state_has_network(const struct firewall_state *state, uint32_t vni);

bool firewall_rules_equal(const struct firewall_rules *a, const struct firewall_rules *b);
bool firewall_interface_same_groups(const struct firewall_interface *a,
				    const struct firewall_interface *b);

#endif
