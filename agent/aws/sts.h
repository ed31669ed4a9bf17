/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_STS_H
#define BERTH_AGENT_AWS_STS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/aws/credential_set.h"
#include "base/error.h"

/* The Security Token Service: requests are forms, answers XML. Nothing is sent here. */

#define STS_CONTENT_TYPE "application/x-www-form-urlencoded"

struct sts_role {
	const char *arn;
	const char *session_name; /* what the role's keys are called in logs of AWS */
	const char *external_id;  /* NULL: none */
	int64_t duration_s;       /* 0: what STS gives, an hour */
};

/* The bodies of the two requests; the caller frees, with secret_free(). */
char *sts_assume_role(const struct sts_role *role);
char *sts_assume_role_with_web_identity(const struct sts_role *role, const char *token);

/* The keys in an answer; -EINVAL when there are none. *ret is written on success only. */
int sts_read_keys(const char *xml, size_t size, struct credential_set *ret, struct error *err);
/* What an error answer says: "AccessDenied: ...". Never fails; returns -EACCES. */
int sts_read_failure(int status, const char *xml, size_t size, struct error *err);

#endif
