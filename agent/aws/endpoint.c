/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/aws/endpoint.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
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

const char *environment_value(char *const *environment, const char *name)
{
	size_t length = strlen(name);

	for (char *const *at = environment; at && *at; at++)
		if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
			return *at + length + 1;
	return "";
}

static bool is_true(char *const *environment, const char *name)
{
	return str_eq_nocase(environment_value(environment, name), "true");
}

/* "": none. */
static const char *url_told(char *const *environment, const char *service)
{
	_cleanup_free_ char *name = xasprintf("AWS_ENDPOINT_URL_%s", service);
	const char *url;

	if (is_true(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return "";
	for (char *at = name; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	url = environment_value(environment, name);
	return *url ? url : environment_value(environment, "AWS_ENDPOINT_URL");
}

char *aws_endpoint_told(char *const *environment, const char *service, const char *region,
			unsigned flags)
{
	const char *url = url_told(environment, service);

	if (*url)
		return xstrdup(url);
	if (is_true(environment, "AWS_USE_DUALSTACK_ENDPOINT"))
		flags |= AWS_ENDPOINT_DUAL_STACK;
	if (is_true(environment, "AWS_USE_FIPS_ENDPOINT"))
		flags |= AWS_ENDPOINT_FIPS;
	return aws_endpoint(service, region, flags);
}
