/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/endpoint.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/str.h"

/* Partitions, by how the names of their regions begin; the last one has all others. */
static const struct {
	const char *prefix;
	const char *suffix, *dual_stack_suffix;
} partitions[] = {
	{ "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn" },
	{ "us-iso-", "c2s.ic.gov", "api.aws.ic.gov" },
	{ "us-isob-", "sc2s.sgov.gov", "api.aws.scloud" },
	{ "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk" },
	{ "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov" },
	{ "eusc-", "amazonaws.eu", "api.amazonwebservices.eu" },
	{ "", "amazonaws.com", "api.aws" },
};

char *aws_endpoint(const char *service, const char *region, unsigned flags)
{
	size_t i = 0;

	while (!str_starts_with(region, partitions[i].prefix))
		i++;
	return xasprintf("https://%s%s.%s.%s", service, flags & AWS_ENDPOINT_FIPS ? "-fips" : "",
			 region,
			 flags & AWS_ENDPOINT_DUAL_STACK ? partitions[i].dual_stack_suffix
							 : partitions[i].suffix);
}
