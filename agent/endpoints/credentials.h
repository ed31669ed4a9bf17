/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ENDPOINTS_CREDENTIALS_H
#define BERTH_AGENT_ENDPOINTS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/credentials.h"

/*
 * Credentials of tasks' roles, in memory only. An id may be known before its credentials are: after
 * a restart of the agent the tasks name their ids, and the control plane sends the secrets again.
 */
struct credentials_store;

struct credentials_store *credentials_store_new(void);
void credentials_store_free(struct credentials_store *store);

/* The task names this id. What is known of it stays. */
void credentials_store_expect(struct credentials_store *store, const char *task_arn,
			      enum credentials_role role, const char *id);

/* Takes `credentials` over; replaces what was there under its id. */
void credentials_store_put(struct credentials_store *store, const char *task_arn,
			   enum credentials_role role, struct role_credentials *credentials);

/* Overwrites and forgets the credentials of the task's own role: it has stopped. */
void credentials_store_drop_role(struct credentials_store *store, const char *task_arn);
/* Overwrites and forgets what belongs to the task. */
void credentials_store_drop_task(struct credentials_store *store, const char *task_arn);

struct credentials_entry {
	const char *task_arn;
	enum credentials_role role;
	const struct role_credentials *credentials; /* NULL: expected, not here yet */
};

/* False: nobody knows the id. Borrowed until the next change. */
bool credentials_store_get(const struct credentials_store *store, const char *id,
			   struct credentials_entry *ret);

#endif
