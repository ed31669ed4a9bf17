/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_ENDPOINT_H
#define BERTH_AGENT_AWS_ENDPOINT_H

enum aws_endpoint_flags {
	AWS_ENDPOINT_DUAL_STACK = 1 << 0, /* reached by IPv6 too: another domain */
	AWS_ENDPOINT_FIPS = 1 << 1,
};

/* Where a service of a region is: "https://ecs.eu-central-1.amazonaws.com". The caller frees. */
char *aws_endpoint(const char *service, const char *region, unsigned flags);

#endif
