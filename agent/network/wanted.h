/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_NETWORK_WANTED_H
#define BERTH_AGENT_NETWORK_WANTED_H

#include "base/cleanup.h"
#include "base/error.h"
#include "netns/firewall_state.h"
#include "netns/tunnel.h"
#include "wire/acs_network.h"

#include <stdbool.h>

/* What a message of the control plane asks of the firewall, kept for as long as it is the last. */
struct network_wanted;

/* Keeps nothing of the message. */
struct network_wanted *network_wanted_new(const struct acs_network *message);
void network_wanted_free(struct network_wanted *wanted);
DEFINE_CLEANUP(struct network_wanted, network_wanted_free);

/* The VNI of the interface's VPC; 0: it is not known. */
uint32_t network_wanted_vni(const struct network_wanted *wanted, const char *mac);

/*
 * All groups, and the interfaces of which keep(data, mac) is true; link(data, mac) is the host's
 * end, NULL while it is not known. `left_out` (its code is 0: none)
 * says which interface cannot be told from another one. < 0: a group that nftables cannot have.
 */
int network_wanted_state(const struct network_wanted *wanted,
			 bool (*keep)(void *data, const char *mac),
			 const char *(*link)(void *data, const char *mac), void *data,
			 struct firewall_state **ret, struct error *left_out, struct error *err);

/*
 * The way to tasks of other hosts, in the VPCs of the same interfaces; `local` and `port` are this
 * host's. What an interface of the state has, is here and nowhere else. `left_out` as above: a peer
 * that cannot be reached.
 */
struct tunnel *network_wanted_tunnel(const struct network_wanted *wanted,
				     bool (*keep)(void *data, const char *mac), void *data,
				     const struct firewall_state *state,
				     const struct ip_address *local, uint16_t port,
				     struct error *left_out);

#endif
