/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/service_endpoint.h"

#include <unistd.h>

#include "agent/aws/endpoint.h"
#include "base/str.h"

char *service_endpoint(const struct agent_config *config, const char *service, bool ipv6_only)
{
	if (*config->backend_host && str_eq(service, "ecs"))
		return config_endpoint(config);
	return aws_endpoint_told(environ, service, config->region,
				 ipv6_only ? AWS_ENDPOINT_DUAL_STACK : 0);
}
