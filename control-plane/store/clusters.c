/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/clusters.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"

#define COLUMNS "name, status, document, request, created_at_ms"

void cluster_row_clear(struct cluster_row *row)
{
	free(row->name);
	free(row->status);
	free(row->document);
	free(row->request);
	*row = (struct cluster_row){ 0 };
}

void cluster_list_clear(struct cluster_list *list)
{
	for (size_t i = 0; list->items && i < list->count; i++)
		cluster_row_clear(&list->items[i]);
	free(list->items);
	*list = (struct cluster_list){ 0 };
}

static struct cluster_row read_row(struct stmt *stmt)
{
	return (struct cluster_row){
		.name = xstrdup(stmt_text(stmt, 0)),
		.status = xstrdup(stmt_text(stmt, 1)),
		.document = xstrdup(stmt_text(stmt, 2)),
		.request = xstrdup(stmt_text(stmt, 3)),
		.created_at_ms = stmt_i64(stmt, 4),
	};
}

int cluster_get(struct store *store, const char *name, struct cluster_row *ret_row,
		struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store), "SELECT " COLUMNS " FROM clusters WHERE name = ?", &stmt,
		      err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, name);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_row = read_row(stmt);
	return 0;
}

static int delete_of_cluster(struct store *store, const char *sql, const char *name,
			     struct error *err)
{
	_cleanup_(stmt_free_cleanup) struct stmt *stmt = NULL;
	int r;

	r = db_prepare(store_db(store), sql, &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, name);
	return stmt_run(stmt, err);
}

static int insert(struct store *store, const struct cluster_row *row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store), "INSERT INTO clusters (" COLUMNS ") VALUES (?, ?, ?, ?, ?)",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->name);
	stmt_bind_text(stmt, 2, row->status);
	stmt_bind_text(stmt, 3, row->document);
	stmt_bind_text(stmt, 4, row->request);
	stmt_bind_i64(stmt, 5, row->created_at_ms);
	return stmt_run(stmt, err);
}

static int replace(struct store *store, const struct cluster_row *row, struct error *err)
{
	int r;

	r = delete_of_cluster(store,
			      "DELETE FROM container_instances"
			      " WHERE cluster = ? AND status = 'INACTIVE'",
			      row->name, err);
	if (r < 0)
		return r;
	r = delete_of_cluster(store, "DELETE FROM clusters WHERE name = ? AND status = 'INACTIVE'",
			      row->name, err);
	if (r < 0)
		return r;
	return insert(store, row, err);
}

int cluster_create(struct store *store, const struct cluster_row *row, struct error *err)
{
	int r;

	r = store_begin(store, err);
	if (r < 0)
		return r;
	r = replace(store, row, err);
	if (r < 0) {
		store_rollback(store);
		return r;
	}
	return store_commit(store, err);
}

int cluster_set_status(struct store *store, const char *name, const char *status, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store), "UPDATE clusters SET status = ? WHERE name = ?", &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, status);
	stmt_bind_text(stmt, 2, name);
	return stmt_run(stmt, err);
}

int cluster_find(struct store *store, const char *after, int64_t limit,
		 struct cluster_list *ret_list, struct error *err)
{
	_cleanup_(cluster_list_clear) struct cluster_list list = { 0 };
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "SELECT " COLUMNS " FROM clusters WHERE status = 'ACTIVE' AND name > ?"
		      " ORDER BY name LIMIT ?",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, after ? after : "");
	stmt_bind_i64(stmt, 2, limit);
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = read_row(stmt);
	}
	if (r < 0)
		return r;
	ret_list->count = list.count;
	ret_list->items = TAKE(list.items);
	return 0;
}
