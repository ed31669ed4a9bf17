/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_IPAM_CONFIG_H
#define BERTH_CNI_PLUGINS_IPAM_CONFIG_H

#include "cni-plugins/cni.h"

#include <stdbool.h>

#define IPAM_MAX_ROUTES        64
#define IPAM_DEFAULT_DIRECTORY "/run/berth/ipam"

struct ipam_family {
	bool present;
	struct ip_prefix subnet;
	struct ip_prefix address; /* address.family 0: any free one */
	struct ip_address gateway;
	struct cni_route routes[IPAM_MAX_ROUTES];
	size_t route_count;
};

struct ipam_config {
	const char *directory;
	char *id;                       /* who the leases belong to; owned */
	bool has_id;                    /* the configuration named it */
	struct ipam_family families[2]; /* IPv4, IPv6 */
};

/* `all` false (DEL, GC): only what names the store and the owner is demanded. The caller frees,
 * also on failure. */
int ipam_config_read(const struct cni_request *request, bool all, struct ipam_config *ret,
		     struct cni_error *err);
void ipam_config_free(struct ipam_config *config);

#endif
