/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/identities.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"

#define TOKEN_COLUMNS                                                                              \
	"id, secret_hash, cluster, uses_left, created_at_ms, expires_at_ms, revoked_at_ms"
#define IDENTITY_COLUMNS                                                                           \
	"id, name, cluster, key_hash, token, created_at_ms, expires_at_ms, revoked_at_ms"

/* ---- tokens ---- */

void enroll_token_row_clear(struct enroll_token_row *row)
{
	free(row->id);
	free(row->secret_hash);
	free(row->cluster);
	*row = (struct enroll_token_row){ 0 };
}

void enroll_token_list_clear(struct enroll_token_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		enroll_token_row_clear(&list->items[i]);
	free(list->items);
	*list = (struct enroll_token_list){ 0 };
}

static struct enroll_token_row read_token(struct stmt *stmt)
{
	return (struct enroll_token_row){
		.id = xstrdup(stmt_text(stmt, 0)),
		.secret_hash = xstrdup(stmt_text(stmt, 1)),
		.cluster = xstrdup_null(stmt_text(stmt, 2)),
		.uses_left = stmt_i64(stmt, 3),
		.created_at_ms = stmt_i64(stmt, 4),
		.expires_at_ms = stmt_i64(stmt, 5),
		.revoked_at_ms = stmt_i64(stmt, 6),
	};
}

int enroll_token_add(struct store *store, const struct enroll_token_row *row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "INSERT INTO enroll_tokens (" TOKEN_COLUMNS ")"
			  " VALUES (?, ?, ?, ?, ?, ?, ?)",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->id);
	stmt_bind_text(stmt, 2, row->secret_hash);
	stmt_bind_text(stmt, 3, row->cluster);
	stmt_bind_i64(stmt, 4, row->uses_left);
	stmt_bind_i64(stmt, 5, row->created_at_ms);
	stmt_bind_i64(stmt, 6, row->expires_at_ms);
	stmt_bind_i64(stmt, 7, row->revoked_at_ms);
	return stmt_run(stmt, err);
}

int enroll_token_get(struct store *store, const char *id, struct enroll_token_row *ret_row,
		     struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "SELECT " TOKEN_COLUMNS " FROM enroll_tokens WHERE id = ?", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_row = read_token(stmt);
	return 0;
}

int enroll_token_all(struct store *store, struct enroll_token_list *ret_list, struct error *err)
{
	_cleanup_(enroll_token_list_clear) struct enroll_token_list list = { 0 };
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "SELECT " TOKEN_COLUMNS " FROM enroll_tokens ORDER BY created_at_ms, id",
			  &stmt, err);

	if (r < 0)
		return r;
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xgrow(list.items, list.count, sizeof(*list.items));
		list.items[list.count++] = read_token(stmt);
	}
	if (r < 0)
		return r;
	ret_list->count = list.count;
	ret_list->items = TAKE(list.items);
	list.count = 0;
	return 0;
}

/* Runs an UPDATE; -ENOENT when it changed nothing. */
static int change(struct store *store, struct stmt *stmt, struct error *err)
{
	int r = stmt_run(stmt, err);

	if (r < 0)
		return r;
	return db_changes(store_db(store)) > 0 ? 0 : -ENOENT;
}

int enroll_token_use(struct store *store, const char *id, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "UPDATE enroll_tokens SET uses_left = uses_left - 1"
			  " WHERE id = ? AND uses_left > 0",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	return change(store, stmt, err);
}

int enroll_token_revoke(struct store *store, const char *id, int64_t now_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "UPDATE enroll_tokens SET revoked_at_ms = ?"
			  " WHERE id = ? AND revoked_at_ms = 0",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_i64(stmt, 1, now_ms);
	stmt_bind_text(stmt, 2, id);
	return change(store, stmt, err);
}

int enroll_token_delete_old(struct store *store, int64_t before_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store), "DELETE FROM enroll_tokens WHERE expires_at_ms < ?",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_i64(stmt, 1, before_ms);
	return stmt_run(stmt, err);
}

