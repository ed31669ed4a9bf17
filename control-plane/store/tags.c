/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/tags.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"

void tag_list_clear(struct tag_list *list)
{
	for (size_t i = 0; list->items && i < list->count; i++) {
		free(list->items[i].key);
		free(list->items[i].value);
	}
	free(list->items);
	*list = (struct tag_list){ 0 };
}

int tags_get(struct store *store, const char *arn, struct tag_list *ret_list, struct error *err)
{
	_cleanup_(tag_list_clear) struct tag_list list = { 0 };
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store), "SELECT key, value FROM tags WHERE arn = ? ORDER BY id",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, arn);
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = (struct tag){
			.key = xstrdup(stmt_text(stmt, 0)),
			.value = xstrdup(stmt_text(stmt, 1)),
		};
	}
	if (r < 0)
		return r;
	ret_list->count = list.count;
	ret_list->items = TAKE(list.items);
	return 0;
}

int tags_put(struct store *store, const char *arn, const char *key, const char *value,
	     struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "INSERT INTO tags (arn, key, value) VALUES (?, ?, ?)"
		      " ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, arn);
	stmt_bind_text(stmt, 2, key);
	stmt_bind_text(stmt, 3, value);
	return stmt_run(stmt, err);
}

int tags_delete(struct store *store, const char *arn, const char *key, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store), "DELETE FROM tags WHERE arn = ? AND key = ?", &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, arn);
	stmt_bind_text(stmt, 2, key);
	return stmt_run(stmt, err);
}

int tags_delete_all(struct store *store, const char *arn, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store), "DELETE FROM tags WHERE arn = ?", &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, arn);
	return stmt_run(stmt, err);
}
