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
};

struct awsvpc_options {
	const char *driver; /* "veth" or "eni" */
	uint32_t mtu;       /* 0: as the device is */
	bool block_instance_metadata;
	const char *endpoint; /* "169.254.170.2": the agent's endpoint, put on lo; NULL: none */
};

/* A conflist with one plugin, ecs-eni. -EINVAL with a sentence that names the field. The caller
 * frees. */
int awsvpc_conflist(const struct awsvpc_eni *eni, const struct awsvpc_options *options, char **ret,
		    struct error *err);

/* "eth0", "eth1", ...: the interface's name in the task, by its place in the task's list. */
const char *awsvpc_ifname(size_t index, char name[16]);

#endif
