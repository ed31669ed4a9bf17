/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_PROXY_REDIRECT_H
#define BERTH_NETNS_PROXY_REDIRECT_H

#include "base/error.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * TCP of a namespace through a proxy that runs in it: the table "berth-appmesh" of the calling
 * thread's namespace (netns_run() for another). The proxy finds the original destination by
 * SO_ORIGINAL_DST. What the namespace sends to itself is left alone in both directions.
 */
#define PROXY_REDIRECT_TABLE "berth-appmesh"

struct proxy_redirect {
	uint16_t egress_port; /* what is sent out goes there, but for: */
	bool has_uid, has_gid;
	uint32_t uid, gid; /* the proxy's own user and group */
	const uint16_t *ignored_ports;
	size_t ignored_port_count;
	const struct ip_prefix *ignored; /* of either family */
	size_t ignored_count;

	uint16_t ingress_port; /* 0: none. What comes in for these ports goes there: */
	const uint16_t *app_ports;
	size_t app_port_count;

	bool ipv6; /* IPv6 as well */
};

/* In one transaction. In place of the same owner's, -EEXIST when it is another's; `owner` at most
 * 250 bytes count. */
int proxy_redirect_add(const struct proxy_redirect *redirect, const char *owner, struct error *err);
/* None, or another's: nothing is done. */
int proxy_redirect_remove(const char *owner, struct error *err);
/* -ENOENT with a sentence when it is not as it was made. */
int proxy_redirect_check(const struct proxy_redirect *redirect, const char *owner,
			 struct error *err);

#endif
