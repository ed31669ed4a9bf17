/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_PLANE_SERVICES_PAYLOAD_H
#define BERTH_CONTROL_PLANE_SERVICES_PAYLOAD_H

#include <jansson.h>

#include "control-plane/services/task.h"
#include "wire/credentials.h"

/*
 * A task and its definition as an agent wants them: the Task object of a PayloadMessage.
 * Either credentials may be NULL.
 */
json_t *payload_task(const struct task *task, const char *desired_status, const json_t *definition,
		     const json_t *overrides, const struct role_credentials *role,
		     const struct role_credentials *execution_role);

/*
 * dockerConfig of a container: what the agent has no field for, as Docker's Config and HostConfig
 * in strings. `override` may be NULL.
 */
json_t *payload_docker_config(const json_t *container, const json_t *override,
			      const char *network_mode);

#endif
