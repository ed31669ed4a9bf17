/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SCHEDULER_SCHEDULER_H
#define BERTH_CONTROL_PLANE_SCHEDULER_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Where tasks go. Pure: cluster state and a request in, placements and Amazon's failure reasons
 * out. It reads no clock, no store and no random source: the caller brings a seed.
 *
 * The steps are Amazon's: candidates (status, agent, zone), attributes, constraints, resources,
 * strategies. Everything that an instance has is borrowed from the caller for the length of the
 * call.
 */

struct scheduler_attribute {
	const char *name;
	const char *value; /* NULL: the attribute has no value */
};

struct scheduler_ports {
	const uint16_t *items;
	size_t count;
};

struct scheduler_instance {
	const char *arn;
	const char *ec2_instance_id; /* NULL: none */
	const char *agent_version;   /* NULL: unknown */
	const char *zone;            /* NULL: unknown; matches every zone */
	int64_t registered_at_ms;    /* wall clock */
	bool active;                 /* status ACTIVE: not DRAINING, not INACTIVE */
	bool inactive;               /* deregistered: a StartTask on it fails with INACTIVE */
	bool agent_connected;

	int64_t cpu_total; /* CPU units as registered, 1024 a core */
	int64_t memory_total;
	int64_t cpu_remaining;
	int64_t memory_remaining;        /* MiB */
	int64_t gpus_remaining;          /* whole devices */
	int64_t enis_remaining;          /* task interfaces that it may still take */
	struct scheduler_ports tcp_used; /* reserved by the agent or held by a task */
	struct scheduler_ports udp_used;

	const struct scheduler_attribute *attributes;
	size_t attribute_count;

	/* The group of every task on it that is not stopped, one entry for each task: for spread,
	 * distinctInstance, task:group. */
	const char *const *task_groups;
	size_t task_count;
	int64_t running_tasks;
};

enum scheduler_strategy_type { SCHEDULER_RANDOM, SCHEDULER_SPREAD, SCHEDULER_BINPACK };

struct scheduler_strategy {
	enum scheduler_strategy_type type;
	const char *field; /* SPREAD: "instanceId", "host" or "attribute:<name>"; BINPACK: "cpu" or
			      "memory", any case */
};

enum scheduler_constraint_type { SCHEDULER_DISTINCT_INSTANCE, SCHEDULER_MEMBER_OF };

struct scheduler_constraint {
	enum scheduler_constraint_type type;
	const char *expression; /* MEMBER_OF: cluster query language; NULL otherwise */
};

#define SCHEDULER_STRATEGIES_MAX  5
#define SCHEDULER_CONSTRAINTS_MAX 10
#define SCHEDULER_COUNT_MAX       10

struct scheduler_request {
	size_t count;               /* tasks wanted, 1 .. SCHEDULER_COUNT_MAX */
	int64_t cpu;                /* of one task, CPU units */
	int64_t memory;             /* of one task, MiB */
	struct scheduler_ports tcp; /* static host ports */
	struct scheduler_ports udp;
	bool needs_eni; /* awsvpc: one interface for each task */
	int64_t gpus;
	size_t addresses_left;    /* free addresses in the task's subnet; only with needs_eni */
	const char *const *zones; /* of the given subnets; none: any zone */
	size_t zone_count;
	const char *group; /* NULL: no group */
	bool external;     /* launch type EXTERNAL: only instances with ecs.capability.external */

	const struct scheduler_attribute
		*required; /* of the task definition; value NULL: presence is enough */
	size_t required_count;
	const struct scheduler_constraint *constraints;
	size_t constraint_count;
	const struct scheduler_strategy
		*strategies; /* none: spread over zones, then over instances */
	size_t strategy_count;
	uint64_t seed; /* breaks ties and drives `random` */
};

struct scheduler_failure {
	size_t instance;    /* index into the instances given */
	const char *reason; /* static: "RESOURCE:MEMORY", "AGENT", ... */
};

struct scheduler_result {
	size_t *placements; /* instance index of each placed task, in order */
	size_t placement_count;
	struct scheduler_failure
		*failures; /* for the first task that found no place: one for each candidate */
	size_t failure_count;
};

void scheduler_result_free(struct scheduler_result *result);

/*
 * Places up to request->count tasks; each takes its resources before the next is placed. DRAINING
 * and INACTIVE instances are no candidates and appear in no failure. -EINVAL with a sentence for an
 * expression that does not parse or a strategy that is not valid. An empty list of candidates gives
 * neither placements nor failures: it is the caller that says "No Container Instances were found in
 * your cluster."
 */
int scheduler_place(const struct scheduler_instance *instances, size_t instance_count,
		    const struct scheduler_request *request, struct scheduler_result *ret_result,
		    struct error *err);

/*
 * StartTask: may one more task start on this very instance, which has taken `taken` tasks of the
 * same request already? NULL yes, else the failure reason. Constraints, strategies and DRAINING do
 * not count here, resources and attributes do.
 */
const char *scheduler_check(const struct scheduler_instance *instance, size_t taken,
			    const struct scheduler_request *request);

/* Checks what scheduler_place() would refuse with -EINVAL, before any state is looked at. */
int scheduler_check_strategies(const struct scheduler_strategy *strategies, size_t count,
			       struct error *err);

#endif
