/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_IP_H
#define BERTH_NETNS_IP_H

/* The addresses that everything here speaks of. */
#include "base/ip.h"

#endif
