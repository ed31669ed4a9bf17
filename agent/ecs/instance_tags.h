/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_INSTANCE_TAGS_H
#define BERTH_AGENT_ECS_INSTANCE_TAGS_H

#include <stdbool.h>

#include "agent/aws/ec2_tags.h"
#include "agent/config/config.h"
#include "agent/ecs/credentials.h"
#include "base/error.h"
#include "base/http.h"
#include "base/loop.h"

/*
 * The tags that EC2 has for this instance: DescribeTags of the region's EC2, signed, five attempts.
 * What can be repeated is what the ECS API repeats.
 */
struct instance_tags_call;

struct instance_tags_config {
	struct loop *loop;
	struct http_client *http;
	struct aws_credentials *credentials;
	const struct agent_config *config;
	bool ipv6_only;          /* of the host: see host_resources */
	const char *instance_id; /* "i-0abc"; copied. The rest is borrowed. */
};

/* `tags` is NULL when `err` says why there are none. Both are valid during the callback. */
typedef void instance_tags_callback(void *data, const struct ec2_tags *tags,
				    const struct error *err);

/* The callback comes once, later. The call is valid until then. */
struct instance_tags_call *instance_tags_get(const struct instance_tags_config *config,
					     instance_tags_callback *callback, void *data);
void instance_tags_cancel(struct instance_tags_call *call); /* NULL does nothing */

#endif
