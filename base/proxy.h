/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_PROXY_H
#define BERTH_BASE_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/url.h"

/*
 * Which proxy leads to a URL. Pure; the environment is the caller's.
 *
 * HTTPS_PROXY, else HTTP_PROXY, for https and wss; HTTP_PROXY for http and ws; each name also in
 * lower case. "localhost" and loopback addresses are never led through one, nor is what NO_PROXY
 * names: a list with commas of addresses, CIDR blocks, domains ("a.b": it and what is below it;
 * ".a.b" and "*.a.b": only what is below), each but a block with a port or without, and "*". An
 * empty NO_PROXY names the addresses of the instance's and the tasks' metadata.
 */

enum proxy_kind { PROXY_NONE, PROXY_HTTP, PROXY_HTTPS, PROXY_SOCKS5 };

struct proxy {
	enum proxy_kind kind;
	char *host; /* without brackets; NULL with PROXY_NONE, as the next */
	uint16_t port;
	char *user, *password; /* decoded; NULL: none */
};

/* `environment` is such as environ. -EINVAL: the proxy's URL is none; err names its variable. */
int proxy_choose(char *const *environment, const struct url *url, struct proxy *ret,
		 struct error *err);
void proxy_free(struct proxy *proxy); /* its fields */
#define _cleanup_proxy_ __attribute__((cleanup(proxy_free)))

#endif
