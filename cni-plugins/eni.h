/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_ENI_H
#define BERTH_CNI_PLUGINS_ENI_H

#include "cni-plugins/task_setup.h"
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
 * - "routing-table": driver veth: a table of the host, 256 to 4294967295, that routes what the task
 *   sends (who makes the rules that say so is another); the addresses' routes are in it and, where
 *   no link has them there, in the main table. So other networks may have the same addresses
 * - "block-instance-metadata": blackholes to 169.254.169.254 and fd00:ec2::254
 * - "loopback-addresses": ["169.254.170.2/32"]: put on lo, for the agent's own endpoint
 * - "stay-down": driver eni: move only
 * - "device-wait-ms": driver eni, ADD: so long a device is waited for that is not there, as it may
 *   be on its way back from another task; 0 to 60000, 0 by default
 * - "routes": [{"dst": "10.1.0.0/16", "gw": ...}], beside the default one; without "gw" by the
 *   gateway
 * - "dns": handed through to the result
 * - "runtimeConfig": {"leaveToNetns": true}: driver veth, DEL: take the host's routes away and let
 *   the pair die with the namespace, which the caller is about to drop (deleting a veth blocks 15
 *   to 30 ms)
 *
 * It stands for vpc-eni, too, by that plugin's keys: "eniMACAddress" or "eniName" (the device's
 * name on the host), "eniIPAddresses", "gatewayIPAddresses", "blockInstanceMetadata",
 * "opStateDown". A device that is given by its name has the alias of its attachment while it is
 * away: a DEL knows it by that, or by the MAC in prevResult.
 */
extern const struct cni_plugin eni_plugin;

enum eni_driver {
	ENI_DRIVER_MOVE,
	ENI_DRIVER_VETH,
};

struct eni_config {
	enum eni_driver driver;
	const char *id;          /* borrowed from the request, like the next and ipam_type */
	const char *device_name; /* NULL: the device is found by its MAC */
	struct mac_address mac;
	const char *ipam_type; /* NULL: none */
	struct task_config task;
	bool stay_down;
	int64_t device_wait_ms;
	uint32_t routing_table; /* 0: the main one alone */
	bool leave_to_netns;
};

/* Reads and checks the configuration. On DEL only what names the interface is demanded. */
int eni_config_read(const struct cni_request *request, struct eni_config *ret,
		    struct cni_error *err);

int eni_veth_add(const struct cni_request *request, const struct eni_config *config,
		 struct cni_result *ret, struct cni_error *err);
int eni_veth_del(const struct cni_request *request, const struct eni_config *config,
		 struct cni_error *err);
int eni_veth_check(const struct cni_request *request, const struct eni_config *config,
		   struct cni_error *err);
int eni_move_add(const struct cni_request *request, struct eni_config *config,
		 struct cni_result *ret, struct cni_error *err);
int eni_move_del(const struct cni_request *request, struct eni_config *config,
		 struct cni_error *err);
int eni_move_check(const struct cni_request *request, struct eni_config *config,
		   struct cni_error *err);

#endif
