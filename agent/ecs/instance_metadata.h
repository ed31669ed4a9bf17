/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_INSTANCE_METADATA_H
#define BERTH_AGENT_ECS_INSTANCE_METADATA_H

#include "agent/aws/imds.h"
#include "agent/config/config.h"

/*
 * The instance metadata service that the configuration and the AWS_EC2_METADATA_* variables name;
 * *ret is NULL where there is none to ask: outside EC2, switched off, or on an external instance.
 */
int ecs_imds_new(struct loop *loop, const struct agent_config *config, struct imds **ret,
		 struct error *err);

#endif
