/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/file.h"

static const char *const steps[] = {
	"CREATE TABLE task (arn TEXT PRIMARY KEY, n INTEGER NOT NULL, d REAL, b BLOB)",
	"CREATE TABLE child (task TEXT REFERENCES task(arn)); CREATE INDEX i ON child (task)",
};

static int open_memory(void **state)
{
	struct db *db;

	assert_ok(db_open(":memory:", &db, why));
	assert_ok(db_migrate(db, steps, 2, why));
	*state = db;
	return 0;
}

static int close_memory(void **state)
{
	db_close(*state);
	return 0;
}

static int insert(struct db *db, const char *arn, int64_t n, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int result = db_cached(db, "INSERT INTO task (arn, n) VALUES (?, ?)", &stmt, err);

	if (result < 0)
		return result;
	stmt_bind_text(stmt, 1, arn);
	stmt_bind_i64(stmt, 2, n);
	return stmt_run(stmt, err);
}

static int64_t count(struct db *db)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int64_t n;

	assert_ok(db_cached(db, "SELECT count(*) FROM task", &stmt, why));
	assert_ok(stmt_step(stmt, why));
	n = stmt_i64(stmt, 0);
	return n;
}

static void values_come_back_as_they_went(void **state)
{
	_cleanup_stmt_free_ struct stmt *stmt = NULL;
	struct db *db = *state;
	size_t size;

	assert_ok(db_prepare(db, "INSERT INTO task VALUES (?, ?, ?, ?)", &stmt, why));
	stmt_bind_text(stmt, 1, "\xc3\xa9");
	stmt_bind_i64(stmt, 2, INT64_MIN);
	stmt_bind_double(stmt, 3, 0.1);
	stmt_bind_blob(stmt, 4, "\0x", 2);
	assert_ok(stmt_run(stmt, why));
	assert_int_equal(db_changes(db), 1);
	stmt_bind_text(stmt, 1, "null");
	stmt_bind_i64(stmt, 2, 0);
	stmt_bind_null(stmt, 3);
	stmt_bind_blob(stmt, 4, NULL, 0);
	assert_ok(stmt_run(stmt, why));
	stmt_free(TAKE(stmt));

	assert_ok(db_prepare(db, "SELECT arn, n, d, b FROM task ORDER BY rowid", &stmt, why));
	assert_int_equal(stmt_step(stmt, NULL), 1);
	assert_string_equal(stmt_text(stmt, 0), "\xc3\xa9");
	assert_true(stmt_i64(stmt, 1) == INT64_MIN);
	assert_true(stmt_double(stmt, 2) == 0.1);
	assert_memory_equal(stmt_blob(stmt, 3, &size), "\0x", 2);
	assert_int_equal(size, 2);
	assert_int_equal(stmt_step(stmt, NULL), 1);
	assert_true(stmt_is_null(stmt, 2));
	assert_null(stmt_text(stmt, 2));
	assert_false(stmt_is_null(stmt, 3));
	assert_non_null(stmt_blob(stmt, 3, &size));
	assert_int_equal(size, 0);
	assert_int_equal(stmt_step(stmt, NULL), 0);
}

static void failures_say_what_and_why(void **state)
{
	_cleanup_stmt_free_ struct stmt *stmt = NULL;
	struct db *db = *state;
	struct error err = ERROR_INIT;

	assert_ok(insert(db, "a", 1, why));
	assert_int_equal(insert(db, "a", 2, &err), -EEXIST);
	assert_contains(err.text, "INSERT INTO task");
	assert_contains(err.text, "UNIQUE constraint failed: task.arn");
	assert_int_equal(db_exec(db, "INSERT INTO task (arn) VALUES ('b')", &err), -EINVAL);
	assert_contains(err.text, "NOT NULL constraint failed: task.n");
	assert_int_equal(db_exec(db, "INSERT INTO child VALUES ('nobody')", &err), -EINVAL);
	assert_contains(err.text, "FOREIGN KEY constraint failed");
	assert_true(db_prepare(db, "SELEC 1", &stmt, &err) < 0);
	assert_contains(err.text, "syntax error");
}

