/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_NETNS_FIREWALL_PLACE_H
#define BERTH_TESTS_NETNS_FIREWALL_PLACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Tasks behind routed pairs, as ecs-eni makes them, of the host that is this program's namespace:
 * the task with number n has 10.0.1.n and fd00:1::n.
 */
#define PLACE_HOST    "10.9.9.9"
#define PLACE_HOST_V6 "fd00:9::9"

/* What passes does so within milliseconds; what is dropped is waited for so long. */
#define PLACE_TIMEOUT_MS 400

/* The network whose table the tasks' addresses are in, beside the main one. */
#define PLACE_VNI 7

void place_enter(void);

struct place_task {
	int number;
	uint32_t vni;
	int netns;
	const char *path;
	char v4[32], v6[32];
};

struct place_task place_task_new(int number);
/* In another network; the main table may lead to one of the same number in PLACE_VNI. */
struct place_task place_task_in(int number, uint32_t vni);
/* The host's end of it. */
const char *place_task_link(const struct place_task *task, char name[16]);
void place_task_free(struct place_task *task);
/* Takes its link away, or gives it one again, on the host that is the calling thread's namespace.
 */
void place_task_unplug(const struct place_task *task);
void place_task_plug(const struct place_task *task);

/* A socket that listens there; netns < 0: on the host. */
int place_listen(int netns, const char *address, int port);
/* The connected socket, or -errno: -ETIMEDOUT when nothing answers. */
int place_connect(int netns, const char *address, int port);
/* Connects, and closes what listens. */
bool place_reaches(int from, int to, const char *address, int port);
/* Both ends say something, and hear it. */
bool place_talks(int client, int listener);

/* An echo is answered. */
bool place_pings(int netns, const char *address);
/* The error that a datagram to a closed port comes back as: -ECONNREFUSED, or -ETIMEDOUT. */
int place_send(int netns, const char *address, int port);
/* A socket for datagrams, on which recv() waits for PLACE_TIMEOUT_MS. */
int place_receiver(int netns, const char *address, int port);
/* A datagram from an address that is not the sender's arrives. */
bool place_spoofs(int from, const char *source, int to, const char *address);

#endif
