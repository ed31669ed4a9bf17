/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_MASQUERADE_H
#define BERTH_NETNS_MASQUERADE_H

#include "netns/ip.h"

/*
 * On the host (the calling thread's namespace): what comes from the bridge's subnet and leaves by
 * another link goes out with the address of that link. A chain of its own for each bridge and
 * subnet, in the table "berth-bridge" of the family: made once, by whoever comes first, and left
 * there like the bridge itself.
 */
int masquerade_ensure(const char *bridge, const struct ip_prefix *subnet, struct error *err);

/* -ENOENT when the rule is not there any more. */
int masquerade_check(const char *bridge, const struct ip_prefix *subnet, struct error *err);

#endif
