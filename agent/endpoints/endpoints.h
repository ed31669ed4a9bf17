/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_ENDPOINTS_H
#define BERTH_AGENT_ENDPOINTS_ENDPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "agent/endpoints/credentials.h"
#include "agent/engine/engine.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/web.h"
#include "runtime/stats.h"

/*
 * What the agent answers: the task metadata endpoint (containers: /v4/<id>...,
 * /v2/credentials/<id>, /v1/credentials?id=<id>) and the introspection API (people, on loopback:
 * /v1/metadata, /v1/tasks, /v1/health).
 *
 * A request that comes in on a task's own socket, or from its own address, is answered for that
 * task alone; any other on the host's metadata port (where berth-init's rules lead host-mode
 * containers) is answered for whoever knows the id in the path.
 */
struct endpoints;

/* Who this agent is. NULL strings: not known yet; the introspection says so by null or by leaving
 * out. */
struct endpoints_identity {
	const char *cluster;
	const char *container_instance_arn;
	const char *availability_zone;
	const char *availability_zone_id, *vpc_id; /* of an instance of EC2 */
};

struct endpoints_config {
	struct loop *loop;
	struct web *web;
	const struct agent_config *config;
	const struct engine *engine;
	const struct credentials_store *credentials;
	const struct endpoints_identity *identity; /* borrowed; its members may change */
	/* Statistics of a running container, now, and of its task's network. -ENOENT: it does not
	 * run. */
	int (*read_stats)(void *data, const char *task_id, const char *container,
			  struct container_stats *ret, struct network_stats *ret_network,
			  struct error *err);
	/* Whether the agent is well: endpoints_tell_health() is to follow, from within or later. */
	void (*ask_health)(void *data);
	void *data;
};

/* Opens the introspection and the host's metadata listeners. -EADDRINUSE with a sentence that names
 * the setting. */
int endpoints_new(const struct endpoints_config *config, struct endpoints **ret, struct error *err);
void endpoints_free(struct endpoints *endpoints);
/* Where they listen: another port than the one set when that is 0. */
uint16_t endpoints_introspection_port(const struct endpoints *endpoints);
uint16_t endpoints_metadata_port(const struct endpoints *endpoints);

/* Answers all who have asked for it: 200, or 503, with this document. */
void endpoints_tell_health(struct endpoints *endpoints, bool healthy, const char *json);

/* A listening socket inside a namespace of the task, at 169.254.170.2:51679. Taken over in any
 * case. `place` tells those of several namespaces apart: the task's id, or a container's runtime
 * id. */
void endpoints_serve_task(struct endpoints *endpoints, const char *task_id, const char *place,
			  int listen_fd);
/*
 * The task asks the host's metadata port from this address, which only it can send from
 * (169.254.172.N of ecs-eth0): what comes from there is answered for the task alone, and what comes
 * from others of 169.254.172.0/22 for nobody.
 */
void endpoints_know_task(struct endpoints *endpoints, const char *task_id, const char *address);
/* Closes the socket, and the connections that came in on it; forgets the task's address. */
void endpoints_leave_task(struct endpoints *endpoints, const char *task_id, const char *place);

#endif
