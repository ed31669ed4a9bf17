/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_NETNS_FIREWALL_NAMES_H
#define BERTH_NETNS_FIREWALL_NAMES_H

#include <stdbool.h>
#include <stdint.h>
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

/* Of a network (VPC), where its addresses are those of its own links. */

/* All links of networks. */
#define FIREWALL_LINKS "links"

/* What is asked of a link; each is a map from links to the chains of their networks. */
enum firewall_network_chain {
	FIREWALL_ZONE,    /* what comes is tracked in the network's zone */
	FIREWALL_ERRORS,  /* and what the host says of it as an error */
	FIREWALL_BETWEEN, /* where it may go */
	FIREWALL_CLAIM,   /* who may have sent what goes to it */
	FIREWALL_NETWORK_CHAINS,
};

static inline const char *firewall_network_map(enum firewall_network_chain of)
{
	static const char *const names[] = { "zones", "error-zones", "networks", "claims" };

	return names[of];
}

/* "zones-7". */
static inline const char *firewall_network_chain_name(enum firewall_network_chain of, uint32_t vni,
						      char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "%s-%u", firewall_network_map(of), (unsigned)vni);
	return name;
}

/* "links-7". */
static inline const char *firewall_network_links(uint32_t vni, char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "links-%u", (unsigned)vni);
	return name;
}

/* "here4-7", "peers4-7": addresses of this host, of others. */
static inline const char *firewall_network_set(bool peers, int family, uint32_t vni,
					       char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "%s%d-%u", peers ? "peers" : "here",
		 family == AF_INET6 ? 6 : 4, (unsigned)vni);
	return name;
}

/* "in4", "link-in4": the same of an interface whose network is not known, by its address alone, and
 * of one whose network is known, by link and address. */
static inline const char *firewall_map_name(bool of_link, bool out, int family,
					    char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "%s%s%d", of_link ? "link-" : "", out ? "out" : "in",
		 family == AF_INET6 ? 6 : 4);
	return name;
}

/* "local4", "link-local4": the addresses of all interfaces. */
static inline const char *firewall_local_name(bool of_link, int family,
					      char name[FIREWALL_NAME_SIZE])
{
	snprintf(name, FIREWALL_NAME_SIZE, "%slocal%d", of_link ? "link-" : "",
		 family == AF_INET6 ? 6 : 4);
	return name;
}

#endif
