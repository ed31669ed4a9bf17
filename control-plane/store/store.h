/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_STORE_H
#define BERTH_CONTROL_STORE_STORE_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "control-plane/store/arn.h"

/*
 * Everything that the control plane must not forget, in one SQLite file or in memory. The areas
 * stand in files of their own: clusters.h, task_definitions.h, container_instances.h, attributes.h,
 * tags.h, ...
 *
 * A data file belongs to one region and account: its ARNs are built from them, and agents remember
 * their ARN.
 */
struct store;
struct db;

struct store_config {
	const char *path;    /* a file, or ":memory:" */
	const char *region;  /* e.g. "us-east-1" */
	const char *account; /* 12 digits */
};

/* -EINVAL when the file belongs to another region or account, else what SQLite says. */
int store_open(const struct store_config *config, struct store **ret_store, struct error *err);
void store_close(struct store *store);
DEFINE_CLEANUP(struct store, store_close);

struct db *store_db(struct store *store);
const struct arn_scope *store_scope(const struct store *store);

/*
 * Transactions, as base/db.h has them: they nest, only the outermost begins and commits, a rollback
 * within undoes all. So a function that needs several writes to be one may be called alone or as a
 * part of something bigger.
 */
int store_begin(struct store *store, struct error *err);
int store_commit(struct store *store, struct error *err);
void store_rollback(struct store *store);

/*
 * The next value of a durable counter that only grows, starting at 1 ("acs-sequence", ...). A value
 * is never given twice, even after a crash.
 */
int store_next(struct store *store, const char *counter, int64_t *ret_value, struct error *err);

/* Runs a DELETE whose ?1 is `id`; `sql` is static. No row is no error. */
int store_delete_by_id(struct store *store, const char *sql, const char *id, struct error *err);

#endif
