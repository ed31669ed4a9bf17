/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_CNI_PLUGINS_PROXY_H
#define BERTH_TESTS_CNI_PLUGINS_PROXY_H

#include <stdbool.h>
#include <stdint.h>

/* One TCP connection, as somebody who may be a proxy sees it. */
struct passage {
	int from; /* the client's namespace; -1: the host */
	unsigned uid, gid;
	const char *to;
	uint16_t port;
	int server; /* its namespace */
	uint16_t server_port;
	bool transparent; /* it has IP_TRANSPARENT */
	/* Addresses with their ports, "10.0.0.1:80", "[fd00::1]:80". */
	char client[80];   /* as the client calls itself */
	char peer[80];     /* the client as the server sees it */
	char local[80];    /* the server's own end */
	char original[80]; /* SO_ORIGINAL_DST; "" where there is none */
};

/* Whether the server got the connection and a byte went there and back. */
bool pass(struct passage *passage);

/* In a namespace, as a program of the task may do it: commands of nft(8), any program. */
void nft_in(int netns, const char *command);
void run_program_in(int netns, char *const *argv);
/* What `nft list ruleset` says there; the caller frees. */
char *ruleset_of(int netns);

/* Addresses of lo, and a route by a gateway. */
void give_loopback(int netns, const char *prefix);
void give_route(int netns, const char *destination, const char *gateway);

#endif
