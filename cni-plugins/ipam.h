/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_IPAM_H
#define BERTH_CNI_PLUGINS_IPAM_H

#include "cni-plugins/cni.h"

/*
 * ecs-ipam: addresses of a subnet. Keys below "ipam": "ipv4-subnet", "ipv4-address",
 * "ipv4-gateway", "ipv4-routes", the same with ipv6-, "id" (default: container id and interface
 * name), "data-dir" (default: IPAM_DB_PATH, then /run/berth/ipam).
 */
extern const struct cni_plugin ipam_plugin;

#endif
