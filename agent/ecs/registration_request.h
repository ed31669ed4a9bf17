/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_REGISTRATION_REQUEST_H
#define BERTH_AGENT_ECS_REGISTRATION_REQUEST_H

#include "agent/aws/ec2_tags.h"
#include "agent/config/config.h"
#include "agent/ecs/capabilities.h"
#include "agent/ecs/host.h"
#include "agent/ecs/identity_document.h"
#include "agent/ecs/registration.h"
#include "base/random.h"

/* What an instance says of itself when it registers: the same at every attempt, but for its
 * identity document. */
struct registration_request {
	const struct agent_config *config; /* borrowed, as the next three */
	const char *cluster;
	const char *saved_arn; /* NULL: a new instance */
	const struct host_resources *host;
	struct ecs_attributes attributes;
	struct ec2_tags ec2_tags; /* those that are configured win */
	char token[UUID_SIZE];    /* by which the control plane knows a repetition */
};

/* Cluster and saved ARN are set before; `input` says the rest. */
void registration_request_prepare(struct registration_request *request,
				  const struct registration_input *input);
void registration_request_clear(struct registration_request *request);

/* The body of the call; the caller frees it. `identity` NULL: there is none. */
char *registration_request_encode(const struct registration_request *request,
				  const struct identity_document *identity);
/* Whether the control plane's answer has every attribute that was sent with a value. -EINVAL. */
int registration_request_check(const struct registration_request *request,
			       const struct api_registered *registered, struct error *err);

#endif
