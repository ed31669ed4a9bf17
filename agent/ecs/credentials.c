/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/credentials.h"

#include <unistd.h>

struct aws_credentials *ecs_credentials_new(struct loop *loop, struct http_client *http,
					    struct http_client *direct, struct imds *imds,
					    const struct agent_config *config)
{
	return aws_credentials_new(&(struct credential_sources){
		.loop = loop,
		.http = http,
		.direct = direct,
		.imds = imds,
		.external = config->external,
		.region = config->region,
		.access_key = config->access_key_id,
		.secret = config->secret_access_key,
		.token = config->session_token,
		.rotating_file = config->activation_credentials_file,
		.rotating_profile = config->activation_credentials_profile,
		.environment = environ,
	});
}

struct aws_credentials *ecs_credentials_of_identity(struct loop *loop,
						    const struct agent_config *config)
{
	return aws_credentials_new(&(struct credential_sources){
		.loop = loop,
		.region = config->region,
		.access_key = "BERTHIDENTITY",
		.secret = "certificate",
		.token = "",
		.environment = environ,
	});
}
