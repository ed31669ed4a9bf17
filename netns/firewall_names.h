/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FIREWALL_NAMES_H
#define BERTH_NETNS_FIREWALL_NAMES_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

/* What chains, sets and maps of the firewall's table are called. */

#define FIREWALL_NAME_SIZE 96

/* "sg-web-in", "if-10.0.1.37-out": of a group, of an interface. */
static inline const char *firewall_chain_name(const char *of, bool out,
					      char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "%s-%s", of, out ? "out" : "in");
	return name;
}

/* "sg-web-4": the members of a group. */
static inline const char *firewall_set_name(const char *group, int family,
					    char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "%s-%d", group, family == AF_INET6 ? 6 : 4);
	return name;
}

/* "in4", "out6": from an address to the chain of its interface. */
static inline const char *firewall_map_name(bool out, int family, char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "%s%d", out ? "out" : "in", family == AF_INET6 ? 6 : 4);
	return name;
}

/* "local4": the addresses of all interfaces. */
static inline const char *firewall_local_name(int family, char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "local%d", family == AF_INET6 ? 6 : 4);
	return name;
}

#endif
