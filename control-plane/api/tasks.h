/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_API_TASKS_H
#define BERTH_CONTROL_API_TASKS_H

#include "control-plane/api/api.h"
#include "control-plane/services/run.h"
#include "control-plane/services/task.h"

/* The task object as the API shows it; with its tags when `with_tags`, else `tags: []`. */
int api_task_json(struct api_call *call, const struct task *task, bool with_tags,
		  json_t **ret_object);

/*
 * A task of the cluster by id or ARN. -ENOENT, nothing recorded, when there is none; -EINVAL when
 * the reference itself is bad (recorded).
 */
int api_task(struct api_call *call, const char *cluster, const char *reference,
	     struct task **ret_task);

/* Of RunTask and StartTask. */
extern const struct api_member api_task_overrides_members[];
extern const struct api_member api_volume_configuration_members[];

/* The overrides (NULL: none) of one call, and what no task can have here. Records the error. */
int overrides_check(struct api_call *call, const json_t *definition, const json_t *overrides);
/* The definition as the checked overrides make it, for further checks. The caller owns it. */
json_t *overrides_apply(const json_t *definition, const json_t *overrides);

/* volumeConfigurations: one for each volume that is configuredAtLaunch, and no others. */
int launch_volumes_check(struct api_call *call, const json_t *definition);

/*
 * What RunTask and StartTask have in common. Strings and JSON stay valid until run_input_clear().
 */
struct run_input {
	struct cluster_row cluster;
	struct task_definition_row definition_row;
	json_t *definition;
	const char *subnets[16];
	const char *security_groups[5];
	struct scheduler_constraint constraints[SCHEDULER_CONSTRAINTS_MAX];
	struct scheduler_strategy strategies[SCHEDULER_STRATEGIES_MAX];
	struct run_request request;
};

/* Reads and checks the common members: the request but for what it is that places the tasks. */
int run_input_read(struct api_call *call, size_t started_by_max, struct run_input *ret_input);
/* placementConstraints and placementStrategy of RunTask, and the definition's own constraints. */
int run_input_read_placement(struct api_call *call, struct run_input *input);
void run_input_clear(struct run_input *input);

/* The tags of a new task, written under its ARN: those of the request win over the definition's. */
int run_write_tags(struct api_call *call, const struct run_input *input, const struct task *task);

#endif
