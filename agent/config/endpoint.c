/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/aws/endpoint.h"
#include "agent/config/config.h"
#include "base/alloc.h"

char *config_endpoint(const struct agent_config *config)
{
	const char *host = config->backend_host;

	if (*host && (str_starts_with(host, "http://") || str_starts_with(host, "https://")))
		return xstrdup(host);
	if (*host)
		return xasprintf("https://%s", host);
	return aws_endpoint("ecs", config->region, 0);
}

int64_t config_scaled_ms(const struct agent_config *config, int64_t ms)
{
	int64_t scaled;

	if (ms <= 1000)
		return ms;
	scaled = (int64_t)((double)ms / config->time_scale);
	return scaled > 0 ? scaled : 1;
}
