/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_ATTRIBUTES_H
#define BERTH_CONTROL_STORE_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/store/store.h"

/* An attribute of a container instance. */
struct attribute_row {
	char *instance; /* id */
	char *name;
	char *value; /* NULL: it has none */
	bool custom; /* put by a user, or a name of its own given at the first registration */
};

struct attribute_list {
	struct attribute_row *items;
	size_t count;
};

void attribute_list_clear(struct attribute_list *list);

/* Adds or replaces. */
int attribute_put(struct store *store, const char *cluster, const char *instance, const char *name,
		  const char *value, bool custom, struct error *err);

/* ret_found may be NULL. */
int attribute_delete(struct store *store, const char *cluster, const char *instance,
		     const char *name, bool *ret_found, struct error *err);

/* Those that an agent registered and that are not custom: taken away before a re-registration
 * writes the new ones. */
int attribute_delete_registered(struct store *store, const char *cluster, const char *instance,
				struct error *err);

/* All of one instance, by name. */
int attribute_of_instance(struct store *store, const char *cluster, const char *instance,
			  struct attribute_list *ret_list, struct error *err);

/* -ENOENT when the instance has no such attribute. *ret_value is allocated, NULL when it has no
 * value. */
int attribute_get(struct store *store, const char *cluster, const char *instance, const char *name,
		  char **ret_value, struct error *err);

int attribute_count_custom(struct store *store, const char *cluster, const char *instance,
			   int64_t *ret_count, struct error *err);

/*
 * Of all instances that are not INACTIVE, by instance and name, after (after_instance, after_name);
 * name and value NULL: any.
 */
int attribute_find(struct store *store, const char *cluster, const char *name, const char *value,
		   const char *after_instance, const char *after_name, int64_t limit,
		   struct attribute_list *ret_list, struct error *err);

#endif
