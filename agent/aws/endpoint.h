/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_ENDPOINT_H
#define BERTH_AGENT_AWS_ENDPOINT_H

enum aws_endpoint_flags {
	AWS_ENDPOINT_DUAL_STACK = 1 << 0, /* reached by IPv6 too: another domain */
	AWS_ENDPOINT_FIPS = 1 << 1,
};

/* Where a service of a region is: "https://ecs.eu-central-1.amazonaws.com". The caller frees. */
char *aws_endpoint(const char *service, const char *region, unsigned flags);

/*
 * The same as AWS's own tools have it from the variables of `environment` ("NAME=value",
 * NULL-terminated): AWS_ENDPOINT_URL_ECS or AWS_ENDPOINT_URL, unless
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true; else the region's, with AWS_USE_DUALSTACK_ENDPOINT
 * and AWS_USE_FIPS_ENDPOINT beside the flags.
 */
char *aws_endpoint_told(char *const *environment, const char *service, const char *region,
			unsigned flags);

/* "" when there is no such variable. */
const char *environment_value(char *const *environment, const char *name);

#endif