/* ---- identities ---- */

void identity_row_clear(struct identity_row *row)
{
	free(row->id);
	free(row->name);
	free(row->cluster);
	free(row->key_hash);
	free(row->token);
	*row = (struct identity_row){ 0 };
}

void identity_list_clear(struct identity_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		identity_row_clear(&list->items[i]);
	free(list->items);
	*list = (struct identity_list){ 0 };
}

static struct identity_row read_identity(struct stmt *stmt)
{
	return (struct identity_row){
		.id = xstrdup(stmt_text(stmt, 0)),
		.name = xstrdup(stmt_text(stmt, 1)),
		.cluster = xstrdup_null(stmt_text(stmt, 2)),
		.key_hash = xstrdup(stmt_text(stmt, 3)),
		.token = xstrdup(stmt_text(stmt, 4)),
		.created_at_ms = stmt_i64(stmt, 5),
		.expires_at_ms = stmt_i64(stmt, 6),
		.revoked_at_ms = stmt_i64(stmt, 7),
	};
}

int identity_add(struct store *store, const struct identity_row *row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "INSERT INTO identities (" IDENTITY_COLUMNS ")"
			  " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->id);
	stmt_bind_text(stmt, 2, row->name);
	stmt_bind_text(stmt, 3, row->cluster);
	stmt_bind_text(stmt, 4, row->key_hash);
	stmt_bind_text(stmt, 5, row->token);
	stmt_bind_i64(stmt, 6, row->created_at_ms);
	stmt_bind_i64(stmt, 7, row->expires_at_ms);
	stmt_bind_i64(stmt, 8, row->revoked_at_ms);
	return stmt_run(stmt, err);
}

static int get_identity(struct store *store, const char *sql, const char *key,
			struct identity_row *ret_row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store), sql, &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, key);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_row = read_identity(stmt);
	return 0;
}

int identity_get(struct store *store, const char *id, struct identity_row *ret_row,
		 struct error *err)
{
	return get_identity(store, "SELECT " IDENTITY_COLUMNS " FROM identities WHERE id = ?", id,
			    ret_row, err);
}

int identity_get_by_key(struct store *store, const char *key_hash, struct identity_row *ret_row,
			struct error *err)
{
	return get_identity(store, "SELECT " IDENTITY_COLUMNS " FROM identities WHERE key_hash = ?",
			    key_hash, ret_row, err);
}

int identity_all(struct store *store, struct identity_list *ret_list, struct error *err)
{
	_cleanup_(identity_list_clear) struct identity_list list = { 0 };
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "SELECT " IDENTITY_COLUMNS " FROM identities ORDER BY created_at_ms, id",
			  &stmt, err);

	if (r < 0)
		return r;
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xgrow(list.items, list.count, sizeof(*list.items));
		list.items[list.count++] = read_identity(stmt);
	}
	if (r < 0)
		return r;
	ret_list->count = list.count;
	ret_list->items = TAKE(list.items);
	list.count = 0;
	return 0;
}

int identity_certified(struct store *store, const char *id, const char *key_hash, const char *token,
		       int64_t expires_at_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "UPDATE identities SET key_hash = ?, token = ?, expires_at_ms = ?"
			  " WHERE id = ? AND revoked_at_ms = 0",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, key_hash);
	stmt_bind_text(stmt, 2, token);
	stmt_bind_i64(stmt, 3, expires_at_ms);
	stmt_bind_text(stmt, 4, id);
	return change(store, stmt, err);
}

int identity_revoke(struct store *store, const char *id, int64_t now_ms, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "UPDATE identities SET revoked_at_ms = ?"
			  " WHERE id = ? AND revoked_at_ms = 0",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_i64(stmt, 1, now_ms);
	stmt_bind_text(stmt, 2, id);
	return change(store, stmt, err);
}
