/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_CNI_PLUGINS_TRAFFIC_H
#define BERTH_TESTS_CNI_PLUGINS_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

/* A question and its answer by TCP or UDP, between two namespaces (-1: the host). */
struct talk {
	int protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	int from;     /* who asks */
	const char *to;
	uint16_t port;
	int server; /* who answers, on any address */
	uint16_t server_port;
	char peer[64]; /* who has asked, as the server sees it */
};

/* Whether the answer came, within half a second: a packet that is lost once makes it false. */
bool talk(struct talk *talk);

/* TCP, to the same port as the server has. */
bool talks(int from, int server, const char *to, uint16_t port);

/* A UDP socket in a namespace, bound to a port, that stays. */
int udp_socket(int netns, const char *address, uint16_t port);
/* Sends one byte from the socket to address:port; whether it arrives at `receiver`. */
bool udp_arrives(int sender, const char *address, uint16_t port, int receiver);

/* A pair of links between two namespaces (a: -1 for the host), with addresses, ready for use. */
struct pair_end {
	int netns;
	const char *name, *v4, *v6;
};
void pair_new(const struct pair_end *a, const struct pair_end *b);
/* A link of the host that does nothing but have this name; `elsewhere`: a namespace for its other
 * end. */
void host_link_new(const char *name, int elsewhere);
void host_link_delete(const char *name);
/* Says on a link of a namespace, from its link-local address, that there is a router for the next
 * half hour: a router advertisement. */
void advertise_router(int netns, const char *link);

/* A "world" behind the host: a namespace joined to it by a pair, 192.168.88.1 and fd00:88::1 are
 * the host's, .2 and ::2 the world's. It knows no route to anything else. Returns the namespace,
 * which the caller closes; `path` is where it is bound. */
int world_new(const char *path);
void world_free(int world, const char *path);

/* Writes a setting of the calling namespace, or of another. Ends the test when it is refused. */
void set_sysctl(int netns, const char *name, const char *value);

#endif
