/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_ENI_SETUP_H
#define BERTH_CNI_PLUGINS_ENI_SETUP_H

#include "cni-plugins/eni.h"
#include "netns/link.h"

#include <stdbool.h>

/* The task's side of the interface, the same for both drivers. */
struct eni_task {
	struct netlink *netlink; /* in the task's namespace */
	struct link link;        /* the interface there */
	/* What was there before us, and stays when we undo our work. */
	bool had_loopback[ENI_MAX_ADDRESSES];
	bool had_block[2];
	/* Where the gateways are: set without asking, for a routed pair. NULL: the task finds out
	 * itself. */
	const struct mac_address *gateway_mac;
	bool routed; /* IPv6 addresses are single hosts, and fe80::1 is the way out */
};

/* Notes what lo and the routes have before anything is changed. */
int eni_task_look(struct eni_task *task, const struct eni_config *config, struct error *err);

/* Addresses, up, neighbours, routes, the loopback's addresses, blackholes: in one batch. */
int eni_task_configure(struct eni_task *task, const struct eni_config *config, struct error *err);

/* Takes away what the namespace keeps when the interface leaves it. Best effort. */
void eni_task_undo(struct eni_task *task, const struct eni_config *config);

/* Whether all of it is as it was configured. */
int eni_task_check(struct eni_task *task, const struct eni_config *config, struct error *err);

/* Appends ours to the result: `interface` is its index. */
void eni_task_result(const struct eni_task *task, const struct eni_config *config, int interface,
		     struct cni_result *result);

/* The address as the task has it, the way out of a family. */
struct ip_prefix eni_task_address(const struct eni_task *task, const struct ip_prefix *address);

/* fe80::1, what every routed host end is called. */
extern const struct ip_prefix eni_link_local_gateway;

#endif
