/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_PORTMAP_H
#define BERTH_CNI_PLUGINS_PORTMAP_H

#include "cni-plugins/cni.h"
#include "netns/portmap_table.h"

#include <stdbool.h>

/*
 * ecs-portmap: ports of the host lead to ports of a container. It stands behind a plugin that gave
 * the container its addresses, and changes nothing of what that one answered. Its configuration:
 *
 * - "capabilities": {"portMappings": true}, for the runtime, which then gives
 * - "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp",
 *   "hostIP": "10.0.0.5"}]}: "tcp" (default) or "udp"; without "hostIP", or with 0.0.0.0 or ::, all
 *   addresses of the host, of that family
 * - "snat": false: not by 127.0.0.1
 */
extern const struct cni_plugin portmap_plugin;

#define PORTMAP_MAX 4096

struct portmap_config {
	struct portmap_entry *entries; /* their containers' addresses are to be filled */
	size_t count;
	bool has_loopback;
};

/*
 * One entry for each mapping and family: those of `containers` (IPv4, IPv6; family 0: none), both
 * when it is NULL, as on DEL. The caller frees, also on failure.
 */
int portmap_config_read(const struct cni_request *request, const struct ip_address containers[2],
			struct portmap_config *ret, struct cni_error *err);
void portmap_config_free(struct portmap_config *config);

#endif
