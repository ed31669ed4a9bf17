/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/task_text.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

/* Whatever case the member's name is in: none may get past. */
static void drop_member(json_t *object, const char *name)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, key, value)
	{
		if (str_eq_nocase(key, name))
			json_object_del(object, key);
	}
}

static void keep_id(json_t *object, const char *name, const char *id)
{
	drop_member(object, name);
	if (id)
		json_object_set_new(object, name, json_pack("{s:s}", "credentialsId", id));
}

const char *task_text_without_secrets(json_t *value, const struct task_spec *task,
				      struct arena *arena)
{
	_cleanup_json_ json_t *copy = json_copy(value); /* one level: the members are shared */
	_cleanup_free_ char *text = NULL;

	keep_id(copy, "roleCredentials", task->role_credentials_id);
	keep_id(copy, "executionRoleCredentials", task->execution_role_credentials_id);
	text = json_dump_compact(copy);
	return arena_strdup(arena, text);
}
