/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_PRIVATE_H
#define BERTH_CONTROL_PLANE_SERVICES_PRIVATE_H

#include "base/map.h"
#include "control-plane/services/services.h"
#include "control-plane/services/subnet.h"

/* What the files of this folder share. */

struct services {
	struct loop *loop;
	struct store *store;

	char *region;
	char *account;
	int64_t enis_per_instance;
	int64_t stopped_retention_ms;
	size_t stopped_tasks_max;
	size_t live_tasks_max;
	char *access_key; /* NULL: random credentials */
	char *secret_key;
	char *session_token;
	int64_t credentials_ttl_ms;
	double time_scale;

	struct subnet **subnets;
	size_t subnet_count;

	struct task **tasks; /* in order of creation */
	size_t task_count;
	size_t task_capacity;
	struct map *by_arn;
	struct map *connected; /* instance ARN -> itself */
	struct map *metrics;   /* task ARN -> JSON text, owned */

	const struct services_outlet *outlet;
	void *outlet_data;
	struct loop_timer *flush_timer; /* running: due at the end of this turn */
	struct task **queue;            /* dirty or to be told */
	size_t queue_count;
	size_t queue_capacity;
	bool wrote;           /* since services_begin() */
	bool network_changed; /* what BerthNetworkMessage tells, since the last time */
	struct loop_timer *timer;
};

struct subnet *services_find_subnet(const struct services *services, const char *id);

/* As services_view(), with INACTIVE instances too when wanted. */
int services_view_all(struct services *services, const char *cluster_arn, bool inactive,
		      struct services_view *ret_view, struct error *err);

/* Takes the task over. */
void services_add_task(struct services *services, struct task *task);

/* Writes now, in the caller's transaction. */
int services_write_task(struct services *services, struct task *task, struct error *err);
/* Writes at the end of the turn, with all others. */
void services_write_later(struct services *services, struct task *task);
/* Tells the task's agent at the end of the turn, after the commit. */
void services_notify_later(struct services *services, struct task *task);

/* Every change that clients can see goes through here. */
void services_set_state(struct task *task, enum task_state state);

/*
 * The end of a task: its interface and resources are given back. Times are made consistent. Does
 * not write. The code and the reason are only taken when there is no earlier one.
 */
void services_task_stopped(struct services *services, struct task *task, enum task_stop_code code,
			   const char *reason);

#endif
