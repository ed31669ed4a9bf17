/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of images. Names are in one column with blanks between them, for a name has none. */
#include <stdlib.h>

#include "agent/store/internal.h"
#include "base/alloc.h"

#define HAS_NAME(parameter) "instr(' ' || names || ' ', ' ' || " parameter " || ' ') > 0"
#define WITHOUT_NAME(parameter)                                                                    \
	"trim(replace(' ' || names || ' ', ' ' || " parameter " || ' ', ' '))"

/* 1: all of it is written already, as with nearly every container that starts; 0: it is not. */
static int is_tracked(struct store *store, const struct store_image_seen *seen, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db,
			  "SELECT 1 FROM image WHERE id = ?1 AND digest IS ?2 AND"
			  " pull_succeeded >= ?3 AND " HAS_NAME("?4"),
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, seen->id);
	stmt_bind_text(stmt, 2, seen->digest);
	stmt_bind_i64(stmt, 3, seen->pull_succeeded);
	stmt_bind_text(stmt, 4, seen->name);
	return stmt_step(stmt, err);
}

static int take_name(struct store *store, const struct store_image_seen *seen, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db,
			  "UPDATE image SET names = " WITHOUT_NAME("?1") " WHERE " HAS_NAME("?1"),
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, seen->name);
	return stmt_run(stmt, err);
}

static int give_name(struct store *store, const struct store_image_seen *seen, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(
		store->db,
		"INSERT INTO image VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6) ON CONFLICT (id) DO UPDATE"
		" SET names = trim(names || ' ' || excluded.names), digest = excluded.digest,"
		" size = excluded.size,"
		" pull_succeeded = max(pull_succeeded, excluded.pull_succeeded)",
		&stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, seen->id);
	stmt_bind_text(stmt, 2, seen->name);
	stmt_bind_text(stmt, 3, seen->digest);
	stmt_bind_i64(stmt, 4, seen->size_bytes);
	stmt_bind_i64(stmt, 5, seen->at_ms);
	stmt_bind_i64(stmt, 6, seen->pull_succeeded);
	return stmt_run(stmt, err);
}

int store_track_image(struct store *store, const struct store_image_seen *seen, struct error *err)
{
	int r = is_tracked(store, seen, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = store_begin(store, err);
	if (r == 0)
		r = take_name(store, seen, err);
	if (r == 0)
		r = give_name(store, seen, err);
	if (r < 0) {
		store_rollback(store);
		return r;
	}
	return store_commit(store, err);
}

int store_image_was_pulled(struct store *store, const char *name, bool *ret, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db, "SELECT 1 FROM image WHERE pull_succeeded AND " HAS_NAME("?1"),
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, name);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	*ret = r == 1;
	return 0;
}

int store_delete_image(struct store *store, const char *id, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store->db, "DELETE FROM image WHERE id = ?", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	return stmt_run(stmt, err);
}

int store_load_images(struct store *store, struct store_images *ret, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	struct store_images all = { 0 };
	int r = db_cached(store->db,
			  "SELECT id, names, digest, size, pulled_at, last_used_at, pull_succeeded"
			  " FROM image ORDER BY id",
			  &stmt, err);

	if (r < 0)
		return r;
	while ((r = stmt_step(stmt, err)) == 1) {
		struct store_image *image;

		all.items = xreallocarray(all.items, all.count + 1, sizeof(*all.items));
		image = &all.items[all.count++];
		*image = (struct store_image){
			.id = xstrdup(stmt_text(stmt, 0)),
			.digest = xstrdup_null(stmt_text(stmt, 2)),
			.size_bytes = stmt_i64(stmt, 3),
			.pulled_at_ms = stmt_i64(stmt, 4),
			.last_used_at_ms = stmt_i64(stmt, 5),
			.pull_succeeded = stmt_i64(stmt, 6) != 0,
		};
		str_list_split(&image->names, stmt_text(stmt, 1), ' ', false);
	}
	if (r < 0) {
		store_images_free(&all);
		return r;
	}
	*ret = all;
	return 0;
}

void store_images_free(struct store_images *images)
{
	for (size_t i = 0; i < images->count; i++) {
		free(images->items[i].id);
		free(images->items[i].digest);
		str_list_free(&images->items[i].names);
	}
	free(images->items);
	*images = (struct store_images){ 0 };
}
