/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/store/internal.h"
#include "base/alloc.h"

int store_save_attachment(struct store *store, const struct store_attachment *attachment,
			  struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db, "INSERT OR REPLACE INTO attachment VALUES (?, ?, ?, ?, ?, ?)",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, attachment->arn);
	stmt_bind_text(stmt, 2, attachment->task_arn);
	stmt_bind_text(stmt, 3, attachment->mac);
	stmt_bind_text(stmt, 4, attachment->message);
	stmt_bind_i64(stmt, 5, attachment->expires_at_ms);
	stmt_bind_i64(stmt, 6, attachment->sent);
	return stmt_run(stmt, err);
}

int store_delete_attachment(struct store *store, const char *arn, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db, "DELETE FROM attachment WHERE arn = ?", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, arn);
	return stmt_run(stmt, err);
}

int store_load_attachments(struct store *store, struct store_attachments *ret, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	struct store_attachments all = { 0 };
	int r = db_cached(
		store->db,
		"SELECT arn, task_arn, mac, message, expires_at, sent FROM attachment ORDER BY arn",
		&stmt, err);

	if (r < 0)
		return r;
	while ((r = stmt_step(stmt, err)) == 1) {
		all.items = xreallocarray(all.items, all.count + 1, sizeof(*all.items));
		all.items[all.count++] = (struct store_attachment){
			.arn = xstrdup(stmt_text(stmt, 0)),
			.task_arn = xstrdup_null(stmt_text(stmt, 1)),
			.mac = xstrdup_null(stmt_text(stmt, 2)),
			.message = xstrdup_null(stmt_text(stmt, 3)),
			.expires_at_ms = stmt_i64(stmt, 4),
			.sent = stmt_i64(stmt, 5) != 0,
		};
	}
	if (r < 0) {
		store_attachments_free(&all);
		return r;
	}
	*ret = all;
	return 0;
}

void store_attachments_free(struct store_attachments *attachments)
{
	for (size_t i = 0; i < attachments->count; i++) {
		free(attachments->items[i].arn);
		free(attachments->items[i].task_arn);
		free(attachments->items[i].mac);
		free(attachments->items[i].message);
	}
	free(attachments->items);
	*attachments = (struct store_attachments){ 0 };
}