static void cached_statements_start_clean(void **state)
{
	static const char sql[] = "SELECT ?1";
	struct db *db = *state;
	struct stmt *first, *second;

	assert_ok(db_cached(db, sql, &first, why));
	stmt_bind_text(first, 1, "left over");
	assert_int_equal(stmt_step(first, NULL), 1);
	assert_ok(db_cached(db, sql, &second, why));
	assert_ptr_equal(first, second);
	assert_int_equal(stmt_step(second, NULL), 1);
	assert_true(stmt_is_null(second, 0));
	stmt_reset(second);
}

static void a_transaction_is_all_or_nothing(void **state)
{
	struct db *db = *state;

	assert_ok(db_begin(db, why));
	assert_ok(insert(db, "a", 1, why));
	db_rollback(db);
	assert_int_equal(count(db), 0);
	db_rollback(db);

	assert_ok(db_begin(db, why));
	assert_ok(insert(db, "a", 1, why));
	assert_ok(db_commit(db, why));
	assert_int_equal(count(db), 1);
}

static void a_rollback_within_undoes_all(void **state)
{
	struct db *db = *state;
	struct error err = ERROR_INIT;

	assert_ok(db_begin(db, why));
	assert_ok(insert(db, "outer", 1, why));
	assert_ok(db_begin(db, why));
	assert_ok(insert(db, "inner", 1, why));
	db_rollback(db);
	assert_ok(insert(db, "after", 1, why));
	assert_int_equal(db_commit(db, &err), -ECANCELED);
	db_rollback(db);
	assert_int_equal(count(db), 0);

	assert_ok(db_begin(db, why));
	assert_ok(db_begin(db, why));
	assert_ok(insert(db, "a", 1, why));
	assert_ok(db_commit(db, why));
	assert_ok(db_commit(db, why));
	assert_int_equal(count(db), 1);
}

static void a_schema_is_brought_forward_once(void **state)
{
	static const char *const bad[] = { "CREATE TABLE t (x)", "CREATE TABLE u (x); NONSENSE" };
	_cleanup_(db_close_cleanup) struct db *db = NULL;
	_cleanup_free_ char *directory = make_test_directory();
	_cleanup_free_ char *path = xasprintf("%s/state.db", directory);
	struct error err = ERROR_INIT;
	struct stat info;

	assert_ok(db_open(path, &db, why));
	assert_ok(db_migrate(db, steps, 1, why));
	assert_ok(insert(db, "a", 1, why));
	db_close(TAKE(db));
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);

	assert_ok(db_open(path, &db, why));
	assert_ok(db_migrate(db, steps, 2, why));
	assert_int_equal(count(db), 1);
	assert_int_equal(db_migrate(db, steps, 1, &err), -EINVAL);
	assert_contains(err.text, "the database has version 2, this program knows 1");
	db_close(TAKE(db));

	/* a step that fails leaves the version before it, and nothing of itself */
	assert_ok(db_open(":memory:", &db, why));
	assert_true(db_migrate(db, bad, 2, &err) < 0);
	assert_contains(err.text, "bring the database to version 2");
	assert_ok(db_exec(db, "INSERT INTO t VALUES (1)", why));
	assert_ok(db_exec(db, "CREATE TABLE u (x)", why));
	assert_ok(file_remove_tree(AT_FDCWD, directory, why));
}

static void two_writers_wait_and_then_say_busy(void **state)
{
	_cleanup_(db_close_cleanup) struct db *one = NULL, *other = NULL;
	_cleanup_free_ char *directory = make_test_directory();
	_cleanup_free_ char *path = xasprintf("%s/state.db", directory);
	struct error err = ERROR_INIT;

	assert_ok(db_open(path, &one, why));
	assert_ok(db_open(path, &other, why));
	assert_ok(db_exec(other, "PRAGMA busy_timeout = 1", why));
	assert_ok(db_begin(one, why));
	assert_int_equal(db_begin(other, &err), -EBUSY);
	db_rollback(one);
	assert_ok(db_begin(other, why));
	db_rollback(other);
	assert_ok(file_remove_tree(AT_FDCWD, directory, why));
}

