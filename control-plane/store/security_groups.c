/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/security_groups.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/str.h"
#include "control-plane/store/vpcs.h"

#define EVERYWHERE_IPV4 "0.0.0.0/0"
#define EVERYWHERE_IPV6 "::/0"

void security_group_list_clear(struct security_group_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].id);
		free(list->items[i].vpc);
		free(list->items[i].name);
		free(list->items[i].description);
	}
	free(list->items);
	*list = (struct security_group_list){ 0 };
}

void security_rule_list_clear(struct security_rule_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].id);
		free(list->items[i].group);
		free(list->items[i].protocol);
		free(list->items[i].target);
		free(list->items[i].description);
	}
	free(list->items);
	*list = (struct security_rule_list){ 0 };
}

int security_group_find(struct store *store, const char *id, struct security_group_list *ret_list,
			struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	struct security_group_list list = { 0 };
	int r = db_cached(store_db(store),
			  "SELECT id, vpc, name, description FROM security_groups "
			  "WHERE ?1 IS NULL OR id = ?1 ORDER BY rowid",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = (struct security_group_row){
			.id = xstrdup(stmt_text(stmt, 0)),
			.vpc = xstrdup(stmt_text(stmt, 1)),
			.name = xstrdup(stmt_text(stmt, 2)),
			.description = xstrdup(stmt_text(stmt, 3)),
		};
	}
	if (r < 0)
		security_group_list_clear(&list);
	else
		*ret_list = list;
	return r;
}

int security_group_default(struct store *store, const char *vpc, char **ret_id, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "SELECT id FROM security_groups WHERE vpc = ? AND name = ?", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, vpc);
	stmt_bind_text(stmt, 2, SECURITY_GROUP_DEFAULT);
	r = stmt_step(stmt, err);
	if (r < 0)
		return r;
	if (r == 0)
		return error_say(err, ENOENT, "VPC %s has no default security group", vpc);
	*ret_id = xstrdup(stmt_text(stmt, 0));
	return 0;
}

static int insert_group(struct store *store, const struct security_group_row *row,
			struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "INSERT INTO security_groups (id, vpc, name, description) "
			  "VALUES (?, ?, ?, ?)",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->id);
	stmt_bind_text(stmt, 2, row->vpc);
	stmt_bind_text(stmt, 3, row->name);
	stmt_bind_text(stmt, 4, row->description);
	return stmt_run(stmt, err);
}

int security_rule_add_all(struct store *store, const char *group, bool egress, const char *target,
			  struct error *err)
{
	_cleanup_free_ char *id = vpc_resource_id("sgr");
	const struct security_rule_row rule = {
		.id = id,
		.group = (char *)(uintptr_t)group,
		.egress = egress,
		.protocol = (char[]){ "-1" },
		.from_port = -1,
		.to_port = -1,
		.target = (char *)(uintptr_t)target,
	};

	return security_rule_add(store, &rule, err);
}

int security_group_add(struct store *store, const struct security_group_row *row, struct error *err)
{
	int r = insert_group(store, row, err);

	if (r == 0)
		r = security_rule_add_all(store, row->id, true, EVERYWHERE_IPV4, err);
	if (r == 0 && str_eq(row->name, SECURITY_GROUP_DEFAULT))
		r = security_rule_add_all(store, row->id, false, row->id, err);
	return r;
}

int security_group_delete(struct store *store, const char *id, struct error *err)
{
	return store_delete_by_id(store, "DELETE FROM security_groups WHERE id = ?1", id, err);
}

int security_rule_find(struct store *store, const char *group, struct security_rule_list *ret_list,
		       struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	struct security_rule_list list = { 0 };
	int r = db_cached(store_db(store),
			  "SELECT id, group_id, egress, protocol, from_port, to_port, target, "
			  "description FROM security_rules "
			  "WHERE ?1 IS NULL OR group_id = ?1 ORDER BY rowid",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, group);
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = (struct security_rule_row){
			.id = xstrdup(stmt_text(stmt, 0)),
			.group = xstrdup(stmt_text(stmt, 1)),
			.egress = stmt_i64(stmt, 2) != 0,
			.protocol = xstrdup(stmt_text(stmt, 3)),
			.from_port = stmt_i64(stmt, 4),
			.to_port = stmt_i64(stmt, 5),
			.target = xstrdup(stmt_text(stmt, 6)),
			.description = xstrdup_null(stmt_text(stmt, 7)),
		};
	}
	if (r < 0)
		security_rule_list_clear(&list);
	else
		*ret_list = list;
	return r;
}

int security_rule_add(struct store *store, const struct security_rule_row *row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "INSERT INTO security_rules (id, group_id, egress, protocol, from_port, "
			  "to_port, target, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->id);
	stmt_bind_text(stmt, 2, row->group);
	stmt_bind_i64(stmt, 3, row->egress);
	stmt_bind_text(stmt, 4, row->protocol);
	stmt_bind_i64(stmt, 5, row->from_port);
	stmt_bind_i64(stmt, 6, row->to_port);
	stmt_bind_text(stmt, 7, row->target);
	stmt_bind_text(stmt, 8, row->description);
	return stmt_run(stmt, err);
}

static bool is_all_of_ipv4(const struct security_rule_row *rule)
{
	return str_eq(rule->protocol, "-1") && str_eq(rule->target, EVERYWHERE_IPV4);
}

int security_group_open_ipv6(struct store *store, const char *group, struct error *err)
{
	_cleanup_(security_rule_list_clear) struct security_rule_list rules = { 0 };
	size_t egress = 0, all = 0;
	int r = security_rule_find(store, group, &rules, err);

	for (size_t i = 0; r == 0 && i < rules.count; i++) {
		egress += rules.items[i].egress;
		all += rules.items[i].egress && is_all_of_ipv4(&rules.items[i]);
	}
	if (r < 0 || egress != 1 || all != 1)
		return r;
	return security_rule_add_all(store, group, true, EVERYWHERE_IPV6, err);
}

int security_rule_delete(struct store *store, const char *id, struct error *err)
{
	return store_delete_by_id(store, "DELETE FROM security_rules WHERE id = ?1", id, err);
}
