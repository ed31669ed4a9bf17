/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/config/config.h"
#include "base/alloc.h"

/* Regions by how their names begin; all others are of the partition aws. */
static const struct {
	const char *prefix;
	const char *suffix;
} partitions[] = {
	{ "cn-", "amazonaws.com.cn" },    { "us-iso-", "c2s.ic.gov" },
	{ "us-isob-", "sc2s.sgov.gov" },  { "eu-isoe-", "cloud.adc-e.uk" },
	{ "us-isof-", "csp.hci.ic.gov" }, { "eusc-", "amazonaws.eu" },
};

char *config_endpoint(const struct agent_config *config)
{
	const char *host = config->backend_host;
	const char *suffix = "amazonaws.com";

	if (*host && (str_starts_with(host, "http://") || str_starts_with(host, "https://")))
		return xstrdup(host);
	if (*host)
		return xasprintf("https://%s", host);
	for (size_t i = 0; i < sizeof(partitions) / sizeof(partitions[0]); i++)
		if (str_starts_with(config->region, partitions[i].prefix))
			suffix = partitions[i].suffix;
	return xasprintf("https://ecs.%s.%s", config->region, suffix);
}

int64_t config_scaled_ms(const struct agent_config *config, int64_t ms)
{
	int64_t scaled;

	if (ms <= 1000)
		return ms;
	scaled = (int64_t)((double)ms / config->time_scale);
	return scaled > 0 ? scaled : 1;
}
