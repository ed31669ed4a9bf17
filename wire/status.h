/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_STATUS_H
#define BERTH_WIRE_STATUS_H

#include <stdbool.h>

#include "base/error.h"

/*
 * The statuses of the ECS data model, in the order in which they compare: a status never goes back.
 *
 * Two sets of names: the agent's own ("MANIFEST_PULLED"), for payloads, logs and the store, and
 * what is reported to the control plane ("PENDING", "RUNNING", "STOPPED").
 */
enum task_status {
	TASK_STATUS_NONE,
	TASK_STATUS_MANIFEST_PULLED,
	TASK_STATUS_PULLED,
	TASK_STATUS_CREATED,
	TASK_STATUS_RUNNING,
	TASK_STATUS_STOPPED,
};

enum container_status {
	CONTAINER_STATUS_NONE,
	CONTAINER_STATUS_MANIFEST_PULLED,
	CONTAINER_STATUS_PULLED,
	CONTAINER_STATUS_CREATED,
	CONTAINER_STATUS_RUNNING,
	CONTAINER_STATUS_RESOURCES_PROVISIONED,
	CONTAINER_STATUS_STOPPED,
};

enum health_status {
	HEALTH_STATUS_UNKNOWN, /* also while starting */
	HEALTH_STATUS_HEALTHY,
	HEALTH_STATUS_UNHEALTHY,
};

enum managed_agent_status {
	MANAGED_AGENT_STATUS_NONE,
	MANAGED_AGENT_STATUS_CREATED,
	MANAGED_AGENT_STATUS_RUNNING,
	MANAGED_AGENT_STATUS_STOPPED,
};

/* Condition of a dependsOn entry. CREATE is the agent's own, from volumesFrom; it is never on the
 * wire. */
enum container_condition {
	CONTAINER_CONDITION_START,
	CONTAINER_CONDITION_COMPLETE,
	CONTAINER_CONDITION_SUCCESS,
	CONTAINER_CONDITION_HEALTHY,
	CONTAINER_CONDITION_CREATE,
	CONTAINER_CONDITION_OTHER,
};

/* The agent's own name: "NONE", "MANIFEST_PULLED", ... Static. */
const char *task_status_name(enum task_status status);
const char *container_status_name(enum container_status status);
const char *managed_agent_status_name(enum managed_agent_status status);
const char *container_condition_name(enum container_condition condition);

/* As reported: RUNNING and STOPPED by themselves, all else "PENDING". */
const char *task_status_wire(enum task_status status);
const char *container_status_wire(enum container_status status);

/* "UNKNOWN", "HEALTHY", "UNHEALTHY": own and wire name are the same. */
const char *health_status_name(enum health_status status);

/*
 * Exact, case-sensitive names. Besides the agent's own, a task or container status may be the older
 * "UNKNOWN" (NONE) or "DEAD" (STOPPED). -EINVAL with an error that quotes the text.
 */
int task_status_parse(const char *text, enum task_status *ret, struct error *err);
int container_status_parse(const char *text, enum container_status *ret, struct error *err);
int health_status_parse(const char *text, enum health_status *ret, struct error *err);
int managed_agent_status_parse(const char *text, enum managed_agent_status *ret, struct error *err);

/* OTHER for what it does not know, and for NULL. */
enum container_condition container_condition_of(const char *text);

#endif
