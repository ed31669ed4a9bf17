/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_IPV6_H
#define BERTH_NETNS_IPV6_H

#include "base/error.h"

/*
 * Whether the network namespace of the calling thread may speak IPv6. -EAFNOSUPPORT with a sentence
 * when the kernel has none, or was told to use none (net.ipv6.conf.all.disable_ipv6): single links
 * could still be switched on, but that is not what whoever set it wants.
 */
int ipv6_check(struct error *err);

#endif
