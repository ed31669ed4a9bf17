/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_CNI_PLUGINS_LIVE_H
#define BERTH_TESTS_CNI_PLUGINS_LIVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netns/link.h"

/*
 * The plugins as programs, on the real kernel. The test program's own network and mount namespace
 * is the host; everything ends with it.
 */

#define LIVE_HOST_ADDRESS "192.168.77.1"

/* Ends the program with 77 and a reason when this machine does not let us, or `program` is not
 * built. */
void live_enter(const char *program);
void live_leave(void);
const char *live_directory(void);

struct task {
	char id[32];
	char path[128]; /* of its namespace */
	int netns;
};

struct task task_new(const char *id);
void task_free(struct task *task);

/* One run of a program. */
struct run {
	const char *program; /* "ecs-eni" */
	const char *command; /* "ADD" */
	const char *container_id;
	const char *netns;
	const char *ifname;
	const char *path; /* CNI_PATH; NULL: where our programs are */
	const char *args; /* CNI_ARGS; NULL: none */
	const char *config;
	int64_t kill_after_us; /* < 0: never */
	int status;            /* exit status; 128 + signal */
	int64_t own_ns;        /* what it spent itself, whatever else the machine did */
	char *out;
	json_t *answer;
};

struct run run_of(const char *command, const struct task *task, const char *config);
void run_execute(struct run *run);
void run_free(struct run *run);

/* Executes, and fails the test when the plugin does not succeed. The answer is the caller's (NULL
 * for none). */
json_t *run_good(struct run run);
/* Executes, and fails the test unless the plugin refuses with this code and text. */
void run_refused(struct run run, int code, const char *text);

/* A configuration with what an ADD has answered; the caller frees. */
char *with_previous(const char *config, const json_t *answer);

/* In a namespace (-1: the host); a failure ends the test. The socket is the caller's. */
struct netlink *open_at(int netns);
struct link link_at(int netns, const char *name);
bool has_link(int netns, const char *name);
/* Whether a routing table has the route. NULL for the gateway: one on the link. */
bool has_route(int netns, const char *destination, const char *gateway);
bool has_blackhole(int netns, const char *destination);

/* A string by its path: "interfaces.0.name". */
const char *text_at(const json_t *value, const char *path);

/* Whether a TCP connection works from a namespace (-1: the host) to an address that is served in
 * another. */
bool reaches(int from_netns, int to_netns, const char *address);
/* connect() from a namespace to port 80; 0 or -errno, and how long it took. */
int connect_from(int netns, const char *address, int64_t *ret_took_us);

/* What a host has: to be the same before and after. */
struct census {
	size_t links;
	size_t routes;
	size_t addresses_of_loopback;
	size_t namespace_mounts;
};
struct census census_of(int netns); /* -1: the host */
void census_assert_equal(const struct census *a, const struct census *b);

#endif
