/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_CLUSTERS_H
#define BERTH_CONTROL_STORE_CLUSTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "control-plane/store/store.h"

/* One cluster. The names are unique: a cluster created anew replaces the INACTIVE record of the
 * same name. */
struct cluster_row {
	char *name;
	char *status;   /* ACTIVE, INACTIVE */
	char *document; /* JSON object: settings, configuration, capacityProviders, ... as the API
			   shows them */
	char *request;  /* JSON object: the arguments of CreateCluster in canonical form, for
			   idempotency */
	int64_t created_at_ms;
};

struct cluster_list {
	struct cluster_row *items;
	size_t count;
};

void cluster_row_clear(struct cluster_row *row);
void cluster_list_clear(struct cluster_list *list);

/* The cluster of that name whatever its status; -ENOENT when there never was one (err untouched
 * then). */
int cluster_get(struct store *store, const char *name, struct cluster_row *ret_row,
		struct error *err);

/* Writes the row; replaces an INACTIVE one of the same name together with its INACTIVE instances.
 */
int cluster_create(struct store *store, const struct cluster_row *row, struct error *err);

int cluster_set_status(struct store *store, const char *name, const char *status,
		       struct error *err);

/* ACTIVE clusters whose name comes after `after` (NULL: from the first), by name, at most `limit`.
 */
int cluster_find(struct store *store, const char *after, int64_t limit,
		 struct cluster_list *ret_list, struct error *err);

#endif
