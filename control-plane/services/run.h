/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_RUN_H
#define BERTH_CONTROL_PLANE_SERVICES_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "control-plane/scheduler/scheduler.h"
#include "control-plane/services/services.h"
#include "control-plane/services/task.h"

/*
 * RunTask, StartTask, StopTask: what the API asks of the task service once the request has been
 * understood. All of it happens inside the caller's store transaction.
 */

/* Strings and JSON are borrowed. The request has been validated. */
struct run_request {
	const char *cluster; /* name */
	const char *family;
	int64_t revision;
	const json_t *definition; /* the task definition's document */
	const json_t *overrides;  /* the API's TaskOverride object; NULL: none */
	const char *group;        /* NULL: family:<family> */
	const char *started_by;   /* NULL: none */
	const char *launch_type;  /* "EC2", "EXTERNAL" */
	bool enable_execute_command;
	const char *const *subnets; /* awsvpc */
	size_t subnet_count;
	const char *const *security_groups;
	size_t security_group_count;

	size_t count;                                   /* RunTask: tasks wanted */
	const struct scheduler_constraint *constraints; /* of the request and of the definition */
	size_t constraint_count;
	const struct scheduler_strategy *strategies;
	size_t strategy_count;

	const char *const *instance_ids; /* StartTask: one task on each of these; NULL: RunTask */
	size_t instance_count;
};

struct run_failure {
	char *arn;
	const char *reason; /* static */
	char *detail;       /* NULL: none */
};

struct run_result {
	struct task **tasks; /* belong to the service */
	size_t task_count;
	struct run_failure *failures;
	size_t failure_count;
};

/*
 * Places and creates tasks. They stand as the reply shows them (PROVISIONING with a PRECREATED
 * interface, or PENDING) until services_launch(). -EINVAL: the error is the text for
 * InvalidParameterException.
 */
int services_run(struct services *services, const struct run_request *request,
		 struct run_result *ret_result, struct error *err);

/* Writes the tasks of the result, with their interfaces made, and has them sent once the
 * transaction is committed. */
int services_launch(struct services *services, struct run_result *result, struct error *err);

void run_result_clear(struct run_result *result);

/* What one task of the request needs: for the scheduler, and for DescribeTasks. Free with
 * run_needs_clear(). */
struct run_needs {
	int64_t cpu;    /* CPU units */
	int64_t memory; /* MiB */
	int64_t gpus;
	struct task_port_set ports;
};
void run_needs(const json_t *definition, const json_t *overrides, struct run_needs *ret_needs);
void run_needs_clear(struct run_needs *needs);

/*
 * StopTask. A task that no agent has heard of is STOPPED at once; a STOPPED one stays as it is.
 * `reason` NULL: "Task stopped by user".
 */
int services_stop(struct services *services, struct task *task, const char *reason,
		  struct error *err);

/* --- clientToken
 * -----------------------------------------------------------------------------------------------
 */

#define RUN_TOKEN_LIFE_MS (INT64_C(24) * 3600 * 1000)

/*
 * -ENOENT: the token is new in this cluster (nothing recorded). Otherwise the canonical request
 * that it came with and the ARNs of its tasks.
 */
int services_token_find(struct services *services, const char *cluster, const char *token,
			char **ret_request, struct str_list *ret_arns, struct error *err);
int services_token_put(struct services *services, const char *cluster, const char *token,
		       const char *request, const struct str_list *arns, struct error *err);

#endif
