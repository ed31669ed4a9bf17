/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_TASKS_H
#define BERTH_CONTROL_STORE_TASKS_H

#include <stdint.h>

#include "base/error.h"
#include "control-plane/store/store.h"

/* Tasks as documents, and the client tokens of RunTask. The task service gives them their meaning.
 */
struct task_row {
	const char *arn;
	const char *cluster; /* name */
	int64_t created_ms;
	const char *document; /* JSON */
};

/* Adds or replaces. */
int task_put(struct store *store, const struct task_row *row, struct error *err);
int task_delete(struct store *store, const char *arn, struct error *err);

/* Calls each(data, row, err) for all, in order of creation; a negative answer ends it and is
 * returned. */
int task_each(struct store *store,
	      int (*each)(void *data, const struct task_row *row, struct error *err), void *data,
	      struct error *err);

/* A clientToken with the request that it came with and the answer (both JSON). */
int task_token_put(struct store *store, const char *cluster, const char *token, const char *request,
		   const char *answer, int64_t created_ms, struct error *err);
/* -ENOENT when there is none that is younger than not_before_ms (err untouched then). */
int task_token_get(struct store *store, const char *cluster, const char *token,
		   int64_t not_before_ms, char **ret_request, char **ret_answer, struct error *err);
int task_tokens_expire(struct store *store, int64_t before_ms, struct error *err);

#endif
