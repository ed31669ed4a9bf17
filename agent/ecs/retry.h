/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_RETRY_H
#define BERTH_AGENT_ECS_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ecs/client.h"

/* When a call of the ECS API is repeated, and after how long. Pure. */

enum retry_kind {
	RETRY_NEVER,
	RETRY_AGAIN,
	RETRY_AFTER_TIMEOUT, /* costs twice as much of the quota */
};

/* `error`: 0, or -errno when no answer came; else what the answer says. */
enum retry_kind retry_classify(int error, int http_status, const char *error_name);

/* Refused for the time that it was signed with: helps only when the clock has been corrected. */
bool retry_is_about_time(const char *error_name);
/* Refused for its keys. */
bool retry_is_about_keys(const char *error_name);

int retry_max_attempts(enum ecs_retry retry);

/* The wait after attempt `attempt` (from 1). `random` is uniform in [0, 1). */
int64_t retry_wait_ms(enum ecs_retry retry, int attempt, double random);

/* A bucket of tokens that all calls of a client share, so that a dead control plane is asked less
 * and less. */
struct retry_quota {
	int tokens;
};

void retry_quota_init(struct retry_quota *quota);
/* What the retry costs, or 0: the bucket is empty and the call must fail. */
int retry_quota_take(struct retry_quota *quota, enum retry_kind kind);
/* A call succeeded; `cost` is what its last retry took, 0 when there was none. */
void retry_quota_return(struct retry_quota *quota, int cost);

/* "ns#ClientException:http://x" -> "ClientException". */
void retry_error_name(const char *header, char *out, size_t size);

#endif
