/* SPDX-License-Identifier: Apache-2.0 */
/* Names of tasks that have ended. */
#include <stdlib.h>

#include "agent/store/internal.h"
#include "base/alloc.h"

int store_save_ended(struct store *store, const char *arn, uint64_t serial, uint64_t oldest_kept,
		     struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *insert = NULL, *drop = NULL;
	int r = db_cached(store->db, "INSERT OR REPLACE INTO ended (serial, arn) VALUES (?, ?)",
			  &insert, err);

	if (r < 0)
		return r;
	stmt_bind_i64(insert, 1, (int64_t)serial);
	stmt_bind_text(insert, 2, arn);
	r = stmt_run(insert, err);
	if (r == 0)
		r = db_cached(store->db, "DELETE FROM ended WHERE serial < ?", &drop, err);
	if (r < 0)
		return r;
	stmt_bind_i64(drop, 1, (int64_t)oldest_kept);
	return stmt_run(drop, err);
}

int store_load_ended(struct store *store, struct store_ended *ret, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	struct store_ended ended = { 0 };
	int r = db_cached(store->db, "SELECT serial, arn FROM ended ORDER BY serial", &stmt, err);

	while (r >= 0 && (r = stmt_step(stmt, err)) == 1) {
		ended.items = xreallocarray(ended.items, ended.count + 1, sizeof(*ended.items));
		ended.items[ended.count++] = (struct store_ended_task){
			.serial = (uint64_t)stmt_i64(stmt, 0),
			.arn = xstrdup(stmt_text(stmt, 1)),
		};
	}
	if (r < 0) {
		store_ended_free(&ended);
		return r;
	}
	*ret = ended;
	return 0;
}

void store_ended_free(struct store_ended *ended)
{
	for (size_t i = 0; i < ended->count; i++)
		free(ended->items[i].arn);
	free(ended->items);
	*ended = (struct store_ended){ 0 };
}
