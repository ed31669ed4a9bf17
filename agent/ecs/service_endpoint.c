/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/service_endpoint.h"

#include <ctype.h>
#include <stdlib.h>

#include "agent/aws/endpoint.h"
#include "base/alloc.h"
#include "base/str.h"

static bool is_true(const char *variable)
{
	return str_eq_nocase(getenv(variable), "true");
}

static const char *given(const char *service)
{
	_cleanup_free_ char *variable = xasprintf("AWS_ENDPOINT_URL_%s", service);
	const char *url;

	if (is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return NULL;
	for (char *at = variable; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	url = getenv(variable);
	return str_is_empty(url) ? getenv("AWS_ENDPOINT_URL") : url;
}

char *service_endpoint(const struct agent_config *config, const char *service, bool ipv6_only)
{
	const char *url;
	unsigned flags = 0;

	if (*config->backend_host && str_eq(service, "ecs"))
		return config_endpoint(config);
	url = given(service);
	if (!str_is_empty(url))
		return xstrdup(url);
	if (ipv6_only || is_true("AWS_USE_DUALSTACK_ENDPOINT"))
		flags |= AWS_ENDPOINT_DUAL_STACK;
	if (is_true("AWS_USE_FIPS_ENDPOINT"))
		flags |= AWS_ENDPOINT_FIPS;
	return aws_endpoint(service, config->region, flags);
}
