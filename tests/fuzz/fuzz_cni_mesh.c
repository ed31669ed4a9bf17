/* SPDX-License-Identifier: Apache-2.0 */
/* The configurations of aws-appmesh and ecs-serviceconnect, by any runtime. */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cni-plugins/appmesh.h"
#include "cni-plugins/serviceconnect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_reason(const struct cni_error *err)
{
	if (err->code == CNI_OK || err->text[0] == '\0')
		abort();
}

static void try_appmesh(const struct cni_request *request)
{
	struct appmesh_config config;
	const struct proxy_redirect *redirect = &config.redirect;
	struct cni_error err = { 0 };

	if (appmesh_config_read(request, &config, &err) < 0)
		expect_reason(&err);
	else if (redirect->egress_port == 0 || (!redirect->has_uid && !redirect->has_gid) ||
		 (redirect->ingress_port == 0) != (redirect->app_port_count == 0) ||
		 redirect->app_port_count > APPMESH_LIST_MAX ||
		 redirect->ignored_port_count > APPMESH_LIST_MAX ||
		 redirect->ignored_count > APPMESH_LIST_MAX)
		abort();
	else
		for (size_t i = 0; i < redirect->ignored_count; i++)
			if (redirect->ignored[i].length > ip_bits(&redirect->ignored[i].address))
				abort();
	appmesh_config_free(&config);
}

static void try_serviceconnect(const struct cni_request *request)
{
	struct serviceconnect_config config;
	const struct service_redirect *redirect = &config.redirect;
	struct cni_error err = { 0 };

	if (serviceconnect_config_read(request, &config, &err) < 0)
		expect_reason(&err);
	else if (redirect->port_count > SERVICECONNECT_LIST_MAX ||
		 (!redirect->families[0] && !redirect->families[1]) ||
		 (redirect->egress == SERVICE_EGRESS_NAT && redirect->egress_port == 0))
		abort();
	else
		for (size_t i = 0; i < redirect->port_count; i++)
			if (redirect->ports[i].intercept == 0 || redirect->ports[i].listener == 0)
				abort();
	serviceconnect_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *value = NULL;
	struct cni_request request = { .command = CNI_COMMAND_ADD, .netns_fd = -1 };

	if (json_parse((const char *)data, size, NULL, &value, NULL) < 0)
		return 0;
	request.config = json_root(value);
	if (json_expect_object(&request.config, NULL) < 0)
		return 0;
	try_appmesh(&request);
	try_serviceconnect(&request);
	return 0;
}
