/* SPDX-License-Identifier: Apache-2.0 */
/* What the ECS API, or a proxy in front of it, may answer to an agent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct api_attribute attribute = { "stack", "prod" };
	const char *body = (const char *)data;
	struct api_registered *registered = NULL;
	struct api_endpoints endpoints = { .endpoint = NULL };
	struct api_failure failure;
	struct api_task_change change = { .cluster = "c", .task_arn = "t" };
	char *name = NULL;
	char *text;

	if (api_decode_registered(body, size, &registered, NULL) == 0) {
		if (!registered->container_instance_arn[0])
			abort();
		api_registered_check(registered, &attribute, 1, NULL);
	}
	api_registered_free(registered);
	if (api_decode_endpoints(body, size, &endpoints, NULL) == 0)
		api_endpoints_clear(&endpoints);
	api_decode_create_cluster(body, size, &name, NULL);
	free(name);
	api_decode_failure(500, body, size, &failure);
	/* A reason is whatever a runtime printed. */
	change.reason = failure.message;
	free(api_encode_task_change(&change));
	text = strndup(body, size);
	change.reason = text;
	free(api_encode_task_change(&change));
	free(text);
	return 0;
}
