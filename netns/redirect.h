/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_REDIRECT_H
#define BERTH_NETNS_REDIRECT_H

#include "base/error.h"
#include "netns/ip.h"

#include <stdint.h>

/*
 * In the namespace: what its processes send to address:port over TCP goes to address:to_port, also
 * in the namespace. So a socket of ours can answer on a well-known port, and programs there can
 * still listen on that port on all addresses.
 *
 * A table of its own ("ip berth-endpoint"), by one netlink batch without libnftables: a tenth of a
 * millisecond. Repeating it replaces it. IPv4 only. It goes with the namespace.
 */
int netns_redirect_tcp(int netns_fd, const struct ip_address *address, uint16_t port,
		       uint16_t to_port, struct error *err);

#endif
