/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/tasks.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/db.h"

int task_put(struct store *store, const struct task_row *row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "INSERT INTO tasks (arn, cluster, created_ms, document) "
			  "VALUES (?1, ?2, ?3, ?4) "
			  "ON CONFLICT (arn) DO UPDATE SET document = excluded.document",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->arn);
	stmt_bind_text(stmt, 2, row->cluster);
	stmt_bind_i64(stmt, 3, row->created_ms);
	stmt_bind_text(stmt, 4, row->document);
	r = stmt_run(stmt, err);
	if (r < 0)
		error_prefix(err, "write task %s", row->arn);
	return r;
}

int task_delete(struct store *store, const char *arn, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store), "DELETE FROM tasks WHERE arn = ?1", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, arn);
	r = stmt_run(stmt, err);
	if (r < 0)
		error_prefix(err, "delete task %s", arn);
	return r;
}

int task_each(struct store *store,
	      int (*each)(void *data, const struct task_row *row, struct error *err), void *data,
	      struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "SELECT arn, cluster, created_ms, document FROM tasks "
			  "ORDER BY created_ms, rowid",
			  &stmt, err);

	if (r < 0)
		return r;
	while ((r = stmt_step(stmt, err)) == 1) {
		const struct task_row row = {
			.arn = stmt_text(stmt, 0),
			.cluster = stmt_text(stmt, 1),
			.created_ms = stmt_i64(stmt, 2),
			.document = stmt_text(stmt, 3),
		};

		r = each(data, &row, err);
		if (r < 0)
			return r;
	}
	return r;
}

int task_token_put(struct store *store, const char *cluster, const char *token, const char *request,
		   const char *answer, int64_t created_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(
		store_db(store),
		"INSERT OR REPLACE INTO task_tokens "
		"(cluster, token, request, answer, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
		&stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, token);
	stmt_bind_text(stmt, 3, request);
	stmt_bind_text(stmt, 4, answer);
	stmt_bind_i64(stmt, 5, created_ms);
	return stmt_run(stmt, err);
}

int task_token_get(struct store *store, const char *cluster, const char *token,
		   int64_t not_before_ms, char **ret_request, char **ret_answer, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "SELECT request, answer FROM task_tokens "
			  "WHERE cluster = ?1 AND token = ?2 AND created_ms >= ?3",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, token);
	stmt_bind_i64(stmt, 3, not_before_ms);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	if (r == 0)
		return -ENOENT;
	*ret_request = xstrdup(stmt_text(stmt, 0));
	*ret_answer = xstrdup(stmt_text(stmt, 1));
	return 0;
}

int task_tokens_expire(struct store *store, int64_t before_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store), "DELETE FROM task_tokens WHERE created_ms < ?1", &stmt,
			  err);

	if (r < 0)
		return r;
	stmt_bind_i64(stmt, 1, before_ms);
	return stmt_run(stmt, err);
}
