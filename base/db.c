/* SPDX-License-Identifier: Apache-2.0 */
#include "base/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

struct stmt {
	struct db *db;
	sqlite3_stmt *handle;
	bool cached;
	struct stmt *next;
};

struct db {
	sqlite3 *handle;
	struct stmt *cached;
	int depth;        /* of db_begin */
	bool rolled_back; /* within: the outermost commit fails */
};

static int errno_of(sqlite3 *handle, int code)
{
	switch (code & 0xFF) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_CONSTRAINT:
		code = sqlite3_extended_errcode(handle);
		if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
		    code == SQLITE_CONSTRAINT_ROWID)
			return EEXIST;
		return EINVAL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EUCLEAN;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return EACCES;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_CANTOPEN:
		return sqlite3_system_errno(handle) ? sqlite3_system_errno(handle) : EIO;
	case SQLITE_IOERR:
		/* a full disk under the WAL shows as an I/O error whose errno tells */
		return sqlite3_system_errno(handle) == ENOSPC ? ENOSPC : EIO;
	default:
		return EIO;
	}
}

static int fail(struct db *db, struct error *err, const char *what)
{
	int code = sqlite3_extended_errcode(db->handle);
	int result = error_say(err, errno_of(db->handle, code), "database: %.200s: %s", what,
			       sqlite3_errmsg(db->handle));

	assert(result < 0);
	return result;
}

int db_exec(struct db *db, const char *sql, struct error *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(db, err, sql);
	return 0;
}

static int make_file(const char *path, struct error *err)
{
	/* made by us, so that it is ours alone from its first moment; -wal and -shm take its mode
	 */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_set(err, errno, "open the database %s", path);
	close(fd);
	return 0;
}

int db_open(const char *path, struct db **ret, struct error *err)
{
	if (strcmp(path, ":memory:") != 0) {
		int result = make_file(path, err);

		if (result < 0)
			return result;
	}
	return db_open_vfs(path, NULL, ret, err);
}

/* A process before this one may have been killed between writing a commit and having it on disk:
 * what is read of it from now on must not be lost any more. */
static int sync_log(struct db *db, struct error *err)
{
	sqlite3_file *log = NULL;
	int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

	if (code == SQLITE_OK && log && log->pMethods)
		code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
	if (code != SQLITE_OK)
		return error_say(err, errno_of(db->handle, code), "sync the write-ahead log: %s",
				 sqlite3_errstr(code));
	return 0;
}

int db_open_vfs(const char *path, const char *vfs, struct db **ret, struct error *err)
{
	_cleanup_(db_close_cleanup) struct db *db = xcalloc(1, sizeof(*db));
	int result;

	if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs) !=
	    SQLITE_OK)
		return error_say(err, errno_of(db->handle, sqlite3_errcode(db->handle)),
				 "open the database %s: %s", path, sqlite3_errmsg(db->handle));
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, 5000);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* 256 KiB of pages: what is read often is held by its owner, not here. */
	result = db_exec(db,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			 "PRAGMA cache_size = -256",
			 err);
	if (result == 0)
		result = sync_log(db, err);
	if (result < 0) {
		error_prefix(err, "open %s", path);
		return result;
	}
	*ret = TAKE(db);
	return 0;
}

void db_close(struct db *db)
{
	while (db->cached) {
		struct stmt *stmt = db->cached;

		db->cached = stmt->next;
		sqlite3_finalize(stmt->handle);
		free(stmt);
	}
	sqlite3_close_v2(db->handle);
	free(db);
}

static int migrate_step(struct db *db, const char *step, int64_t version, struct error *err)
{
	char set_version[64];
	int result = db_begin(db, err);

	if (result < 0)
		return result;
	snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %lld",
		 (long long)version);
	result = db_exec(db, step, err);
	if (result == 0)
		result = db_exec(db, set_version, err);
	if (result == 0)
		result = db_commit(db, err);
	if (result < 0) {
		db_rollback(db);
		error_prefix(err, "bring the database to version %lld", (long long)version);
	}
	return result;
}

int db_migrate(struct db *db, const char *const *steps, size_t n, struct error *err)
{
	_cleanup_stmt_free_ struct stmt *stmt = NULL;
	int64_t version;
	int result;

	result = db_prepare(db, "PRAGMA user_version", &stmt, err);
	if (result == 0)
		result = stmt_step(stmt, err);
	if (result < 0)
		return result;
	version = stmt_i64(stmt, 0);
	stmt_reset(stmt);
	if (version < 0 || (uint64_t)version > n)
		return error_say(err, EINVAL,
				 "the database has version %lld, this program knows %zu: it was "
				 "written by a newer one, which must be used with it",
				 (long long)version, n);
	for (; (size_t)version < n; version++) {
		result = migrate_step(db, steps[version], version + 1, err);
		if (result < 0)
			return result;
	}
	return 0;
}

