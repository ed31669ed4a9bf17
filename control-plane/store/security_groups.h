/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_SECURITY_GROUPS_H
#define BERTH_CONTROL_STORE_SECURITY_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/store/store.h"

/* Security groups of VPCs, and their rules. */
#define SECURITY_GROUP_DEFAULT "default" /* the name of the one that each VPC begins with */

struct security_group_row {
	char *id;
	char *vpc;
	char *name; /* each once in a VPC */
	char *description;
};

struct security_group_list {
	struct security_group_row *items;
	size_t count;
};

struct security_rule_row {
	char *id;
	char *group;
	bool egress;
	char *protocol;    /* "tcp", "udp", "icmp", "icmpv6", "-1", or another number */
	int64_t from_port; /* as in wire/acs_network.h */
	int64_t to_port;
	char *target;      /* a CIDR, or the id of a group */
	char *description; /* NULL: none */
};

struct security_rule_list {
	struct security_rule_row *items;
	size_t count;
};

void security_group_list_clear(struct security_group_list *list);
void security_rule_list_clear(struct security_rule_list *list);

/* All, or the one of that id, in order of creation. */
int security_group_find(struct store *store, const char *id, struct security_group_list *ret_list,
			struct error *err);
/* The default group of a VPC, allocated. */
int security_group_default(struct store *store, const char *vpc, char **ret_id, struct error *err);
/*
 * A new group, which lets everything out and nothing in; the default one lets its own members in as
 * well. -EEXIST when the VPC has one of that name.
 */
int security_group_add(struct store *store, const struct security_group_row *row,
		       struct error *err);
/* With its rules. */
int security_group_delete(struct store *store, const char *id, struct error *err);

/* All, or those of one group, in order of creation. */
int security_rule_find(struct store *store, const char *group, struct security_rule_list *ret_list,
		       struct error *err);
/* -EEXIST when the group has it. */
int security_rule_add(struct store *store, const struct security_rule_row *row, struct error *err);
/* Of any protocol, from or to `target`. */
int security_rule_add_all(struct store *store, const char *group, bool egress, const char *target,
			  struct error *err);
/* Of a VPC that has IPv6: what lets everything of IPv4 out, as a new group does, lets IPv6 out,
 * too. Nothing for a group whose egress somebody has changed. */
int security_group_open_ipv6(struct store *store, const char *group, struct error *err);
int security_rule_delete(struct store *store, const char *id, struct error *err);

#endif
