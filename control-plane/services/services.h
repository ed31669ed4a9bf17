/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_SERVICES_H
#define BERTH_CONTROL_PLANE_SERVICES_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "control-plane/scheduler/scheduler.h"
#include "control-plane/services/task.h"
#include "control-plane/store/store.h"

/*
 * The task service: every task of every cluster, from RunTask to an hour after STOPPED.
 *
 * Live tasks are held in memory and written through to SQLite: each entry point below is one
 * transaction, committed before it returns and before an agent hears of it. services_new() reads
 * them back, so a restart forgets nothing.
 */
struct services;

struct services_subnet {
	const char *id;   /* "subnet-..." */
	const char *cidr; /* "10.0.0.0/24"; network, router, DNS, reserved and broadcast addresses
			     are not given out; NULL: IPv6 only */
	const char *ipv6_cidr;  /* "fd00:1:2:3::/64"; NULL: IPv4 only */
	const char *zone;       /* availability zone; NULL: matches instances of every zone */
	const char *gateway;    /* of IPv4; NULL: the first address of the network */
	const char *dns_server; /* NULL: the second address of the network */
};

struct services_credentials {
	const char *access_key; /* NULL: random triples are made, whose access key begins with
				   "BERTHLOCAL" */
	const char *secret_key;
	const char *session_token;
};

struct services_config {
	const char *region;
	const char *account;
	const struct services_subnet *subnets;
	size_t subnet_count;
	int64_t enis_per_instance;    /* awsvpc tasks that one instance may hold; 0: as many as the
					 subnet has addresses */
	int64_t stopped_retention_ms; /* how long a stopped task can be described; 0: one hour */
	size_t stopped_tasks_max;     /* the oldest go first beyond it; 0: 10,000 */
	size_t live_tasks_max;        /* RunTask refuses beyond it; 0: 5,000 */
	struct services_credentials role_credentials;
	int64_t credentials_ttl_ms; /* 0: six hours */
	double time_scale;          /* shortens every timer in tests; 0: 1.0 */
};

/* waitTimeoutMs of a task's interface; with the time scale. */
#define SERVICES_ATTACH_WAIT_MS (INT64_C(300) * 1000)

int services_new(struct loop *loop, struct store *store, const struct services_config *config,
		 struct services **ret_services, struct error *err);
void services_free(struct services *services);
DEFINE_CLEANUP(struct services, services_free);

/* --- what others ask
 * ------------------------------------------------------------------------------------------- */

/* By ARN. NULL: unknown, or stopped too long ago. */
struct task *services_find_task(struct services *services, const char *arn);

/* Goes through all tasks in order of creation; *cursor starts at 0. NULL at the end. */
struct task *services_next_task(struct services *services, size_t *cursor);

struct services_usage {
	int64_t cpu; /* held by tasks that are not STOPPED */
	int64_t memory;
	int64_t enis;
	uint16_t *tcp; /* host ports held, sorted, each once */
	size_t tcp_count;
	uint16_t *udp;
	size_t udp_count;
	int64_t running_tasks; /* desired RUNNING and last status RUNNING */
	int64_t pending_tasks; /* desired RUNNING and not yet RUNNING */
	int64_t live_tasks;    /* not STOPPED */
};

/* Of one container instance, for remainingResources and the counts of DescribeContainerInstances.
 */
void services_instance_usage(const struct services *services, const char *instance_arn,
			     struct services_usage *ret_usage);
/* Of one cluster: counts only. */
void services_cluster_usage(const struct services *services, const char *cluster_arn,
			    struct services_usage *ret_usage);
void services_usage_free(struct services_usage *usage);

/* Is the agent's ACS session up? */
bool services_agent_connected(const struct services *services, const char *instance_arn);

/*
 * The container instances of a cluster as the scheduler and the query language see them. Valid
 * until the next call into the service; free with services_view_free().
 */
struct services_view {
	struct scheduler_instance *instances;
	size_t count;
	void *memory;
};
int services_view(struct services *services, const char *cluster_arn,
		  struct services_view *ret_view, struct error *err);
void services_view_free(struct services_view *view);

/* --- what happens to container instances
 * ----------------------------------------------------------------------- */

/* The agent came or went: connectivity of its tasks, agentConnected. */
void services_agent_up(struct services *services, const char *instance_arn);
void services_agent_down(struct services *services, const char *instance_arn);

/*
 * DeregisterContainerInstance, after the caller has checked `force`: every task on it is STOPPED at
 * once with "Container instance deregistration forced by user", interfaces and resources are given
 * back, and its sessions end.
 */
int services_instance_deregistered(struct services *services, const char *instance_arn,
				   struct error *err);

/* The latest metrics of a task as JSON ({"taskArn": ..., "receivedAt": ..., "metrics": {...}}),
 * NULL: none yet. */
const char *services_task_metrics(const struct services *services, const char *task_arn);

/*
 * Whoever begins a store transaction calls this before, and when it is rolled back the other one
 * after: what the service changed in it is read back from the store. What agents said meanwhile is
 * written before it, so that another's failure does not take it back.
 */
void services_begin(struct services *services);
void services_rolled_back(struct services *services);

/*
 * What the agents know of the network may have changed: an interface, a group, an attribute of an
 * instance. They are told at the end of the turn, once for all changes in it, and before the tasks
 * that it is for.
 */
void services_network_changed(struct services *services);
/* At once, if anything has changed. */
void services_tell_network(struct services *services);

/* --- what sessions plug in
 * ------------------------------------------------------------------------------------- */

struct services_outlet {
	/* The task must (still) be told to its agent: started, or stopped. Called after the commit.
	 */
	void (*task_changed)(void *data, struct task *task);
	/* Interfaces, groups or rules may have changed, for any instance. Called before the
	 * task_changed() that need it. May be NULL. */
	void (*network_changed)(void *data);
	/* The instance is gone: close what it has open. */
	void (*instance_gone)(void *data, const char *instance_arn);
};
void services_set_outlet(struct services *services, const struct services_outlet *outlet,
			 void *data);

#endif
