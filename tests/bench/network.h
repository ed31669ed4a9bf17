/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_BENCH_NETWORK_H
#define BERTH_TESTS_BENCH_NETWORK_H

#include <stdint.h>

/* What the rows of the network are measured beside, and between. */

struct floor_space {
	char path[64]; /* of the namespace's file */
	int netns;
};

/*
 * The least that a task's network can cost: a namespace that is mounted on its file, with lo up,
 * one veth pair made by one message, the task's end up with `address`/24 and a default route, the
 * host's end up with a route to the address. Raw libmnl, nothing is checked that the kernel does
 * not refuse. `index`, of the host's end, is one that is free. Ends the program on failure.
 */
void floor_make(struct floor_space *space, int index, const uint8_t address[4]);
void floor_drop(struct floor_space *space);

/* Two namespaces with nothing but a pair of veths between them: 10.98.0.1 and 10.98.0.2. */
void floor_pair(struct floor_space spaces[2]);

struct flow {
	double gbit_per_s; /* one TCP stream */
	double rtt_us;     /* median of a byte to and fro by TCP */
};

/* From one namespace to `address` in the other. */
struct flow flow_measure(int from_netns, int to_netns, const char *address, int64_t stream_ms,
			 int round_trips);

__attribute__((noreturn)) void bench_fail(const char *what);

#endif
