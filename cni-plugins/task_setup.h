/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_TASK_SETUP_H
#define BERTH_CNI_PLUGINS_TASK_SETUP_H

#include "cni-plugins/cni.h"
#include "netns/link.h"

#include <stdbool.h>

/*
 * The task's side of an interface, the same for every plugin that makes one: addresses, routes,
 * what lo gets, what is blocked.
 */

#define TASK_MAX_ADDRESSES    64
#define TASK_READY_TIMEOUT_MS 2000 /* of links and addresses that are waited for */

struct task_config {
	struct ip_prefix addresses[TASK_MAX_ADDRESSES];
	size_t address_count;
	struct ip_address gateways[2]; /* family 0: none; [0] IPv4, [1] IPv6 */
	bool has_default_route;        /* through the gateways */
	struct ip_prefix loopback[TASK_MAX_ADDRESSES];
	size_t loopback_count;
	struct cni_route routes[TASK_MAX_ADDRESSES]; /* beside the default ones */
	size_t route_count;
	/* An address does not make its prefix reachable: only what stands here is on the link. */
	bool no_prefix_routes;
	struct ip_prefix on_link[4];
	size_t on_link_count;
	uint32_t mtu;
	bool block_metadata;
};

/*
 * An ADD with addresses of an IPAM plugin: what it leases counts as if it had been configured, then
 * attach(request, data, ret, err) makes the interface. If that fails the lease is given back.
 */
int task_config_lease(struct task_config *config, const struct cni_request *request,
		      const char *ipam_type,
		      int (*attach)(const struct cni_request *request, void *data,
				    struct cni_result *ret, struct cni_error *err),
		      void *data, struct cni_result *ret, struct cni_error *err);
/* For CHECK: what prevResult has of this interface. */
int task_config_take_previous(struct task_config *config, const struct cni_request *request,
			      struct cni_error *err);
/* Each gateway has an address of its family; `name` is the key that they came by. */
int task_config_check_gateways(const struct task_config *config, const char *name,
			       struct cni_error *err);
/* Whether it has an address of the family. */
bool task_config_has(const struct task_config *config, int family);

struct task_setup {
	struct netlink *netlink; /* in the task's namespace */
	struct link link;        /* the interface there */
	/* What was there before us, and stays when we undo our work. */
	bool had_loopback[TASK_MAX_ADDRESSES];
	bool had_block[2];
	/* Where the gateways are: set without asking, for a routed pair. NULL: the task finds out
	 * itself. */
	const struct mac_address *gateway_mac;
	bool routed; /* IPv6 addresses are single hosts, and fe80::1 is the way out */
};

/* Sockets: in the task's namespace, and on the host (NULL: none is wanted). Both are closed by
 * task_setup_close(), also after a failure. */
int task_setup_open(struct task_setup *task, const struct cni_request *request,
		    struct netlink **ret_host, struct error *err);
void task_setup_close(struct task_setup *task, struct netlink *host);

/* -EEXIST when the namespace has a link of this name: nothing of it is touched. */
int task_setup_expect_free(struct netlink *netlink, const struct cni_request *request,
			   const char *name, struct error *err);
/* Of a link that the host is an end of: whether the host speaks all that the task shall. */
int task_setup_check_host(const struct task_config *config, struct error *err);
/* Notes what lo and the routes have before anything is changed. */
int task_setup_look(struct task_setup *task, const struct task_config *config, struct error *err);

/* Addresses, up, neighbours, routes, the loopback's addresses, blackholes: in one batch. */
int task_setup_configure(struct task_setup *task, const struct task_config *config,
			 struct error *err);

/* An ADD that has answered is one that works: waits until the addresses can be used. */
int task_setup_wait_ready(struct task_setup *task, const struct task_config *config,
			  struct error *err);

/* Takes away what the namespace keeps when the interface leaves it. Best effort. */
void task_setup_undo(struct task_setup *task, const struct task_config *config);

/* The same for a namespace whose interface is gone already. */
int task_setup_undo_in(int netns_fd, const struct task_config *config, struct error *err);

/* Whether all of it is as it was configured. */
int task_setup_check(struct task_setup *task, const struct task_config *config, struct error *err);

/* Appends ours to the result: `interface` is its index. */
void task_setup_result(const struct task_setup *task, const struct task_config *config,
		       int interface, struct cni_result *result);

/* fe80::1, what every routed host end is called. */
extern const struct ip_prefix task_link_local_gateway;

#endif
