/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_CREDENTIALS_H
#define BERTH_AGENT_ECS_CREDENTIALS_H

#include "agent/config/config.h"
#include "base/error.h"
#include "base/sigv4.h"

/*
 * The credentials with which the agent itself signs: the configured keys, else the shared
 * credentials file (AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, profile AWS_PROFILE or
 * "default"), which is read again when it is older than a minute so that rotated keys are picked
 * up.
 */
struct ecs_credentials;

struct ecs_credentials *ecs_credentials_new(const struct agent_config *config);
void ecs_credentials_free(struct ecs_credentials *credentials);

/* *ret is valid until the next call. -ENOKEY when no source has both keys; err says what was tried.
 */
int ecs_credentials_get(struct ecs_credentials *credentials, struct sigv4_credentials *ret,
			struct error *err);

#endif
