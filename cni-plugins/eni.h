/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_ENI_H
#define BERTH_CNI_PLUGINS_ENI_H

#include "cni-plugins/cni.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * ecs-eni: an elastic network interface for a task's namespace. Its configuration:
 *
 * - "eni": its id
 * - "mac": its MAC
 * - "ip-addresses": ["10.0.1.37/24", ...]; or an "ipam" that gives them
 * - "gateway-ip-addresses": ["10.0.1.1", ...]; at most one of each family
 * - "driver": "eni" (default): the device with this MAC is moved into the namespace;
 *   "veth": a pair whose host end is routed, so that it works on any Linux host
 * - "mtu": 0 leaves it as it is
 * - "block-instance-metadata": blackholes to 169.254.169.254 and fd00:ec2::254
 * - "loopback-addresses": ["169.254.170.2/32"]: put on lo, for the agent's own endpoint
 * - "stay-down": driver eni: move only
 * - "dns": handed through to the result
 * - "runtimeConfig": {"leaveToNetns": true}: driver veth, DEL: take the host's routes away and let
 *   the pair die with the namespace, which the caller is about to drop (deleting a veth blocks 15
 *   to 30 ms)
 */
extern const struct cni_plugin eni_plugin;

#define ENI_MAX_ADDRESSES 64

enum eni_driver {
	ENI_DRIVER_MOVE,
	ENI_DRIVER_VETH,
};

struct eni_config {
	enum eni_driver driver;
	const char *id; /* borrowed from the request, like ipam_type */
	struct mac_address mac;
	const char *ipam_type; /* NULL: none */
	struct ip_prefix addresses[ENI_MAX_ADDRESSES];
	size_t address_count;
	struct ip_address gateways[2]; /* family 0: none; [0] IPv4, [1] IPv6 */
	struct ip_prefix loopback[ENI_MAX_ADDRESSES];
	size_t loopback_count;
	struct cni_route routes[ENI_MAX_ADDRESSES]; /* from the IPAM, beside the default ones */
	size_t route_count;
	uint32_t mtu;
	bool block_metadata;
	bool stay_down;
	bool leave_to_netns;
};

/* Reads and checks the configuration. On DEL only what names the interface is demanded. */
int eni_config_read(const struct cni_request *request, struct eni_config *ret,
		    struct cni_error *err);

/* The host end's name of an attachment: "ve" and 8 hex digits; `attempt` counts up past a name that
 * another has. */
void eni_host_name(const struct cni_request *request, unsigned int attempt, char name[16]);

/* What the host end carries as its alias, so that it is found again:
 * "ecs:<container>:<ifname>:<network>". */
char *eni_alias(const struct cni_request *request);
/* Whose alias it is: the container id, which the caller frees. NULL: it is none of ours. */
char *eni_alias_container(const char *alias);

int eni_veth_add(const struct cni_request *request, const struct eni_config *config,
		 struct cni_result *ret, struct cni_error *err);
int eni_veth_del(const struct cni_request *request, const struct eni_config *config,
		 struct cni_error *err);
int eni_veth_check(const struct cni_request *request, const struct eni_config *config,
		   struct cni_error *err);
int eni_veth_collect(const struct cni_request *request, struct cni_error *err);
int eni_move_add(const struct cni_request *request, const struct eni_config *config,
		 struct cni_result *ret, struct cni_error *err);
int eni_move_del(const struct cni_request *request, const struct eni_config *config,
		 struct cni_error *err);
int eni_move_check(const struct cni_request *request, const struct eni_config *config,
		   struct cni_error *err);

#endif