int db_prepare(struct db *db, const char *sql, struct stmt **ret, struct error *err)
{
	struct stmt *stmt;
	sqlite3_stmt *handle;

	if (sqlite3_prepare_v2(db->handle, sql, -1, &handle, NULL) != SQLITE_OK)
		return fail(db, err, sql);
	assert(handle);
	stmt = xcalloc(1, sizeof(*stmt));
	stmt->db = db;
	stmt->handle = handle;
	*ret = stmt;
	return 0;
}

int db_cached(struct db *db, const char *sql, struct stmt **ret, struct error *err)
{
	struct stmt *stmt;
	int result;

	for (stmt = db->cached; stmt; stmt = stmt->next) {
		if (strcmp(sqlite3_sql(stmt->handle), sql) == 0) {
			sqlite3_reset(stmt->handle);
			sqlite3_clear_bindings(stmt->handle);
			*ret = stmt;
			return 0;
		}
	}
	result = db_prepare(db, sql, &stmt, err);
	if (result < 0)
		return result;
	stmt->cached = true;
	stmt->next = db->cached;
	db->cached = stmt;
	*ret = stmt;
	return 0;
}

static void bound(int code)
{
	/* out of memory, or an index that the statement does not have */
	assert(code == SQLITE_OK);
	(void)code;
}

void stmt_bind_text(struct stmt *stmt, int index, const char *text)
{
	bound(text ? sqlite3_bind_text(stmt->handle, index, text, -1, SQLITE_TRANSIENT)
		   : sqlite3_bind_null(stmt->handle, index));
}

void stmt_bind_i64(struct stmt *stmt, int index, int64_t number)
{
	bound(sqlite3_bind_int64(stmt->handle, index, number));
}

void stmt_bind_double(struct stmt *stmt, int index, double number)
{
	bound(sqlite3_bind_double(stmt->handle, index, number));
}

void stmt_bind_blob(struct stmt *stmt, int index, const void *data, size_t size)
{
	/* an empty blob is not NULL */
	bound(sqlite3_bind_blob64(stmt->handle, index, size ? data : "", size, SQLITE_TRANSIENT));
}

void stmt_bind_null(struct stmt *stmt, int index)
{
	bound(sqlite3_bind_null(stmt->handle, index));
}

int stmt_step(struct stmt *stmt, struct error *err)
{
	int code = sqlite3_step(stmt->handle);
	int result;

	if (code == SQLITE_ROW)
		return 1;
	result = code == SQLITE_DONE ? 0 : fail(stmt->db, err, sqlite3_sql(stmt->handle));
	sqlite3_reset(stmt->handle);
	return result;
}

int stmt_run(struct stmt *stmt, struct error *err)
{
	int result;

	do
		result = stmt_step(stmt, err);
	while (result > 0);
	return result;
}

const char *stmt_text(struct stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt->handle, column);
}

int64_t stmt_i64(struct stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt->handle, column);
}

double stmt_double(struct stmt *stmt, int column)
{
	return sqlite3_column_double(stmt->handle, column);
}

const void *stmt_blob(struct stmt *stmt, int column, size_t *ret_size)
{
	const void *data = sqlite3_column_blob(stmt->handle, column);

	*ret_size = (size_t)sqlite3_column_bytes(stmt->handle, column);
	if (!data && sqlite3_column_type(stmt->handle, column) == SQLITE_BLOB)
		return "";
	return data;
}

bool stmt_is_null(struct stmt *stmt, int column)
{
	return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

void stmt_reset(struct stmt *stmt)
{
	sqlite3_reset(stmt->handle);
}

void stmt_free(struct stmt *stmt)
{
	assert(!stmt->cached);
	sqlite3_finalize(stmt->handle);
	free(stmt);
}

int db_begin(struct db *db, struct error *err)
{
	int result = 0;

	if (db->depth == 0) {
		result = db_exec(db, "BEGIN IMMEDIATE", err);
		db->rolled_back = false;
	}
	if (result == 0)
		db->depth++;
	return result;
}

int db_commit(struct db *db, struct error *err)
{
	assert(db->depth > 0);
	if (db->rolled_back)
		return error_say(err, ECANCELED,
				 "database: commit: a part of the transaction was rolled back");
	if (db->depth == 1 && sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		return fail(db, err, "COMMIT");
	db->depth--;
	return 0;
}

void db_rollback(struct db *db)
{
	if (db->depth == 0)
		return;
	/* within another, only the outermost ends it: else what follows would be written at once */
	db->rolled_back = true;
	db->depth--;
	/* a full disk makes SQLite roll back by itself */
	if (db->depth == 0 && !sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int64_t db_changes(struct db *db)
{
	return sqlite3_changes64(db->handle);
}

int64_t db_last_id(struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}
