/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/endpoints/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"

static struct role_credentials *credentials(const char *id, const char *key)
{
	struct role_credentials *made = xcalloc(1, sizeof(*made));

	made->id = xstrdup(id);
	made->role_arn = xstrdup("arn:aws:iam::111122223333:role/r");
	made->access_key_id = xstrdup(key);
	made->secret_access_key = xstrdup("secret");
	made->session_token = xstrdup("token");
	made->expiration = xstrdup("2030-01-01T00:00:00Z");
	return made;
}

static void an_expected_id_is_known_before_its_secrets(void **state)
{
	struct credentials_store *store = credentials_store_new();
	struct credentials_entry entry;

	assert_false(credentials_store_get(store, "id-1", &entry));
	credentials_store_expect(store, "task-1", CREDENTIALS_ROLE_TASK, "id-1");
	assert_true(credentials_store_get(store, "id-1", &entry));
	assert_null(entry.credentials);
	assert_string_equal(entry.task_arn, "task-1");
	credentials_store_put(store, "task-1", CREDENTIALS_ROLE_TASK, credentials("id-1", "AKID1"));
	assert_true(credentials_store_get(store, "id-1", &entry));
	assert_string_equal(entry.credentials->access_key_id, "AKID1");
	/* To name it again loses nothing. */
	credentials_store_expect(store, "task-1", CREDENTIALS_ROLE_TASK, "id-1");
	assert_true(credentials_store_get(store, "id-1", &entry));
	assert_non_null(entry.credentials);
	credentials_store_free(store);
}

static void new_credentials_replace_the_old(void **state)
{
	struct credentials_store *store = credentials_store_new();
	struct credentials_entry entry;

	credentials_store_put(store, "task-1", CREDENTIALS_ROLE_TASK, credentials("id-1", "OLD"));
	credentials_store_put(store, "task-1", CREDENTIALS_ROLE_TASK, credentials("id-1", "NEW"));
	assert_true(credentials_store_get(store, "id-1", &entry));
	assert_string_equal(entry.credentials->access_key_id, "NEW");
	credentials_store_free(store);
}

static void a_dropped_task_leaves_nothing(void **state)
{
	struct credentials_store *store = credentials_store_new();
	struct credentials_entry entry;

	credentials_store_put(store, "task-1", CREDENTIALS_ROLE_TASK, credentials("a", "A"));
	credentials_store_put(store, "task-1", CREDENTIALS_ROLE_EXECUTION, credentials("b", "B"));
	credentials_store_put(store, "task-2", CREDENTIALS_ROLE_TASK, credentials("c", "C"));
	credentials_store_drop_task(store, "task-1");
	assert_false(credentials_store_get(store, "a", &entry));
	assert_false(credentials_store_get(store, "b", &entry));
	assert_true(credentials_store_get(store, "c", &entry));
	credentials_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_expected_id_is_known_before_its_secrets),
		cmocka_unit_test(new_credentials_replace_the_old),
		cmocka_unit_test(a_dropped_task_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
