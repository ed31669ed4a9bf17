/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/task_definitions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/str.h"

#define COLUMNS                                                                                    \
	"family, revision, status, registered_at_ms, deregistered_at_ms,"                          \
	" delete_requested_at_ms, document, registered_by"

void task_definition_row_clear(struct task_definition_row *row)
{
	free(row->family);
	free(row->status);
	free(row->document);
	free(row->registered_by);
	*row = (struct task_definition_row){ 0 };
}

void task_definition_list_clear(struct task_definition_list *list)
{
	for (size_t i = 0; list->items && i < list->count; i++)
		task_definition_row_clear(&list->items[i]);
	free(list->items);
	*list = (struct task_definition_list){ 0 };
}

void family_list_clear(struct family_list *list)
{
	for (size_t i = 0; list->items && i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct family_list){ 0 };
}

static struct task_definition_row read_row(struct stmt *stmt)
{
	return (struct task_definition_row){
		.family = xstrdup(stmt_text(stmt, 0)),
		.revision = stmt_i64(stmt, 1),
		.status = xstrdup(stmt_text(stmt, 2)),
		.registered_at_ms = stmt_i64(stmt, 3),
		.deregistered_at_ms = stmt_i64(stmt, 4),
		.delete_requested_at_ms = stmt_i64(stmt, 5),
		.document = xstrdup_null(stmt_text(stmt, 6)),
		.registered_by = xstrdup_null(stmt_text(stmt, 7)),
	};
}

static int next_revision(struct store *store, const char *family, int64_t *ret_revision,
			 struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int64_t revision;
	int r;

	r = db_cached(store_db(store),
		      "INSERT INTO families (name, last_revision) VALUES (?, 1) ON CONFLICT (name)"
		      " DO UPDATE SET last_revision = last_revision + 1 RETURNING last_revision",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, family);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	revision = stmt_i64(stmt, 0);
	r = stmt_run(stmt, err);
	if (r < 0)
		return r;
	*ret_revision = revision;
	return 0;
}

static int insert(struct store *store, const char *family, int64_t revision, const char *document,
		  const char *registered_by, int64_t now_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "INSERT INTO task_definitions (family, revision, status, document,"
		      " registered_by, registered_at_ms) VALUES (?, ?, 'ACTIVE', ?, ?, ?)",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, family);
	stmt_bind_i64(stmt, 2, revision);
	stmt_bind_text(stmt, 3, document);
	stmt_bind_text(stmt, 4, registered_by);
	stmt_bind_i64(stmt, 5, now_ms);
	return stmt_run(stmt, err);
}

int task_definition_add(struct store *store, const char *family, const char *document,
			const char *registered_by, int64_t now_ms, int64_t *ret_revision,
			struct error *err)
{
	int64_t revision = 0;
	int r;

	r = store_begin(store, err);
	if (r < 0)
		return r;
	r = next_revision(store, family, &revision, err);
	if (r == 0)
		r = insert(store, family, revision, document, registered_by, now_ms, err);
	if (r < 0) {
		store_rollback(store);
		return r;
	}
	r = store_commit(store, err);
	if (r < 0)
		return r;
	*ret_revision = revision;
	return 0;
}

int task_definition_get(struct store *store, const char *family, int64_t revision,
			struct task_definition_row *ret_row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "SELECT " COLUMNS " FROM task_definitions WHERE family = ? AND revision = ?",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, family);
	stmt_bind_i64(stmt, 2, revision);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_row = read_row(stmt);
	return 0;
}

int task_definition_newest(struct store *store, const char *family,
			   struct task_definition_row *ret_row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "SELECT " COLUMNS " FROM task_definitions WHERE family = ?"
		      " AND status = 'ACTIVE' ORDER BY revision DESC LIMIT 1",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, family);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_row = read_row(stmt);
	return 0;
}

int task_definition_set_status(struct store *store, const char *family, int64_t revision,
			       const char *status, int64_t now_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	if (str_eq(status, TASK_DEFINITION_INACTIVE))
		r = db_cached(store_db(store),
			      "UPDATE task_definitions SET status = ?, deregistered_at_ms = ?"
			      " WHERE family = ? AND revision = ?",
			      &stmt, err);
	else
		r = db_cached(store_db(store),
			      "UPDATE task_definitions SET status = ?, delete_requested_at_ms = ?"
			      " WHERE family = ? AND revision = ?",
			      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, status);
	stmt_bind_i64(stmt, 2, now_ms);
	stmt_bind_text(stmt, 3, family);
	stmt_bind_i64(stmt, 4, revision);
	return stmt_run(stmt, err);
}

int task_definition_delete(struct store *store, const char *family, int64_t revision,
			   struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "DELETE FROM task_definitions WHERE family = ? AND revision = ?", &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, family);
	stmt_bind_i64(stmt, 2, revision);
	return stmt_run(stmt, err);
}

int task_definition_find(struct store *store, const struct task_definition_query *query,
			 struct task_definition_list *ret_list, struct error *err)
{
	_cleanup_(task_definition_list_clear) struct task_definition_list list = { 0 };
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	/* ?2 family or NULL, ?3 and ?4 the place after which to go on, ?3 NULL: from the first. */
#define PAGE(compare, order)                                                                       \
	"SELECT family, revision, status, registered_at_ms, deregistered_at_ms,"                   \
	" delete_requested_at_ms, NULL, NULL FROM task_definitions"                                \
	" WHERE status = ?1 AND (?2 IS NULL OR family = ?2)"                                       \
	" AND (?3 IS NULL OR (family, revision) " compare " (?3, ?4))"                             \
	" ORDER BY family " order ", revision " order " LIMIT ?5"
	if (query->descending)
		r = db_cached(store_db(store), PAGE("<", "DESC"), &stmt, err);
	else
		r = db_cached(store_db(store), PAGE(">", "ASC"), &stmt, err);
#undef PAGE
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, query->status);
	stmt_bind_text(stmt, 2, query->family);
	stmt_bind_text(stmt, 3, query->after_family);
	stmt_bind_i64(stmt, 4, query->after_revision);
	stmt_bind_i64(stmt, 5, query->limit);
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

int task_definition_families(struct store *store, const char *prefix, const char *status,
			     const char *after, int64_t limit, struct family_list *ret_list,
			     struct error *err)
{
	_cleanup_(family_list_clear) struct family_list list = { 0 };
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	/*
	 * A family is listed while one of its revisions exists. ?3: NULL all, 1 those with an
	 * ACTIVE revision, 0 those without.
	 */
	r = db_cached(store_db(store),
		      "SELECT family FROM task_definitions"
		      " WHERE (?1 IS NULL OR substr(family, 1, length(?1)) = ?1) AND family > ?2"
		      " GROUP BY family"
		      " HAVING ?3 IS NULL OR max(status = 'ACTIVE') = ?3"
		      " ORDER BY family LIMIT ?4",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, prefix);
	stmt_bind_text(stmt, 2, after ? after : "");
	if (status)
		stmt_bind_i64(stmt, 3, str_eq(status, TASK_DEFINITION_ACTIVE));
	else
		stmt_bind_null(stmt, 3);
	stmt_bind_i64(stmt, 4, limit);
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = xstrdup(stmt_text(stmt, 0));
	}
	if (r < 0)
		return r;
	ret_list->count = list.count;
	ret_list->items = TAKE(list.items);
	return 0;
}
