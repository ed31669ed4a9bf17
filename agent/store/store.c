/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/store.h"

#include <stdlib.h>

#include "agent/store/internal.h"
#include "base/alloc.h"
#include "base/number.h"

#define SEQUENCE_NUMBER "task-manifest-seq-num"

/* Never changed once released: append. */
static const char *const schema[] = {
	"CREATE TABLE task ("
	"  id TEXT PRIMARY KEY, spec TEXT NOT NULL, arrival INTEGER NOT NULL,"
	"  known TEXT NOT NULL, desired TEXT NOT NULL, sent TEXT NOT NULL,"
	"  admitted INTEGER NOT NULL, report_refused INTEGER NOT NULL, reason TEXT,"
	"  received_at INTEGER NOT NULL, pull_started_at INTEGER NOT NULL, pull_stopped_at INTEGER "
	"NOT NULL,"
	"  running_at INTEGER NOT NULL, execution_stopped_at INTEGER NOT NULL, stopped_at INTEGER "
	"NOT NULL,"
	"  network TEXT NOT NULL, network_created_at INTEGER NOT NULL, network_started_at INTEGER "
	"NOT NULL,"
	"  network_finished_at INTEGER NOT NULL, netns_path TEXT, interface TEXT, address TEXT,"
	"  network_details TEXT, pause_exit_code INTEGER, begun INTEGER NOT NULL,"
	"  known_since INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE container ("
	"  task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE, name TEXT NOT NULL,"
	"  attempt INTEGER NOT NULL, runtime_id TEXT NOT NULL, endpoint_id TEXT NOT NULL,"
	"  known TEXT NOT NULL, desired TEXT NOT NULL, sent TEXT NOT NULL,"
	"  start_intended INTEGER NOT NULL, removed INTEGER NOT NULL,"
	"  image_digest TEXT, digest_resolved INTEGER NOT NULL, image_id TEXT, stop_signal INTEGER "
	"NOT NULL,"
	"  created_at INTEGER NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL,"
	"  exit_code INTEGER, oom_killed INTEGER NOT NULL, reason TEXT,"
	"  restarting INTEGER NOT NULL, last_restart_at INTEGER NOT NULL,"
	"  pull_error TEXT, known_since INTEGER NOT NULL, stop_begun INTEGER NOT NULL,"
	"  connection TEXT NOT NULL, address TEXT, bindings TEXT,"
	"  PRIMARY KEY (task_id, name)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE ended (serial INTEGER PRIMARY KEY, arn TEXT NOT NULL) STRICT;"
	"CREATE TABLE attachment ("
	"  arn TEXT PRIMARY KEY, task_arn TEXT, mac TEXT, message TEXT, expires_at INTEGER NOT "
	"NULL,"
	"  sent INTEGER NOT NULL"
	") STRICT;"
	/* Of images that tasks pulled or used; see images.c for names. */
	"CREATE TABLE image ("
	"  id TEXT PRIMARY KEY, names TEXT NOT NULL, digest TEXT, size INTEGER NOT NULL,"
	"  pulled_at INTEGER NOT NULL, last_used_at INTEGER NOT NULL, pull_succeeded INTEGER NOT "
	"NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;",
	"ALTER TABLE container ADD COLUMN ipv6_address TEXT;",
};

int store_of_db(struct db *db, struct store **ret, struct error *err)
{
	_cleanup_(store_close_cleanup) struct store *store = xcalloc(1, sizeof(*store));
	int r;

	store->db = db;
	store->lock_fd = -1;
	r = db_migrate(db, schema, sizeof(schema) / sizeof(*schema), err);
	if (r == 0)
		*ret = TAKE(store);
	return r;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->db)
		db_close(store->db);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store);
}

int store_begin(struct store *store, struct error *err)
{
	return db_begin(store->db, err);
}

int store_commit(struct store *store, struct error *err)
{
	int r = db_commit(store->db, err);

	if (r < 0)
		db_rollback(store->db);
	return r;
}

void store_rollback(struct store *store)
{
	db_rollback(store->db);
}

int store_get_fact(struct store *store, const char *name, char **ret, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db, "SELECT value FROM fact WHERE name = ?", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, name);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	*ret = r == 1 ? xstrdup_null(stmt_text(stmt, 0)) : NULL;
	return 0;
}

int store_set_fact(struct store *store, const char *name, const char *value, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = value ? db_cached(store->db,
				  "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", &stmt,
				  err)
		      : db_cached(store->db, "DELETE FROM fact WHERE name = ?", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, name);
	if (value)
		stmt_bind_text(stmt, 2, value);
	return stmt_run(stmt, err);
}

int store_get_sequence_number(struct store *store, int64_t *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int64_t number = -1;
	int r = store_get_fact(store, SEQUENCE_NUMBER, &text, err);

	if (r < 0)
		return r;
	if (text) {
		r = number_parse_i64(text, INT64_MIN, INT64_MAX, &number, err);
		if (r < 0) {
			error_prefix(err, "saved fact %s", SEQUENCE_NUMBER);
			return r;
		}
	}
	*ret = number;
	return 0;
}

int store_set_sequence_number(struct store *store, int64_t number, struct error *err)
{
	_cleanup_free_ char *text = xasprintf("%lld", (long long)number);

	return store_set_fact(store, SEQUENCE_NUMBER, text, err);
}

int store_clear(struct store *store, struct error *err)
{
	int r = db_begin(store->db, err);

	if (r < 0)
		return r;
	r = db_exec(
		store->db,
		"DELETE FROM task; DELETE FROM ended; DELETE FROM attachment; DELETE FROM image;"
		"DELETE FROM fact;",
		err);
	if (r < 0) {
		db_rollback(store->db);
		return r;
	}
	return store_commit(store, err);
}
