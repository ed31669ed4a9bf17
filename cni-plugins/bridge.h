/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_BRIDGE_H
#define BERTH_CNI_PLUGINS_BRIDGE_H

#include "cni-plugins/task_setup.h"

#include <stdbool.h>

/*
 * ecs-bridge: an interface on a bridge of the host. Its configuration:
 *
 * - "bridge": the bridge's name; it is made when it is not there, and stays
 * - "mtu": of the interface, and of a bridge that is made; 0: 1500
 * - "ipam": gives one address of either family or of both, each with its gateway, which becomes the
 *   bridge's address. {} on DEL: the lease stays
 * - "ipam"."connectedSubnetMaskSizeIPv4", "...IPv6": the prefix length of the subnet that is on the
 *   link; 0: only the gateway is. Then (and without "isGateway") the bridge is closed: tasks are
 *   reached by the host alone, and cannot send from each other's addresses
 * - "blockInstanceMetadata": blackholes to 169.254.169.254 and fd00:ec2::254
 * - "isGateway": the host forwards for the bridge, and the whole subnet is on the link
 * - "isDefaultGateway": as "isGateway", and the default routes lead through it
 * - "ipMasq": what leaves the subnet, and not by the bridge, has the host's address
 * - "hairpinMode": who is behind a port reaches itself by the host's address
 * - "loopback-addresses": ["169.254.170.2/32"]: put on lo
 * - "dns": handed through to the result
 * - "runtimeConfig": {"leaveToNetns": true}: DEL: the port is cut off at once, and the pair dies
 * with the namespace, which the caller is about to drop
 */
extern const struct cni_plugin bridge_plugin;

struct bridge_config {
	const char *bridge;    /* borrowed from the request, like ipam_type */
	const char *ipam_type; /* NULL: none */
	struct task_config task;
	unsigned int connected_length[2]; /* IPv4, IPv6; 0: none */
	bool is_gateway;
	bool masquerades;
	bool has_hairpin;
	bool leave_to_netns;
};

/* Reads and checks the configuration. On DEL and GC nothing is demanded. */
int bridge_config_read(const struct cni_request *request, struct bridge_config *ret,
		       struct cni_error *err);

/* Once the addresses are known: what is on the link, and by which gateway the routes lead. */
int bridge_config_complete(struct bridge_config *config, struct cni_error *err);

/* The address that the bridge has for the task's address of this number. */
struct ip_prefix bridge_address(const struct bridge_config *config, size_t number);

/* Whether tasks are reached by nobody but the host: nothing but the gateway is on the link. */
bool bridge_is_closed(const struct bridge_config *config);

/* The MAC of the task's end: 0a:58 and its IPv4 address, so that an address that is used again has
 * the MAC that others remember. */
struct mac_address bridge_task_mac(const struct cni_request *request,
				   const struct bridge_config *config);

int bridge_attach(const struct cni_request *request, const struct bridge_config *config,
		  struct cni_result *ret, struct cni_error *err);
int bridge_detach(const struct cni_request *request, const struct bridge_config *config,
		  struct cni_error *err);
int bridge_check(const struct cni_request *request, const struct bridge_config *config,
		 struct cni_error *err);

/* What of the bridge is the host's: its addresses, forwarding, masquerading, who reaches whom. */
struct netlink;
struct link;
int bridge_host_setup(struct netlink *netlink, const struct bridge_config *config,
		      const struct link *bridge, const struct mac_address *task_mac,
		      struct error *err);
int bridge_host_check(struct netlink *netlink, const struct bridge_config *config,
		      const struct link *bridge, struct error *err);

#endif
