/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_ARN_H
#define BERTH_CONTROL_STORE_ARN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Amazon Resource Names of ECS: arn:aws:ecs:<region>:<account>:<type>/<path>. The long format
 * everywhere: cluster/<name>, task/<cluster>/<id>,
 * task-definition/<family>:<revision>, ...
 */
struct arn_scope {
	const char *region;  /* borrowed */
	const char *account; /* borrowed, 12 digits */
};

enum arn_type {
	ARN_CLUSTER,
	ARN_SERVICE,
	ARN_TASK,
	ARN_CONTAINER_INSTANCE,
	ARN_CONTAINER,
	ARN_TASK_DEFINITION,
	ARN_TASK_SET,
	ARN_CAPACITY_PROVIDER,
	ARN_SERVICE_DEPLOYMENT,
	ARN_SERVICE_REVISION,
	ARN_ATTACHMENT,
	ARN_TYPES,
};

/* "cluster", "task", ... as the ARN writes it. */
const char *arn_type_name(enum arn_type type);

/* Each is allocated; the caller frees. */
char *arn_cluster(const struct arn_scope *scope, const char *cluster);
char *arn_task(const struct arn_scope *scope, const char *cluster, const char *id);
char *arn_container_instance(const struct arn_scope *scope, const char *cluster, const char *id);
char *arn_container(const struct arn_scope *scope, const char *cluster, const char *task_id,
		    const char *uuid);
char *arn_task_definition(const struct arn_scope *scope, const char *family, int64_t revision);
char *arn_attachment(const struct arn_scope *scope, const char *cluster, const char *uuid);
char *arn_service(const struct arn_scope *scope, const char *cluster, const char *name);
char *arn_root_user(const struct arn_scope *scope);

/* A parsed ARN. Owns its strings; arn_clear() releases them. */
struct arn {
	enum arn_type type;
	char *region;
	char *account;
	char *cluster; /* NULL in the short format, and for types without a cluster; the name itself
			  for ARN_CLUSTER */
	char *id;   /* what follows the cluster: task id, instance id, service name, cluster name,
		       "family" */
	char *rest; /* ARN_CONTAINER: uuid after the task id (NULL in the short format),
		       ARN_TASK_SET: "ecs-svc/N" */
	int64_t revision; /* ARN_TASK_DEFINITION: -1 when the ARN names none */
};

bool arn_looks_like(const char *text); /* starts with "arn:" */

/*
 * -EINVAL with "Unexpected number of separators"-style text when it is not an ARN of ECS of a known
 * type. Any region and account are accepted here: see arn_in_scope().
 */
int arn_parse(const char *text, struct arn *ret_arn, struct error *err);
bool arn_in_scope(const struct arn *arn, const struct arn_scope *scope);
void arn_clear(struct arn *arn); /* also good for a zeroed one; for _cleanup_(arn_clear) */

#endif