static void what_is_no_database_is_refused(void **state)
{
	_cleanup_free_ char *directory = make_test_directory();
	_cleanup_free_ char *path = xasprintf("%s/state.db", directory);
	_cleanup_free_ char *missing = xasprintf("%s/no/state.db", directory);
	char junk[4096];
	struct db *db = NULL;
	struct error err = ERROR_INIT;

	memset(junk, 'x', sizeof(junk));
	assert_ok(file_write_atomic(AT_FDCWD, path, junk, sizeof(junk), 0600, false, why));
	assert_int_equal(db_open(path, &db, &err), -EUCLEAN);
	assert_contains(err.text, path);
	assert_int_equal(db_open(missing, &db, &err), -ENOENT);
	assert_null(db);
	assert_ok(file_remove_tree(AT_FDCWD, directory, why));
}

/* ---- a file system that counts what is synced of write-ahead logs ---- */

static int syncs;
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods counting_methods;

static int counting_sync(sqlite3_file *file, int flags)
{
	syncs++;
	return real_methods->xSync(file, flags);
}

static int counting_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
			 int *ret_flags)
{
	sqlite3_vfs *real = vfs->pAppData;
	int code = real->xOpen(real, name, file, flags, ret_flags);

	if (code == SQLITE_OK && flags & SQLITE_OPEN_WAL) {
		real_methods = file->pMethods;
		counting_methods = *real_methods;
		counting_methods.xSync = counting_sync;
		file->pMethods = &counting_methods;
	}
	return code;
}

static void what_was_written_before_is_on_disk_before_it_is_used(void **state)
{
	char directory[] = "/tmp/berth-db-XXXXXX";
	sqlite3_vfs counting = *sqlite3_vfs_find(NULL);
	struct db *before, *db;
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/db", directory);
	counting.zName = "counting";
	counting.pAppData = sqlite3_vfs_find(NULL);
	counting.xOpen = counting_open;
	assert_int_equal(sqlite3_vfs_register(&counting, 0), SQLITE_OK);

	assert_ok(db_open(path, &before, why));
	assert_ok(db_migrate(before, steps, 2, why));
	assert_ok(db_open_vfs(path, "counting", &db, why));
	assert_int_equal(syncs, 1);
	db_close(db);
	db_close(before);
	sqlite3_vfs_unregister(&counting);
	assert_ok(file_remove_tree(AT_FDCWD, directory, why));
}

static void a_full_disk_is_told_as_such(void **state)
{
	struct db *db = *state;
	struct error err = ERROR_INIT;

	assert_ok(db_exec(db, "PRAGMA max_page_count = 8", why));
	assert_int_equal(
		db_exec(db, "INSERT INTO task VALUES ('big', 1, 1, zeroblob(100000))", &err),
		-ENOSPC);
	assert_contains(err.text, "full");
}

int main(void)
{
#define in_memory(test) cmocka_unit_test_setup_teardown(test, open_memory, close_memory)
	const struct CMUnitTest tests[] = {
		in_memory(values_come_back_as_they_went),
		in_memory(failures_say_what_and_why),
		in_memory(cached_statements_start_clean),
		in_memory(a_transaction_is_all_or_nothing),
		in_memory(a_rollback_within_undoes_all),
		cmocka_unit_test(a_schema_is_brought_forward_once),
		cmocka_unit_test(two_writers_wait_and_then_say_busy),
		cmocka_unit_test(what_is_no_database_is_refused),
		cmocka_unit_test(what_was_written_before_is_on_disk_before_it_is_used),
		in_memory(a_full_disk_is_told_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
