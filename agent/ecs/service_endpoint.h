/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_SERVICE_ENDPOINT_H
#define BERTH_AGENT_ECS_SERVICE_ENDPOINT_H

#include <stdbool.h>

#include "agent/config/config.h"

/*
 * The URL of an AWS service, "ecs" or "ec2": ECS_BACKEND_HOST (of ecs only), else what
 * AWS_ENDPOINT_URL_ECS or AWS_ENDPOINT_URL say in this process' environment (unless
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true), else the region's: of both IP versions where this
 * host has nothing but IPv6 or AWS_USE_DUALSTACK_ENDPOINT is true, and the FIPS one where
 * AWS_USE_FIPS_ENDPOINT is true. The caller frees it.
 */
char *service_endpoint(const struct agent_config *config, const char *service, bool ipv6_only);

#endif
