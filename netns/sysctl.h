/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_SYSCTL_H
#define BERTH_NETNS_SYSCTL_H

#include "base/error.h"

/*
 * /proc/sys/net of the calling thread's namespace: use within netns_run() for another one.
 *
 * Names are paths below /proc/sys, "net/ipv4/conf/eth0/rp_filter", or dotted,
 * "net.ipv4.tcp_syncookies" (only where no part holds a dot itself). Only net is reachable: -EINVAL
 * for another tree, "..", or an empty part.
 */
int sysctl_set(const char *name, const char *value, struct error *err);

/* The value without its newline; the caller frees. -ENOENT when this kernel has no such setting. */
int sysctl_get(const char *name, char **ret_value, struct error *err);

/* The name of one setting of one link; the caller frees. */
char *sysctl_link_name(const char *family, const char *table, const char *link,
		       const char *setting);

/* One setting of one link: sysctl_set_link("ipv4", "conf", "ve01", "proxy_arp", "1"). The name may
 * hold dots. */
int sysctl_set_link(const char *family, const char *table, const char *link, const char *setting,
		    const char *value, struct error *err);

#endif
