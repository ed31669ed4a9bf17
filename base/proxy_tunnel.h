/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_PROXY_TUNNEL_H
#define BERTH_BASE_PROXY_TUNNEL_H

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/proxy.h"

/*
 * Asks the proxy at the other end of a connected socket to lead on to a host: CONNECT, or SOCKS 5
 * (which is given the name, not its address). After it the socket is as one to the host itself.
 */
struct proxy_tunnel;

/* Once, never from within proxy_tunnel_new(); free it in it, or after it. `err` NULL: it is done.
 */
typedef void proxy_tunnel_callback(void *data, const struct error *err);

/* `fd` stays the caller's and must be non-blocking. There is no time limit of its own. */
int proxy_tunnel_new(struct loop *loop, int fd, const struct proxy *proxy, const char *host,
		     uint16_t port, proxy_tunnel_callback *callback, void *data,
		     struct proxy_tunnel **ret, struct error *err);
void proxy_tunnel_free(struct proxy_tunnel *tunnel); /* NULL does nothing */

#endif
