/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_APPMESH_H
#define BERTH_CNI_PLUGINS_APPMESH_H

#include "cni-plugins/cni.h"
#include "netns/proxy_redirect.h"

/*
 * aws-appmesh: TCP of the container goes through a proxy that runs in it. It makes no interface
 * (CNI_IFNAME is a placeholder), stands behind plugins that do, and changes nothing of what they
 * answered. Its configuration, the keys of the plugin that it stands for; numbers may be strings:
 *
 * - "ignoredUID", "ignoredGID": the proxy's own user and group, one of them at least
 * - "proxyEgressPort": where what the container sends out goes, but for what is local, theirs, or
 * - "egressIgnoredPorts": ["22"] and "egressIgnoredIPs": ["169.254.170.2", "10.0.0.0/8"]
 * - "proxyIngressPort": where what comes in for "appPorts": ["8080"] goes; both or none
 * - "enableIPv6": true: IPv6 as well
 * - "capabilities": {"leaveToNetns": true}: see config.h
 *
 * The rules are the tables "ip berth-appmesh" and "ip6 berth-appmesh" of the namespace, and go with
 * it. There is nothing for GC to find from outside.
 */
extern const struct cni_plugin appmesh_plugin;

#define APPMESH_LIST_MAX 1024

struct appmesh_config {
	struct proxy_redirect redirect; /* its lists are those below */
	uint16_t *app_ports;
	uint16_t *ignored_ports;
	struct ip_prefix *ignored;
};

/* The caller frees, also on failure. */
int appmesh_config_read(const struct cni_request *request, struct appmesh_config *ret,
			struct cni_error *err);
void appmesh_config_free(struct appmesh_config *config);

#endif
