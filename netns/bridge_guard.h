/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_BRIDGE_GUARD_H
#define BERTH_NETNS_BRIDGE_GUARD_H

#include "base/error.h"
#include "netns/link.h"

/*
 * A bridge whose ports are to be reached by the host alone: the host leads nothing to it but
 * answers, wherever it comes from, its own ports included. The chain "<bridge>-closed" of the table
 * ip berth-bridge or ip6 berth-bridge, in the calling thread's namespace; it stays.
 */
int bridge_guard_ensure(const struct link *bridge, int family, struct error *err);

/* -ENOENT: it is gone. */
int bridge_guard_check(const char *bridge, int family, struct error *err);

#endif
