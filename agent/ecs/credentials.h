/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_CREDENTIALS_H
#define BERTH_AGENT_ECS_CREDENTIALS_H

#include "agent/aws/credentials.h"
#include "agent/config/config.h"

/* The agent's own credentials, from where the configuration and this process' environment say. All
 * are borrowed and outlive them; `imds` may be NULL. `http` is for AWS, not for the control plane:
 * what that one's certificate is verified by says nothing of STS. */
struct aws_credentials *ecs_credentials_new(struct loop *loop, struct http_client *http,
					    struct http_client *direct, struct imds *imds,
					    const struct agent_config *config);

/* Of an agent that proves who it is by a certificate: its calls keep their form, and the signatures
 * are of a key that is no secret. */
struct aws_credentials *ecs_credentials_of_identity(struct loop *loop,
						    const struct agent_config *config);

#endif
