/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_INIT_RULES_H
#define BERTH_INIT_RULES_H

#include "base/error.h"
#include "init/settings.h"

/*
 * The nftables rules of the host, in two tables of their own ("ip berth-init", "inet berth-init"),
 *so that setting them twice is setting them once, and removing them touches nobody else's:
 *
 *	169.254.170.2:80 leads to the agent's metadata endpoint, from bridges and from host-mode
 *containers; what comes from elsewhere never reaches 127.0.0.0/8, which route_localnet would
 *otherwise allow; the introspection API is not reachable from other hosts.
 */

/* The commands for nft_run(). Pure; the caller frees. */
char *rules_text(const struct init_settings *settings);

/* One transaction: all of them or none. */
int rules_set(const struct init_settings *settings, struct error *err);
/* 0 also when they are not there. */
int rules_remove(struct error *err);

#endif
