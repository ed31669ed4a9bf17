/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_BRIDGE_GUARD_H
#define BERTH_NETNS_BRIDGE_GUARD_H

#include "base/error.h"
#include "netns/link.h"

/*
 * A bridge whose ports are to be reached by the host alone: the host leads nothing to it but
 * answers, wherever it comes from, its own ports included; and by IPv4 takes nothing from a port
 * but what has the address that its MAC ends with, as the MAC 0a:58:a9:fe:ac:05 does with
 * 169.254.172.5. The chains "<bridge>-closed" and "<bridge>-sources" and the set "<bridge>-macs" of
 * the table ip berth-bridge or ip6 berth-bridge, in the calling thread's namespace; they stay.
 * `bridge` is as it is now: its MAC counts.
 */
int bridge_guard_ensure(const struct link *bridge, int family, struct error *err);

/* -ENOENT: it is gone, or is another bridge's that had the name. */
int bridge_guard_check(const struct link *bridge, int family, struct error *err);

/* Of both families, for a bridge that is to be reached by others again; none is no error. */
int bridge_guard_remove(const char *bridge, struct error *err);

#endif
