/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/str.h"
#include "control-plane/store/schema.h"

struct store {
	struct db *db;
	char *region;
	char *account;
	struct arn_scope scope;
};

static int meta_get(struct db *db, const char *name, char **ret_value, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(db, "SELECT value FROM meta WHERE name = ?", &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, name);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	*ret_value = r == 1 ? xstrdup(stmt_text(stmt, 0)) : NULL;
	return 0;
}

static int meta_set(struct db *db, const char *name, const char *value, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(db, "INSERT INTO meta (name, value) VALUES (?, ?)", &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, name);
	stmt_bind_text(stmt, 2, value);
	return stmt_run(stmt, err);
}

/* The file says whose it is, from its first opening on. */
static int claim(struct db *db, const struct store_config *config, const char *name,
		 const char *value, struct error *err)
{
	_cleanup_free_ char *owner = NULL;
	int r;

	r = meta_get(db, name, &owner, err);
	if (r < 0)
		return r;
	if (!owner)
		return meta_set(db, name, value, err);
	if (str_eq(owner, value))
		return 0;
	return error_say(err, EINVAL,
			 "open the state in %s: it belongs to %s %s, not %s: start with --%s %s or "
			 "with another file",
			 config->path, name, owner, value, name, owner);
}

int store_open(const struct store_config *config, struct store **ret_store, struct error *err)
{
	_cleanup_(db_close_cleanup) struct db *db = NULL;
	struct store *store;
	int r;

	r = db_open(config->path, &db, err);
	if (r < 0)
		return r;
	r = db_migrate(db, store_schema_steps, store_schema_step_count, err);
	if (r < 0)
		return r;
	r = claim(db, config, "region", config->region, err);
	if (r < 0)
		return r;
	r = claim(db, config, "account", config->account, err);
	if (r < 0)
		return r;

	store = xcalloc(1, sizeof(*store));
	store->db = TAKE(db);
	store->region = xstrdup(config->region);
	store->account = xstrdup(config->account);
	store->scope = (struct arn_scope){ .region = store->region, .account = store->account };
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	db_close(store->db);
	free(store->region);
	free(store->account);
	free(store);
}

struct db *store_db(struct store *store)
{
	return store->db;
}

const struct arn_scope *store_scope(const struct store *store)
{
	return &store->scope;
}

int store_begin(struct store *store, struct error *err)
{
	return db_begin(store->db, err);
}

int store_commit(struct store *store, struct error *err)
{
	return db_commit(store->db, err);
}

void store_rollback(struct store *store)
{
	db_rollback(store->db);
}

int store_next(struct store *store, const char *counter, int64_t *ret_value, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int64_t value;
	int r;

	r = db_cached(store->db,
		      "INSERT INTO counters (name, value) VALUES (?, 1)"
		      " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, counter);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	value = stmt_i64(stmt, 0);
	/* The statement takes effect when it has been stepped to its end. */
	r = stmt_run(stmt, err);
	if (r < 0)
		return r;
	*ret_value = value;
	return 0;
}

int store_delete_by_id(struct store *store, const char *sql, const char *id, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db, sql, &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	return stmt_run(stmt, err);
}
