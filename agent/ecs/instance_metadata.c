/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/instance_metadata.h"

#include <stdlib.h>

#include "base/str.h"

static bool is_asked(const struct agent_config *config, const char *endpoint)
{
	if (config->external || config->instance_metadata == CONFIG_METADATA_NEVER ||
	    str_eq_nocase(getenv("AWS_EC2_METADATA_DISABLED"), "true"))
		return false;
	return config->instance_metadata == CONFIG_METADATA_ALWAYS || !str_is_empty(endpoint) ||
	       imds_is_likely();
}

int ecs_imds_new(struct loop *loop, const struct agent_config *config, struct imds **ret,
		 struct error *err)
{
	const char *endpoint = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const struct imds_config imds = {
		.endpoint = endpoint,
		.ipv6 = str_eq_nocase(getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6"),
		.v1_disabled = str_eq_nocase(getenv("AWS_EC2_METADATA_V1_DISABLED"), "true"),
		.time_scale = config->time_scale,
	};

	*ret = NULL;
	return is_asked(config, endpoint) ? imds_new(loop, &imds, ret, err) : 0;
}
