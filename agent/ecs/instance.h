/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_INSTANCE_H
#define BERTH_AGENT_ECS_INSTANCE_H

#include <stdint.h>

struct ecs_identity_files;

/* Who this agent is to the control plane: known after registration, the same for every session.
 * Strings are borrowed. */
struct ecs_instance {
	const char *cluster;            /* as configured, or "default" */
	const char *container_instance; /* ARN */
	const char *availability_zone;  /* may be "" */
	const char *agent_version;
	const char *agent_hash;
	/* Of an identity of its own (identity.h); NULL: it signs. */
	const struct ecs_identity_files *identity;
	const char *engine_version; /* sent as dockerVersion; "" = unknown, left out */
};

#endif
