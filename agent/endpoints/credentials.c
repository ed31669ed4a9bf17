/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/endpoints/credentials.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"

struct entry {
	char *task_arn;
	enum credentials_role role;
	struct role_credentials *credentials; /* NULL: expected */
};

struct credentials_store {
	struct map *entries; /* id -> struct entry */
};

static void entry_free(struct entry *entry)
{
	role_credentials_free(entry->credentials);
	free(entry->task_arn);
	free(entry);
}

struct credentials_store *credentials_store_new(void)
{
	struct credentials_store *store = xcalloc(1, sizeof(*store));

	store->entries = map_new();
	return store;
}

void credentials_store_free(struct credentials_store *store)
{
	struct entry *entry;
	size_t cursor = 0;

	if (!store)
		return;
	while ((entry = map_next(store->entries, &cursor, NULL)))
		entry_free(entry);
	map_free(store->entries);
	free(store);
}

static struct entry *entry_of(struct credentials_store *store, const char *task_arn,
			      enum credentials_role role, const char *id)
{
	struct entry *entry = map_get(store->entries, id);

	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		map_set(store->entries, id, entry);
	}
	str_replace(&entry->task_arn, task_arn);
	entry->role = role;
	return entry;
}

void credentials_store_expect(struct credentials_store *store, const char *task_arn,
			      enum credentials_role role, const char *id)
{
	entry_of(store, task_arn, role, id);
}

void credentials_store_put(struct credentials_store *store, const char *task_arn,
			   enum credentials_role role, struct role_credentials *credentials)
{
	struct entry *entry = entry_of(store, task_arn, role, credentials->id);

	role_credentials_free(entry->credentials);
	entry->credentials = credentials;
}

static void drop(struct credentials_store *store, const char *task_arn, bool all)
{
	struct entry *entry;
	const char *id;
	size_t cursor = 0;

	while ((entry = map_next(store->entries, &cursor, &id))) {
		if (!str_eq(entry->task_arn, task_arn) ||
		    (!all && entry->role != CREDENTIALS_ROLE_TASK))
			continue;
		map_remove(store->entries, id);
		entry_free(entry);
		cursor = 0;
	}
}

void credentials_store_drop_role(struct credentials_store *store, const char *task_arn)
{
	drop(store, task_arn, false);
}

void credentials_store_drop_task(struct credentials_store *store, const char *task_arn)
{
	drop(store, task_arn, true);
}

bool credentials_store_get(const struct credentials_store *store, const char *id,
			   struct credentials_entry *ret)
{
	const struct entry *entry = map_get(store->entries, id);

	if (!entry)
		return false;
	*ret = (struct credentials_entry){ entry->task_arn, entry->role, entry->credentials };
	return true;
}
