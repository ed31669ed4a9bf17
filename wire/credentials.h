/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_CREDENTIALS_H
#define BERTH_WIRE_CREDENTIALS_H

#include "base/cleanup.h"
#include "base/error.h"

struct json_at;

enum credentials_role {
	CREDENTIALS_ROLE_TASK,      /* "TaskApplication": what the containers get */
	CREDENTIALS_ROLE_EXECUTION, /* "TaskExecution": what the agent pulls and logs with */
};

/*
 * Credentials of a role. Secrets: they live in memory only, and never reach a task_spec, the store
 * or a log. Strings are never NULL; what the message left out is "".
 */
struct role_credentials {
	char *id; /* never empty */
	char *role_arn;
	char *access_key_id;
	char *secret_access_key;
	char *session_token;
	char *expiration; /* opaque; echoed as it came */
};

/* "TaskApplication" or "TaskExecution". */
const char *credentials_role_name(enum credentials_role role);

/*
 * Decodes the object at `at`. -EBADMSG: wrong JSON type; -EINVAL: "CredentialsId is empty". The
 * caller frees the result with role_credentials_free().
 */
int role_credentials_decode(const struct json_at *at, struct role_credentials **ret,
			    struct error *err);

struct role_credentials *role_credentials_copy(const struct role_credentials *credentials);

/* Overwrites the secrets, then frees. NULL is allowed. */
void role_credentials_free(struct role_credentials *credentials);
DEFINE_CLEANUP(struct role_credentials, role_credentials_free);

#endif
