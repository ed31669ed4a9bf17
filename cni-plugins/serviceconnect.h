/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_SERVICECONNECT_H
#define BERTH_CNI_PLUGINS_SERVICECONNECT_H

#include "cni-plugins/cni.h"
#include "netns/service_redirect.h"

/*
 * ecs-serviceconnect: TCP of the container goes through the relay of Service Connect. It makes no
 * interface (CNI_IFNAME is a placeholder), stands behind plugins that do, and changes nothing of
 * what they answered. Its configuration, the keys of the plugin that it stands for:
 *
 * - "enableIPv4", "enableIPv6": one of them at least
 * - "ingressConfig": [{"interceptPort": 8080, "listenerPort": 15000}]: what comes in for a port
 * goes to the relay's; without "interceptPort" clients come to the relay themselves
 * - "egressConfig": {"vip": {"ipv4Cidr": "127.255.0.0/16", "ipv6Cidr": "..."}, ...}: what is sent
 * to the virtual addresses goes
 *   - with "redirectMode": "nat" and "listenerPort": to the relay in this namespace
 *   - with "tproxy" and "listenerPort": to the relay in this namespace, from others that have their
 *     route by it; the relay sees source and destination as they are
 *   - with "tproxy" and "redirectIP": {"ipv4": "...", "ipv6": "..."}: there, by a route
 * - "capabilities": {"leaveToNetns": true}: see config.h
 *
 * At least one of "ingressConfig" and "egressConfig". The rules are the tables
 * "ip berth-serviceconnect" and "ip6 berth-serviceconnect" of the namespace; they and the routes go
 * with it. There is nothing for GC to find from outside.
 */
extern const struct cni_plugin serviceconnect_plugin;

#define SERVICECONNECT_LIST_MAX 1024

struct serviceconnect_config {
	struct service_redirect redirect; /* its ports are those below */
	struct service_port *ports;
};

/* The caller frees, also on failure. */
int serviceconnect_config_read(const struct cni_request *request, struct serviceconnect_config *ret,
			       struct cni_error *err);
void serviceconnect_config_free(struct serviceconnect_config *config);

#endif
