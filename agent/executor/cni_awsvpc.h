/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_CNI_AWSVPC_H
#define BERTH_AGENT_EXECUTOR_CNI_AWSVPC_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The CNI configuration of a task's elastic network interface. */

struct awsvpc_eni {
	const char *id; /* "eni-..." */
	const char *mac;
	const char *const *ipv4_addresses; /* without a prefix length: the gateway's counts */
	size_t ipv4_count;
	const char *const *ipv6_addresses;
	size_t ipv6_count;
	const char *ipv4_gateway; /* "10.0.1.1/24"; NULL for an IPv6-only interface */
	const char *ipv6_gateway; /* "fd00::1/64"; NULL or "" allowed */
	const char *const *name_servers;
	size_t name_server_count;
	const char *const *search_domains;
	size_t search_domain_count;
	const char
		*vlan_id; /* "101": a branch of a trunk; NULL: a device, or what stands for one */
	const char *trunk_mac;
};

struct awsvpc_options {
	const char *driver;     /* "veth" or "eni" */
	uint32_t mtu;           /* 0: as the device is */
	uint32_t routing_table; /* of the host, for a pair; 0: none but the main one */
	bool block_instance_metadata;
	const char *endpoint; /* "169.254.170.2": the agent's endpoint, put on lo; NULL: none */
	/* IPv4 prefixes that the host's end of a pair leads to. */
	const char *const *local_routes;
	size_t local_route_count;
	/* By the names that Amazon's agent has for the plugins, and with their keys: what needs no
	 * key of ours may be run by Amazon's own. */
	bool amazon_names;
};

/* A conflist with one plugin, ecs-eni or ecs-branch-eni. -EINVAL with a sentence that names the
 * field. The caller frees. */
int awsvpc_conflist(const struct awsvpc_eni *eni, const struct awsvpc_options *options, char **ret,
		    struct error *err);

/* "eth0", "eth1", ...: the interface's name in the task, by its place in the task's list. */
const char *awsvpc_ifname(size_t index, char name[16]);

/* The host's end of that interface's pair, as ecs-eni names it unless another has the name. */
void awsvpc_link_name(const char *task_id, size_t index, char name[16]);

#endif
