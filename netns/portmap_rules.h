/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_PORTMAP_RULES_H
#define BERTH_NETNS_PORTMAP_RULES_H

#include "base/error.h"

#include <stdint.h>

/* The part of the table of published ports that never changes. */

#define PORTMAP_TABLE      "berth-portmap"
#define PORTMAP_BY_ADDRESS "by-address"     /* address . protocol . port : address . port */
#define PORTMAP_BY_PORT    "by-port"        /* protocol . port : address . port */
#define PORTMAP_LOOPBACK   "loopback-links" /* IPv4: links that 127.0.0.0/8 passes by */

/* Makes table, maps and rules of a family, in one transaction. Made before is no error. */
int portmap_rules_ensure(uint8_t family, struct error *err);

/* -ENOENT when some of its rules are gone. */
int portmap_rules_check(uint8_t family, struct error *err);

#endif
