/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FIREWALL_H
#define BERTH_NETNS_FIREWALL_H

#include "base/error.h"
#include "netns/firewall_state.h"

/*
 * Security groups in nftables: a table (family inet) in the calling thread's namespace. Each change
 * is one batch, of what is another than before only, and holds whole or not at all: no packet sees
 * a half of it. Flows that are established go on whatever changes.
 *
 * What has no interface in the state is left alone. Blocking; one call at a time.
 */
struct firewall;

/* Nothing is done yet: a table of that name that is there stays in force until the first
 * firewall_apply(), which replaces it. */
struct firewall *firewall_new(const char *table);
/* The table stays. */
void firewall_free(struct firewall *firewall);
DEFINE_CLEANUP(struct firewall, firewall_free);

/*
 * Makes it so. Takes `state`. Without interfaces there is no table. 0; 1: what was there was
 * another than what this program had written, the table was written anew, and `err` says what the
 * kernel had refused; < 0: what was there before is in force.
 */
int firewall_apply(struct firewall *firewall, struct firewall_state *state, struct error *err);

/*
 * Has the kernel forget the connections of addresses that went with firewall_apply() since: as long
 * as one is tracked its packets pass, and would reach whoever has the address next. < 0: they are
 * not forgotten, and not tried again.
 */
int firewall_forget(struct firewall *firewall, struct error *err);

#endif
