/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/attributes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"

void attribute_list_clear(struct attribute_list *list)
{
	for (size_t i = 0; list->items && i < list->count; i++) {
		free(list->items[i].instance);
		free(list->items[i].name);
		free(list->items[i].value);
	}
	free(list->items);
	*list = (struct attribute_list){ 0 };
}

/* Rows of instance, name, value, custom. */
static int read_rows(struct stmt *stmt, struct attribute_list *ret_list, struct error *err)
{
	_cleanup_(attribute_list_clear) struct attribute_list list = { 0 };
	int r;

	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = (struct attribute_row){
			.instance = xstrdup(stmt_text(stmt, 0)),
			.name = xstrdup(stmt_text(stmt, 1)),
			.value = xstrdup_null(stmt_text(stmt, 2)),
			.custom = stmt_i64(stmt, 3),
		};
	}
	if (r < 0)
		return r;
	ret_list->count = list.count;
	ret_list->items = TAKE(list.items);
	return 0;
}

int attribute_put(struct store *store, const char *cluster, const char *instance, const char *name,
		  const char *value, bool custom, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "INSERT INTO attributes (cluster, instance, name, value, custom)"
		      " VALUES (?, ?, ?, ?, ?) ON CONFLICT (cluster, instance, name)"
		      " DO UPDATE SET value = excluded.value, custom = excluded.custom",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, instance);
	stmt_bind_text(stmt, 3, name);
	stmt_bind_text(stmt, 4, value);
	stmt_bind_i64(stmt, 5, custom);
	return stmt_run(stmt, err);
}

int attribute_delete(struct store *store, const char *cluster, const char *instance,
		     const char *name, bool *ret_found, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "DELETE FROM attributes WHERE cluster = ? AND instance = ? AND name = ?",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, instance);
	stmt_bind_text(stmt, 3, name);
	r = stmt_run(stmt, err);
	if (r < 0)
		return r;
	if (ret_found)
		*ret_found = db_changes(store_db(store)) > 0;
	return 0;
}

int attribute_delete_registered(struct store *store, const char *cluster, const char *instance,
				struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "DELETE FROM attributes WHERE cluster = ? AND instance = ? AND NOT custom",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, instance);
	return stmt_run(stmt, err);
}

int attribute_of_instance(struct store *store, const char *cluster, const char *instance,
			  struct attribute_list *ret_list, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "SELECT instance, name, value, custom FROM attributes"
		      " WHERE cluster = ? AND instance = ? ORDER BY name",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, instance);
	return read_rows(stmt, ret_list, err);
}

int attribute_get(struct store *store, const char *cluster, const char *instance, const char *name,
		  char **ret_value, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(
		store_db(store),
		"SELECT value FROM attributes WHERE cluster = ? AND instance = ? AND name = ?",
		&stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, instance);
	stmt_bind_text(stmt, 3, name);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_value = xstrdup_null(stmt_text(stmt, 0));
	return 0;
}

int attribute_count_custom(struct store *store, const char *cluster, const char *instance,
			   int64_t *ret_count, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "SELECT count(*) FROM attributes"
		      " WHERE cluster = ? AND instance = ? AND custom",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, instance);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	*ret_count = stmt_i64(stmt, 0);
	return 0;
}

int attribute_find(struct store *store, const char *cluster, const char *name, const char *value,
		   const char *after_instance, const char *after_name, int64_t limit,
		   struct attribute_list *ret_list, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "SELECT a.instance, a.name, a.value, a.custom FROM attributes a"
		      " JOIN container_instances i ON i.cluster = a.cluster AND i.id = a.instance"
		      " WHERE a.cluster = ?1 AND i.status != 'INACTIVE'"
		      " AND (?2 IS NULL OR a.name = ?2) AND (?3 IS NULL OR a.value = ?3)"
		      " AND (a.instance, a.name) > (?4, ?5)"
		      " ORDER BY a.instance, a.name LIMIT ?6",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, name);
	stmt_bind_text(stmt, 3, value);
	stmt_bind_text(stmt, 4, after_instance ? after_instance : "");
	stmt_bind_text(stmt, 5, after_name ? after_name : "");
	stmt_bind_i64(stmt, 6, limit);
	return read_rows(stmt, ret_list, err);
}
