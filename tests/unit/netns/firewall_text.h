/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_NETNS_FIREWALL_TEXT_H
#define BERTH_TESTS_NETNS_FIREWALL_TEXT_H

#include "netns/firewall_diff.h"

/*
 * A state of the firewall from lines:
 *
 *	group sg-web
 *	member 10.0.1.2
 *	in 6 80 80 sg-client		protocol, ports or type and code, a group or a prefix
 *	out -1 -1 -1 0.0.0.0/0
 *	interface 10.0.1.2 fd00:1::2 sg-web sg-other
 *	interface vpc=7 link=ve01 10.0.1.2 sg-web
 */
struct firewall_state *firewall_text(const char *lines);

/* The steps, a line each: "member+ sg-web 10.0.1.2". The caller frees. */
char *firewall_steps_text(const struct firewall_steps *steps);

#endif
