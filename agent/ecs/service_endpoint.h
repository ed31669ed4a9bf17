/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_SERVICE_ENDPOINT_H
#define BERTH_AGENT_ECS_SERVICE_ENDPOINT_H

#include <stdbool.h>

#include "agent/config/config.h"

/*
 * The URL of an AWS service, "ecs" or "ec2": ECS_BACKEND_HOST (of ecs only), else what
 * aws_endpoint_told() makes of this process' environment; with both IP versions where this host has
 * nothing but IPv6. The caller frees it.
 */
char *service_endpoint(const struct agent_config *config, const char *service, bool ipv6_only);

#endif
