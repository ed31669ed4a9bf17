/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/container_instances.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"

#define COLUMNS                                                                                    \
	"cluster, id, status, status_reason, ec2_instance_id, client_token, version_info,"         \
	" resources, devices, agent_connected, version, registered_at_ms, identity"
#define SELECT "SELECT " COLUMNS ", health_status, health_details FROM container_instances"

void container_instance_row_clear(struct container_instance_row *row)
{
	free(row->id);
	free(row->cluster);
	free(row->status);
	free(row->status_reason);
	free(row->ec2_instance_id);
	free(row->client_token);
	free(row->version_info);
	free(row->resources);
	free(row->devices);
	free(row->health_status);
	free(row->health_details);
	free(row->identity);
	*row = (struct container_instance_row){ 0 };
}

void container_instance_list_clear(struct container_instance_list *list)
{
	for (size_t i = 0; list->items && i < list->count; i++)
		container_instance_row_clear(&list->items[i]);
	free(list->items);
	*list = (struct container_instance_list){ 0 };
}

static struct container_instance_row read_row(struct stmt *stmt)
{
	return (struct container_instance_row){
		.cluster = xstrdup(stmt_text(stmt, 0)),
		.id = xstrdup(stmt_text(stmt, 1)),
		.status = xstrdup(stmt_text(stmt, 2)),
		.status_reason = xstrdup_null(stmt_text(stmt, 3)),
		.ec2_instance_id = xstrdup_null(stmt_text(stmt, 4)),
		.client_token = xstrdup_null(stmt_text(stmt, 5)),
		.version_info = xstrdup(stmt_text(stmt, 6)),
		.resources = xstrdup(stmt_text(stmt, 7)),
		.devices = xstrdup_null(stmt_text(stmt, 8)),
		.agent_connected = stmt_i64(stmt, 9),
		.version = stmt_i64(stmt, 10),
		.registered_at_ms = stmt_i64(stmt, 11),
		.identity = xstrdup_null(stmt_text(stmt, 12)),
		.health_status = xstrdup_null(stmt_text(stmt, 13)),
		.health_details = xstrdup_null(stmt_text(stmt, 14)),
	};
}

static int get_one(struct stmt *stmt, const char *cluster, const char *key,
		   struct container_instance_row *ret_row, struct error *err)
{
	int r;

	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, key);
	r = stmt_step(stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_row = read_row(stmt);
	return 0;
}

int container_instance_get(struct store *store, const char *cluster, const char *id,
			   struct container_instance_row *ret_row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store), SELECT " WHERE cluster = ? AND id = ?", &stmt, err);
	return r < 0 ? r : get_one(stmt, cluster, id, ret_row, err);
}

int container_instance_get_by_token(struct store *store, const char *cluster,
				    const char *client_token,
				    struct container_instance_row *ret_row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      SELECT
		      " WHERE cluster = ? AND client_token = ? AND status != 'INACTIVE' LIMIT 1",
		      &stmt, err);
	return r < 0 ? r : get_one(stmt, cluster, client_token, ret_row, err);
}

int container_instance_add(struct store *store, const struct container_instance_row *row,
			   struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "INSERT INTO container_instances (" COLUMNS ")"
		      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->cluster);
	stmt_bind_text(stmt, 2, row->id);
	stmt_bind_text(stmt, 3, row->status);
	stmt_bind_text(stmt, 4, row->status_reason);
	stmt_bind_text(stmt, 5, row->ec2_instance_id);
	stmt_bind_text(stmt, 6, row->client_token);
	stmt_bind_text(stmt, 7, row->version_info);
	stmt_bind_text(stmt, 8, row->resources);
	stmt_bind_text(stmt, 9, row->devices);
	stmt_bind_i64(stmt, 10, row->agent_connected);
	stmt_bind_i64(stmt, 11, row->version);
	stmt_bind_i64(stmt, 12, row->registered_at_ms);
	stmt_bind_text(stmt, 13, row->identity);
	return stmt_run(stmt, err);
}

