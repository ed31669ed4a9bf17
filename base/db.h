/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite, thinly: WAL, synchronous=FULL, foreign keys, defensive. Errors name what was done and
 * what SQLite said, with -ENOSPC for a full disk, -EBUSY for a lock, -EEXIST for a broken UNIQUE or
 * PRIMARY KEY, -EINVAL for other constraints, -EUCLEAN for a damaged file, -EROFS, -EIO otherwise.
 */
#ifndef BERTH_BASE_DB_H
#define BERTH_BASE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct db;
struct stmt;

/* The file (mode 0600 when made) or ":memory:". */
int db_open(const char *path, struct db **ret, struct error *err);
/* The same through an operating system layer of that name (sqlite3_vfs; NULL: the default), which
 * makes the file itself. */
int db_open_vfs(const char *path, const char *vfs, struct db **ret, struct error *err);
/* Frees cached statements too; statements of db_prepare() must be freed before. */
void db_close(struct db *db);

/*
 * Brings the schema from PRAGMA user_version v to n by running steps[v..n-1], each in one
 * transaction with its version. -EINVAL when the file is newer than n. A step is never changed once
 * released: append.
 */
int db_migrate(struct db *db, const char *const *steps, size_t n, struct error *err);

/* One or more statements without results. */
int db_exec(struct db *db, const char *sql, struct error *err);

/* The caller frees with stmt_free(). */
int db_prepare(struct db *db, const char *sql, struct stmt **ret, struct error *err);
/*
 * The same, kept by the db and prepared once for each text: reset and with cleared bindings. Give
 * it back with stmt_reset() (or _cleanup_stmt_reset_) as soon as the rows are read; never
 * stmt_free() it.
 */
int db_cached(struct db *db, const char *sql, struct stmt **ret, struct error *err);

/* Indexes start at 1. Texts and blobs are copied; text NULL binds NULL. A wrong index is an
 * assertion. */
void stmt_bind_text(struct stmt *stmt, int index, const char *text);
void stmt_bind_i64(struct stmt *stmt, int index, int64_t number);
void stmt_bind_double(struct stmt *stmt, int index, double number);
void stmt_bind_blob(struct stmt *stmt, int index, const void *data, size_t size);
void stmt_bind_null(struct stmt *stmt, int index);

/* 1: a row; 0: done (and reset); < 0: failed (and reset). */
int stmt_step(struct stmt *stmt, struct error *err);
/* Steps to the end and resets: for INSERT, UPDATE, DELETE. 0 or < 0. */
int stmt_run(struct stmt *stmt, struct error *err);

/* Columns start at 0. Text and blob are valid until the next step or reset; NULL for NULL. */
const char *stmt_text(struct stmt *stmt, int column);
int64_t stmt_i64(struct stmt *stmt, int column);
double stmt_double(struct stmt *stmt, int column);
const void *stmt_blob(struct stmt *stmt, int column, size_t *ret_size);
bool stmt_is_null(struct stmt *stmt, int column);

/* Ready to run again; bindings stay. */
void stmt_reset(struct stmt *stmt);
void stmt_free(struct stmt *stmt);

/*
 * BEGIN IMMEDIATE. They nest: only the outermost begins and commits, and a rollback within undoes
 * all. Each begin is followed by one commit that succeeds or one rollback (also after a commit that
 * failed).
 */
int db_begin(struct db *db, struct error *err);
int db_commit(struct db *db, struct error *err);
/* Never fails; nothing when no transaction is open. */
void db_rollback(struct db *db);

/* Rows changed by the last statement; rowid of the last INSERT. */
int64_t db_changes(struct db *db);
int64_t db_last_id(struct db *db);

DEFINE_CLEANUP(struct db, db_close);
DEFINE_CLEANUP(struct stmt, stmt_free);
DEFINE_CLEANUP(struct stmt, stmt_reset);
#define _cleanup_stmt_free_  _cleanup_(stmt_free_cleanup)
#define _cleanup_stmt_reset_ _cleanup_(stmt_reset_cleanup)

#endif
