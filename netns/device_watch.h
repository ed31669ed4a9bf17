/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_DEVICE_WATCH_H
#define BERTH_NETNS_DEVICE_WATCH_H

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/str.h"
#include "netns/ip.h"

/*
 * The network devices of this host that may be given away: those that are no software (the kernel
 * gives them no kind), and those whose kind is admitted. Never loopback, and never a device that
 * the host itself needs: the one that carries its default route.
 *
 * A new one is told as soon as the kernel speaks of it. What is missed is found by looking at all
 * links: at the start, every so often, when asked, and after an overflow. Each look tells all that
 * are there, so the same device is told again and again.
 */
struct device_watch;

struct device_watch_config {
	struct loop *loop;
	int64_t interval_ms;          /* between two looks */
	const struct str_list *kinds; /* of links: "veth", "macvlan", ...; borrowed */
	void (*appeared)(void *data, const struct mac_address *mac);
	void *data;
};

/* In the calling thread's namespace. The first look has begun. An error: the kernel's messages
 * cannot be heard. */
int device_watch_new(const struct device_watch_config *config, struct device_watch **ret,
		     struct error *err);
/* NULL does nothing. */
void device_watch_free(struct device_watch *watch);

/* Looks now, once however often this is asked for meanwhile. */
void device_watch_look(struct device_watch *watch);

#endif