int container_instance_replace(struct store *store, const struct container_instance_row *row,
			       struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "UPDATE container_instances SET ec2_instance_id = ?, version_info = ?,"
		      " resources = ?, devices = ?, version = version + 1"
		      " WHERE cluster = ? AND id = ?",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->ec2_instance_id);
	stmt_bind_text(stmt, 2, row->version_info);
	stmt_bind_text(stmt, 3, row->resources);
	stmt_bind_text(stmt, 4, row->devices);
	stmt_bind_text(stmt, 5, row->cluster);
	stmt_bind_text(stmt, 6, row->id);
	return stmt_run(stmt, err);
}

int container_instance_set_status(struct store *store, const char *cluster, const char *id,
				  const char *status, const char *reason, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "UPDATE container_instances SET status = ?, status_reason = ?,"
		      " agent_connected = agent_connected AND ?1 != 'INACTIVE',"
		      " version = version + 1 WHERE cluster = ? AND id = ?",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, status);
	stmt_bind_text(stmt, 2, reason);
	stmt_bind_text(stmt, 3, cluster);
	stmt_bind_text(stmt, 4, id);
	return stmt_run(stmt, err);
}

int container_instance_bind(struct store *store, const char *cluster, const char *id,
			    const char *identity, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(
		store_db(store),
		"UPDATE container_instances SET identity = ? WHERE cluster = ? AND id = ?", &stmt,
		err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, identity);
	stmt_bind_text(stmt, 2, cluster);
	stmt_bind_text(stmt, 3, id);
	return stmt_run(stmt, err);
}

int container_instance_set_connected(struct store *store, const char *cluster, const char *id,
				     bool connected, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "UPDATE container_instances SET agent_connected = ?1, version = version + 1"
		      " WHERE cluster = ?2 AND id = ?3 AND agent_connected != ?1",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_i64(stmt, 1, connected);
	stmt_bind_text(stmt, 2, cluster);
	stmt_bind_text(stmt, 3, id);
	return stmt_run(stmt, err);
}

int container_instance_set_health(struct store *store, const char *cluster, const char *id,
				  const char *status, const char *details, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "UPDATE container_instances SET health_status = ?1, health_details = ?2,"
		      " version = version + (health_status IS NOT ?1)"
		      " WHERE cluster = ?3 AND id = ?4",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, status);
	stmt_bind_text(stmt, 2, details);
	stmt_bind_text(stmt, 3, cluster);
	stmt_bind_text(stmt, 4, id);
	return stmt_run(stmt, err);
}

int container_instance_disconnect_all(struct store *store, struct error *err)
{
	return db_exec(store_db(store),
		       "UPDATE container_instances SET agent_connected = 0, version = version + 1"
		       " WHERE agent_connected",
		       err);
}

int container_instance_touch(struct store *store, const char *cluster, const char *id,
			     struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "UPDATE container_instances SET version = version + 1"
		      " WHERE cluster = ? AND id = ?",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, id);
	return stmt_run(stmt, err);
}

int container_instance_find(struct store *store, const char *cluster, const char *status,
			    const char *after, int64_t limit,
			    struct container_instance_list *ret_list, struct error *err)
{
	_cleanup_(container_instance_list_clear) struct container_instance_list list = { 0 };
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      SELECT " WHERE cluster = ?1 AND id > ?2"
			     " AND ((?3 IS NULL AND status != 'INACTIVE') OR status = ?3)"
			     " ORDER BY id LIMIT ?4",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	stmt_bind_text(stmt, 2, after ? after : "");
	stmt_bind_text(stmt, 3, status);
	stmt_bind_i64(stmt, 4, limit);
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = read_row(stmt);
	}
	if (r < 0)
		return r;
	ret_list->count = list.count;
	ret_list->items = TAKE(list.items);
	return 0;
}

int container_instance_count(struct store *store, const char *cluster, int64_t *ret_count,
			     struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r;

	r = db_cached(store_db(store),
		      "SELECT count(*) FROM container_instances"
		      " WHERE cluster = ? AND status IN ('ACTIVE', 'DRAINING')",
		      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, cluster);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	*ret_count = stmt_i64(stmt, 0);
	return 0;
}
