/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_TAGS_H
#define BERTH_CONTROL_STORE_TAGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/store/store.h"

/* Tags of any resource, by its ARN. They vanish with the resource: whoever deletes it calls
 * tags_delete_all(). */
struct tag {
	char *key;
	char *value; /* never NULL */
};

struct tag_list {
	struct tag *items;
	size_t count;
};

void tag_list_clear(struct tag_list *list);

/* In the order in which they were first put. */
int tags_get(struct store *store, const char *arn, struct tag_list *ret_list, struct error *err);
int tags_put(struct store *store, const char *arn, const char *key, const char *value,
	     struct error *err);
int tags_delete(struct store *store, const char *arn, const char *key, struct error *err);
int tags_delete_all(struct store *store, const char *arn, struct error *err);

#endif
