/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FIREWALL_DIFF_H
#define BERTH_NETNS_FIREWALL_DIFF_H

#include "netns/firewall_state.h"

#include <stddef.h>
#include <stdint.h>

/* The steps from one state of the firewall to another, in an order in which each is possible. */

enum firewall_step_type {
	FIREWALL_ADD_GROUP, /* its sets and chains, empty */
	FIREWALL_ADD_MEMBER,
	FIREWALL_DELETE_MEMBER,
	FIREWALL_SET_RULES_IN, /* instead of those that were there */
	FIREWALL_SET_RULES_OUT,
	FIREWALL_ADD_NETWORK,
	FIREWALL_DELETE_NETWORK,
	FIREWALL_ADD_INTERFACE, /* its chains, empty; no packet comes there yet */
	FIREWALL_SET_GROUPS,
	FIREWALL_ADD_ADDRESS, /* its packets come to the interface's chains */
	FIREWALL_DELETE_ADDRESS,
	FIREWALL_ADD_LINK, /* what comes and goes by it is of the interface's network */
	FIREWALL_DELETE_LINK,
	FIREWALL_DELETE_INTERFACE,
	FIREWALL_DELETE_CHAINS, /* of a group, then its sets, which rules of others may name */
	FIREWALL_DELETE_SETS,
};

struct firewall_step {
	enum firewall_step_type type;
	/* Borrowed from the states; NULL: not of this step. */
	const struct firewall_group *group;
	const struct firewall_interface *interface;
	const struct ip_address *address;
	uint32_t vni;
};

struct firewall_steps {
	struct firewall_step *items;
	size_t count;
};

/* `old` NULL: nothing is there. */
void firewall_diff(const struct firewall_state *old, const struct firewall_state *wanted,
		   struct firewall_steps *ret);
void firewall_steps_free(struct firewall_steps *steps);

#endif
