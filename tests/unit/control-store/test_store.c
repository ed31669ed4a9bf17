/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "control-plane/store/attributes.h"
#include "control-plane/store/clusters.h"
#include "control-plane/store/container_instances.h"
#include "control-plane/store/tags.h"
#include "control-plane/store/task_definitions.h"

static struct store *open_store(const char *path)
{
	const struct store_config config = { path, "us-west-2", "123456789012" };
	struct error err = ERROR_INIT;
	struct store *store = NULL;

	if (store_open(&config, &store, &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

static void add_cluster(struct store *store, const char *name)
{
	const struct cluster_row row = { (char *)(uintptr_t)name, (char[]){ "ACTIVE" },
					 (char[]){ "{}" }, (char[]){ "{}" }, 1000 };

	assert_int_equal(cluster_create(store, &row, NULL), 0);
}

static void add_instance(struct store *store, const char *cluster, const char *id,
			 const char *token)
{
	const struct container_instance_row row = {
		.id = (char *)(uintptr_t)id,
		.cluster = (char *)(uintptr_t)cluster,
		.status = (char[]){ "ACTIVE" },
		.client_token = (char *)(uintptr_t)token,
		.version_info = (char[]){ "{}" },
		.resources = (char[]){ "[]" },
		.version = 1,
		.registered_at_ms = 5,
	};

	assert_int_equal(container_instance_add(store, &row, NULL), 0);
}

/* A path in a new directory; both go with the test. */
static int make_directory(void **state)
{
	char *directory = xstrdup("/tmp/berth-store-XXXXXX");

	if (!mkdtemp(directory))
		return -1;
	*state = directory;
	return 0;
}

static int remove_directory(void **state)
{
	static const char *const names[] = { "state.db", "state.db-wal", "state.db-shm" };
	char *directory = *state;

	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", directory, names[i]);

		unlink(path);
	}
	rmdir(directory);
	free(directory);
	return 0;
}

static void state_survives_a_restart(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/state.db", (char *)*state);
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	_cleanup_(task_definition_row_clear) struct task_definition_row definition = { 0 };
	_cleanup_(container_instance_row_clear) struct container_instance_row instance = { 0 };
	_cleanup_(tag_list_clear) struct tag_list tags = { 0 };
	_cleanup_free_ char *value = NULL;
	struct store *store = open_store(path);
	int64_t revision, number;

	add_cluster(store, "c1");
	add_instance(store, "c1", "i1", "token");
	task_definition_add(store, "web", "{\"a\":1}", "me", 77, &revision, NULL);
	attribute_put(store, "c1", "i1", "stack", "prod", true, NULL);
	tags_put(store, "arn:x", "k", "v", NULL);
	assert_int_equal(store_next(store, "n", &number, NULL), 0);
	assert_int_equal(number, 1);
	store_close(store);

	store = open_store(path);
	assert_int_equal(cluster_get(store, "c1", &cluster, NULL), 0);
	assert_int_equal(cluster.created_at_ms, 1000);
	assert_int_equal(container_instance_get(store, "c1", "i1", &instance, NULL), 0);
	assert_string_equal(instance.client_token, "token");
	assert_int_equal(task_definition_get(store, "web", 1, &definition, NULL), 0);
	assert_string_equal(definition.document, "{\"a\":1}");
	assert_int_equal(definition.registered_at_ms, 77);
	assert_int_equal(attribute_get(store, "c1", "i1", "stack", &value, NULL), 0);
	assert_string_equal(value, "prod");
	assert_int_equal(tags_get(store, "arn:x", &tags, NULL), 0);
	assert_int_equal(tags.count, 1);
	assert_int_equal(store_next(store, "n", &number, NULL), 0);
	assert_int_equal(number, 2);
	store_close(store);
}

static void a_file_belongs_to_one_region_and_account(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/state.db", (char *)*state);
	const struct store_config region = { path, "eu-west-1", "123456789012" };
	const struct store_config account = { path, "us-west-2", "999999999999" };
	struct error err = ERROR_INIT;
	struct store *store = open_store(path);

	store_close(store);
	store = NULL;
	assert_int_equal(store_open(&region, &store, &err), -EINVAL);
	assert_non_null(strstr(err.text, "belongs to region us-west-2, not eu-west-1"));
	assert_int_equal(store_open(&account, &store, &err), -EINVAL);
	assert_non_null(strstr(err.text, "belongs to account 123456789012"));
	assert_null(store);
}

/* A revision that was deleted is not given again (api-73). */
static void revisions_are_never_given_twice(void **state)
{
	struct store *store = open_store(":memory:");
	struct task_definition_row row;
	int64_t revision = 0;

	task_definition_add(store, "web", "{}", "me", 1, &revision, NULL);
	task_definition_add(store, "web", "{}", "me", 1, &revision, NULL);
	assert_int_equal(revision, 2);
	assert_int_equal(task_definition_delete(store, "web", 2, NULL), 0);
	assert_int_equal(task_definition_get(store, "web", 2, &row, NULL), -ENOENT);
	task_definition_add(store, "web", "{}", "me", 1, &revision, NULL);
	assert_int_equal(revision, 3);
	store_close(store);
}

static void a_rollback_takes_everything_back(void **state)
{
	struct store *store = open_store(":memory:");
	struct cluster_row row;
	int64_t revision;

	store_begin(store, NULL);
	add_cluster(store, "c1"); /* a transaction of its own, inside */
	task_definition_add(store, "web", "{}", "me", 1, &revision, NULL);
	store_rollback(store);
	assert_int_equal(cluster_get(store, "c1", &row, NULL), -ENOENT);
	task_definition_add(store, "web", "{}", "me", 1, &revision, NULL);
	assert_int_equal(revision, 1);
	store_close(store);
}

static void definitions_are_ordered_by_family_and_number(void **state)
{
	struct task_definition_query query = { .status = "ACTIVE", .limit = 100 };
	_cleanup_(task_definition_list_clear) struct task_definition_list up = { 0 };
	_cleanup_(task_definition_list_clear) struct task_definition_list down = { 0 };
	_cleanup_(task_definition_list_clear) struct task_definition_list rest = { 0 };
	struct store *store = open_store(":memory:");
	int64_t revision;

	for (int i = 0; i < 11; i++)
		task_definition_add(store, "b", "{}", "me", 1, &revision, NULL);
	task_definition_add(store, "a", "{}", "me", 1, &revision, NULL);
	assert_int_equal(task_definition_find(store, &query, &up, NULL), 0);
	assert_int_equal(up.count, 12);
	assert_string_equal(up.items[0].family, "a");
	assert_int_equal(up.items[2].revision, 2);
	assert_int_equal(up.items[11].revision, 11);

	query.descending = true;
	assert_int_equal(task_definition_find(store, &query, &down, NULL), 0);
	assert_int_equal(down.items[0].revision, 11);
	assert_int_equal(down.items[1].revision, 10);
	assert_string_equal(down.items[11].family, "a");

	query = (struct task_definition_query){
		.status = "ACTIVE", .after_family = "b", .after_revision = 9, .limit = 100
	};
	assert_int_equal(task_definition_find(store, &query, &rest, NULL), 0);
	assert_int_equal(rest.count, 2);
	store_close(store);
}

static void families_are_listed_by_what_they_have(void **state)
{
	struct store *store = open_store(":memory:");
	static const struct {
		const char *prefix, *status;
		size_t count;
		const char *first;
	} cases[] = {
		{ NULL, NULL, 3, "api" },        { "we", NULL, 2, "web" },
		{ "we", "ACTIVE", 1, "web" },    { "we", "INACTIVE", 1, "web2" },
		{ NULL, "INACTIVE", 1, "web2" }, { "zz", NULL, 0, NULL },
	};
	int64_t revision;

	task_definition_add(store, "web", "{}", "me", 1, &revision, NULL);
	task_definition_add(store, "web", "{}", "me", 1, &revision, NULL);
	task_definition_add(store, "web2", "{}", "me", 1, &revision, NULL);
	task_definition_add(store, "api", "{}", "me", 1, &revision, NULL);
	task_definition_set_status(store, "web", 1, "INACTIVE", 5, NULL);
	task_definition_set_status(store, "web2", 1, "INACTIVE", 5, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(family_list_clear) struct family_list list = { 0 };

		assert_int_equal(task_definition_families(store, cases[i].prefix, cases[i].status,
							  NULL, 100, &list, NULL),
				 0);
		assert_int_equal(list.count, cases[i].count);
		if (cases[i].first)
			assert_string_equal(list.items[0], cases[i].first);
	}
	store_close(store);
}

static void a_version_grows_with_what_changes(void **state)
{
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	struct store *store = open_store(":memory:");

	add_cluster(store, "c1");
	add_instance(store, "c1", "i1", NULL);
	container_instance_set_connected(store, "c1", "i1", true, NULL);
	container_instance_set_connected(store, "c1", "i1", true, NULL);
	container_instance_get(store, "c1", "i1", &row, NULL);
	assert_int_equal(row.version, 2);
	assert_true(row.agent_connected);
	container_instance_row_clear(&row);

	container_instance_set_status(store, "c1", "i1", "INACTIVE", "gone", NULL);
	container_instance_get(store, "c1", "i1", &row, NULL);
	assert_int_equal(row.version, 3);
	assert_false(row.agent_connected);
	assert_string_equal(row.status_reason, "gone");
	store_close(store);
}

static void a_token_finds_its_instance_until_it_is_inactive(void **state)
{
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	struct store *store = open_store(":memory:");

	add_cluster(store, "c1");
	add_cluster(store, "c2");
	add_instance(store, "c1", "i1", "token");
	assert_int_equal(container_instance_get_by_token(store, "c1", "token", &row, NULL), 0);
	assert_int_equal(container_instance_get_by_token(store, "c2", "token", &row, NULL),
			 -ENOENT);
	container_instance_set_status(store, "c1", "i1", "INACTIVE", NULL, NULL);
	assert_int_equal(container_instance_get_by_token(store, "c1", "token", &row, NULL),
			 -ENOENT);
	store_close(store);
}

static void a_new_cluster_takes_the_place_of_an_inactive_one(void **state)
{
	_cleanup_(cluster_row_clear) struct cluster_row row = { 0 };
	struct store *store = open_store(":memory:");
	struct container_instance_row instance;
	const struct cluster_row other = { (char[]){ "c1" }, (char[]){ "ACTIVE" }, (char[]){ "{}" },
					   (char[]){ "{}" }, 2 };

	add_cluster(store, "c1");
	assert_int_equal(cluster_create(store, &other, NULL), -EEXIST);
	add_instance(store, "c1", "i1", NULL);
	attribute_put(store, "c1", "i1", "a", "b", true, NULL);
	container_instance_set_status(store, "c1", "i1", "INACTIVE", NULL, NULL);
	cluster_set_status(store, "c1", "INACTIVE", NULL);
	assert_int_equal(cluster_create(store, &other, NULL), 0);
	cluster_get(store, "c1", &row, NULL);
	assert_int_equal(row.created_at_ms, 2);
	assert_int_equal(container_instance_get(store, "c1", "i1", &instance, NULL), -ENOENT);
	store_close(store);
}

static void attributes_are_found_by_name_and_value(void **state)
{
	_cleanup_(attribute_list_clear) struct attribute_list list = { 0 };
	_cleanup_(attribute_list_clear) struct attribute_list second = { 0 };
	_cleanup_(attribute_list_clear) struct attribute_list rest = { 0 };
	struct store *store = open_store(":memory:");
	int64_t custom = 0;

	add_cluster(store, "c1");
	add_instance(store, "c1", "i1", NULL);
	add_instance(store, "c1", "i2", NULL);
	attribute_put(store, "c1", "i1", "stack", "prod", true, NULL);
	attribute_put(store, "c1", "i2", "stack", "test", true, NULL);
	attribute_put(store, "c1", "i2", "ecs.os-type", "linux", false, NULL);
	attribute_put(store, "c1", "i2", "stack", "beta", true, NULL); /* replaces */

	attribute_find(store, "c1", "stack", NULL, NULL, NULL, 10, &list, NULL);
	assert_int_equal(list.count, 2);
	attribute_find(store, "c1", "stack", "beta", NULL, NULL, 10, &second, NULL);
	assert_int_equal(second.count, 1);
	assert_string_equal(second.items[0].instance, "i2");
	attribute_find(store, "c1", NULL, NULL, "i2", "ecs.os-type", 10, &rest, NULL);
	assert_int_equal(rest.count, 1);
	attribute_count_custom(store, "c1", "i2", &custom, NULL);
	assert_int_equal(custom, 1);

	attribute_delete_registered(store, "c1", "i2", NULL);
	attribute_list_clear(&rest);
	attribute_of_instance(store, "c1", "i2", &rest, NULL);
	assert_int_equal(rest.count, 1);
	assert_string_equal(rest.items[0].name, "stack");
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(state_survives_a_restart, make_directory,
						remove_directory),
		cmocka_unit_test_setup_teardown(a_file_belongs_to_one_region_and_account,
						make_directory, remove_directory),
		cmocka_unit_test(revisions_are_never_given_twice),
		cmocka_unit_test(a_rollback_takes_everything_back),
		cmocka_unit_test(definitions_are_ordered_by_family_and_number),
		cmocka_unit_test(families_are_listed_by_what_they_have),
		cmocka_unit_test(a_version_grows_with_what_changes),
		cmocka_unit_test(a_token_finds_its_instance_until_it_is_inactive),
		cmocka_unit_test(a_new_cluster_takes_the_place_of_an_inactive_one),
		cmocka_unit_test(attributes_are_found_by_name_and_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
