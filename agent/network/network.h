/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_NETWORK_NETWORK_H
#define BERTH_AGENT_NETWORK_NETWORK_H

#include "base/loop.h"
#include "netns/firewall.h"
#include "netns/vpc_rules.h"
#include "netns/vxlan.h"
#include "wire/acs_network.h"

#include <stdbool.h>

/*
 * The security groups of this instance's tasks and their way to tasks of other hosts, as the
 * control plane told last: kept, written to nftables and routes on the pool, one change at a time,
 * and said to be in force when they are. What is refused is tried again, later each time. What was
 * in force when the agent began stays so until the first message, and what is in force when it dies
 * stays so until it is back.
 */
struct network;

struct network_config {
	struct loop *loop;
	const char *run_dir; /* an agent of another one on the same host has another table */
	/* By which other hosts reach this one, and the port of VXLAN; NULL or "": they do not. */
	const char *address;
	uint16_t port;
	/* Calls tell() for each interface of the tasks that are known here; `link`: the name of the
	 * host's end, which need not be there yet; `over`: its task is STOPPED. */
	void (*interfaces)(void *data,
			   void (*tell)(void *to, const char *mac, const char *link, bool over),
			   void *to);
	/* The message is in force. */
	void (*in_force)(void *data, const char *message_id);
	void *data;
	/* firewall_apply(), firewall_forget(), but in tests. */
	int (*apply)(struct firewall *firewall, struct firewall_state *state, struct error *err);
	int (*forget)(struct firewall *firewall, struct error *err);
	/* vpc_rules_apply(), but in tests. */
	int (*apply_rules)(struct vpc_rules *rules, const struct vpc_link *links, size_t count,
			   struct error *err);
	/* vxlan_withdraw(), vxlan_apply(), but in tests. */
	int (*withdraw)(struct vxlan *vxlan, const struct tunnel *wanted, struct error *err);
	int (*apply_tunnel)(struct vxlan *vxlan, struct tunnel *tunnel, uint32_t *ret_mtu,
			    struct error *err);
};

struct network *network_new(const struct network_config *config);
/*
 * Waits for what is being written. Interfaces without a task here go, and the table with the last
 * one: a task that comes while the agent is away is told of anew before it is started.
 */
void network_free(struct network *network);

/* What came before is replaced, unless this one is older. Not in force: the message is said to be
 * nothing, and comes again. */
void network_take(struct network *network, const struct acs_network *message);
/* A session begins: its first message is the newest, whatever its version. */
void network_begin(struct network *network);
/* A task is STOPPED: its interface is not filtered any more. */
void network_changed(struct network *network);
/* The link of an interface with this MAC is about to be made: it is known now, and what concerns it
 * is written unless it is part of what was written last. */
void network_link_comes(struct network *network, const char *mac, const char *link);

/*
 * False: all that was told is in force. Else ready(data, err) is called, perhaps at once, when that
 * is so of what was told until now (`err` NULL), or when it was refused: what was in force before
 * is, packets are not filtered or routed as they must be, and it is tried again from time to time.
 * Never after network_free().
 */
bool network_wait(struct network *network, void (*ready)(void *data, const struct error *err),
		  void *data);

/* What a task's interface may send in one packet, so that it reaches other hosts; 0: as its link
 * is. Known when what network_wait() waits for is in force. */
uint32_t network_mtu(const struct network *network);

/* The table that the interface's network is routed by; 0: its network is not known. */
uint32_t network_routing_table(const struct network *network, const char *mac);

/* "berth-firewall", with the run directory unless it is that of the settings. The caller frees. */
char *network_table(const char *run_dir);

#endif
