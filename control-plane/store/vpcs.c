/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/vpcs.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/random.h"
#include "base/str.h"

/* VXLAN network identifiers have 24 bits. */
#define VNI_MAX 0xffffff

void vpc_list_clear(struct vpc_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].id);
		free(list->items[i].cidrs);
		free(list->items[i].ipv6_cidrs);
	}
	free(list->items);
	*list = (struct vpc_list){ 0 };
}

void vpc_subnet_list_clear(struct vpc_subnet_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].id);
		free(list->items[i].vpc);
		free(list->items[i].cidr);
		free(list->items[i].ipv6_cidr);
		free(list->items[i].zone);
		free(list->items[i].gateway);
		free(list->items[i].dns_server);
	}
	free(list->items);
	*list = (struct vpc_subnet_list){ 0 };
}

char *vpc_resource_id(const char *kind)
{
	char digits[19];

	random_hex(digits, 9);
	return xasprintf("%s-%.17s", kind, digits);
}

int vpc_find(struct store *store, const char *id, struct vpc_list *ret_list, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	struct vpc_list list = { 0 };
	int r = db_cached(store_db(store),
			  "SELECT id, cidrs, vni, built_in, ipv6_cidrs FROM vpcs "
			  "WHERE ?1 IS NULL OR id = ?1 ORDER BY rowid",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = (struct vpc_row){
			.id = xstrdup(stmt_text(stmt, 0)),
			.cidrs = xstrdup(stmt_text(stmt, 1)),
			.vni = stmt_i64(stmt, 2),
			.built_in = stmt_i64(stmt, 3) != 0,
			.ipv6_cidrs = xstrdup(stmt_text(stmt, 4)),
		};
	}
	if (r < 0)
		vpc_list_clear(&list);
	else
		*ret_list = list;
	return r;
}

int vpc_add(struct store *store, const struct vpc_row *row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int64_t vni = 0;
	int r = store_next(store, "vpc-vni", &vni, err);

	if (r == 0)
		r = db_cached(store_db(store),
			      "INSERT INTO vpcs (id, cidrs, vni, built_in, ipv6_cidrs) "
			      "VALUES (?, ?, ?, ?, ?)",
			      &stmt, err);
	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->id);
	stmt_bind_text(stmt, 2, row->cidrs);
	stmt_bind_i64(stmt, 3, (vni - 1) % VNI_MAX + 1);
	stmt_bind_i64(stmt, 4, row->built_in);
	stmt_bind_text(stmt, 5, row->ipv6_cidrs ? row->ipv6_cidrs : "");
	return stmt_run(stmt, err);
}

int vpc_set_cidrs(struct store *store, const char *id, const char *cidrs, const char *ipv6_cidrs,
		  struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "UPDATE vpcs SET cidrs = ?2, ipv6_cidrs = ?3 WHERE id = ?1", &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	stmt_bind_text(stmt, 2, cidrs);
	stmt_bind_text(stmt, 3, ipv6_cidrs);
	return stmt_run(stmt, err);
}

int vpc_delete(struct store *store, const char *id, struct error *err)
{
	return store_delete_by_id(store, "DELETE FROM vpcs WHERE id = ?1", id, err);
}

int vpc_subnet_find(struct store *store, const char *id, struct vpc_subnet_list *ret_list,
		    struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	struct vpc_subnet_list list = { 0 };
	int r = db_cached(store_db(store),
			  "SELECT id, vpc, cidr, zone, gateway, dns_server, built_in, ipv6_cidr, "
			  "assigns_ipv6 FROM subnets "
			  "WHERE ?1 IS NULL OR id = ?1 ORDER BY built_in DESC, rowid",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	while ((r = stmt_step(stmt, err)) == 1) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = (struct vpc_subnet_row){
			.id = xstrdup(stmt_text(stmt, 0)),
			.vpc = xstrdup(stmt_text(stmt, 1)),
			.cidr = str_is_empty(stmt_text(stmt, 2)) ? NULL
								 : xstrdup(stmt_text(stmt, 2)),
			.zone = xstrdup_null(stmt_text(stmt, 3)),
			.gateway = xstrdup_null(stmt_text(stmt, 4)),
			.dns_server = xstrdup_null(stmt_text(stmt, 5)),
			.built_in = stmt_i64(stmt, 6) != 0,
			.ipv6_cidr = xstrdup_null(stmt_text(stmt, 7)),
			.assigns_ipv6 = stmt_i64(stmt, 8) != 0,
		};
	}
	if (r < 0)
		vpc_subnet_list_clear(&list);
	else
		*ret_list = list;
	return r;
}

int vpc_subnet_add(struct store *store, const struct vpc_subnet_row *row, struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "INSERT INTO subnets (id, vpc, cidr, zone, gateway, dns_server, built_in,"
			  " ipv6_cidr, assigns_ipv6) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, row->id);
	stmt_bind_text(stmt, 2, row->vpc);
	stmt_bind_text(stmt, 3, row->cidr ? row->cidr : "");
	stmt_bind_text(stmt, 4, row->zone);
	stmt_bind_text(stmt, 5, row->gateway);
	stmt_bind_text(stmt, 6, row->dns_server);
	stmt_bind_i64(stmt, 7, row->built_in);
	stmt_bind_text(stmt, 8, row->ipv6_cidr);
	stmt_bind_i64(stmt, 9, row->assigns_ipv6);
	return stmt_run(stmt, err);
}

int vpc_subnet_set_ipv6(struct store *store, const char *id, const char *cidr, bool assigns,
			struct error *err)
{
	_cleanup_stmt_reset_ struct stmt *stmt = NULL;
	int r = db_cached(store_db(store),
			  "UPDATE subnets SET ipv6_cidr = ?2, assigns_ipv6 = ?3 WHERE id = ?1",
			  &stmt, err);

	if (r < 0)
		return r;
	stmt_bind_text(stmt, 1, id);
	stmt_bind_text(stmt, 2, cidr);
	stmt_bind_i64(stmt, 3, assigns);
	return stmt_run(stmt, err);
}

int vpc_subnet_delete(struct store *store, const char *id, struct error *err)
{
	return store_delete_by_id(store, "DELETE FROM subnets WHERE id = ?1", id, err);
}
