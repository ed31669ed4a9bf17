/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_NETNS_VXLAN_PLACE_H
#define BERTH_TESTS_NETNS_VXLAN_PLACE_H

#include "firewall_place.h"
#include "netns/firewall.h"
#include "netns/vpc_rules.h"
#include "netns/vxlan.h"

/*
 * Three hosts, each a namespace on one wire: 192.0.2.1 to .3 and 2001:db8::1 to ::3. A network is
 * PLACE_VNI, with the subnets 10.0.1.0/24 and fd00:1::/64 of the tasks.
 */
#define PLACE_HOSTS    3
#define PLACE_PORT     4789
#define PLACE_DEVICE   "vx7"
#define PLACE_WIRE_MTU 1500

struct place_host {
	int netns;
	char v4[32], v6[32];
	bool is_v6; /* the wire's addresses that are told */
	struct firewall *firewall;
	struct vpc_rules *rules;
	struct vxlan *vxlan;
	uint32_t mtu;
	struct error err;
};

extern struct place_host place_hosts[PLACE_HOSTS];

void place_hosts_enter(void);
void place_hosts_leave(void);

/* As a new program would begin. */
void place_host_reset(struct place_host *host);
/* Runs something in the host's namespace. */
void place_host_run(struct place_host *host, void (*work)(void *data), void *data);

/* Where each task is, by its number: an index of place_hosts, or -1. */
#define PLACE_TASKS 16
struct place_map {
	int host_of[PLACE_TASKS];
	const char *rules; /* of the firewall's group; NULL: all is let in and out */
};

/* Tells one host, or all of them, where tasks are. 0 or -errno, with the error in the host. */
int place_tell(struct place_host *host, const struct place_map *map);
void place_tell_all(const struct place_map *map);

struct place_task place_task_on(struct place_host *host, int number);

/* What `ip`, `bridge` would list of the way to other hosts: devices, routes, neighbours. The caller
 * frees. */
char *place_host_listing(struct place_host *host);

/*
 * Sends a datagram to port 4321 of `to`, packed by hand for `vni`: from `outer`, an address of
 * `from`'s (a namespace), with the inner source `inner`.
 */
void place_pack(int from, const char *outer, const char *target, uint32_t vni, const char *inner,
		const char *to);

#endif
